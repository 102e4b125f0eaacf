"""Pages and dialogs for everybody: rarer states before axe-core, keys alone, 400 % zoom, forced colours, no motion.

Source: ui.md §12, §13; §14: 15.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from selenium.common.exceptions import NoSuchElementException
from selenium.webdriver.common.keys import Keys
from tests.blackbox.process import Server, bucket_permission
from tests.ui.page import Page

pytestmark = pytest.mark.slow

THEMES = ("Light", "Dark")
# 1280 CSS pixels at 400 % (WCAG 1.4.10).
ZOOMED = {"width": 320, "height": 256, "deviceScaleFactor": 1, "mobile": False}


def _theme(page: Page, name: str) -> None:
    page.js("localStorage.setItem('fk.theme', JSON.stringify(arguments[0]))", name)


def _shut(page: Page) -> None:
    page.press(Keys.ESCAPE)
    page.gone("dialog")


def _token(server: Server, house: dict[str, Any], description: str, **more: Any) -> None:
    org, bucket = house["org"]["id"], house["bucket"]["id"]
    permissions = [bucket_permission(action, org, bucket) for action in ("read", "write")]
    wish = {"orgID": org, "description": description, "permissions": permissions, **more}
    assert server.ask("POST", "/api/v2/authorizations", house["auth"]["token"], wish).status == 201


def _person(server: Server, house: dict[str, Any], name: str, role: str) -> str:
    operator, org = house["auth"]["token"], house["org"]["id"]
    made: str = server.ask("POST", "/api/v2/users", operator, {"name": name}).json["id"]
    server.ask("POST", f"/api/v2/users/{made}/password", operator, {"password": f"{name}-password"})
    server.ask("POST", f"/api/v2/orgs/{org}/{role}s", operator, {"id": made})
    return made


@contextmanager
def _emulated(page: Page, **features: str) -> Iterator[None]:
    listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})
    try:
        yield
    finally:
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@contextmanager
def _zoomed(page: Page) -> Iterator[None]:
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", ZOOMED)
    try:
        yield
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("theme", THEMES)
def test_rarer_states_before_axe(page: Page, house: dict[str, Any], bare: Server, theme: str) -> None:
    operator, org, bucket = house["auth"]["token"], house["org"]["id"], house["bucket"]["id"]
    tokens, buckets = f"/orgs/{org}/load-data/tokens", f"/orgs/{org}/load-data/buckets"
    guest, mother = _person(bare, house, "guest", "member"), _person(bare, house, "mother", "owner")
    _token(bare, house, "sensor")
    wish = {"orgID": org, "userID": mother, "description": "too much", "status": "inactive", "permissions": [
        {"action": "write", "resource": {"type": "orgs"}}, bucket_permission("read", org, bucket),
    ]}  # fmt: skip
    assert bare.ask("POST", "/api/v2/authorizations", operator, wish).status == 201
    found: list[str] = []

    def judge(what: str) -> None:
        found.extend(f"{what}: {violation}" for violation in page.axe())

    page.sign_in()
    _theme(page, theme)
    page.open(buckets)
    page.menu("Actions for house", "Generate read/write token")
    page.wait(lambda: page.one("checkbox", "write house").is_selected(), "the bucket is chosen")
    page.click("combobox", "Owner")
    judge("generate from a bucket, with the list of owners")
    page.press(Keys.ESCAPE)
    page.click("button", "Generate")
    page.one("dialog", "Copy your API token")
    page.press(Keys.ESCAPE)
    page.one("button", "Go back")
    judge("the secret, asking before it is closed")
    page.click("button", "Go back")
    page.click("checkbox", "I have stored this token")
    _shut(page)
    page.open(tokens)
    page.wait(page.rows, "tokens are listed")
    page.menu("Actions for sensor", "Details")
    page.click("button", "Take away write", exact=False)
    judge("details, asking before a permission goes")
    _shut(page)
    page.click("button", "Columns")
    judge("the columns")
    page.press(Keys.ESCAPE)
    page.click("combobox", "Organization")
    judge("the list of organizations")
    page.press(Keys.ESCAPE)
    page.force("GET", "/api/v2/authorizations?orgID", 500)
    page.click("button", "Refresh")
    page.one("alert", "The server failed", exact=False)
    judge("the banner, and rows that are old")
    page.open(f"/orgs/{org}/members")
    page.click("button", "Add member")
    page.click("combobox", "User")
    page.one("option", "guest", exact=False)
    judge("adding a member")
    page.press(Keys.ESCAPE)
    _shut(page)
    page.menu("Actions for mother", "Make a member")
    page.wait(lambda: any("mother|member" in row for row in page.rows()), "a member")
    page.menu("Actions for mother", "Make an owner")
    page.wait(lambda: any("mother|owner" in row for row in page.rows()), "an owner")
    judge("a toast")
    page.expect("/api/v2/write", 422)
    page.open(f"{buckets}/{bucket}?write=1")
    page.wait(lambda: page.driver.switch_to.active_element == page.one("textbox", "Lines"), "the box has the focus")
    page.type("Lines", 'm v=1\nm v="x"')
    page.click("button", "Write")
    page.says("Line 2")
    judge("a partial write")
    page.wait(lambda: page.js("return document.querySelector('.plot canvas') !== null"), "a plot")
    page.click("summary", "The newest as a table")
    judge("the newest points as a table")
    page.open("/orgs/00000000000000ff/members")
    judge("no such organization")

    page.sign_in_anew("mother", "mother-password")
    page.open(tokens)
    page.menu("Actions for too much", "Clone")
    page.one("button", "Remove write:orgs")
    judge("a clone with permissions that one does not have")
    _shut(page)
    page.sign_in_anew("guest", "guest-password")
    page.open(tokens)
    page.says("No tokens you can see")
    judge("an empty list")
    page.click("button", "Generate API token ▾")
    judge("a menu of what is denied")
    page.press(Keys.ESCAPE)
    page.open(f"{buckets}/{bucket}")
    page.says("needs write on house")
    judge("a member's bucket")
    page.expect("/api/v2/", 403)
    page.expect("/api/v2/", 401)
    bare.ask("PATCH", f"/api/v2/users/{guest}", operator, {"status": "inactive"})
    page.driver.refresh()
    page.one("heading", "Account disabled")
    judge("account disabled")
    page.forget()
    page.open("/onboarding")
    page.one("note")
    judge("sign-in after setting up")
    assert found == []


# Follows the focus: the names of what had it, what had it outside of the dialog, and where it could not be seen.
_FOLLOW = """
window.followed = {seen: [], outside: [], unseen: []};
document.addEventListener('focusin', ({target}) => {
  const name = (target.getAttribute('aria-label') ?? target.labels?.[0]?.textContent ?? target.textContent).trim();
  window.followed.seen.push(name);
  if (!target.closest('dialog[open]')) window.followed.outside.push(name);
  const style = getComputedStyle(target);
  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  if (!ring && !target.matches('h1, h2, main')) window.followed.unseen.push(name);
});
"""
_TABBABLE = (
    "const tabbable = 'a[href], button, input, select, textarea, summary, [tabindex]';"
    "return [...document.querySelectorAll(`dialog[open] :is(${tabbable})`)]"
    ".filter((e) => e.tabIndex >= 0 && !e.disabled && e.checkVisibility()).length"
)


def test_every_dialog_by_keyboard(page: Page, house: dict[str, Any], bare: Server) -> None:
    """All of a dialog is reached by Tab, seen where it is, never left, and Esc gives the focus back."""
    org = house["org"]["id"]
    _token(bare, house, "sensor")
    _person(bare, house, "guest", "member")
    page.sign_in()
    visits: list[tuple[str, list[tuple[str, str | None]]]] = [
        (f"/orgs/{org}/load-data/tokens", [
            *[("Generate API token ▾", f"{kind} token") for kind in ("All Access", "Read/Write", "Custom", "Operator")],
            *[("Actions for sensor", name) for name in
              ("Details", "Clone", "Rotate secret", "Regenerate secret", "Delete")],
        ]),
        (f"/orgs/{org}/load-data/buckets", [
            ("Create bucket", None), ("Actions for house", "Edit"), ("Actions for house", "Delete"),
            ("Actions for house", "Generate read/write token"),
        ]),
        (f"/orgs/{org}/members", [
            ("Add member", None), ("Actions for guest", "Remove"), ("Actions for house", "Make a member"),
        ]),
        (f"/orgs/{org}/settings", [("Delete organization", None)]),
        ("/admin/users", [
            ("Create user", None), ("Actions for guest", "Set password"), ("Actions for guest", "Deactivate"),
            ("Actions for guest", "Delete"),
        ]),
        ("/admin/organizations", [("Create organization", None)]),
    ]  # fmt: skip
    for path, dialogs in visits:
        page.open(path)
        page.one("button", dialogs[0][0])
        page.js(_FOLLOW)
        for opener, item in dialogs:
            page.js("arguments[0].focus()", page.one("button", opener))
            page.press(Keys.ENTER)
            if item:
                page.one("menuitem", item, exact=False)
                # First letters go to the next item that begins so.
                while not _focus_on(page, item):
                    page.press(item[0])
                page.press(Keys.ENTER)
            page.one("dialog")
            page.js("Object.assign(window.followed, {seen: [], outside: [], unseen: []})")
            steps = -3
            # Once round, and a little further: out to the browser's own buttons and in again. What a dialog
            # still waited for when it opened makes the round longer.
            while (around := page.js(_TABBABLE)) > steps:
                page.press(*[Keys.TAB] * (around - steps))
                steps = around
            followed = page.js("return window.followed")
            assert followed["outside"] == [], (path, item, followed)
            assert followed["unseen"] == [], (path, item, followed)
            assert len(followed["seen"]) >= min(steps, 2), (path, item, followed)
            assert {"Close"} <= set(followed["seen"]), (path, item, followed)
            _shut(page)
            _wait_for_focus(page, opener)


def _focus_on(page: Page, name: str) -> bool:
    """Whether what has the focus is called so; a menu's item may go on to say why it is denied."""
    told = page.js("const e = document.activeElement; return e.getAttribute('aria-label') ?? e.textContent.trim()")
    return str(told).startswith(name)


