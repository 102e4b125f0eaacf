"""Drives the page in Chromium as people do: by roles and names, waiting on conditions, never for a time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import (
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from tests.blackbox.process import Server

T = TypeVar("T")

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FIND = (HERE / "find.js").read_text()
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WAIT_SECONDS = 10.0
SECRET_CHARACTERS = 88

# The one refusal of every visit that is no fault: the page asks who is signed in before anyone is.
START_UP_PROBE = "/api/v2/me - Failed to load resource: the server responded with a status of 401"


class Page:
    """One browser on one server."""

    def __init__(self, driver: WebDriver, base: str) -> None:
        self.driver = driver
        self.base = base
        self.expected: list[str] = [START_UP_PROBE]

    # -- going and waiting

    def open(self, path: str = "/") -> None:
        """Go there and wait until the page has begun to show something."""
        self.driver.get(self.base + path)
        self.wait(lambda: self.js("return document.querySelector('h1') !== null"), f"{path} shows a heading")

    @property
    def path(self) -> str:
        return self.driver.current_url.removeprefix(self.base)

    def wait(self, condition: Callable[[], T], what: str, seconds: float = WAIT_SECONDS) -> T:
        """What the condition gives once it is true."""
        until = time.monotonic() + seconds
        while True:
            try:
                if got := condition():
                    return got
            except StaleElementReferenceException:
                pass
            assert time.monotonic() < until, f"waited {seconds} s in vain: {what}; the page says: {self.text()[:1500]}"
            time.sleep(0.02)

    # -- finding

    def all(self, role: str, name: str | None = None, *, exact: bool = True) -> list[WebElement]:
        """The visible elements of a role and name; inside the open dialog while there is one."""
        found: list[WebElement] = self.driver.execute_script(FIND, role, name, exact)
        return found

    def one(self, role: str, name: str | None = None, *, exact: bool = True) -> WebElement:
        """The first such element, as soon as there is one."""
        return self.wait(lambda: self.all(role, name, exact=exact), f"a {role} called {name!r}")[0]

    def gone(self, role: str, name: str | None = None, *, exact: bool = True) -> None:
        """Return once there is none."""
        self.wait(lambda: not self.all(role, name, exact=exact), f"no {role} called {name!r}")

    def says(self, text: str) -> None:
        """Return once the page shows the text."""
        self.wait(lambda: text in self.text(), f"the text {text!r}")

    def text(self) -> str:
        return str(self.js("return document.body ? document.body.innerText : ''"))

    def secret(self) -> str:
        """The secret that is shown now."""
        return self.one("textbox", "Token").get_attribute("value") or ""

    def rows(self) -> list[str]:
        """The drawn rows of the table, cells apart by a bar."""
        got: list[str] = self.js(
            "return [...document.querySelectorAll('[data-testid=row]')].map("
            "(row) => [...row.cells].map((cell) => cell.innerText.trim()).join('|'))"
        )
        return got

    # -- doing

    def click(self, role: str, name: str, *, exact: bool = True) -> None:
        """Once it can be clicked: what waits for an answer is disabled until then."""

        def clicked() -> bool:
            element = self.one(role, name, exact=exact)
            if element.is_enabled():
                element.click()
                return True
            return False

        self.wait(clicked, f"the {role} {name!r} can be clicked")

    def type(self, label: str, text: str) -> WebElement:
        """Replace the text of a field."""
        box = self.one("textbox", label)
        if box.get_attribute("value"):
            box.send_keys(Keys.CONTROL, "a")
            box.send_keys(Keys.DELETE)
        box.send_keys(text)
        return box

    def choose(self, label: str, option: str) -> None:
        box = self.one("combobox", label)
        self.wait(
            lambda: self.js("return [...arguments[0].options].some((o) => o.text === arguments[1])", box, option),
            f"the option {option!r} of {label!r}",
        )
        self.js(
            "const [box, text] = arguments; box.value = [...box.options].find((o) => o.text === text).value;"
            "for (const kind of ['input', 'change']) box.dispatchEvent(new Event(kind, {bubbles: true}))",
            box,
            option,
        )

    def pick(self, label: str, text: str, *, known: bool = True) -> WebElement:
        """Into a field with a list: type, and take what it offers, or leave it as typed."""
        box = self.one("combobox", label)
        box.click()
        box.send_keys(Keys.CONTROL, "a")
        box.send_keys(text)
        if known:
            self.one("option", text, exact=False)
            if not self.js("return arguments[0].hasAttribute('aria-activedescendant')", box):
                box.send_keys(Keys.ARROW_DOWN)
            box.send_keys(Keys.ENTER)
        else:
            box.send_keys(Keys.TAB)
        return box

    def menu(self, button: str, item: str) -> None:
        """Open a menu and take one of its items."""
        self.click("button", button)
        self.one("menuitem", item, exact=False).click()

    def press(self, *keys: str) -> None:
        """Into whatever has the focus, also where it is drawn anew in that moment."""

        def sent() -> bool:
            try:
                self.driver.switch_to.active_element.send_keys(*keys)
            except (ElementNotInteractableException, NoSuchElementException):
                return False
            return True

        self.wait(sent, "what has the focus takes keys")

    def js(self, code: str, *args: Any) -> Any:
        return self.driver.execute_script(code, *args)

    def sign_in(self, user: str = "house", password: str = "house-password") -> None:
        self.open("/signin")
        self.type("Username", user)
        self.type("Password", password)
        self.click("button", "Sign in")
        self.wait(lambda: not self.path.startswith("/signin"), "signed in")
        self.one("heading")

    def forget(self) -> None:
        """Drop the session's cookie."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def sign_in_anew(self, user: str, password: str) -> None:
        """As somebody else."""
        self.forget()
        self.sign_in(user, password)

    def sign_in_fails(self, user: str, password: str) -> bool:
        """Whether these credentials are refused; nobody is signed in afterwards."""
        self.forget()
        self.open("/signin")
        self.type("Username", user)
        self.type("Password", password)
        self.click("button", "Sign in")
        return self.one("alert", "Wrong username or password").is_displayed()

    def fetch(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """A request with the session of the page, past the page's own code."""
        status, text = self.driver.execute_async_script(
            "const [method, path, body, done] = arguments;"
            "const frame = XMLHttpRequest; const r = new frame(); r.open(method, path);"
            "r.onloadend = () => done([r.status, r.responseText]); r.send(body)",
            method,
            path,
            body if body is None or isinstance(body, str) else json.dumps(body),
        )
        return status, text

    def sent(self, method: str, path: str) -> list[dict[str, Any]]:
        """What the page sent so far: method, path, body, status and text of the answer."""
        wire: list[dict[str, Any]] = self.js("return window.wire")
        return [entry for entry in wire if entry["method"] == method and path in entry["path"]]

    def force(self, method: str, path: str, status: int = 500, message: str = "forced to fail") -> None:
        """Answer the next such request in the server's place."""
        body = json.dumps({"code": "internal error", "message": message})
        self.js("const [method, path, status, body] = arguments; window.forced.push({method, path, status, body})",
                method, path, status, body)  # fmt: skip

    def expect(self, path: str, status: int) -> None:
        """The browser may report this refusal; the scenario provokes it."""
        self.expected.append(f"{path}|{status}")

    # -- judging

    def complaints(self) -> list[str]:
        """What the browser's console holds, but for the refusals that the scenario expects."""
        entries: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [
            entry["message"]
            for entry in entries
            if entry["level"] in ("SEVERE", "WARNING")
            and not any(self._is(entry["message"], one) for one in self.expected)
        ]

    @staticmethod
    def _is(message: str, expected: str) -> bool:
        path, _, status = expected.rpartition("|")
        return expected in message if not path else path in message and f"status of {status} " in message

    def strangers(self) -> list[str]:
        """Requests to other origins than the page's."""
        events: list[dict[str, Any]] = self.driver.get_log("performance")  # type: ignore[no-untyped-call]
        urls = [
            message["params"]["request"]["url"]
            for message in (json.loads(event["message"])["message"] for event in events)
            if message["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if not url.startswith((self.base + "/", "data:"))]

    def axe(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 AA in what is shown."""
        if not self.js("return Boolean(window.axe)"):
            self.js(AXE.read_text())
        # A toast that is about to go, or a row that is about to be drawn, is judged as it stands.
        result = self.driver.execute_async_script(
            "const [tags, done] = arguments; axe.run(document, {runOnly: tags, resultTypes: ['violations']})"
            ".then((r) => done(r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 200)"
            " + ' ' + (n.any[0]?.message ?? '')).join(' || ')}`)), (e) => done([String(e)]))",
            AXE_TAGS,
        )
        found: list[str] = result
        return found


def busy_seconds(page: Page) -> float:
    """Processor time of the page's main thread so far: what a machine that does nothing else needs at most."""
    metrics = page.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def server_seconds(server: Server) -> float:
    """Processor time of the server so far."""
    assert server.process is not None
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
