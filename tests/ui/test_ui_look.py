"""Every page and dialog in both themes before axe-core, by keyboard, on a narrow screen (ui.md §13; §14: 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from tests.blackbox.process import Server, bucket_permission
from tests.ui.page import Page

pytestmark = pytest.mark.slow

THEMES = ("Light", "Dark")
# Text on its surface, and the borders of controls (ui.md §12).
TEXT_CONTRAST_MIN = 4.5
EDGE_CONTRAST_MIN = 3.0


def _theme(page: Page, name: str) -> None:
    page.js("localStorage.setItem('fk.theme', JSON.stringify(arguments[0]))", name)


def _furnish(server: Server, house: dict[str, Any]) -> None:
    """Tokens of every kind and state, points, a second user and organization."""
    operator, org, bucket = house["auth"]["token"], house["org"]["id"], house["bucket"]["id"]
    read, write = (bucket_permission(action, org, bucket) for action in ("read", "write"))
    for description, permissions, extra in (
        ("Kitchen sensor", [write], {}),
        ("Grafana", [read], {"expiresAt": "2099-01-01T00:00:00Z"}),
        ("Old laptop", [read, write], {"status": "inactive"}),
        ("", [{"action": "read", "resource": {"type": "tasks", "orgID": org}}], {}),
    ):
        wish = {"orgID": org, "description": description, "permissions": permissions, **extra}
        assert server.ask("POST", "/api/v2/authorizations", operator, wish).status == 201
    assert server.ask("POST", "/api/v2/users", operator, {"name": "guest"}).status == 201
    assert server.ask("POST", "/api/v2/orgs", operator, {"name": "lab"}).status == 201
    lines = "\n".join(f"temperature,room={room} celsius={n % 7}.5" for n, room in enumerate(("kitchen", "cellar")))
    assert server.write(operator, lines).status == 204


def _judge(page: Page, what: str, found: list[str]) -> None:
    found += [f"{what}: {violation}" for violation in page.axe()]


def _close(page: Page) -> None:
    page.press(Keys.ESCAPE)
    page.gone("dialog")


@pytest.mark.parametrize("theme", THEMES)
def test_pages_before_anyone_is_signed_in(page: Page, bare: Server, theme: str) -> None:
    found: list[str] = []
    page.open("/")
    _theme(page, theme)
    page.open("/")
    _judge(page, "onboarding", found)
    page.click("button", "Set up")
    page.one("alert", "Some fields", exact=False)
    _judge(page, "onboarding with errors", found)
    for label, text in (("Username", "a"), ("Organization", "b"), ("First bucket", "c")):
        page.type(label, text)
    for label in ("Password", "Password again"):
        page.type(label, "correct-horse")
    page.click("button", "Set up")
    page.one("textbox", "Token")
    _judge(page, "the operator token", found)
    page.click("checkbox", "I have stored this token")
    assert bare.ask("GET", "/api/v2/setup").json == {"allowed": False}
    page.expect("/api/v2/signin", 401)
    page.open("/signin")
    page.type("Username", "a")
    page.type("Password", "wrong-password")
    page.click("button", "Sign in")
    page.one("alert", "Wrong username or password")
    _judge(page, "sign-in with an error", found)
    assert found == []


@pytest.mark.parametrize("theme", THEMES)
def test_every_page_and_dialog(page: Page, house: dict[str, Any], bare: Server, theme: str) -> None:
    _furnish(bare, house)
    page.sign_in()
    _theme(page, theme)
    found: list[str] = []
    org, bucket = house["org"]["id"], house["bucket"]["id"]

    def shows_rows() -> bool:
        return bool(page.rows())

    def shows_plot() -> bool:
        return bool(page.js("return document.querySelector('.plot canvas')"))

    pages: list[tuple[str, Callable[[], bool]]] = [
        (f"/orgs/{org}/load-data/tokens", shows_rows),
        (f"/orgs/{org}/load-data/buckets", shows_rows),
        (f"/orgs/{org}/load-data/buckets/{bucket}", shows_plot),
        (f"/orgs/{org}/members", shows_rows),
        (f"/orgs/{org}/settings", lambda: bool(page.all("button", "Save"))),
        ("/admin/users", shows_rows),
        ("/admin/organizations", shows_rows),
        ("/me", lambda: bool(page.all("button", "Change password"))),
        ("/nobody/knows", lambda: bool(page.all("heading", "Page not found"))),
        (f"/orgs/{org}/load-data/tokens?q=nothing", lambda: bool(page.all("button", "Clear the filter"))),
    ]
    for path, ready in pages:
        page.open(path)
        page.wait(ready, f"{path} is ready")
        _judge(page, path, found)

    page.open(f"/orgs/{org}/load-data/tokens")
    page.wait(shows_rows, "tokens are listed")
    for kind in ("All Access", "Read/Write", "Custom", "Operator"):
        page.menu("Generate API token ▾", f"{kind} token")
        page.one("dialog")
        if kind in ("Read/Write", "Custom"):
            page.one("checkbox", "read house")
        if kind == "Custom":
            page.click("button", "Telegraf configurations")
        page.click("summary", "This token will be able to", exact=False)
        _judge(page, f"generate {kind}", found)
        _close(page)
    for action in ("Details", "Delete", "Regenerate secret", "Rotate secret"):
        page.menu("Actions for Kitchen sensor", action)
        page.one("dialog")
        _judge(page, action, found)
        _close(page)
    page.click("button", "Actions for Kitchen sensor")
    _judge(page, "a row's menu", found)
    page.press(Keys.ESCAPE)
    page.click("checkbox", "Select all shown")
    page.click("button", "Delete")
    _judge(page, "delete many", found)
    _close(page)
    page.menu("Actions for Kitchen sensor", "Regenerate secret")
    page.click("button", "Regenerate")
    page.one("textbox", "Token")
    _judge(page, "the secret", found)
    page.click("checkbox", "I have stored this token")
    _close(page)
    page.press("?")
    page.one("dialog", "Keyboard shortcuts")
    _judge(page, "shortcuts", found)
    _close(page)
    for path, buttons in (
        (f"/orgs/{org}/load-data/buckets", ["Create bucket"]),
        (f"/orgs/{org}/members", ["Add member"]),
        (f"/orgs/{org}/settings", ["Delete organization"]),
        ("/admin/users", ["Create user"]),
        ("/admin/organizations", ["Create organization"]),
    ):
        page.open(path)
        for button in buttons:
            page.click("button", button)
            page.one("dialog")
            _judge(page, button, found)
            _close(page)
    page.open("/admin/users")
    for action in ("Set password", "Deactivate", "Delete"):
        page.menu("Actions for guest", action)
        page.one("dialog")
        _judge(page, f"{action} a user", found)
        _close(page)
    page.open(f"/orgs/{org}/load-data/buckets")
    for action in ("Edit", "Delete"):
        page.menu("Actions for house", action)
        page.one("dialog")
        _judge(page, f"{action} a bucket", found)
        _close(page)
    page.open(f"/orgs/{org}/members")
    page.menu("Actions for house", "Remove")
    page.one("dialog", "Remove this member?")
    _judge(page, "remove the last owner", found)
    _close(page)
    page.open(f"/orgs/{org}/load-data/tokens")
    page.click("switch", "Active: house's Token")
    page.one("dialog", "Deactivate this token?")
    _judge(page, "deactivate a token", found)
    _close(page)
    page.click("checkbox", "Select all shown")
    for action in ("Activate", "Deactivate"):
        page.click("button", action)
        page.one("dialog")
        _judge(page, f"{action} many", found)
        _close(page)
    page.expect("/api/v2/", 401)
    page.forget()
    page.click("button", "Refresh")
    page.one("dialog", "Session ended")
    _judge(page, "session ended", found)
    assert found == []


def _focused(page: Page) -> str:
    """The name of what has the focus; it must be visibly focused."""
    name, outlined = page.js(
        "const e = document.activeElement; const s = getComputedStyle(e);"
        "return [(e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent).trim(),"
        "e.matches('body, h1, h2, main') || (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0)]"
    )
    assert outlined, f"the focus on {name!r} cannot be seen"
    return str(name)


def _tab_to(page: Page, name: str, *, most: int = 60) -> None:
    for _ in range(most):
        page.press(Keys.TAB)
        if _focused(page) == name:
            return
    raise AssertionError(f"no {name!r} within {most} steps of the Tab key")


def test_a_token_by_keyboard_alone(page: Page, house: dict[str, Any]) -> None:
    page.open("/signin")
    _tab_to(page, "Username")
    page.press("house", Keys.TAB, "house-password", Keys.ENTER)
    page.wait(page.rows, "tokens are listed")
    page.wait(lambda: page.js("return document.activeElement.tagName") == "H1", "the heading has the focus")
    _tab_to(page, "Generate API token ▾")
    page.press(Keys.ENTER)
    page.wait(lambda: _focused(page).startswith("All Access token"), "the menu's first item has the focus")
    page.press("r")
    assert _focused(page).startswith("Read/Write")
    page.press(Keys.ENTER)
    page.one("checkbox", "write house")
    _tab_to(page, "write house")
    page.press(Keys.SPACE)
    page.wait(lambda: page.one("checkbox", "write house").is_selected(), "ticked")
    _tab_to(page, "Generate")
    page.press(Keys.ENTER)
    page.one("dialog", "Copy your API token")
    page.wait(lambda: _focused(page) == "Token", "the secret has the focus")
    _tab_to(page, "I have stored this token")
    page.press(Keys.SPACE)
    page.press(Keys.ESCAPE)
    page.gone("dialog")
    page.wait(
        lambda: page.js("return document.activeElement !== document.body"), "the focus is somewhere after a dialog"
    )
    _tab_to(page, "Actions for Write house")
    page.press(Keys.ENTER)
    page.wait(lambda: _focused(page) == "Details", "the menu's first item has the focus")
    page.press("d")
    page.press(Keys.END)
    assert _focused(page) == "Delete"
    page.press(Keys.ENTER)
    page.one("dialog", "Delete this token?")
    page.wait(lambda: _focused(page) == "Cancel", "the harmless button has the focus")
    _tab_to(page, "Delete token")
    page.press(Keys.ENTER)
    page.gone("dialog")
    page.wait(lambda: len(page.rows()) == 1, "the row is gone")
    page.wait(
        lambda: page.js("return document.activeElement !== document.body"), "the focus is somewhere after a row went"
    )
    page.press("g")
    page.press("b")
    page.one("heading", "Buckets")
    page.press("/")
    page.wait(lambda: _focused(page) == "Filter buckets", "the filter has the focus")


def test_a_change_of_page_is_said(page: Page, house: dict[str, Any]) -> None:
    page.sign_in()
    page.one("heading", "API Tokens")
    page.click("link", "Buckets")
    page.one("heading", "Buckets")
    spoken = page.driver.find_element("css selector", "[data-testid=spoken]")
    page.wait(lambda: spoken.get_attribute("textContent") == "Buckets · house · fluxkeep", "the title is said")
    assert spoken.get_attribute("aria-live") == "polite"


def test_a_narrow_screen(page: Page, house: dict[str, Any], bare: Server) -> None:
    _furnish(bare, house)
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.sign_in()
        org = house["org"]["id"]
        for path in (
            f"/orgs/{org}/load-data/tokens",
            f"/orgs/{org}/load-data/buckets",
            f"/orgs/{org}/load-data/buckets/{house['bucket']['id']}",
            f"/orgs/{org}/settings",
            "/admin/users",
            "/me",
        ):
            page.open(path)
            page.wait(lambda: page.rows() or page.all("region"), f"{path} is drawn")
            wide = page.js("return document.documentElement.scrollWidth")
            assert wide <= 360, f"{path} is {wide} px wide"
        page.click("button", "Menu")
        page.click("link", "API Tokens")
        page.menu("Generate API token ▾", "Read/Write token")
        page.click("checkbox", "read house")
        page.click("button", "Generate")
        page.one("dialog", "Copy your API token")
        assert page.axe() == []
        page.click("checkbox", "I have stored this token")
        _close(page)
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def _contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_the_palette_can_be_read(page: Page, bare: Server, theme: str) -> None:
    page.open("/")
    _theme(page, theme)
    page.open("/")
    names = ("bg", "panel", "edge", "ink", "mute", "accent", "on-accent", "ok", "warn", "bad")
    colours: dict[str, str] = page.js(
        "const s = getComputedStyle(document.documentElement);"
        "return Object.fromEntries(arguments[0].map((n) => [n, s.getPropertyValue(`--${n}`).trim()]))",
        names,
    )
    for surface in ("bg", "panel"):
        for name in ("ink", "mute", "accent", "ok", "warn", "bad"):
            assert _contrast(colours[name], colours[surface]) >= TEXT_CONTRAST_MIN, (name, surface)
        assert _contrast(colours["edge"], colours[surface]) >= EDGE_CONTRAST_MIN, surface
    assert _contrast(colours["on-accent"], colours["accent"]) >= TEXT_CONTRAST_MIN
