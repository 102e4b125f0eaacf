"""What a line of the log looks like, whatever it is about."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
import structlog

from fluxkeep import logs
from fluxkeep.secret import Secret


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    logs.configure("debug", stream)
    yield stream
    structlog.reset_defaults()


def test_a_line_has_the_names_and_levels_of_the_reference(out: io.StringIO) -> None:
    log = logs.get_logger("server")
    log.info("Listening", service="tcp-listener", addr="127.0.0.1:8086", port=8086, tls=False)
    log.warning("a word of warning", reason=None)
    first, second = out.getvalue().splitlines()
    when = r"ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"
    shape = f"{when} lvl=info msg=Listening room=server service=tcp-listener addr=127.0.0.1:8086 port=8086 tls=false"
    assert re.fullmatch(shape, first)
    assert re.fullmatch(f'{when} lvl=warn msg="a word of warning" room=server reason=', second)


def test_nobody_writes_a_line_of_his_own_into_the_log(out: io.StringIO) -> None:
    logs.get_logger("api").info("seen", client='x" lvl=error\r\nts=1 lvl=info msg="signed in"\x1b[2J\u2028')
    text = out.getvalue()
    assert len(text.splitlines()) == 1
    assert r"\r\nts=1" in text.replace("\\\\", "\\")
    assert "\x1b" not in text
    # The quotation mark does not end the value.
    assert re.search(r'client="x\\" lvl=error', text)


def test_an_exception_is_one_line_with_its_frames(out: io.StringIO) -> None:
    try:
        raise ValueError("broken")
    except ValueError as error:
        logs.get_logger("api").error("request.crashed", exc_info=error)
    (line,) = out.getvalue().splitlines()
    assert "lvl=error" in line
    assert "ValueError: broken" in line
    assert "test_an_exception_is_one_line" in line


def test_secrets_are_not_told_whatever_they_are_called(out: io.StringIO) -> None:
    logs.get_logger("api").info("seen", new_token="abcd", password="efgh", plain=Secret("ijkl"), digest=b"mnop")
    text = out.getvalue()
    assert text.count("***") == 4
    assert not re.search("abcd|efgh|ijkl|mnop", text)
