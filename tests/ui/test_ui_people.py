"""Members, owners and operators: what they see is what they may do (ui.md §14: 10, 13)."""

from __future__ import annotations

from typing import Any

import pytest
from tests.blackbox.process import Server, bucket_permission
from tests.ui.page import Page

pytestmark = pytest.mark.slow


def _user(server: Server, house: dict[str, Any], name: str, role: str) -> str:
    """An active user with `<name>-password` and a place in the organization."""
    operator = house["auth"]["token"]
    made: str = server.ask("POST", "/api/v2/users", operator, {"name": name}).json["id"]
    assert (
        server.ask("POST", f"/api/v2/users/{made}/password", operator, {"password": f"{name}-password"}).status == 204
    )
    assert server.ask("POST", f"/api/v2/orgs/{house['org']['id']}/{role}s", operator, {"id": made}).status == 201
    return made


def _denied(page: Page, button: str) -> bool:
    return page.one("button", button).get_attribute("aria-disabled") == "true"


def test_a_member_looks_and_changes_nothing(page: Page, house: dict[str, Any], bare: Server) -> None:
    _user(bare, house, "guest", "member")
    org, bucket = house["org"]["id"], house["bucket"]["id"]
    page.sign_in("guest", "guest-password")
    page.open(f"/orgs/{org}/load-data/tokens")
    page.says("No tokens you can see in house")
    assert page.all("link", "Users") == []
    page.click("button", "Generate API token ▾")
    item = page.one("menuitem", "All Access token", exact=False)
    assert item.get_attribute("aria-disabled") == "true"
    assert "needs write on authorizations in house" in item.text
    assert page.all("menuitem", "Operator token", exact=False) == []
    permission = bucket_permission("read", org, bucket)
    assert page.fetch("POST", "/api/v2/authorizations", {"orgID": org, "permissions": [permission]})[0] in (401, 403)
    page.open(f"/orgs/{org}/load-data/buckets")
    page.wait(page.rows, "buckets are listed")
    assert _denied(page, "Create bucket")
    assert page.fetch("POST", "/api/v2/buckets", {"orgID": org, "name": "x", "retentionRules": []})[0] == 401
    page.click("link", "house")
    page.says("needs write on house")
    assert page.all("button", "Write") == []
    assert page.fetch("POST", f"/api/v2/write?orgID={org}&bucket={bucket}", "m v=1")[0] in (401, 403)
    page.open(f"/orgs/{org}/members")
    page.wait(lambda: any("house" in row and "owner" in row for row in page.rows()), "members are listed")
    assert _denied(page, "Add member")
    assert page.fetch("POST", f"/api/v2/orgs/{org}/members", {"id": house["user"]["id"]})[0] == 401
    page.open(f"/orgs/{org}/settings")
    assert _denied(page, "Save")
    assert page.fetch("PATCH", f"/api/v2/orgs/{org}", {"name": "x"})[0] == 401
    for path in ("/api/v2/buckets", "/api/v2/authorizations", "/api/v2/write", f"/api/v2/orgs/{org}"):
        page.expect(path, 401)
        page.expect(path, 403)


def test_a_member_with_a_token_changes_nothing_of_it(page: Page, house: dict[str, Any], bare: Server) -> None:
    org, bucket = house["org"]["id"], house["bucket"]["id"]
    guest = _user(bare, house, "guest", "member")
    wish = {
        "orgID": org,
        "userID": guest,
        "description": "lent",
        "permissions": [bucket_permission("read", org, bucket)],
    }
    made = bare.ask("POST", "/api/v2/authorizations", house["auth"]["token"], wish).json
    page.sign_in("guest", "guest-password")
    page.open(f"/orgs/{org}/load-data/tokens")
    page.says("Only your own tokens are listed.")
    assert page.one("switch", "Active: lent").get_attribute("aria-disabled") == "true"
    assert page.one("button", "Edit description of lent").get_attribute("aria-disabled") == "true"
    page.click("button", "Actions for lent")
    for action in ("Clone", "Rotate secret", "Regenerate secret", "Delete"):
        item = page.one("menuitem", action, exact=False)
        assert item.get_attribute("aria-disabled") == "true"
        assert "needs write on authorizations in house" in item.text
    path = f"/api/v2/authorizations/{made['id']}"
    page.expect(path, 401)
    page.expect(path, 403)
    for method, at, body in (
        ("PATCH", path, {"status": "inactive"}), ("DELETE", path, None), ("POST", f"{path}/regenerate", {}),
    ):  # fmt: skip
        assert page.fetch(method, at, body)[0] in (401, 403)
    assert bare.ask("GET", "/api/v2/authorizations", made["token"]).status == 200


