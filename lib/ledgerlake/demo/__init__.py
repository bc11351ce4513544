"""The demo: three LedgerBox days from a seeded world that speaks the sources' real protocols.

``world`` and the modules below it make facts and deliveries; ``stripe_server`` and
``settlements_db`` are the sources that are asked; ``local_snowflake`` is the local warehouse;
``sources`` starts them all and ``story`` plays the days. Nothing outside this folder depends
on it, except that a local environment uses ``local_snowflake``.
"""
