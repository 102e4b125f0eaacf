"""`influx setup, config, auth, v1 auth`: acceptance cases 91 to 103 of tokens.md §7.11, and its §5 to the letter."""

from __future__ import annotations

import json
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.blackbox.influx import ID, Influx, mask
from tests.blackbox.process import Server

pytestmark = pytest.mark.slow

HEADER = "ID\t\t\tDescription\tToken\t{}User Name\tUser ID\t\t\tPermissions\n"


@pytest.fixture
def fresh(tmp_path: Path, server: Server) -> Influx:
    """The command and a server that nobody has set up."""
    return Influx(server, tmp_path / "home")


@pytest.fixture
def elsewhere(influx: Influx, tmp_path: Path) -> Influx:
    """The command with an empty home folder."""
    return Influx(influx.server, tmp_path / "elsewhere")


@pytest.fixture
def bucket(influx: Influx) -> str:
    return str(influx.object("bucket", "list", "-n", "climate")[0]["id"])


@pytest.fixture
def token(influx: Influx) -> Iterator[dict[str, object]]:
    """A token that is gone after the test."""
    made = influx.object("auth", "create", "--read-buckets", "-d", "made for a test")
    yield made
    influx("auth", "delete", "-i", str(made["id"]))


def test_case_91_to_93_setup(fresh: Influx) -> None:
    flags = ["--username", "admin", "--password", "correct-horse", "--org", "example-org", "--bucket", "first"]
    done = fresh("setup", "--force", *flags, INFLUX_TOKEN="abc")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "User\tOrganization\tBucket\nadmin\texample-org\tfirst\n"
    assert "abc" not in done.stdout + done.stderr
    path = fresh.home / ".influxdbv2" / "configs"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tomllib.loads(path.read_text()) == {
        "default": {"url": fresh.server.url, "token": "abc", "org": "example-org", "active": True}
    }
    assert fresh.server.ask("GET", "/api/v2/me", "abc").json["name"] == "admin"
    assert fresh.fails("setup", "--force", *flags) == "Error: instance has already been set up"


def test_setup_asks_for_what_is_missing(fresh: Influx) -> None:
    missing = fresh.fails("setup", "--force", "--username", "admin")
    assert missing.startswith("Error: failed to setup instance: 422 Unprocessable Entity: onboarding failed: missing")
    answers = "admin\ncorrect-horse\nexample-org\nfirst\n-1\n72\n"
    assert fresh("setup", stdin=answers + "n\n").stderr.endswith("Error: setup was canceled\n")
    done = fresh("setup", "--json", stdin=answers + "y\n")
    assert json.loads(done.stdout) == {"user": "admin", "organization": "example-org", "bucket": "first"}
    for text in (
        "Welcome to InfluxDB 2.0!", "Please type your primary username", "Please type your password",
        "Please type your primary organization name", "Please type your primary bucket name",
        "Please type your retention period in hours, or 0 for infinite", "Retention period cannot be negative",
        "Setup with these parameters?", "72h0m0s",
    ):  # fmt: skip
        assert text in done.stderr
    assert "correct-horse" not in done.stdout + done.stderr


def test_setup_refuses_a_config_name_that_is_taken(fresh: Influx) -> None:
    fresh.ok("config", "create", "-n", "default", "-u", fresh.server.url)
    asked = ("setup", "--force", "--username", "admin", "--password", "correct-horse", "--org", "o", "--bucket", "b")
    assert fresh.fails(*asked) == "Error: config name is required if you already have existing configs"
    assert fresh.fails(*asked, "-n", "default") == 'Error: config name "default" already exists'
    assert fresh.server.ask("GET", "/api/v2/setup").json == {"allowed": True}


def test_case_94_all_access(influx: Influx) -> None:
    made = influx.object("auth", "create", "--all-access")
    permissions = made["permissions"]
    org = influx.object("org", "list", "-n", "home")[0]["id"]
    assert len(permissions) == 43
    assert f"read:/orgs/{org}" in permissions
    assert not [p for p in permissions if p.startswith("write:/orgs/")]
    assert {f"read:/users/{made['userID']}", f"write:/users/{made['userID']}"} <= set(permissions)
    assert len(made["token"]) == 88
    assert set(made) == {"id", "description", "token", "status", "userName", "userID", "permissions"}
    limited = influx.fails("auth", "create", "--operator", "-t", made["token"])
    assert limited == (
        "Error: could not write auth with provided arguments: 403 Forbidden: "
        "permission read:authorizations is not allowed: read:authorizations is unauthorized"
    )