def _wait_for_focus(page: Page, name: str) -> None:
    page.wait(lambda: _focus_on(page, name), f"{name} has the focus")


def test_the_focus_goes_to_the_successor_of_a_row_that_went(page: Page, house: dict[str, Any], bare: Server) -> None:
    for name in ("one", "two", "three"):
        _token(bare, house, name)
    page.sign_in()
    page.open(f"/orgs/{house['org']['id']}/load-data/tokens?sort=description")
    page.wait(lambda: [row.split("|")[1].strip() for row in page.rows()][1:] == ["one", "three", "two"], "listed")
    page.menu("Actions for one", "Delete")
    page.click("button", "Delete token")
    page.gone("dialog")
    _wait_for_focus(page, "Actions for three")
    page.menu("Actions for two", "Delete")
    page.click("button", "Delete token")
    page.gone("dialog")
    # The last one has no successor: what is last now gets the focus.
    _wait_for_focus(page, "Actions for three")


# Names of what sticks out of the window's width, but for what scrolls by itself.
_STICKING_OUT = """
const inside = (e) => e.closest('.table-box, .grid-box, pre, .visually-hidden, .skip, .plot, [role=tablist]');
return [...document.querySelectorAll('body *')].filter((e) => {
  const r = e.getBoundingClientRect();
  return r.width && e.checkVisibility() && !inside(e) && (r.right > innerWidth + 1 || r.left < -1);
}).map((e) => e.outerHTML.slice(0, 120));
"""


