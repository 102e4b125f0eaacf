"""Minted tokens, password rules and hashes, sessions, the throttle."""

from __future__ import annotations

import base64
import re

import bcrypt
import pytest

from fluxkeep.clock import ManualClock
from fluxkeep.credentials import passwords
from fluxkeep.credentials.sessions import SessionOptions, Sessions
from fluxkeep.credentials.throttle import Throttle, ThrottleOptions
from fluxkeep.credentials.tokens import is_jwt, mint, weakness
from fluxkeep.errors import InvalidInput, TooManyRequests
from fluxkeep.ids import UserID
from fluxkeep.instants import MINUTE, SECOND
from fluxkeep.secret import Secret

USER, OTHER = UserID("0f1e2d3c4b5a6000"), UserID("0f1e2d3c4b5a6001")
UNUSABLE = "the chosen token has characters that a request header does not carry and cannot be used"
SHORT = "the chosen token has fewer than 32 characters and could be guessed"
MONOTONOUS = "the chosen token has little variety and could be guessed"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJvcGVyYXRvciJ9.c2lnbmF0dXJl"


def test_minted_tokens_look_like_the_reference_s() -> None:
    tokens = {mint().reveal() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{86}==", token) for token in tokens)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("admin", SHORT),
        ("a" * 31, SHORT),
        ("a" * 64, MONOTONOUS),
        ("ab" * 49, MONOTONOUS),
        ("ü" * 64, UNUSABLE),
        ("c27cb2033ab304629d32e1dbcd0ca718 ", UNUSABLE),
        ("c27cb2033ab304629d32e1dbcd0ca718\n8", UNUSABLE),
        (JWT, "the chosen token is a JSON Web Token, which is never accepted"),
    ],
)
def test_chosen_tokens_that_could_be_guessed(text: str, says: str) -> None:
    assert weakness(Secret(text)) == says
    assert text not in says


def test_a_minted_token_is_not_weak() -> None:
    assert weakness(mint()) is None
    assert weakness(Secret("c27cb2033ab304629d32e1dbcd0ca718")) is None
    # A bit for each of a hundred characters, which is just enough.
    assert weakness(Secret("ab" * 50)) is None


def test_json_web_tokens_are_told_from_other_texts() -> None:
    assert is_jwt(JWT)
    # Headers of every length, with the padding left out as JWTs do.
    for name in ("", "x", "xy", "xyz"):
        header = base64.urlsafe_b64encode(f'{{"alg":"{name}"}}'.encode()).decode().rstrip("=")
        assert is_jwt(f"{header}.e30.sig"), header
        assert not is_jwt(f"sig.{header}.e30"), header
    for text in ("a.b.c", "a.b", "", "W10.W10.W10", "....", "eyJ.x.y", "ü.b.c", "eyJh!IjoxfQ.e30.sig"):
        assert not is_jwt(text), text


LENGTH = passwords.LENGTH_TEXT
CLASSES = passwords.CLASSES_TEXT


@pytest.mark.parametrize(
    ("text", "strong", "broken"),
    [
        ("1234567", False, [LENGTH]),
        ("12345678", False, []),
        ("x" * 72, False, []),
        ("x" * 73, False, [LENGTH]),
        ("üüüü", False, []),
        ("", False, [LENGTH]),
        ("", True, [LENGTH, CLASSES]),
        ("abcdefgh", True, [CLASSES]),
        ("abcdefg1", True, [CLASSES]),
        ("abcdefG1", True, []),
        ("abcdef!1", True, []),
        ("ABCDEF!1", True, []),
        ("abcdEF!g", True, []),
        ("aB1", True, [LENGTH]),
    ],
)
def test_password_rules(text: str, strong: bool, broken: list[str]) -> None:
    assert passwords.broken_rules(Secret(text), strong=strong) == broken
    if broken:
        with pytest.raises(InvalidInput) as refused:
            passwords.check_rules(Secret(text), strong=strong)
        assert refused.value.message == "\n".join(broken)
    else:
        passwords.check_rules(Secret(text), strong=strong)


def test_new_passwords_are_argon2id_and_bcrypt_is_read() -> None:
    stored = passwords.hash_password(Secret("correct-horse"))
    assert stored.startswith("$argon2id$")
    assert stored != passwords.hash_password(Secret("correct-horse"))
    assert passwords.verify_password(Secret("correct-horse"), stored)
    assert not passwords.verify_password(Secret("wrong-horse"), stored)
    assert not passwords.needs_rehash(stored)
    old = bcrypt.hashpw(b"correct-horse", bcrypt.gensalt(4)).decode()
    assert passwords.verify_password(Secret("correct-horse"), old)
    assert not passwords.verify_password(Secret("wrong-horse"), old)
    assert not passwords.verify_password(Secret("x" * 73), old)
    longest = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert passwords.verify_password(Secret("x" * 72), longest)
    assert not passwords.verify_password(Secret("x" * 73), longest)
    assert passwords.needs_rehash(old)


def test_a_password_may_hold_what_is_no_text() -> None:
    """As the JSON of a client may: half of a character, three bytes."""
    half = Secret("\ud800" * 3)
    assert passwords.broken_rules(half, strong=False) == []
    assert passwords.broken_rules(Secret("\ud800" * 2), strong=False) == [LENGTH]
    stored = passwords.hash_password(half)
    assert passwords.verify_password(half, stored)
    assert not passwords.verify_password(Secret("\ud801" * 3), stored)


