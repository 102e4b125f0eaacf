"""Setting up, signing in, sessions that end, servers that stop, pages of others (ui.md §14: 1, 2, 11, 14, 17, 18)."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.blackbox.process import Server
from tests.ui.conftest import instrument
from tests.ui.page import SECRET_CHARACTERS, Page

pytestmark = pytest.mark.slow


def _fill_setup(page: Page) -> None:
    for label, text in (
        ("Username", "admin"),
        ("Organization", "home"),
        ("Password", "correct-horse"),
        ("Password again", "correct-horse"),
        ("First bucket", "climate"),
    ):
        page.type(label, text)


def test_a_new_server_is_set_up_in_the_page(page: Page, bare: Server) -> None:
    page.expect("/api/v2/me", 401)
    page.open("/")
    page.one("heading", "Set up fluxkeep")
    assert page.path == "/onboarding"
    page.click("button", "Set up")
    summary = page.one("alert", "Some fields need another look", exact=False)
    page.wait(lambda: page.driver.switch_to.active_element == summary, "the summary has the focus")
    assert "A username is needed" in summary.text
    assert "A bucket is needed" in summary.text
    _fill_setup(page)
    page.type("Password again", "correct-hors")
    page.type("First bucket", "_climate")
    page.says("The passwords differ")
    page.type("Password again", "correct-horse")
    page.says("must not start with an underscore")
    page.type("First bucket", "climate")
    page.click("button", "Set up")
    secret = page.secret()
    assert len(secret) == SECRET_CHARACTERS
    listed = bare.ask("GET", "/api/v2/authorizations", secret).json["authorizations"]
    assert len(listed[0]["permissions"]) == 44
    assert page.one("button", "Continue").get_attribute("aria-disabled") == "true"
    page.click("checkbox", "I have stored this token")
    page.click("button", "Continue")
    page.one("heading", "First steps in home")
    assert page.path.startswith("/orgs/")
    assert secret not in page.driver.page_source
    page.driver.refresh()
    page.one("heading", "API Tokens")
    assert secret not in page.driver.page_source
    page.open("/onboarding")
    page.one("heading", "API Tokens")


def test_a_reload_in_the_middle_of_setting_up_shows_no_secret(page: Page, bare: Server) -> None:
    page.open("/")
    _fill_setup(page)
    page.click("button", "Set up")
    secret = page.secret()
    page.click("checkbox", "I have stored this token")
    page.driver.refresh()
    page.one("heading", "Sign in to fluxkeep")
    assert secret not in page.driver.page_source
    assert "generate another one under API Tokens" in page.one("note").text, "how to get another is told"
    page.open("/onboarding")
    page.one("heading", "Sign in to fluxkeep")


def test_a_weak_token_of_ones_own_is_warned_of(page: Page, bare: Server) -> None:
    page.open("/")
    _fill_setup(page)
    page.click("summary", "Advanced")
    page.type("Operator token of your own", "my-token")
    page.says("Under 32 characters")
    page.click("button", "Set up")
    assert "fewer than 32 characters and could be guessed" in page.one("alert", "The server warns", exact=False).text
    assert page.secret() == "my-token"
    assert bare.ask("GET", "/api/v2/me", "my-token").status == 200
    page.click("checkbox", "I have stored this token")
    page.click("button", "Continue")
    page.one("heading", "First steps in home")
    assert page.all("alert") == [], "the warning went with the token that it was about"


def test_what_the_server_says_of_tokens_is_what_the_page_says(page: Page, tmp_path: Path) -> None:
    server = Server(tmp_path / "plain", flags=["--use-hashed-tokens=false"])
    server.start()
    try:
        page.base = server.url
        page.open("/")
        _fill_setup(page)
        page.click("button", "Set up")
        page.one("textbox", "Token")
        page.says("The server keeps this token in clear; hashing is off.")
        page.click("checkbox", "I have stored this token")
    finally:
        server.kill()


def test_somebody_else_set_the_server_up_first(page: Page, bare: Server) -> None:
    page.expect("/api/v2/setup", 422)
    page.open("/")
    _fill_setup(page)
    bare.set_up()
    page.click("button", "Set up")
    page.one("heading", "Already set up")
    page.click("button", "Sign in")
    page.one("heading", "Sign in to fluxkeep")


def test_signing_in_and_out(page: Page, house: dict[str, Any]) -> None:
    page.expect("/api/v2/signin", 401)
    page.open("/me?x=1")
    page.one("heading", "Sign in to fluxkeep")
    assert page.path == "/signin?next=%2Fme%3Fx%3D1"
    page.type("Username", "house")
    page.type("Password", "wrong-password")
    page.click("button", "Sign in")
    page.one("alert", "Wrong username or password")
    assert page.one("textbox", "Username").get_attribute("value") == "house"
    page.wait(lambda: page.driver.switch_to.active_element == page.one("textbox", "Password"), "focus on the password")
    page.type("Password", "house-password")
    page.click("button", "Sign in")
    page.one("heading", "My profile")
    (cookie,) = page.driver.execute_cdp_cmd("Network.getCookies", {"urls": [page.base + "/api/v2/me"]})["cookies"]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/api/")
    assert page.js("return document.cookie") == ""

    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    instrument(page.driver)
    page.open("/me")
    page.one("heading", "My profile")
    page.menu("house ▾", "Sign out")
    page.one("heading", "Sign in to fluxkeep")
    page.driver.close()
    page.driver.switch_to.window(first)
    page.one("heading", "Sign in to fluxkeep")
    assert page.fetch("GET", "/api/v2/me")[0] == 401


def test_a_sign_in_is_sent_once_and_caps_lock_is_told(page: Page, house: dict[str, Any]) -> None:
    page.open("/signin")
    page.type("Username", "house")
    box = page.type("Password", "house-password")
    assert "Caps Lock" not in page.text()
    press = "arguments[0].dispatchEvent(new KeyboardEvent('keyup', {bubbles: true, modifierCapsLock: arguments[1]}))"
    page.js(press, box, True)
    page.says("Caps Lock is on")
    page.js(press, box, False)
    page.wait(lambda: "Caps Lock" not in page.text(), "the hint is gone")
    page.force("POST", "/api/v2/signin", 403, "password change required: eight characters of three kinds")
    page.click("button", "Sign in")
    page.one("alert", "password change required: eight characters of three kinds")
    assert box.get_attribute("value") == ""
    page.type("Password", "house-password")
    page.click("button", "Show")
    assert box.get_attribute("type") == "text"
    page.js("const {form} = arguments[0]; form.requestSubmit(); form.requestSubmit()", box)
    page.one("heading", "API Tokens")
    assert len(page.sent("POST", "/api/v2/signin")) == 2


def test_where_a_sign_in_leads_is_a_path_of_the_page(page: Page, house: dict[str, Any]) -> None:
    page.open("/signin?next=//evil.test/")
    page.type("Username", "house")
    page.type("Password", "house-password")
    page.click("button", "Sign in")
    page.one("heading", "API Tokens")
    assert page.driver.current_url.startswith(page.base + "/orgs/")


def test_a_lost_session_costs_no_typed_word(page: Page, house: dict[str, Any]) -> None:
    page.expect("/api/v2/buckets", 401)
    page.sign_in()
    page.open(f"/orgs/{house['org']['id']}/load-data/buckets")
    page.click("button", "Create bucket")
    page.type("Name", "typed before")
    page.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
    page.click("button", "Create")
    page.one("dialog", "Session ended")
    page.type("Password", "house-password")
    page.click("button", "Sign in")
    page.one("alert", "You are signed in again", exact=False)
    assert page.one("textbox", "Name").get_attribute("value") == "typed before"
    page.click("button", "Create")
    page.gone("dialog")
    page.wait(lambda: any("typed before" in row for row in page.rows()), "the bucket is listed")


def test_a_missing_permission_does_not_end_the_session(page: Page, house: dict[str, Any]) -> None:
    page.expect("/api/v2/buckets", 401)
    page.sign_in()
    page.open(f"/orgs/{house['org']['id']}/load-data/buckets")
    page.click("button", "Create bucket")
    page.type("Name", "refused")
    refusal = f"write:orgs/{house['org']['id']}/buckets is unauthorized"
    page.force("POST", "/api/v2/buckets", 401, refusal)
    page.click("button", "Create")
    page.one("alert", refusal)
    page.click("button", "Create")
    page.gone("dialog")
    assert page.all("dialog") == []


def test_a_refusal_that_the_page_did_not_expect_renews_what_it_expects(page: Page, house: dict[str, Any]) -> None:
    page.sign_in()
    page.open(f"/orgs/{house['org']['id']}/load-data/buckets")
    page.wait(page.rows, "buckets are listed")
    asked = len(page.sent("GET", "/permissions"))
    page.click("button", "Create bucket")
    page.type("Name", "refused")
    page.force("POST", "/api/v2/buckets", 403, "insufficient permissions for write")
    page.click("button", "Create")
    page.one("alert", "insufficient permissions for write")
    page.wait(lambda: len(page.sent("GET", "/permissions")) == asked + 1, "the hint is asked for again")


def test_a_failing_server_is_told_and_asked_again(page: Page, house: dict[str, Any]) -> None:
    page.sign_in()
    page.open(f"/orgs/{house['org']['id']}/load-data/tokens")
    page.wait(page.rows, "tokens are listed")
    page.force("GET", "/api/v2/authorizations?orgID", 500, "disk on fire")
    page.click("button", "Refresh")
    page.one("alert", "The server failed: disk on fire", exact=False)
    stale = page.one("alert", "Could not load tokens: disk on fire. What is listed is as of", exact=False)
    assert page.rows(), "what was there stays, marked as old"
    assert stale.is_displayed()
    page.gone("alert")
    assert page.rows()
    # What is open and typed outlives the banner's coming and going.
    page.menu("Generate API token ▾", "Read/Write token")
    page.type("Description", "typed before")
    page.click("checkbox", "read house")
    page.force("POST", "/api/v2/authorizations", 500, "disk on fire")
    listed = len(page.sent("GET", "/api/v2/authorizations?orgID"))
    page.click("button", "Generate")
    page.one("alert", "disk on fire")
    page.wait(lambda: len(page.sent("GET", "/api/v2/authorizations?orgID")) > listed, "the list is asked for again")
    page.wait(lambda: not page.js("return document.querySelector('.banner')"), "the banner is gone")
    assert page.one("textbox", "Description").get_attribute("value") == "typed before"
    assert page.one("checkbox", "read house").is_selected()


def test_a_disabled_account_sees_a_notice(page: Page, house: dict[str, Any], bare: Server) -> None:
    operator = house["auth"]["token"]
    made = bare.ask("POST", "/api/v2/users", operator, {"name": "guest"}).json
    bare.ask("POST", f"/api/v2/users/{made['id']}/password", operator, {"password": "guest-password"})
    bare.ask("POST", f"/api/v2/orgs/{house['org']['id']}/members", operator, {"id": made["id"]})
    page.sign_in("guest", "guest-password")
    bare.ask("PATCH", f"/api/v2/users/{made['id']}", operator, {"status": "inactive"})
    page.expect("/api/v2/", 403)
    page.expect("/api/v2/", 401)
    page.driver.refresh()
    page.one("heading", "Account disabled")
    assert page.all("link", "API Tokens") == []
    assert [button.text for button in page.all("button")] == ["Sign out"]
    page.click("button", "Sign out")
    page.one("heading", "Sign in to fluxkeep")


def test_a_server_that_stops_and_comes_back(page: Page, house: dict[str, Any], bare: Server) -> None:
    page.expected.append("net::ERR_CONNECTION_REFUSED")
    page.expected.append("net::ERR_CONNECTION_RESET")
    page.expected.append("net::ERR_EMPTY_RESPONSE")
    page.expect("/api/v2/", 401)
    page.sign_in()
    page.open(f"/orgs/{house['org']['id']}/load-data/tokens")
    page.wait(page.rows, "tokens are listed")
    bare.stop()
    page.click("button", "Refresh")
    page.one("alert", "The server cannot be reached", exact=False)
    assert page.rows(), "what was there stays"
    bare.start()
    page.gone("alert", "The server cannot be reached", exact=False)
    # Sessions live in the server's memory: the page asks for the password where it stands.
    page.one("dialog", "Session ended")
    page.type("Password", "house-password")
    page.click("button", "Sign in")
    page.gone("dialog")
    page.wait(page.rows, "tokens are listed again")


@pytest.fixture
def neighbour() -> Iterator[http.server.ThreadingHTTPServer]:
    """Another program's web page, on another port of the same host."""

    class Blank(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>neighbour</title><link rel=icon href=data:,><p>neighbour")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Blank)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_POST = (
    "const [url, body, done] = arguments;"
    "fetch(url, {method: 'POST', mode: 'no-cors', credentials: 'include', body})"
    ".then(() => done('sent'), (e) => done(String(e)))"
)