def test_an_operator_reaches_all_organizations_and_owners(page: Page, house: dict[str, Any], bare: Server) -> None:
    operator = house["auth"]["token"]
    lab = bare.ask("POST", "/api/v2/orgs", operator, {"name": "lab"}).json["id"]
    bare.ask("POST", "/api/v2/buckets", operator, {"orgID": lab, "name": "samples", "retentionRules": []})
    guest = _user(bare, house, "guest", "member")
    page.sign_in()
    page.open(f"/orgs/{house['org']['id']}/load-data/tokens")
    page.menu("Generate API token ▾", "Read/Write token")
    page.one("dialog", "Generate a Read/Write token")
    page.pick("Organization", "lab")
    page.pick("Owner", "guest")
    page.click("checkbox", "write samples")
    assert page.all("checkbox", "write house") == []
    page.click("button", "Generate")
    page.one("dialog", "Copy your API token")
    secret = page.secret()
    page.click("checkbox", "I have stored this token")
    page.driver.find_element("css selector", "dialog[open] footer button").click()
    page.gone("dialog")
    made = bare.ask("GET", f"/api/v2/authorizations?userID={guest}", operator).json["authorizations"][0]
    assert (made["orgID"], made["userID"]) == (lab, guest)
    assert bare.ask("POST", f"/api/v2/write?orgID={lab}&bucket=samples", secret, "m v=1").status == 204
    page.click("button", "Refresh")
    page.says("1 of 1 shown")
    page.click("checkbox", "All organizations")
    page.wait(lambda: any("guest" in row and "lab" in row for row in page.rows()), "the other organization's token")
    page.pick("Organization", "lab")
    page.wait(lambda: f"/orgs/{lab}/" in page.path, "another organization")
    page.wait(lambda: page.rows() and all("guest" in row for row in page.rows()), "its tokens")
    for path, button in (("/admin/users", "Create user"), ("/admin/organizations", "Create organization")):
        page.open(path)
        assert page.one("button", button).get_attribute("aria-disabled") is None


def test_an_owner_makes_tokens_and_members(page: Page, house: dict[str, Any], bare: Server) -> None:
    _user(bare, house, "mother", "owner")
    org = house["org"]["id"]
    page.sign_in("mother", "mother-password")
    page.open(f"/orgs/{org}/load-data/tokens")
    assert page.all("link", "Users") == []
    assert page.all("checkbox", "All organizations") == []
    page.click("button", "Generate API token ▾")
    assert page.all("menuitem", "Operator token", exact=False) == []
    page.one("menuitem", "All Access token", exact=False).click()
    page.click("button", "Generate")
    page.one("dialog", "Copy your API token")
    page.click("checkbox", "I have stored this token")
    page.driver.find_element("css selector", "dialog[open] footer button").click()
    page.gone("dialog")
    page.wait(lambda: any("All Access in house" in row for row in page.rows()), "the token is listed")
    assert not any("house's Token" in row for row in page.rows()), "the operator's is not"
    everything = [{"action": "write", "resource": {"type": "orgs"}}]
    assert page.fetch("POST", "/api/v2/authorizations", {"orgID": org, "permissions": everything})[0] == 403
    page.expect("/api/v2/authorizations", 403)
    page.open(f"/orgs/{org}/load-data/buckets")
    assert not _denied(page, "Create bucket")
    page.open(f"/orgs/{org}/members")
    assert not _denied(page, "Add member")
    page.open("/me")
    page.one("heading", "My profile")
    assert page.fetch("POST", "/api/v2/users", {"name": "x"})[0] == 401
    page.expect("/api/v2/users", 401)


