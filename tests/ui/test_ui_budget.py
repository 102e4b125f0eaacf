"""What the page may cost: the server that carries it, and a browser that draws many points (ui.md §1, budgets).

Sizes are in `test_ui_bundle.py`, ten thousand tokens in `test_ui_tokens.py`. Processor time is counted, never what
passes on a clock, so that a machine that does other things too comes to the same verdict.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from tests.blackbox.process import Server
from tests.ui.page import ROOT, Page, busy_seconds, server_seconds

MEMORY_BYTES_MAX = 5 * 1024 * 1024
START_SECONDS_MAX = 0.050
DRAW_SECONDS_MAX = 1.5
POINTS = 100_000
SERIES = 10

# Prints the bytes and the seconds of processor time that the page adds to a server with all else in place.
_CARRIES = """
import os, time
import fluxkeep.api.app
def held():
    with open("/proc/self/statm") as told:
        return int(told.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
bytes_before, before = held(), time.process_time()
from fluxkeep.ui.serve import Pages
pages = Pages()
assert pages.answer("GET", "/", {}).status_code == 200
start = time.process_time() - before
names = sorted(pages._known())
assert len(names) > 10
for name in names:
    for wanted in ({}, {"accept-encoding": "gzip"}):
        assert pages.answer("GET", name, wanted).status_code == 200
print(held() - bytes_before, start)
"""


def test_the_page_adds_little_to_the_server() -> None:
    told = [
        subprocess.run([sys.executable, "-c", _CARRIES], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(3)
    ]
    assert min(int(held) for held, _ in told) <= MEMORY_BYTES_MAX, told
    assert 0 < min(float(start) for _, start in told) <= START_SECONDS_MAX, told


# The page's own reader and plot as one script, which says what it drew.
_SCRIPT = """
import { parse } from "./src/lib/csv.js";
import { draw } from "./src/parts/Plot.js";
globalThis.drawAll = async (path, query) => {
  const headers = { "Content-Type": "application/json" };
  const body = JSON.stringify({ query, type: "flux", dialect: { annotations: ["datatype", "group", "default"] } });
  const tables = parse(await (await fetch(path, { method: "POST", headers, body })).text());
  const box = document.createElement("div");
  box.style.width = "900px";
  document.body.append(box);
  const plot = draw(box, tables, "UTC");
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const { data } = plot.ctx.getImageData(0, 0, plot.ctx.canvas.width, plot.ctx.canvas.height);
  const inked = data.some((part, i) => i % 4 === 3 && part > 0);
  return { label: box.getAttribute("aria-label"), inked };
};
globalThis.drawOne = async (seconds) => {
  const columns = ["_time", "_value"].map((label) => ({ label, group: false }));
  const box = document.createElement("div");
  document.body.append(box);
  const plot = draw(box, [{ columns, rows: [[new Date(seconds * 1000).toISOString(), 1]] }], "UTC");
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  return [plot.scales.x.min, plot.scales.x.max];
};
"""
_BUNDLE = """
import { build } from "esbuild";
const stdin = { contents: process.argv[1], resolveDir: "." };
const made = await build({ stdin, bundle: true, minify: true, format: "iife", write: false });
console.log(made.outputFiles[0].text);
"""


@pytest.fixture(scope="module")
def script(node: list[str]) -> str:
    """The script, bundled as the page's own are."""
    command = [*node, "--input-type=module", "-e", _BUNDLE, _SCRIPT]
    return subprocess.run(command, cwd=ROOT / "ui", capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_a_single_point_stands_in_the_middle_of_a_minute(page: Page, script: str) -> None:
    page.open("/")
    page.js(script)
    ask = "const done = arguments[1]; drawOne(arguments[0]).then(done, (e) => done(String(e)))"
    assert page.driver.execute_async_script(ask, 1_700_000_000) == [1_699_999_970, 1_700_000_030]


@pytest.mark.slow
def test_a_hundred_thousand_points_are_drawn_in_time(
    page: Page, house: dict[str, Any], bare: Server, script: str
) -> None:
    for series in range(SERIES):
        lines = "\n".join(f"m,s=s{series} v={n % 97}.{n % 10} {n * 10**9}" for n in range(POINTS // SERIES))
        assert bare.write(house["auth"]["token"], lines).status == 204
    page.sign_in()
    page.js(script)
    query = 'from(bucket: "house") |> range(start: 1970-01-01T00:00:00Z, stop: 1970-02-01T00:00:00Z)'
    ask = "const done = arguments[2]; drawAll(arguments[0], arguments[1]).then(done, (e) => done(String(e)))"
    page.driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    try:
        spent = []
        for _ in range(3):
            before = busy_seconds(page), server_seconds(bare)
            told = page.driver.execute_async_script(ask, f"/api/v2/query?orgID={house['org']['id']}", query)
            assert told["inked"], told
            assert told["label"].startswith(f"Plot of {SERIES} series, {POINTS} points, from 0 to 96.9"), told
            spent.append((busy_seconds(page) - before[0], server_seconds(bare) - before[1]))
    finally:
        page.driver.execute_cdp_cmd("Performance.disable", {})
    assert 0 < min(map(sum, spent)) <= DRAW_SECONDS_MAX, json.dumps(spent)
