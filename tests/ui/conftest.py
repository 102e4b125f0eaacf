"""Chromium and servers for the scenarios. One browser for all; every test begins with a clean one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver
from tests.blackbox.process import Server
from tests.ui.page import AXE, HERE, ROOT, Page

sys.path.insert(0, str(ROOT))
from hatch_build import node_tools

MISSING = (
    "The browser tests need Chromium and its driver, and found none.\n"
    "Install them (Debian: apt-get install chromium chromium-driver), or run `make browser` as root."
)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-search-engine-choice-screen",
    "--window-size=1280,940",
    # A name that is no loopback to the browser, so that its origin is not a secure context.
    "--host-resolver-rules=MAP plain.test 127.0.0.1",
)


@pytest.fixture(scope="session")
def node() -> list[str]:
    """Node as a command, with the page's tools installed beside its sources."""
    command, npm = node_tools()
    if not AXE.is_file():
        done = subprocess.run(
            [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=ROOT / "ui", capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
    return command


@pytest.fixture(scope="session")
def driver(node: list[str]) -> Iterator[WebDriver]:
    """Debian's Chromium, instrumented."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.fail(MISSING, pytrace=False)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(driver))
    made.set_script_timeout(30)
    instrument(made)
    try:
        yield made
    finally:
        made.quit()


def instrument(driver: WebDriver) -> None:
    """In the current window, before any script of the page."""
    script = {"source": (HERE / "instrument.js").read_text()}
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Server]:
    """A running server that nobody has set up."""
    made = Server(tmp_path / "data")
    made.start()
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture
def house(bare: Server) -> dict[str, Any]:
    """The set-up's answer: user, org, bucket and the operator token of the server of this test."""
    return bare.set_up()


@pytest.fixture
def page(driver: WebDriver, bare: Server, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Page]:
    """The browser on this test's server, with no cookies and nothing stored.

    Afterwards the console must hold no complaint that the scenario does not expect, and no request may
    have gone to another origin. What a failed test saw is kept in its folder.
    """
    for kind in ("Network.clearBrowserCookies", "Network.clearBrowserCache"):
        driver.execute_cdp_cmd(kind, {})
    driver.get("about:blank")
    for kind in ("browser", "performance"):
        driver.get_log(kind)  # type: ignore[no-untyped-call]
    first = driver.current_window_handle
    made = Page(driver, bare.url)
    failed = request.session.testsfailed
    yield made
    complaints, strangers = made.complaints(), made.strangers()
    if request.session.testsfailed > failed or complaints:
        driver.save_screenshot(str(tmp_path / "failed.png"))
        (tmp_path / "failed.html").write_text(driver.page_source)
        (tmp_path / "failed.json").write_text(json.dumps(complaints, indent=1))
    for handle in driver.window_handles:
        if handle != first:
            driver.switch_to.window(handle)
            driver.close()
    driver.switch_to.window(first)
    # A secret that is still shown asks before it is left; the next test must not meet the question.
    driver.execute_script("window.onbeforeunload = null")
    assert complaints == []
    assert strangers == []
