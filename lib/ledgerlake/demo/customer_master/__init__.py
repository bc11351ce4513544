"""LedgerLoop's demo: three days of customers in four sources."""