def test_an_operator_token_has_every_type_twice(influx: Influx) -> None:
    made = influx.object("auth", "create", "--operator")
    assert len(made["permissions"]) == 44
    assert {"read:/authorizations", "write:/replications"} <= set(made["permissions"])


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("--operator", "--read-buckets"), "cannot compose other permissions with operator permissions"),
        (("--all-access", "--read-bucket", "0123456789abcdef"),
         "cannot compose other permissions with all access permissions"),
        (("--read-bucket", "mybucket"), ("invalid bucket ID 'mybucket': id must have a length of 16 bytes "
         "(did you pass a bucket name instead of an ID?)")),
        ((), "could not write auth with provided arguments: 400 Bad Request: authorization must include permissions"),
        (("--read-buckets", "-u", "nope"), 'could not find user with name "nope": 404 Not Found: user not found'),
        (("--read-buckets", "-o", "nope"),
         'failed to lookup org with name "nope": 404 Not Found: organization name "nope" not found'),
    ],
)  # fmt: skip
def test_case_95_to_97_refusals_of_auth_create(influx: Influx, args: tuple[str, ...], error: str) -> None:
    assert influx.fails("auth", "create", *args) == f"Error: {error}"


def test_auth_create_grants_what_the_flags_say(influx: Influx, bucket: str) -> None:
    made = influx.object(
        "auth", "create", "--read-bucket", bucket, "--write-bucket", bucket, "--read-dbrps", "--write-tasks",
        "--read-users", "--read-orgs", "--write-notificationRules",
    )  # fmt: skip
    org = influx.object("org", "list", "-n", "home")[0]["id"]
    assert sorted(made["permissions"]) == sorted(
        [f"read:orgs/{org}/buckets/{bucket}", f"write:orgs/{org}/buckets/{bucket}", f"read:orgs/{org}/dbrp",
         f"write:orgs/{org}/tasks", "read:/users", "read:/orgs", f"write:orgs/{org}/notificationRules"]
    )  # fmt: skip
    # The owner is the caller, not the oldest user (W20).
    assert made["userName"] == "admin"


def test_auth_tables(influx: Influx, bucket: str) -> None:
    made = mask(influx.ok("auth", "create", "--read-bucket", bucket, "-d", "reader"))
    header, row, _ = made.split("\n")
    assert re.split(r"\t+", header) == ["ID", "Description", "Token", "User Name", "User ID", "Permissions"]
    assert re.split(r"\t+", row) == [ID, "reader", "<token>", "admin", ID, f"[read:orgs/{ID}/buckets/{ID}]"]
    ident = next(a["id"] for a in influx.object("auth", "list") if a["description"] == "reader")
    assert influx.table("auth", "list", "-i", ident) == (
        HEADER.format("") + f"{ID}\treader\t\t\tadmin\t\t{ID}\t[read:orgs/{ID}/buckets/{ID}]\n"
    )
    gone = influx.table("auth", "delete", "-i", ident)
    assert gone.splitlines()[0].endswith("\tDeleted")
    assert gone.splitlines()[1].endswith("\ttrue")


def test_case_98_auth_list(influx: Influx, token: dict[str, object]) -> None:
    listed = influx.ok("auth", "list")
    assert influx.ok("auth", "find") == influx.ok("authorization", "ls") == listed
    assert influx.ok("auth", "list", "--hide-headers").count("\n") == listed.count("\n") - 1
    objects = influx.object("auth", "list")
    assert {a["status"] for a in objects} == {"active"}
    assert token["id"] in {a["id"] for a in objects}
    assert str(token["token"]) not in listed
    influx.ok("user", "create", "-n", "owner-of-one")
    influx.ok("auth", "create", "--read-buckets", "-u", "owner-of-one", "-d", "theirs")
    assert [a["description"] for a in influx.object("auth", "list", "--user", "owner-of-one")] == ["theirs"]
    assert influx.fails("auth", "list", "-i", "0123456789abcdef").startswith(
        'Error: could not find authorization with ID "0123456789abcdef": 404 Not Found'
    )


def test_case_99_inactive_and_active(influx: Influx, elsewhere: Influx, token: dict[str, object]) -> None:
    ident, secret = str(token["id"]), str(token["token"])
    # With flags and environment alone, and through the active config.
    operator = tomllib.loads((influx.home / ".influxdbv2/configs").read_text())["default"]["token"]
    assert json.loads(elsewhere.ok("auth", "inactive", "--id", ident, "--json", INFLUX_TOKEN=operator)) == {
        **token, "token": "", "status": "inactive"
    }  # fmt: skip
    assert next(a["status"] for a in influx.object("auth", "list") if a["id"] == ident) == "inactive"
    assert influx.server.ask("GET", "/api/v2/buckets", secret).status == 401
    assert influx.object("auth", "active", "--id", ident)["status"] == "active"
    assert influx.server.ask("GET", "/api/v2/buckets", secret).status == 200


