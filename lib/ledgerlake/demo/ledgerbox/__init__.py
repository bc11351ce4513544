"""LedgerBox's demo: three days of B2B payments from a seeded world that speaks the sources' real protocols.

``world`` and the modules below it make facts and deliveries; ``stripe_server`` and
``settlements_db`` are the sources that are asked; ``sources`` starts them all and ``story``
plays the days.
"""
