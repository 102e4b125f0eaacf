"""fluxkeep: a time series server that speaks InfluxDB 2's API."""