def test_case_100_auth_delete(influx: Influx, token: dict[str, object]) -> None:
    row = influx.ok("auth", "delete", "--id", str(token["id"]), "--hide-headers")
    assert re.split(r"\t+", row.strip())[-1] == "true"
    assert influx.fails("auth", "delete", "--id", str(token["id"])) == (
        f'Error: could not find auth with ID "{token["id"]}": 404 Not Found: authorization not found'
    )
    assert influx.fails("auth", "delete") == 'Error: Required flag "id" not set'


def test_case_101_v1_auth(influx: Influx, bucket: str) -> None:
    create = ("v1", "auth", "create", "--username", "g", "--password", "longenough", "--read-bucket", bucket)
    columns = "ID\t\t\tDescription\tUsername\tv2 User Name\tv2 User ID\t\tPermissions"
    row = f"{ID}\t\t\tg\t\tadmin\t\t{ID}\t[read:orgs/{ID}/buckets/{ID}]"
    assert influx.table(*create) == f"{columns}\n{row}\n"
    assert influx.fails(*create) == (
        "Error: failed to create new authorization: 422 Unprocessable Entity: token already exists"
    )
    assert influx.table("v1", "auth", "list", "--username", "g") == f"{columns}\n{row}\n"
    assert influx.table("v1", "authorization", "set-inactive", "--username", "g").splitlines()[1] == row
    assert influx.object("v1", "auth", "find")[0]["status"] == "inactive"
    assert influx.object("v1", "auth", "set-active", "--username", "g")["status"] == "active"
    assert influx.ok("v1", "auth", "set-password", "--username", "g", "--password", "longenough2") == ""
    assert influx.ok("v1", "auth", "set-password", "--username", "g", stdin="longenough3\n") == ""
    assert influx.server.ask("GET", "/query?u=g&p=longenough3&q=SHOW+DATABASES").status == 200
    assert influx.table("v1", "auth", "delete", "--username", "g") == (columns + "\t" * 6 + f"Deleted\n{row}\ttrue\n")
    assert influx.ok("v1", "auth", "list") == columns.replace("\t\t\tD", "\tD").replace("ID\t\tP", "ID\tP") + "\n"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("create",), 'Required flag "username" not set'),
        (("create", "--username", "g", "--password", "x", "--no-password"),
         "only one of --password and --no-password may be specified"),
        (("delete",), "id or username required"),
        (("delete", "--id", "0123456789abcdef", "--username", "g"), "specify id or username, not both"),
        (("delete", "-i", "0123456789abcdef"), "flag provided but not defined: -i"),
    ],
)  # fmt: skip
def test_refusals_of_v1_auth(influx: Influx, args: tuple[str, ...], error: str) -> None:
    assert influx.fails("v1", "auth", *args) == f"Error: {error}"


def test_v1_auth_names_an_unknown_user_and_takes_back_one_whose_password_is_refused(
    influx: Influx, bucket: str
) -> None:
    assert influx.fails("v1", "auth", "set-active", "--username", "u").startswith(
        'Error: could not find v1 auth with token (username) "u": '
    )
    weak = influx.fails("v1", "auth", "create", "--username", "weak", "--password", "x", "--read-bucket", bucket)
    assert weak.startswith('Error: failed to set password for "weak": 400 Bad Request: ')
    assert "weak" not in influx.ok("v1", "auth", "list")


def test_case_102_a_token_that_begins_with_a_dash(elsewhere: Influx) -> None:
    elsewhere.ok("config", "create", "-n", "c", "-u", elsewhere.server.url)
    done = elsewhere("config", "set", "-n", "c", "-t", "-abc")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("warning: -t -")
    assert "abc" not in done.stderr
    assert json.loads(elsewhere.ok("config", "ls", "--json"))["c"]["token"] == "-abc"


