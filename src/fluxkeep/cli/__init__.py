"""The two commands, influxd and influx."""
