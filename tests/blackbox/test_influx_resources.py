"""`influx bucket, org, user, secret` against a running server, to the letter of cli.md §2.3 to §2.6."""

from __future__ import annotations

import json

import pytest
from tests.blackbox.influx import ID, Influx, mask

pytestmark = pytest.mark.slow

BUCKETS = "ID\t\t\tName\t{}Retention\tShard group duration\tOrganization ID\t\tSchema Type\n"


def named(influx: Influx, *args: str) -> str:
    """The id of what a command prints."""
    return str(influx.object(*args)["id"])


def test_bucket_create_prints_one_row(influx: Influx) -> None:
    made = influx.table("bucket", "create", "-n", "b1", "-d", "text", "-r", "7d", "--shard-group-duration", "1h")
    assert made == BUCKETS.format("") + f"{ID}\tb1\t168h0m0s\t1h0m0s\t\t\t{ID}\timplicit\n"
    shown = influx.object("bucket", "create", "--name=b2", "-retention", "0", "--schema-type", "explicit")
    assert {"id", "name", "orgID", "retentionRules", "type", "createdAt", "updatedAt", "labels", "links"} == set(shown)
    assert shown["retentionRules"][0]["everySeconds"] == 0
    row = influx.ok("bucket", "list", "--name", "b2", "--hide-headers").split("\t")
    assert [cell for cell in row if cell][1:4] == ["b2", "infinite", "168h0m0s"]


def test_bucket_list_pages_and_filters(influx: Influx) -> None:
    for index in range(5):
        influx.ok("bucket", "create", "-n", f"page{index}")
    names = [bucket["name"] for bucket in influx.object("bucket", "list", "--page-size", "2")]
    assert names == sorted(names)
    assert {"_monitoring", "_tasks", "climate", "page0", "page4"} <= set(names)
    assert [b["name"] for b in influx.object("bucket", "ls", "--limit", "3", "--page-size", "2")] == names[:3]
    assert [b["name"] for b in influx.object("bucket", "find", "--offset", "3")] == names[3:]
    one = influx.object("bucket", "list", "--name", "page0")
    assert influx.object("bucket", "list", "--id", one[0]["id"]) == one
    assert influx.table("bucket", "list", "--name", "page0", "--hide-headers") == (
        f"{ID}\tpage0\tinfinite\t168h0m0s\t{ID}\timplicit\n"
    )


def test_bucket_update_and_delete(influx: Influx) -> None:
    ident = named(influx, "bucket", "create", "-n", "before")
    changed = influx.table("bucket", "set", "-i", ident, "-n", "after", "-r", "2h", "--shard-group-duration", "1h")
    assert changed == BUCKETS.format("") + f"{ID}\tafter\t2h0m0s\t\t1h0m0s\t\t\t{ID}\timplicit\n"
    gone = influx.table("bucket", "delete", "--name", "after")
    assert gone.splitlines()[0].endswith("Schema Type\tDeleted")
    assert gone.splitlines()[1].endswith("implicit\ttrue")
    other = named(influx, "bucket", "create", "-n", "other")
    assert influx.object("bucket", "delete", "--id", other)["name"] == "other"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("create", "-n", "climate"), ("failed to create bucket: 422 Unprocessable Entity: "
         "bucket with name climate already exists")),
        (("create", "-n", "b3", "-r", "1m"), ("failed to create bucket: 500 Internal Server Error: "
         "retention policy duration must be at least 1h0m0s")),
        (("create", "-n", "b3", "-r", "zz"), "invalid duration zz"),
        (("create", "-n", "b3", "-o", "nope"),
         'failed to lookup org with name "nope": 404 Not Found: organization name "nope" not found'),
        (("create", "-n", "b3", "-o", "home", "--org-id", "0123456789abcdef"),
         "ambiguous org: use OrgId or OrgName, but not both. OrgID: 0123456789abcdef, OrgName: home"),
        (("create",), 'Required flag "name" not set'),
        (("list", "-n", "nope"), 'failed to find bucket by name: 404 Not Found: bucket "nope" not found'),
        (("list", "-i", "0123456789abcdef"), "failed to find bucket by ID: 404 Not Found: bucket not found"),
        (("update", "-i", "0123456789abcdef", "-n", "x"),
         'failed to update bucket "0123456789abcdef": 404 Not Found: bucket not found'),
        (("delete", "-n", "nope"), 'failed to find bucket "nope": 404 Not Found: bucket "nope" not found'),
        (("delete",), "must specify bucket ID or bucket name"),
    ],
)  # fmt: skip
def test_bucket_refusals(influx: Influx, args: tuple[str, ...], error: str) -> None:
    assert influx.fails("bucket", *args) == f"Error: {error}"


