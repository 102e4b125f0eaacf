"""Buckets, the box for line protocol, and names that look like code (ui.md §14: 3, 16)."""

from __future__ import annotations

from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from tests.blackbox.process import Server
from tests.ui.page import Page

pytestmark = pytest.mark.slow

MARKUP = "<img src=x onerror=window.hit=1>"
RIGHT_TO_LEFT = "\u202egnp.exe"
ESCAPES = "a\"b\\c${d}'e"


@pytest.fixture
def buckets(page: Page, house: dict[str, Any]) -> Page:
    """The page of buckets, signed in."""
    page.sign_in()
    page.open(f"/orgs/{house['org']['id']}/load-data/buckets")
    page.wait(page.rows, "buckets are listed")
    return page


def test_a_bucket_from_making_to_deleting(buckets: Page) -> None:
    page = buckets
    page.click("button", "Create bucket")
    page.click("button", "Create")
    page.says("A name is needed")
    page.type("Name", "_climate")
    page.says("must not start with an underscore")
    page.type("Name", 'cli"mate')
    page.says("must not contain quotation marks")
    page.type("Name", "house")
    page.expect("/api/v2/buckets", 422)
    page.click("button", "Create")
    refusal = page.one("alert", "already exists", exact=False)
    assert refusal.get_attribute("id") in (page.one("textbox", "Name").get_attribute("aria-describedby") or "").split()
    page.type("Name", "climate")
    page.choose("Keep data", "7 days")
    page.click("button", "Create")
    page.gone("dialog")
    page.wait(lambda: any("climate" in row and "7 d" in row for row in page.rows()), "the bucket is listed")

    page.menu("Actions for climate", "Edit")
    page.choose("Keep data", "Custom…")
    page.type("Custom retention", "36h")
    page.says("Points older than 1 d 12 h will be deleted")
    page.type("Name", "weather")
    page.says("will not find it")
    page.click("button", "Save")
    page.gone("dialog")
    page.wait(lambda: any("weather" in row and "1 d 12 h" in row for row in page.rows()), "the bucket has changed")

    page.force("PATCH", "/api/v2/buckets/", 404, "bucket not found")
    page.menu("Actions for weather", "Edit")
    assert page.one("textbox", "Custom retention").get_attribute("value") == "1d12h"
    page.click("button", "Save")
    page.says("This bucket no longer exists")
    page.gone("dialog")
    page.menu("Actions for weather", "Delete")
    assert not page.one("button", "Delete bucket").is_enabled()
    page.type("Type weather to confirm", "weather")
    page.click("button", "Delete bucket")
    page.gone("dialog")
    page.wait(lambda: not any("weather" in row for row in page.rows()), "the bucket is gone")
    assert not any("_monitoring" in row for row in page.rows())
    page.click("checkbox", "Show system buckets")
    page.wait(lambda: any("_monitoring" in row for row in page.rows()), "system buckets are shown")
    page.click("button", "Actions for _monitoring")
    assert page.one("menuitem", "Delete", exact=False).get_attribute("aria-disabled") == "true"


def test_line_protocol_good_bad_and_partly_good(buckets: Page, house: dict[str, Any], bare: Server) -> None:
    page = buckets
    page.click("link", "house")
    page.says("No points yet")
    page.type("Lines", "temperature,room=kitchen celsius=21.5").send_keys(Keys.CONTROL, Keys.ENTER)
    page.says("Written")
    page.wait(lambda: page.js(_INK), "a plot is drawn")
    assert "Plot of 1 series, 1 points" in str(
        page.js("return document.querySelector('.plot').getAttribute('aria-label')")
    )

    page.expect("/api/v2/write", 400)
    page.type("Lines", "temperature celsius=1\ntemperature celsius")
    page.click("button", "Write")
    page.says("Nothing was stored")
    page.says("Line 2")
    assert page.js("return [...document.querySelectorAll('.report code')].map((e) => e.innerText)") == [
        "temperature celsius"
    ]

    page.expect("/api/v2/write", 422)
    page.type("Lines", 'temperature,room=kitchen celsius="warm"\ntemperature,room=cellar celsius=12')
    page.click("button", "Write")
    page.says("Partly stored: 1 point was dropped, the others were stored")
    page.says("Line 1 celsius is string here, and float in the bucket")
    # The server's count bounds what is listed: of two lines that fit its reason, it dropped one.
    message = 'partial write: field type conflict: input field "celsius" on measurement "temperature" is type string, '
    page.force("POST", "/api/v2/write", 422, message + "already exists as type float dropped=1")
    page.type("Lines", 'temperature celsius="a"\ntemperature celsius="b"\ntemperature celsius=1')
    page.click("button", "Write")
    page.says("already exists as type float")
    page.says("Partly stored: 1 point was dropped, the others were stored")
    assert page.js("return document.querySelectorAll('.report li').length") == 0
    answer = bare.flux(
        house["auth"]["token"], 'from(bucket: "house") |> range(start: -1h) |> keep(columns: ["_value"])'
    )
    assert "12" in answer.text