def test_zoomed_to_400_percent(page: Page, house: dict[str, Any], bare: Server) -> None:
    org, bucket = house["org"]["id"], house["bucket"]["id"]
    _token(bare, house, "a description of some length, with words and withoutanyspaceforaverylongtime" * 2)
    bare.write(house["auth"]["token"], "m,room=attic v=1")
    with _zoomed(page):
        page.sign_in()
        for path, ready in (
            (f"/orgs/{org}/load-data/tokens", "API Tokens"),
            (f"/orgs/{org}/load-data/buckets", "Buckets"),
            (f"/orgs/{org}/load-data/buckets/{bucket}", "house"),
            (f"/orgs/{org}/members", "Members"),
            (f"/orgs/{org}/settings", "Settings"),
            ("/admin/users", "Users"),
            ("/admin/organizations", "Organizations"),
            ("/me", "My profile"),
            ("/nobody/knows", "Page not found"),
        ):
            page.open(path)
            page.one("heading", ready)
            assert page.js("return document.documentElement.scrollWidth") <= ZOOMED["width"], path
            assert page.js(_STICKING_OUT) == [], path
        page.open(f"/orgs/{org}/load-data/tokens")
        page.wait(page.rows, "tokens are listed")
        for kind in ("Read/Write", "Custom"):
            page.menu("Generate API token ▾", f"{kind} token")
            page.click("checkbox", "read house")
            assert page.js(_STICKING_OUT) == [], kind
            if kind == "Read/Write":
                _shut(page)
        page.click("button", "Generate")
        page.one("dialog", "Copy your API token")
        assert page.js(_STICKING_OUT) == []
        page.click("button", "Copy")
        page.says("Copied to the clipboard")
        page.click("checkbox", "I have stored this token")
        _shut(page)
        page.menu("Actions for Read house", "Details")
        page.one("dialog")
        assert page.js(_STICKING_OUT) == []
        page.click("button", "Delete")
        page.click("button", "Delete token")
        page.gone("dialog")
        page.wait(lambda: len(page.rows()) == 2, "the row is gone")


