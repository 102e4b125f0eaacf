"""`influxdata/influxdb/v1`: the functions of `schema` under their old path.

Source: flux.md §12.
"""

from __future__ import annotations

from fluxkeep.flux.stdlib.influxdata.influxdb import schema
from fluxkeep.flux.stdlib.registry import Package

PACKAGE = Package("influxdata/influxdb/v1")
PACKAGE.include(schema.PACKAGE)
