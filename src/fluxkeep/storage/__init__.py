"""The time series store: WAL, memtable, Parquet files, manifest, scans."""
