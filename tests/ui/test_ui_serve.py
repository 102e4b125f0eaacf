"""Files of the page over HTTP: what is sent, what is not, and with which headers (ui.md §2.1, §2.3)."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from fluxkeep.ui.serve import HEADERS, Pages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle as the build leaves it, its stamp included."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>page")
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / ".inputs").write_text("digest")
    (tmp_path / "assets" / "app-1.js").write_text("let a")
    (tmp_path / "assets" / "app-1.js.gz").write_bytes(gzip.compress(b"let a"))
    return tmp_path


@pytest.mark.parametrize("path", ["/", "/signin", "/orgs/0a/members", "/.inputs", "/index"])
def test_what_is_no_file_is_the_page(folder: Path, path: str) -> None:
    answer = Pages(folder).answer("GET", path, {})
    assert (answer.status_code, answer.body) == (200, b"<!doctype html>page")
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/assets/none.js", "/assets/", "/assets/app-1.js.gz", "/../x", "/a%2fb", "/a\\b", "//x"]
)
def test_missing_assets_and_odd_paths_are_not_found(folder: Path, path: str) -> None:
    answer = Pages(folder).answer("GET", path, {})
    assert answer.status_code == 404
    assert answer.body == b"404 page not found\n"


def test_assets_are_kept_for_ever_and_come_packed_for_who_takes_it(folder: Path) -> None:
    pages = Pages(folder)
    plain = pages.answer("GET", "/assets/app-1.js", {})
    packed = pages.answer("GET", "/assets/app-1.js", {"accept-encoding": "gzip, br"})
    assert plain.body == gzip.decompress(bytes(packed.body)) == b"let a"
    for answer in (plain, packed):
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["vary"] == "Accept-Encoding"
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.headers["etag"] != packed.headers["etag"]
    again = pages.answer("GET", "/assets/app-1.js", {"if-none-match": plain.headers["etag"]})
    assert (again.status_code, again.body) == (304, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(folder: Path, method: str) -> None:
    answer = Pages(folder).answer(method, "/", {})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_page_that_is_disabled_or_absent_says_so(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    disabled = Pages(folder, disabled=True).answer("GET", "/", {})
    assert (disabled.status_code, disabled.body) == (404, b"The web page is disabled on this server.\n")
    absent = Pages(tmp_path_factory.mktemp("nothing")).answer("GET", "/", {})
    assert absent.status_code == 200
    assert b"built without its web page" in absent.body


def test_every_answer_has_the_headers(folder: Path) -> None:
    pages = Pages(folder)
    asked = (("GET", "/"), ("GET", "/assets/app-1.js"), ("GET", "/assets/x"), ("POST", "/"))
    answers = [pages.answer(method, path, {}) for method, path in asked]
    answers.append(Pages(folder, disabled=True).answer("GET", "/", {}))
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
