"""The data that benchmarks share: made from a fixed seed, so that runs compare.

- `cpu_lines`: like TSBS's cpu measurement: 1 000 hosts with 10 tags, a line of 10 fields each in
  turn: 5 integers, 3 floats of two decimals, 2 in full precision; about 380 bytes. Every field walks
  by steps of about one, as loads do: integers and decimals are rounded walks. Entropy: 1.67 bytes a
  value.
- `cpu_noise_lines`: the same, but integers and decimals are drawn anew. Entropy: 2.15.
- `mixed_lines`: like what Telegraf sends of many plugins: 40 measurements, 4 750 series, 2 to 12
  fields of all types, tags with escapes here and there. Integers count up, floats and decimals
  walk, texts and truths stay as they are for a while.
- `mixed_noise_lines`: the same series, but every number is drawn anew. Entropy: 2.68.
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


def cpu_noise_lines(count: int, hosts: int = 1_000) -> Iterator[bytes]:
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


def cpu_lines(count: int, hosts: int = 1_000) -> Iterator[bytes]:
    """`count` lines, host after host, ten seconds a round, in which every field walks."""
    draw = random.Random(SEED)
    tags = [f"cpu,{cpu_tags(host, draw)} " for host in range(hosts)]
    walks = [[draw.uniform(0, 100) for _ in range(10)] for _ in range(hosts)]
    names = (*_INTEGERS, *_DECIMALS, *_WALKS)
    for i in range(count):
        walk = walks[i % hosts] = [min(100.0, max(0.0, at + draw.gauss(0, 1))) for at in walks[i % hosts]]
        shown = [f"{round(at)}i" for at in walk[:5]] + [f"{at:.2f}" for at in walk[5:8]] + [repr(at) for at in walk[8:]]
        fields = ",".join(f"{name}={value}" for name, value in zip(names, shown, strict=True))
        yield (tags[i % hosts] + fields + f" {START_NS + i // hosts * STEP_NS}\n").encode()


def mixed_noise_lines(count: int) -> Iterator[bytes]:
    """`count` lines of 40 measurements with 4 750 series in all, in rounds over the series."""
    draw = random.Random(SEED)
    series = _mixed_series(draw)
    for i in range(count):
        head, fields = series[i % len(series)]
        shown = [f"{name}={_value(kind, draw)}" for name, kind in fields]
        yield f"{head} {','.join(shown)} {START_NS + i // len(series) * STEP_NS}\n".encode()


def mixed_lines(count: int) -> Iterator[bytes]:
    """`count` lines of the same series, whose numbers go on from the last."""
    draw = random.Random(SEED)
    series = _mixed_series(draw)
    states: list[list[float | str]] = [[_begin(kind, draw) for _, kind in fields] for _, fields in series]
    for i in range(count):
        head, fields = series[i % len(series)]
        state = states[i % len(series)]
        shown = []
        for at, (name, kind) in enumerate(fields):
            state[at], text = _next(kind, state[at], draw)
            shown.append(f"{name}={text}")
        yield f"{head} {','.join(shown)} {START_NS + i // len(series) * STEP_NS}\n".encode()


def _mixed_series(draw: random.Random) -> list[tuple[str, list[tuple[str, str]]]]:
    """Measurement and tags of each series, and its fields with their kinds."""
    series: list[tuple[str, list[tuple[str, str]]]] = []
    for m in range(40):
        names = [f"{draw.choice(('bytes', 'usage', 'count', 'time', 'state'))}_{i}" for i in range(draw.randint(2, 12))]
        kinds = [draw.choice(("float", "integer", "integer", "decimal", "string", "boolean")) for _ in names]
        for s in range(119 if m < 30 else 118):
            tags = f"host=server-{s % 50:02d},instance=unit\\ {s}" if m % 4 == 0 else f"host=server-{s % 50:02d},id={s}"
            series.append((f"plugin_{m},{tags}", list(zip(names, kinds, strict=True))))
    return series


def _begin(kind: str, draw: random.Random) -> float | str:
    match kind:
        case "float" | "decimal":
            return draw.uniform(0, 100)
        case "integer":
            return draw.randrange(10**9)
        case _:
            return _value(kind, draw)


def _next(kind: str, last: float | str, draw: random.Random) -> tuple[float | str, str]:
    """The state after a step, and how it is written."""
    if isinstance(last, str):
        state = _value(kind, draw) if draw.random() < 0.05 else last
        return state, state
    if kind == "integer":
        count = int(last) + draw.randrange(1_000)
        return count, f"{count}i"
    walked = min(100.0, max(0.0, last + draw.gauss(0, 1)))
    return walked, f"{walked:.2f}" if kind == "decimal" else repr(walked)


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
