"""What the two commands call themselves.

Scripts and clients read these texts, so they keep the reference's form and
versions; fluxkeep's own version stands in the commit's place.
"""

from __future__ import annotations

import platform

CLI_VERSION = "2.8.0"
SERVER_VERSION = "v2.9.1"
COMMIT = "fluxkeep-0.1.0"
BUILD_DATE = "2026-11-24T00:00:00Z"

USER_AGENT = f"influx/{CLI_VERSION} ({platform.system().lower()}) Sha/{COMMIT} Date/{BUILD_DATE}"
CLI_LINE = f"Influx CLI {CLI_VERSION} (git: {COMMIT}) build_date: {BUILD_DATE}"
SERVER_LINE = f"InfluxDB {SERVER_VERSION} (git: {COMMIT}) build_date: {BUILD_DATE}"
