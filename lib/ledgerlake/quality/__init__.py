"""Suites of Great Expectations as gates: loaded strictly, compiled to one scan, judged, decided.

``suite`` reads and checks a file, ``compile`` makes SQL of it, ``evaluate`` runs that on a table,
``judge`` turns the numbers into a ``result``, and ``gate`` decides. Only ``evaluate`` needs Spark.
"""
