"""Salesforce Change Data Capture: events, what they carry, and what must be fetched again."""