def test_no_password_is_nobody_s_password() -> None:
    assert not passwords.verify_password(Secret("nobody has this password"), None)
    assert not passwords.verify_password(Secret(""), None)
    assert not passwords.verify_password(Secret("x"), "nonsense")


@pytest.mark.parametrize("stored", ["$2nonsense", "$2b$04$tooshort", "$2b$04$" + "ü" * 53, "$2b$04$\ud800"])
def test_a_damaged_bcrypt_hash_is_nobody_s_password(stored: str) -> None:
    assert not passwords.verify_password(Secret("x"), stored)


def test_a_session_lives_its_length_and_is_renewed_at_its_end() -> None:
    clock = ManualClock()
    sessions = Sessions(clock)
    key, session = sessions.create(USER)
    assert re.fullmatch(r"[A-Za-z0-9_-]{86}==", key.reveal())
    assert session.expires_at == clock.now_ns() + 60 * MINUTE
    assert key.reveal() not in repr(session)
    clock.advance(seconds=54 * 60)
    found = sessions.find(key)
    assert found == session
    clock.advance(seconds=2 * 60)
    renewed = sessions.find(key)
    assert renewed is not None
    assert renewed.renewed
    assert renewed.expires_at == clock.now_ns() + 5 * MINUTE
    assert (renewed.digest, renewed.user_id, renewed.created_at) == (session.digest, USER, session.created_at)
    # At the same instant there is nothing left to move.
    again = sessions.find(key)
    assert again is not None
    assert again.expires_at == renewed.expires_at
    clock.advance(seconds=5 * 60)
    assert sessions.find(key) is None
    assert not sessions.end(session.digest)


def test_a_session_as_long_as_a_renewal_is_not_renewed_at_once() -> None:
    clock = ManualClock()
    sessions = Sessions(clock, SessionOptions(length_ns=5 * MINUTE))
    key, session = sessions.create(USER)
    assert session.created_at == clock.now_ns()
    assert sessions.find(key) == session
    clock.advance(ns=1)
    found = sessions.find(key)
    assert found is not None
    assert found.renewed


def test_room_is_made_by_sessions_that_are_over() -> None:
    clock = ManualClock()
    sessions = Sessions(clock, SessionOptions(length_ns=10 * SECOND, sessions_max=2, renew=False))
    sessions.create(USER)
    clock.advance(seconds=9)
    kept, _ = sessions.create(OTHER)
    clock.advance(seconds=1)
    sessions.create(USER)
    assert sessions.find(kept) is not None


def test_renewal_can_be_turned_off() -> None:
    clock = ManualClock()
    sessions = Sessions(clock, SessionOptions(length_ns=2 * MINUTE, renew=False))
    key, _ = sessions.create(USER)
    clock.advance(seconds=119)
    found = sessions.find(key)
    assert found is not None
    assert not found.renewed
    clock.advance(seconds=1)
    assert sessions.find(key) is None


def test_sessions_end_alone_by_user_and_all_together() -> None:
    sessions = Sessions(ManualClock())
    (a, one), (b, _), (c, _) = sessions.create(USER), sessions.create(USER), sessions.create(OTHER)
    assert sessions.end(one.digest)
    assert not sessions.end(one.digest)
    assert sessions.find(a) is None
    assert sessions.find(b) is not None
    sessions.end_user(USER)
    assert sessions.find(b) is None
    assert sessions.find(c) is not None
    sessions.end_all()
    assert sessions.find(c) is None


def test_sessions_are_bounded_and_the_nearest_to_its_end_goes() -> None:
    clock = ManualClock()
    sessions = Sessions(clock, SessionOptions(sessions_max=2))
    first, _ = sessions.create(USER)
    clock.advance(seconds=1)
    second, _ = sessions.create(USER)
    clock.advance(seconds=1)
    third, _ = sessions.create(USER)
    assert sessions.find(first) is None
    assert sessions.find(second) is not None
    clock.advance(seconds=3599)
    fourth, _ = sessions.create(USER)
    assert sessions.find(second) is None
    assert sessions.find(third) is not None
    assert sessions.find(fourth) is not None


def test_thirty_refusals_a_second_pass_and_a_flood_does_not() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    for _ in range(600):
        throttle.failed("10.0.0.1")
        clock.advance(ns=SECOND // 30)
    for _ in range(99):
        throttle.failed("10.0.0.1")
    with pytest.raises(TooManyRequests) as refused:
        throttle.failed("10.0.0.1")
    assert refused.value.retry_after_seconds == 1
    throttle.failed("10.0.0.2")
    clock.advance(seconds=1)
    throttle.failed("10.0.0.1")


def test_a_slow_throttle_says_how_long_to_wait() -> None:
    throttle = Throttle(ManualClock(), ThrottleOptions(burst=1, per_second=0.1))
    throttle.failed("a")
    with pytest.raises(TooManyRequests, match=r"^too many failed authentication attempts$") as refused:
        throttle.failed("a")
    assert refused.value.retry_after_seconds == 10


def test_the_throttle_forgets_the_longest_quiet_address() -> None:
    throttle = Throttle(ManualClock(), ThrottleOptions(burst=1, addresses_max=2))
    throttle.failed("a")
    throttle.failed("b")
    throttle.failed("c")
    throttle.failed("a")
    with pytest.raises(TooManyRequests):
        throttle.failed("c")
