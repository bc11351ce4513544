"""ledgerlake: Spark on demand for finance data, from change feeds to validated, published marts.

The folders follow the flow of the data: ``feeds`` and ``landing`` bring source objects in,
``lake`` makes bronze, silver and marts of them, ``quality`` decides, ``publish`` serves.
``core`` is pure (no Spark session, no input or output), ``ports`` are the outside world,
``config`` is what users declare, ``ops`` runs it all and ``cli`` is what people type.
"""

__version__ = "0.1.0"
