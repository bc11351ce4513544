"""Kafka topics in object storage: JSON lines and Avro containers."""
