"""High-watermark queries over JDBC: windows, partitions, and deletes found by comparing keys."""
