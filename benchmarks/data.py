"""The data that benchmarks share: made from a fixed seed, so that runs compare.

- `cpu_lines`: like TSBS's cpu measurement: 1 000 hosts with 10 tags, a line of 10 fields each in
  turn: 5 integers, 3 floats of two decimals, 2 random walks in full precision; about 380 bytes.
- `mixed_lines`: like what Telegraf sends of many plugins: 40 measurements, 4 750 series, 2 to 12
  fields of all types, tags with escapes here and there.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

SEED = 20_240_607
START_NS = 1_700_000_000_000_000_000
STEP_NS = 10_000_000_000

_REGIONS = ("us-east-1", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1", "ap-northeast-1")
_SYSTEMS = ("Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10")
_TEAMS = ("SF", "NYC", "LON", "CHI")
_STAGES = ("production", "staging", "test")
_INTEGERS = ("usage_user", "usage_system", "usage_idle", "usage_nice", "usage_iowait")
_DECIMALS = ("usage_irq", "usage_softirq", "usage_steal")
_WALKS = ("usage_guest", "usage_guest_nice")


def cpu_tags(host: int, draw: random.Random) -> str:
    """The tag set of a host, as line protocol."""
    region = draw.choice(_REGIONS)
    return (
        f"hostname=host_{host},region={region},datacenter={region}{draw.choice('abc')},rack={draw.randrange(100)},"
        f"os={draw.choice(_SYSTEMS)},arch={draw.choice(('x64', 'x86'))},team={draw.choice(_TEAMS)},"
        f"service={draw.randrange(20)},service_version={draw.randrange(2)},"
        f"service_environment={draw.choice(_STAGES)}"
    )


def cpu_lines(count: int, hosts: int = 1_000) -> Iterator[bytes]:
    """`count` lines, host after host, ten seconds a round."""
    draw = random.Random(SEED)
    tags = [f"cpu,{cpu_tags(host, draw)} " for host in range(hosts)]
    walks = [[draw.uniform(0, 100), draw.uniform(0, 100)] for _ in range(hosts)]
    for i in range(count):
        host = i % hosts
        walk = walks[host]
        for at in (0, 1):
            walk[at] = min(100.0, max(0.0, walk[at] + draw.gauss(0, 1)))
        fields = [f"{name}={draw.randrange(101)}i" for name in _INTEGERS]
        fields += [f"{name}={draw.uniform(0, 100):.2f}" for name in _DECIMALS]
        fields += [f"{name}={value!r}" for name, value in zip(_WALKS, walk, strict=True)]
        yield (tags[host] + ",".join(fields) + f" {START_NS + i // hosts * STEP_NS}\n").encode()


def mixed_lines(count: int) -> Iterator[bytes]:
    """`count` lines of 40 measurements with 4 750 series in all, in rounds over the series."""
    draw = random.Random(SEED)
    series: list[tuple[str, list[str]]] = []
    for m in range(40):
        names = [f"{draw.choice(('bytes', 'usage', 'count', 'time', 'state'))}_{i}" for i in range(draw.randint(2, 12))]
        kinds = [draw.choice(("float", "integer", "integer", "decimal", "string", "boolean")) for _ in names]
        for s in range(119 if m < 30 else 118):
            tags = f"host=server-{s % 50:02d},instance=unit\\ {s}" if m % 4 == 0 else f"host=server-{s % 50:02d},id={s}"
            series.append((f"plugin_{m},{tags}", [f"{n}={k}" for n, k in zip(names, kinds, strict=True)]))
    for i in range(count):
        head, fields = series[i % len(series)]
        shown = []
        for field in fields:
            name, kind = field.split("=")
            value = _value(kind, draw)
            shown.append(f"{name}={value}")
        yield f"{head} {','.join(shown)} {START_NS + i // len(series) * STEP_NS}\n".encode()


def _value(kind: str, draw: random.Random) -> str:
    match kind:
        case "float":
            return repr(draw.uniform(0, 1e6))
        case "integer":
            return f"{draw.randrange(10**9)}i"
        case "decimal":
            return f"{draw.uniform(0, 100):.2f}"
        case "string":
            return f'"{draw.choice(("running", "stopped", "waiting for disk"))}"'
        case _:
            return draw.choice(("true", "false"))
