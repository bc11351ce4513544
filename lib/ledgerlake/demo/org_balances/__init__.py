"""The world of ``org_balances``: a billing system that exports invoices and organizations as CSV."""