def test_forced_colours_keep_every_state(page: Page, house: dict[str, Any], bare: Server) -> None:
    _token(bare, house, "off", status="inactive")
    _token(bare, house, "on")
    with _emulated(page, forced_colors="active"):
        page.sign_in()
        page.wait(lambda: len(page.rows()) == 3, "tokens are listed")
        assert page.js("return matchMedia('(forced-colors: active)').matches")
        on, off = page.one("switch", "Active: on"), page.one("switch", "Active: off")
        look = (
            "const s = getComputedStyle(arguments[0]), k = getComputedStyle(arguments[0], '::after');"
            "return {place: k.transform, knob: k.backgroundColor, ground: s.backgroundColor, border: s.borderTopStyle}"
        )
        states = [page.js(look, one) for one in (on, off)]
        assert states[0]["place"] != states[1]["place"], "on and off differ in more than colour"
        for state in states:
            assert state["knob"] != state["ground"], "the knob is to be seen"
            assert state["border"] == "solid"
        current = page.js(
            "const s = getComputedStyle(document.querySelector('.rail [aria-current=page]'));"
            "return [s.outlineStyle, parseFloat(s.outlineWidth)]"
        )
        assert current == ["solid", 2], "where one is, is outlined: shadows are taken away"
        page.js("arguments[0].focus()", page.one("button", "Refresh"))
        page.press(Keys.SHIFT)
        assert page.js("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.menu("Generate API token ▾", "Read/Write token")
        page.one("dialog", "Generate a Read/Write token")
        border = page.js("return getComputedStyle(document.querySelector('dialog')).borderTopStyle")
        assert border == "solid"
        assert page.axe() == []
        _shut(page)


def test_nothing_moves_for_who_wants_no_motion(page: Page, house: dict[str, Any]) -> None:
    moving = (
        "const all = [...document.querySelectorAll('*')].flatMap((e) =>"
        "[getComputedStyle(e), getComputedStyle(e, '::after')]);"
        "return all.filter((s) => s.animationName !== 'none'"
        " || (s.transitionProperty !== 'none' && s.transitionDuration !== '0s')).length"
    )
    page.sign_in()
    page.wait(page.rows, "tokens are listed")
    assert page.js(moving) > 0, "the switch slides"
    longest = page.js(
        "return Math.max(...[...document.querySelectorAll('*')].flatMap((e) =>"
        "[getComputedStyle(e), getComputedStyle(e, '::after')]).map((s) => parseFloat(s.transitionDuration)))"
    )
    assert longest <= 0.15
    with _emulated(page, prefers_reduced_motion="reduce"):
        assert page.js(moving) == 0


def test_one_h1_a_skip_link_and_a_title_everywhere(page: Page, house: dict[str, Any]) -> None:
    org = house["org"]["id"]
    page.sign_in()
    for path, title in (
        (f"/orgs/{org}/load-data/tokens", "API Tokens · house · fluxkeep"),
        (f"/orgs/{org}/load-data/buckets", "Buckets · house · fluxkeep"),
        (f"/orgs/{org}/members", "Members · house · fluxkeep"),
        (f"/orgs/{org}/settings", "Settings · house · fluxkeep"),
        ("/admin/users", "Users · fluxkeep"),
        ("/me", "My profile · fluxkeep"),
    ):
        page.open(path)
        page.one("heading", title.split(" · ")[0])
        assert page.driver.title == title
        assert page.js("return document.querySelectorAll('h1').length") == 1
        assert page.js("return document.querySelector('header.top > h1').textContent") == title.split(" · ")[0]
    page.press(Keys.TAB)
    assert page.driver.switch_to.active_element.text == "Skip to content"
    page.press(Keys.ENTER)
    assert page.js("return document.activeElement.id") == "content"
    for name in ("Buckets", "Members", "API Tokens"):
        page.click("link", name)
        page.wait(lambda: page.js("return document.activeElement.tagName") == "H1", "the heading has the focus")
        page.wait(lambda: not page.js("return document.querySelector('[aria-busy=true]')"), "all is drawn")
        assert page.driver.switch_to.active_element.text == name, "and keeps it when the page has come"
    page.click("link", "Buckets")
    page.click("link", "house")
    page.one("heading", "house")
    page.wait(lambda: page.driver.title == "house · house · fluxkeep", "a bucket's page is called as the bucket")
    with pytest.raises(NoSuchElementException):
        page.driver.find_element("css selector", "[style]:not(tr):not(ul):not(.uplot *)")
