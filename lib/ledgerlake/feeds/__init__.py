"""The ways sources deliver changes, one module or folder each, behind the interface in ``base``.

A feed *extracts* (finds or pulls what is new and lands it; no Spark unless the source is read
over JDBC) and *reads* (landed objects → raw changes, one scan). It knows the source's format,
order and deletes. It does not know contracts, folding or tables of the lake.
"""