def test_pages_of_others_change_nothing(page: Page, bare: Server, neighbour: http.server.ThreadingHTTPServer) -> None:
    other = f"http://127.0.0.1:{neighbour.server_port}/"
    page.driver.get(other)
    setup = '{"username":"x","password":"xxxxxxxx","org":"x","bucket":"x"}'
    page.expect("/api/v2/setup", 403)
    page.expect("/api/v2/authorizations", 403)
    assert page.driver.execute_async_script(_POST, page.base + "/api/v2/setup", setup) == "sent"
    assert bare.ask("GET", "/api/v2/setup").json == {"allowed": True}

    made = bare.set_up()
    operator = made["auth"]["token"]
    page.sign_in()
    page.driver.get(other)
    wish = f'{{"orgID":"{made["org"]["id"]}","permissions":[{{"action":"read","resource":{{"type":"orgs"}}}}]}}'
    before = bare.ask("GET", "/api/v2/authorizations", operator).json["authorizations"]
    assert page.driver.execute_async_script(_POST, page.base + "/api/v2/authorizations", wish) == "sent"
    assert bare.ask("GET", "/api/v2/authorizations", operator).json["authorizations"] == before

    page.expected.append("frame-ancestors")
    page.js(
        "const frame = document.createElement('iframe'); frame.src = arguments[0]; document.body.append(frame)",
        page.base + "/",
    )
    page.wait(
        lambda: any("frame-ancestors" in e["message"] for e in page.driver.get_log("browser")),  # type: ignore[no-untyped-call]
        "framing refused",
    )
    # Only here do requests go to two origins: the neighbour's page is where they start.
    page.driver.get_log("performance")  # type: ignore[no-untyped-call]