def test_case_103_config(elsewhere: Influx) -> None:
    url = elsewhere.server.url
    wide = "\t" * (-(-(len(url) + 1) // 8) - len(url) // 8 if len(url) % 8 else 1)
    header = "Active\tName\tURL" + "\t" * -(-(-(-(len(url) + 1) // 8) * 8 - 3) // 8) + "Org\n"
    made = elsewhere.ok("config", "create", "-n", "a", "-u", url, "-t", "secret-a", "-o", "home", "-a")
    assert made == f"{header}*\ta\t{url}{wide}home\n"
    assert elsewhere.ok("config", "create", "-n", "b", "-u", url, "-p", "me:pw", "-o", "other") == (
        f"{header}\tb\t{url}{wide}other\n"
    )
    listed = elsewhere.ok("config", "ls")
    assert listed == f"{header}*\ta\t{url}{wide}home\n\tb\t{url}{wide}other\n"
    assert listed == elsewhere.ok("config", "list")
    assert elsewhere.ok("config") == f"{header}*\ta\t{url}{wide}home\n"
    assert elsewhere.ok("config", "b", "--hide-headers") == f"*\tb\t{url}{wide}other\n"
    assert elsewhere.ok("config", "-", "--hide-headers") == f"*\ta\t{url}{wide}home\n"
    assert elsewhere.ok("config", "update", "-n", "b", "-o", "third", "--hide-headers") == f"\tb\t{url}{wide}third\n"
    assert json.loads(elsewhere.ok("config", "ls", "--json")) == {
        "a": {"url": url, "token": "secret-a", "org": "home", "active": True},
        "b": {"url": url, "token": "", "cookie": "bWU6cHc=", "org": "third", "active": False},
    }
    assert elsewhere.ok("config", "rm", "a", "never-there", "--hide-headers") == f"*\ta\t{url}{wide}home\ttrue\n"
    assert elsewhere.ok("config", "ls", "--hide-headers") == f"*\tb\t{url}{wide}third\n"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("nope",), 'config "nope" is not found'),
        (("create", "-n", "x"), 'Required flag "host-url" not set'),
        (("create",), 'Required flags "config-name, host-url" not set'),
        (("create", "-n", "set", "-u", "http://h"), '"set" is not a valid config name'),
        (("create", "-n", "x", "-u", "h:1"), ('host URL "h:1" is invalid: '
         "a scheme of http or https must be provided for host url")),
        (("create", "-n", "x", "-u", "http://h", "-t", "t", "-p", "u:p"),
         "cannot specify `--token` and `--username-password` together, please choose one"),
        (("set", "-n", "nope"), 'failed to update config "nope": config "nope" is not found'),
    ],
)  # fmt: skip
def test_refusals_of_config(elsewhere: Influx, args: tuple[str, ...], error: str) -> None:
    assert elsewhere.fails("config", *args).endswith(error)


def test_a_config_that_exists_and_one_named_for_one_command(elsewhere: Influx) -> None:
    url = elsewhere.server.url
    elsewhere.ok("config", "create", "-n", "a", "-u", url, "-a")
    elsewhere.ok("config", "create", "-n", "b", "-u", url, "-p", "admin:correct-horse", "-o", "home")
    assert elsewhere.fails("config", "create", "-n", "a", "-u", url) == (
        'Error: failed to create config "a": config "a" already exists'
    )
    # `b` signs in with user and password; naming it does not switch to it (W20).
    assert "climate" in elsewhere.ok("bucket", "list", "-c", "b")
    assert elsewhere.ok("config", "--hide-headers").startswith("*\ta\t")
    assert elsewhere.fails("bucket", "list", "-c", "nope") == 'Error: config "nope" is not found'


def test_an_empty_list_is_null(influx: Influx) -> None:
    nobody = "0123456789abcdef"
    assert influx.ok("auth", "list", "--user-id", nobody, "--json") == "null\n"
    assert influx.ok("v1", "auth", "list", "--user-id", nobody, "--json") == "null\n"


def test_a_config_with_a_name_alone_asks_for_the_password(influx: Influx, elsewhere: Influx) -> None:
    elsewhere.ok("config", "create", "-n", "me", "-u", influx.server.url, "-p", "admin", "-o", "home", "-a")
    done = elsewhere("org", "list", "--hide-headers", stdin="correct-horse\n")
    assert (done.returncode, mask(done.stdout)) == (0, f"{ID}\thome\n")
    assert done.stderr == "? Please type your password "
    elsewhere.ok("config", "set", "-n", "me", "-p", "admin:correct-horse")
    assert elsewhere.table("org", "list", "--hide-headers") == f"{ID}\thome\n"
    elsewhere.ok("config", "set", "-n", "me", "-p", "admin:wrong")
    assert elsewhere.fails("org", "list").endswith("failed to sign in: 401 Unauthorized: unauthorized access")
