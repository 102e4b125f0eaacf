"""Which requests of a browser are taken for the page's own."""

from __future__ import annotations

import pytest

from fluxkeep.api.cross_site import refuse_cross_site
from fluxkeep.errors import Forbidden


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": "http://h:8086", "host": "h:8086"},
        {"origin": "https://influx.example", "host": "10.0.0.1:8086", "public": "https://influx.example"},
    ],
)
def test_the_pages_own_requests_and_programs_pass(headers: dict[str, str]) -> None:
    headers = dict(headers)
    refuse_cross_site("POST", headers, headers.pop("public", ""))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-site", "host": "h:8086"},
        {"sec-fetch-site": "cross-site", "host": "h:8086"},
        {"sec-fetch-site": "same-site", "origin": "http://h:8086", "host": "h:8086"},
        {"origin": "http://h:9000", "host": "h:8086"},
        {"origin": "null", "host": "h:8086"},
    ],
)
def test_other_pages_are_refused_unless_they_only_look(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden, match="cross-origin request rejected"):
        refuse_cross_site("POST", headers)
    refuse_cross_site("GET", headers)
