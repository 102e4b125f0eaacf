"""The stock Python client manages organizations, buckets, people, labels and documents on a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.blackbox.process import Server

influxdb_client = pytest.importorskip("influxdb_client", reason="the stock client is a development requirement")

pytestmark = [
    pytest.mark.slow,
    # The client's own use of what Python deprecates is not ours to fix.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def setup(server: Server) -> dict[str, Any]:
    return server.set_up()


@pytest.fixture
def client(server: Server, setup: dict[str, Any]) -> Iterator[Any]:
    with influxdb_client.InfluxDBClient(server.url, token=setup["auth"]["token"], org="house") as client:
        yield client


def test_buckets(client: Any) -> None:
    api = client.buckets_api()
    made = api.create_bucket(
        bucket_name="pc",
        org="house",
        description="d",
        retention_rules=influxdb_client.BucketRetentionRules(every_seconds=86400),
    )
    assert made.retention_rules[0].shard_group_duration_seconds == 3600
    assert api.find_bucket_by_name("pc").id == made.id
    assert api.find_bucket_by_name("nope") is None
    made.description = "e"
    assert api.update_bucket(made).description == "e"
    for number in range(30):
        api.create_bucket(bucket_name=f"b{number:02}", org="house")
    names = [bucket.name for bucket in api.find_buckets_iter()]
    assert len(names) == len(set(names)) == 34
    api.delete_bucket(made)
    assert api.find_bucket_by_name("pc") is None


def test_organizations_people_and_members(client: Any, setup: dict[str, Any]) -> None:
    organizations, users = client.organizations_api(), client.users_api()
    assert users.me().name == "house"
    second = organizations.create_organization(name="second")
    second.description = "x"
    assert organizations.update_organization(second).description == "x"
    assert {one.name for one in organizations.find_organizations()} == {"house", "second"}
    joe = users.create_user("joe")
    users.update_password(joe, "joes-password")
    members = influxdb_client.BucketsService(client.api_client)
    body = influxdb_client.AddResourceMemberRequestBody(id=joe.id)
    assert members.post_buckets_id_members(setup["bucket"]["id"], body).role == "member"
    owners = influxdb_client.OrganizationsService(client.api_client).get_orgs_id_owners(second.id)
    assert [user.name for user in owners.users] == ["house"]
    organizations.delete_organization(second.id)
    users.delete_user(joe)
    assert members.get_buckets_id_members(setup["bucket"]["id"]).users == []
    assert [one.name for one in organizations.find_organizations()] == ["house"]


def test_labels_secrets_mappings_and_documents(client: Any, setup: dict[str, Any]) -> None:
    org_id, bucket_id = setup["org"]["id"], setup["bucket"]["id"]
    label = client.labels_api().create_label("red", org_id, {"color": "#f00"})
    mapping = influxdb_client.LabelMapping(label_id=label.id)
    influxdb_client.BucketsService(client.api_client).post_buckets_id_labels(bucket_id, mapping)
    assert client.buckets_api().find_bucket_by_id(bucket_id).labels[0].name == "red"
    secrets = influxdb_client.SecretsService(client.api_client)
    secrets.patch_orgs_id_secrets(org_id, {"k": "v"})
    assert secrets.get_orgs_id_secrets(org_id).secrets == ["k"]
    dbrps = influxdb_client.DBRPsService(client.api_client)
    created = dbrps.post_dbrp(
        influxdb_client.DBRPCreate(org_id=org_id, bucket_id=bucket_id, database="d", retention_policy="r")
    )
    assert [one.database for one in dbrps.get_dbr_ps(org_id=org_id, db="d").content] == ["d"]
    dbrps.delete_dbrpid(created.id, org_id=org_id)
    variables = influxdb_client.VariablesService(client.api_client)
    arguments = influxdb_client.ConstantVariableProperties(type="constant", values=["a"])
    variables.post_variables(influxdb_client.Variable(name="v", org_id=org_id, arguments=arguments))
    assert [one.name for one in variables.get_variables().variables] == ["v"]
    telegrafs = influxdb_client.TelegrafsService(client.api_client)
    request = influxdb_client.TelegrafPluginRequest(name="t", org_id=org_id, config="[agent]\n")
    assert telegrafs.post_telegrafs(request).name == "t"


def test_a_deleted_buckets_data_goes_also_after_a_crash(server: Server, setup: dict[str, Any]) -> None:
    token, bucket_id = setup["auth"]["token"], setup["bucket"]["id"]
    assert server.write(token, "m v=1").status == 204
    # Sealing at a clean stop writes the file whose end is to be seen.
    assert server.stop() == 0
    server.start()

    def has_data() -> bool:
        return any(bucket_id in str(path) and path.is_file() for path in (server.folder / "engine").rglob("*"))

    assert has_data()
    assert server.ask("DELETE", f"/api/v2/buckets/{bucket_id}", token).status == 204
    server.kill()
    server.start()
    deadline = time.monotonic() + 10
    while has_data():
        assert time.monotonic() < deadline, "the data is still there"
        time.sleep(0.1)
    assert server.ask("GET", f"/api/v2/buckets/{bucket_id}", token).status == 404


def test_metrics_count_what_the_instance_has(server: Server, setup: dict[str, Any]) -> None:
    def counted() -> dict[str, float]:
        lines = server.ask("GET", "/metrics").text.splitlines()
        shown = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {
            what: float(shown[f"influxdb_{what}_total"]) for what in ("organizations", "buckets", "users", "tokens")
        }

    assert counted() == {"organizations": 1, "buckets": 3, "users": 1, "tokens": 1}
    token = setup["auth"]["token"]
    assert server.ask("POST", "/api/v2/orgs", token, {"name": "second"}).status == 201
    assert server.ask("POST", "/api/v2/users", token, {"name": "u"}).status == 201
    assert counted() == {"organizations": 2, "buckets": 5, "users": 2, "tokens": 1}