def test_every_answer_of_the_page_has_its_headers(page: Page, house: dict[str, Any], bare: Server) -> None:
    page.sign_in()
    deep = f"/orgs/{house['org']['id']}/load-data/buckets"
    page.open(deep)
    page.driver.refresh()
    page.one("heading", "Buckets")
    assert page.path == deep
    assets = page.js(
        "return performance.getEntriesByType('resource').map((e) => e.name).filter((n) => n.includes('/assets/'))"
    )
    assert assets
    for path in ["/", deep, "/favicon.svg", "/nobody/knows", *(name.removeprefix(page.base) for name in assets)]:
        answer = bare.ask("GET", path)
        assert answer.status == 200, path
        policy = answer.headers["content-security-policy"]
        assert policy == _POLICY, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["permissions-policy"] == "camera=(), microphone=(), geolocation=()"
        is_asset = path.startswith("/assets/")
        assert answer.headers["cache-control"] == ("public, max-age=31536000, immutable" if is_asset else "no-cache"), (
            path
        )
    assert bare.ask("GET", "/assets/none.js").status == 404
    for path in ("/../etc/passwd", "/%2e%2e/secret", "/assets/..%2f..%2fserve.py"):
        assert bare.ask("GET", path).status == 404, path
    nope = bare.ask("GET", "/api/v2/nope", house["auth"]["token"])
    assert (nope.status, nope.json["code"]) == (404, "not found")
    assert bare.ask("POST", "/signin").status == 405
    page.open("/nobody/knows")
    page.one("heading", "Page not found")
    page.open("/orgs/00000000000000ff/members")
    page.one("heading", "Organization not found or not visible to you")
