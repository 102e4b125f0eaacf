"""`influxd`'s commands that work on the files of a stopped server."""
