"""The embedded engine: Spark's SQL, translated construct by construct for DuckDB, over Arrow tables."""
