"""AWS DMS files: options, layouts of CSV and Parquet objects, and their reading."""
