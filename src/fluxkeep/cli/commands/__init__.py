"""One module per command of `influx`."""