def test_org_rows(influx: Influx) -> None:
    assert influx.table("org", "create", "-n", "o2", "-d", "text") == f"ID\t\t\tName\n{ID}\to2\n"
    ident = influx.object("organization", "list", "-n", "o2")[0]["id"]
    assert influx.table("org", "update", "-i", ident) == f"ID\t\t\tName\n{ID}\to2\n"
    assert influx.object("org", "update", "-i", ident, "-n", "o3", "-d", "other")["description"] == "other"
    assert {"home", "o3"} <= {o["name"] for o in influx.object("org", "ls")}
    assert influx.table("org", "find", "-i", ident, "--hide-headers") == f"{ID}\to3\n"
    assert influx.table("org", "delete", "-i", ident) == f"ID\t\t\tName\tDeleted\n{ID}\to3\ttrue\n"


def test_org_members(influx: Influx) -> None:
    org = influx.object("org", "list", "-n", "home")[0]["id"]
    user = named(influx, "user", "create", "-n", "plain", "-p", "long-enough")
    listed = influx.table("org", "members", "list", "-n", "home")
    assert listed == (f"ID\t\t\tName\tUser Type\tStatus\n{ID}\tadmin\towner\t\tactive\n{ID}\tplain\tmember\t\tactive\n")
    again = influx.fails("org", "members", "add", "-n", "home", "-m", user)
    assert again == (
        f'Error: failed to add user "{user}" as member of org "{org}": 500 Internal Server Error: '
        f"Unexpected error when assigning user to a resource: mapping for user {user} already exists"
    )
    assert influx.fails("org", "members", "add", "-i", org, "-m", user, "--owner").startswith(
        f'Error: failed to add user "{user}" as owner of org "{org}": 500 Internal Server Error: Unexpected error'
    )
    removed = f'user "{user}" has been removed from org "{org}"\n'
    assert influx.ok("org", "members", "remove", "-n", "home", "-m", user) == removed
    assert influx.ok("org", "members", "remove", "-i", org, "-m", user) == removed
    added = influx.ok("org", "members", "add", "-i", org, "-m", user, "--owner")
    assert added == f'user "{user}" has been added as an owner of org "{org}"\n'
    assert [m["role"] for m in influx.object("org", "members", "ls", "-i", org)] == ["owner", "owner"]
    influx.ok("user", "delete", "-i", user)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("create", "-n", "home"), ('failed to create org "home": 422 Unprocessable Entity: '
         "organization with name home already exists")),
        (("list", "-n", "nope"), 'failed to list orgs: 404 Not Found: organization name "nope" not found'),
        (("update", "-n", "x"), 'Required flag "id" not set'),
        (("delete", "-i", "0123456789abcdef"),
         'org "0123456789abcdef" not found: 404 Not Found: organization not found'),
        (("members", "add", "-n", "nope", "-m", "0123456789abcdef"),
         'failed to lookup org with name "nope": 404 Not Found: organization name "nope" not found'),
        (("members", "add", "-n", "home"), 'Required flag "member" not set'),
    ],
)  # fmt: skip
def test_org_refusals(influx: Influx, args: tuple[str, ...], error: str) -> None:
    assert influx.fails("org", *args) == f"Error: {error}"


