"""The options as a page for people: `docs/reference/options.md` is this module's output.

python -m fluxkeep.config.reference > docs/reference/options.md
"""

from __future__ import annotations

import sys

from fluxkeep.config.options import OURS, REFERENCE, Option
from fluxkeep.config.values import Kind
from fluxkeep.instants import format_go_duration

_HEAD = """# Options of influxd

Every option is a flag (`--http-bind-address`), an environment variable (`INFLUXD_HTTP_BIND_ADDRESS`) and a key of a
configuration file; a flag wins over the environment, the environment over the file, the file over the default. The
file is `config.json`, `config.toml`, `config.yaml` or `config.yml` in the working directory, or what
`INFLUXD_CONFIG_PATH` names.

A value that cannot be read, an unknown key in the file and a file that is named and missing refuse to start: a
protection that is asked for must not be off because of a typing mistake. Booleans are `true` or `false` (also `1`,
`0`, `t`, `f`), sizes are bytes or end in `k`, `m` or `g` (thousands), durations look like `90s` or `1h30m`.

All names of InfluxDB 2.9 are accepted. Those in the last table have no counterpart here; when one is set, the log
names it.
"""


def render() -> str:
    """The page as Markdown."""
    known = [option for option in REFERENCE if option.effective]
    without = [option for option in REFERENCE if not option.effective and not option.hidden]
    parts = [
        _HEAD,
        "## InfluxDB's options\n",
        _table(known),
        "## Options of fluxkeep alone\n",
        _table(OURS),
        "## Accepted, without effect\n",
        _table(without),
    ]
    return "\n".join(parts)


def _table(options: list[Option] | tuple[Option, ...]) -> str:
    rows = [f"| `{option.name}` | {option.kind.value} | {_default(option)} | {option.meaning} |" for option in options]
    return "\n".join(["| option | value | default | meaning |", "|---|---|---|---|", *rows]) + "\n"


def _default(option: Option) -> str:
    match option.default:
        case bool(value):
            return str(value).lower()
        case int(value) if option.kind in (Kind.DURATION, Kind.SPAN):
            return format_go_duration(value)
        case int(value):
            return str(value)
        case str(value) if value:
            return f"`{value}`"
        case _:
            return ""


if __name__ == "__main__":
    sys.stdout.write(render())