# A pixel of the first series' colour (ui.md §12), near enough for its smoothed edges.
_INK = """
const canvas = document.querySelector('.plot canvas');
if (!canvas) return false;
const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
for (let i = 0; i < data.length; i += 4) {
  const away = Math.abs(data[i] - 0x18) + Math.abs(data[i + 1] - 0x57) + Math.abs(data[i + 2] - 0xc4);
  if (data[i + 3] > 200 && away < 40) return true;
}
return false;
"""


def test_the_legend_holds_markers_and_names_in_line(page: Page, house: dict[str, Any], bare: Server) -> None:
    lines = "\n".join(f"climate,room={room} celsius={n} {n}" for room in ("attic", "cellar") for n in (1, 2))
    assert bare.write(house["auth"]["token"], lines).status == 204
    page.sign_in()
    page.open(f"/orgs/{house['org']['id']}/load-data/buckets/{house['bucket']['id']}")
    page.wait(lambda: page.js("return document.querySelector('.u-legend') !== null"), "a legend is drawn")
    named = page.js("return [...document.querySelectorAll('.u-legend .u-series')].map((e) => e.innerText.trim())")
    assert named == ["room=attic", "room=cellar"]
    middles = page.js(
        "const middle = (e) => { const r = e.getBoundingClientRect(); return r.top + r.height / 2; };"
        "return [...document.querySelectorAll('.u-legend .u-marker, .u-legend .u-label')].map(middle)"
    )
    assert max(middles) - min(middles) <= 1, middles


def test_names_are_text_wherever_they_stand(page: Page, house: dict[str, Any], bare: Server) -> None:
    operator, org = house["auth"]["token"], house["org"]["id"]
    for name in (MARKUP, RIGHT_TO_LEFT, ESCAPES.replace('"', "")):
        made = bare.ask("POST", "/api/v2/buckets", operator, {"orgID": org, "name": name, "retentionRules": []})
        assert made.status == 201, made.text
    for description in (MARKUP, ESCAPES, "long " * 2048):
        permission = {"action": "read", "resource": {"type": "buckets", "orgID": org, "id": made.json["id"]}}
        wish = {"orgID": org, "description": description, "permissions": [permission]}
        assert bare.ask("POST", "/api/v2/authorizations", operator, wish).status == 201
    page.sign_in()
    page.open(f"/orgs/{org}/load-data/tokens")
    page.wait(lambda: len(page.rows()) == 4, "tokens are listed")
    assert any(MARKUP in row for row in page.rows())
    assert any(ESCAPES in row for row in page.rows())
    heights = page.js(
        "return [...document.querySelectorAll('[data-testid=row]')].map((r) => r.getBoundingClientRect().height)"
    )
    assert max(heights) <= 35, "a long description does not grow its row"
    page.click("button", MARKUP)
    page.one("dialog", MARKUP)
    page.press(Keys.ESCAPE)
    page.gone("dialog")
    page.open(f"/orgs/{org}/load-data/buckets")
    for name in (MARKUP, ESCAPES.replace('"', "")):
        page.open(f"/orgs/{org}/load-data/buckets")
        page.click("link", name)
        page.one("heading", name)
        page.type("Lines", "m,t=<b>x</b> v=1")
        page.click("button", "Write")
        page.says("Written")
        page.wait(lambda: page.js(_INK), "its points are found by name, and drawn")
    assert page.js("return window.hit") is None