def test_users_members_and_passwords(page: Page, house: dict[str, Any], bare: Server) -> None:
    org = house["org"]["id"]
    page.sign_in()
    page.open("/admin/users")
    page.click("button", "Create user")
    page.type("Name", "a:b")
    page.click("button", "Create")
    page.one("alert", "A username must not contain a colon")
    page.type("Name", "child")
    page.type("Initial password", "child-password")
    page.click("button", "Create")
    page.gone("dialog")
    page.wait(lambda: any("child" in row for row in page.rows()), "the user is listed")
    page.click("button", "Actions for house")
    assert page.one("menuitem", "Delete", exact=False).get_attribute("aria-disabled") == "true"

    page.open(f"/orgs/{org}/members")
    page.click("button", "Add member")
    page.pick("User", "child")
    page.click("button", "Add")
    page.gone("dialog")
    page.wait(lambda: any("child|member" in row for row in page.rows()), "the member is listed")
    page.menu("Actions for child", "Make an owner")
    page.wait(lambda: any("child|owner" in row for row in page.rows()), "an owner now")
    page.menu("Actions for child", "Make a member")
    page.wait(lambda: any("child|member" in row for row in page.rows()), "a member again")

    page.sign_in_anew("child", "child-password")
    page.open("/me")
    page.type("Current password", "wrong-password")
    page.type("New password", "child-password-2")
    page.type("New password again", "child-password-2")
    page.expect("/api/v2/me/password", 401)
    page.expect("/api/v2/me/password", 403)
    page.click("button", "Change password")
    page.one("alert")
    assert page.all("dialog") == [], "a wrong password does not end the session"
    page.type("Current password", "child-password")
    page.click("button", "Change password")
    page.says("Password changed")
    page.expect("/api/v2/signin", 401)
    assert page.sign_in_fails("child", "child-password")
    page.sign_in("child", "child-password-2")

    page.sign_in_anew("house", "house-password")
    page.open("/admin/users")
    page.menu("Actions for child", "Deactivate")
    page.click("button", "Deactivate")
    page.wait(lambda: any("child" in row and "inactive" in row for row in page.rows()), "inactive")
    page.menu("Actions for child", "Delete")
    page.click("button", "Delete user")
    page.gone("dialog")
    page.wait(lambda: not any("child" in row for row in page.rows()), "gone")


def test_the_last_owner_and_half_a_demotion(page: Page, house: dict[str, Any], bare: Server) -> None:
    _user(bare, house, "mother", "owner")
    page.sign_in()
    page.open(f"/orgs/{house['org']['id']}/members")
    page.menu("Actions for mother", "Remove")
    assert "the last owner" not in page.one("dialog", "Remove this member?").text
    page.click("button", "Cancel")
    page.gone("dialog")
    page.force("POST", f"/api/v2/orgs/{house['org']['id']}/members")
    page.menu("Actions for mother", "Make a member")
    page.one("alert", "mother was removed, but could not be added as member: forced to fail")
    page.wait(lambda: not any("mother" in row for row in page.rows()), "the list tells what is left")
    assert page.all("alert", "mother was removed", exact=False), "and the report stays"
    page.menu("Actions for house", "Remove")
    assert "This is the last owner of house." in page.one("dialog", "Remove this member?").text
    page.click("button", "Cancel")


def test_organizations_are_made_renamed_and_deleted(page: Page, house: dict[str, Any]) -> None:
    page.sign_in()
    page.open("/admin/organizations")
    page.click("button", "Create organization")
    page.type("Name", "lab")
    page.click("button", "Create")
    page.gone("dialog")
    page.click("link", "lab")
    page.one("heading", "Settings")
    page.type("Name", "laboratory")
    page.click("button", "Save")
    page.says("Organization saved")
    page.click("button", "Delete organization")
    page.type("Type laboratory to confirm", "laboratory")
    page.click("button", "Delete organization")
    page.gone("dialog")
    page.one("heading", "API Tokens")
    assert page.fetch("GET", "/api/v2/orgs?org=laboratory")[0] == 404
    page.expect("/api/v2/orgs", 404)