def test_user_rows_and_passwords(influx: Influx) -> None:
    done = influx("user", "create", "-n", "u1")
    assert mask(done.stdout) == f"ID\t\t\tName\n{ID}\tu1\n"
    assert done.stderr == "WARN: initial password not set for user, use `influx user password` to set it\n"
    ident = influx.object("user", "list", "-n", "u1")[0]["id"]
    assert influx.table("user", "update", "-i", ident, "-n", "bob2") == f"ID\t\t\tName\n{ID}\tbob2\n"
    assert influx.ok("user", "password", "-n", "bob2", "-p", "long-enough") == (
        'Successfully updated password for user "bob2"\n'
    )
    asked = influx("user", "password", "-i", ident, stdin="also-long-enough\n")
    assert asked.stdout == 'Successfully updated password for user "bob2"\n'
    assert "Please type new password" in asked.stderr
    assert "also-long-enough" not in asked.stderr
    assert influx.table("user", "delete", "-i", ident) == f"ID\t\t\tName\tDeleted\n{ID}\tbob2\ttrue\n"
    weak = influx("user", "create", "-n", "al", "-p", "short")
    assert weak.returncode == 1
    assert mask(weak.stdout) == f"ID\t\t\tName\n{ID}\tal\n"
    assert weak.stderr == (
        'Error: failed setting password for user "al", use `influx user password` to retry: '
        "400 Bad Request: passwords must be between 8 and 72 characters long\n"
    )
    assert influx.table("user", "list", "-n", "al", "--hide-headers") == f"{ID}\tal\n"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("create",), 'Required flag "name" not set'),
        (("create", "-n", "admin"), ('failed to create user "admin": 422 Unprocessable Entity: '
         "user with name admin already exists")),
        (("list", "-n", "nope"), "failed to list users: 404 Not Found: user not found"),
        (("delete", "-i", "0123456789abcdef"), 'user "0123456789abcdef" not found: 404 Not Found: user not found'),
        (("password", "-n", "nope", "-p", "long-enough"), 'failed to find user "nope": 404 Not Found: user not found'),
        (("password", "-n", "admin", "-p", "short"), ('failed to set password for user "": 400 Bad Request: '
         "passwords must be between 8 and 72 characters long")),
    ],
)  # fmt: skip
def test_user_refusals(influx: Influx, args: tuple[str, ...], error: str) -> None:
    assert influx.fails("user", *args) == f"Error: {error}"


def test_user_update_needs_a_name(influx: Influx) -> None:
    ident = influx.object("user", "list", "-n", "admin")[0]["id"]
    assert influx.fails("user", "update", "-i", ident).endswith("400 Bad Request: key required")


def test_secrets(influx: Influx) -> None:
    assert influx.table("secret", "update", "-k", "k1", "-v", "hidden") == f"Key\tOrganization ID\nk1\t{ID}\n"
    influx.ok("secret", "update", "-k", "k2", stdin="typed\n")
    influx.ok("secret", "update", "-k", "k3")
    assert influx.table("secret", "list") == f"Key\tOrganization ID\nk1\t{ID}\nk2\t{ID}\nk3\t{ID}\n"
    assert [s["key"] for s in influx.object("secret", "find")] == ["k1", "k2", "k3"]
    assert influx.table("secret", "delete", "-k", "k1") == f"Key\tOrganization ID\t\tDeleted\nk1\t{ID}\ttrue\n"
    assert influx.ok("secret", "delete", "-k", "never-there", "--hide-headers").endswith("true\n")
    assert influx.fails("secret", "update") == 'Error: Required flag "key" not set'


def test_json_is_indented_with_tabs_and_sorted(influx: Influx) -> None:
    text = influx.ok("org", "list", "--json")
    assert text == json.dumps(json.loads(text), indent="\t", sort_keys=True) + "\n"
    influx.ok("org", "create", "-n", "a<b&c>d")
    assert "a\\u003cb\\u0026c\\u003ed" in influx.ok("org", "list", "-n", "a<b&c>d", "--json")
