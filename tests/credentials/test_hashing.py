"""Stored forms: the reference's vectors, keyed forms, and what is not a stored form."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from fluxkeep.credentials.hashing import (
    BadKeyFile,
    Hasher,
    KeyRing,
    MalformedDigest,
    MissingKey,
    Scheme,
    fingerprint,
    scheme_of,
)
from fluxkeep.secret import Secret

TOKEN = Secret("my-super-secret-auth-token")
PHC256 = "$influxdb2-sha256$u3TdAwT4OwTb_bZ21lE0UJmOZbh9X3iYjQJAiES8j5Q="
PHC512 = "$influxdb2-sha512$IuYD3CfQ2OJ_dY3Wry7k59P4g2Ua3wLxUDB2bjHMki962G4CuqXoUeQMPqljh1hy89P244jMakhzMc2Fo0T-KA=="
A, B = bytes(range(32)), bytes(range(32, 64))


@pytest.mark.parametrize(
    ("token", "stored"),
    [
        ("my-super-secret-auth-token", PHC256),
        ("my-super-secret-auth-token", PHC512),
        (
            "c27cb2033ab304629d32e1dbcd0ca7186322d3be98af5dd4c329ab800ef85d73",
            "$influxdb2-sha256$kMrC1MoFhWvvKSgyqpMaLuo2O3LINv4_XByCSkfV9K0=",
        ),
        (
            "322be1195f22da43a88e5ef1e856b707d6b7d41a6068feec343decbc5d784e50",
            "$influxdb2-sha512$ffgzLTTAyWBDczT0kKzwLzLjlemQh6UiFvqIA0CPd-B7qgqAetWEuKRI9qOLeE4ak6mxcxwthyKUO40sHf5V5w==",
        ),
    ],
)
def test_the_reference_vectors(token: str, stored: str) -> None:
    hasher = Hasher()
    assert hasher.verify(Secret(token), stored)
    assert stored in hasher.candidates(Secret(token))
    assert not hasher.verify(Secret(token + "x"), stored)
    assert scheme_of(stored) == Scheme(stored.split("$")[1])
    assert scheme_of(stored).prefix == stored[: stored.rindex("$") + 1]


def test_without_a_key_the_reference_form_is_written() -> None:
    assert Hasher().current(TOKEN) == PHC256
    assert Hasher().is_current(PHC256)
    assert Hasher().upgraded(PHC256) is None


def test_the_keyed_form_is_an_hmac_over_the_stored_string() -> None:
    hasher = Hasher(KeyRing({"a": A}))
    digest = base64.urlsafe_b64encode(hmac.new(A, PHC256.encode(), hashlib.sha256).digest()).decode()
    assert hasher.current(TOKEN) == f"$fluxkeep-hmac-sha256$kid=a${digest}"
    assert hasher.upgraded(PHC256) == hasher.current(TOKEN)
    assert hasher.upgraded(hasher.current(TOKEN)) is None
    sha512 = hasher.upgraded(PHC512)
    assert sha512 is not None
    assert sha512 != hasher.current(TOKEN)
    for stored in (hasher.current(TOKEN), sha512, PHC256, PHC512):
        assert hasher.verify(TOKEN, stored)
        assert not hasher.verify(Secret("another"), stored)
        assert stored in hasher.candidates(TOKEN)
    assert hasher.is_current(hasher.current(TOKEN))
    assert not hasher.is_current(PHC256)


def test_a_new_key_wraps_the_old_form_and_needs_both() -> None:
    old = Hasher(KeyRing({"a": A})).current(TOKEN)
    hasher = Hasher(KeyRing({"a": A, "b": B}), [scheme_of(old)])
    wrapped = hasher.upgraded(old)
    assert wrapped is not None
    assert wrapped.startswith("$fluxkeep-hmac-sha256$kid=b,a$")
    assert hasher.verify(TOKEN, wrapped)
    assert wrapped not in hasher.candidates(TOKEN)
    hasher.learn([scheme_of(wrapped)])
    assert wrapped in hasher.candidates(TOKEN)
    assert hasher.current(TOKEN).startswith("$fluxkeep-hmac-sha256$kid=b$")
    assert not hasher.is_current(wrapped)
    with pytest.raises(MissingKey, match="'a'") as missing:
        Hasher(KeyRing({"b": B}), [scheme_of(wrapped)])
    assert missing.value.kid == "a"
    assert not Hasher(KeyRing({"b": B})).verify(TOKEN, wrapped)
    assert not Hasher().verify(TOKEN, wrapped)
    with pytest.raises(MissingKey, match="'b'"):
        Hasher(None, [scheme_of(wrapped)])
    assert hasher.upgraded(wrapped) is None


def test_the_same_name_with_another_key_is_another_form() -> None:
    assert not Hasher(KeyRing({"a": B})).verify(TOKEN, Hasher(KeyRing({"a": A})).current(TOKEN))


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "plain",
        "$influxdb2-sha256$",
        "$influxdb2-sha256$" + "A" * 43,
        "$influxdb2-sha256$" + "A" * 44,
        "$influxdb2-sha256$!!!!",
        "$influxdb2-sha256$u3TdAwT4OwTb/bZ21lE0UJmOZbh9X3iYjQJAiES8j5Q=",
        # The same bytes, spelled with other spare bits: a second key for one token.
        "$influxdb2-sha256$u3TdAwT4OwTb_bZ21lE0UJmOZbh9X3iYjQJAiES8j5R=",
        "$influxdb2-sha512$u3TdAwT4OwTb_bZ21lE0UJmOZbh9X3iYjQJAiES8j5Q=",
        "$influxdb2-md5$u3TdAwT4OwTb_bZ21lE0UJmOZbh9X3iYjQJAiES8j5Q=",
        "x" + PHC256,
        PHC256 + "$",
        "$fluxkeep-hmac-sha256$u3TdAwT4OwTb_bZ21lE0UJmOZbh9X3iYjQJAiES8j5Q=",
        "$fluxkeep-hmac-sha256$k=a$u3TdAwT4OwTb_bZ21lE0UJmOZbh9X3iYjQJAiES8j5Q=",
        "$fluxkeep-hmac-sha256$kid=a,$u3TdAwT4OwTb_bZ21lE0UJmOZbh9X3iYjQJAiES8j5Q=",
        "$influxdb2-sha256$ü3TdAwT4OwTb_bZ21lE0UJmOZbh9X3iYjQJAiES8j5Q=",
    ],
)
def test_what_is_not_a_stored_form(stored: str) -> None:
    with pytest.raises(MalformedDigest):
        scheme_of(stored)
    assert not Hasher(KeyRing({"a": A})).verify(TOKEN, stored)


def test_a_key_file_names_its_keys_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    padded, bare = base64.b64encode(A).decode(), base64.urlsafe_b64encode(B).decode().rstrip("=")
    path.write_text(f"# keys of tests\n\n2025 {padded}\n2026 {bare}\n")
    path.chmod(0o600)
    ring = KeyRing.load(path)
    assert ring.kids == ("2025", "2026")
    assert ring.newest == "2026"
    assert repr(ring) == "KeyRing(2025, 2026)"
    assert ring.wrap("2025", PHC256) == KeyRing({"2025": A}).wrap("2025", PHC256)
    assert ring.wrap("2026", PHC256) == KeyRing({"2026": B}).wrap("2026", PHC256)
    with pytest.raises(MissingKey, match="'2027'"):
        ring.wrap("2027", PHC256)


def test_keys_are_read_in_either_alphabet_of_base64(tmp_path: Path) -> None:
    key = bytes.fromhex("fbefbefbf0fbffff" * 4)
    standard, safe = base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode()
    assert set(standard) & set("+/") == set("+/")
    assert set(safe) & set("-_") == set("-_")
    wanted = KeyRing({"a": key}).wrap("a", PHC256)
    for text in (standard, safe, safe.rstrip("=")):
        assert KeyRing.parse(f"a {text}").wrap("a", PHC256) == wanted


def test_keys_for_another_purpose_are_derived_and_stay_the_same() -> None:
    """What was written under a derived key must be readable by every later release."""
    ring = KeyRing({"a": A, "b": B})
    audit = ring.derived("audit")
    assert audit == {
        name: hmac.new(key, b"fluxkeep\0audit", hashlib.sha256).digest() for name, key in (("a", A), ("b", B))
    }
    assert list(audit) == ["a", "b"]
    assert audit["a"] not in (A, audit["b"], ring.derived("other")["a"])


def test_a_missing_key_says_what_to_do() -> None:
    with pytest.raises(MissingKey) as missing:
        KeyRing({"a": A}).wrap("2027", PHC256)
    assert missing.value.message == (
        "the store holds tokens hashed with the key '2027', which is not in the token hash key file; "
        "start with a file that has it (the last key of a file is the one that is used for new tokens)"
    )


def test_a_text_that_is_no_text_has_a_form_of_its_own() -> None:
    """Headers are bytes: what is not UTF-8 arrives as lone surrogates, and must be answered like any other."""
    hasher = Hasher(KeyRing({"a": A}))
    odd, other = Secret("\udcff"), Secret("\udcfe")
    for stored in hasher.candidates(odd):
        assert scheme_of(stored)
        assert hasher.verify(odd, stored)
        assert not hasher.verify(other, stored)


KEY64 = base64.b64encode(A).decode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the token hash key file holds no key"),
        ("# a key\n\n", "the token hash key file holds no key"),
        ("a", "line 1 of the token hash key file is not a new name and a key"),
        (f"a {KEY64} more", "line 1 of the token hash key file is not a new name and a key"),
        (f"a {KEY64}\n\na {KEY64}", "line 3 of the token hash key file is not a new name and a key"),
        ("a ???", "line 1 of the token hash key file holds no base64"),
        ("a c2hvcnQ=", "the token hash key 'a' is shorter than 32 bytes"),
        (f"a {base64.b64encode(A[:31]).decode()}", "the token hash key 'a' is shorter than 32 bytes"),
        (f"a$b {KEY64}", "the token hash key file has a malformed key name"),
    ],
)
def test_a_bad_key_file_is_named_and_never_quoted(text: str, says: str) -> None:
    with pytest.raises(BadKeyFile) as refused:
        KeyRing.parse(text)
    assert refused.value.message == says
    assert refused.value.code == "invalid"
    assert KEY64 not in refused.value.message
    assert "c2hvcnQ" not in refused.value.message


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"a {KEY64}\n")
    path.chmod(0o640)
    with pytest.raises(BadKeyFile, match="may be read by others"):
        KeyRing.load(path)
    with pytest.raises(BadKeyFile, match="cannot be read"):
        KeyRing.load(tmp_path / "none")
    path.chmod(0o600)
    for raw in (b"\xff\xfe", f"ü {KEY64}".encode()):
        path.write_bytes(raw)
        with pytest.raises(BadKeyFile, match="not ASCII"):
            KeyRing.load(path)


def test_fingerprints_tell_secrets_apart() -> None:
    assert fingerprint(TOKEN) == fingerprint(Secret("my-super-secret-auth-token"))
    assert fingerprint(TOKEN) != fingerprint(Secret("x"))
    assert len(fingerprint(Secret("\udcff"))) == 32
