"""Set-up: brings Java, jars and a class-data-sharing archive into ``.tools``, once.

``python -m ledgerlake.setup`` runs the steps (``java``, ``jars``, ``archive``); ``launch`` is the
one place that knows how a driver starts from what they left there.
"""
