"""Debezium JSON: message forms, order of both databases, exact values, and their reading."""
