"""Packages of InfluxDB itself."""
