"""Endpoints of tenancy and resources, asked in process: what no recorded scenario covers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType, operator_permissions
from fluxkeep.api.endpoint import Call, Runs
from fluxkeep.api.errors import error_response
from fluxkeep.api.routing import Router
from fluxkeep.api.urls import parse_query
from fluxkeep.api.v2 import buckets, dashboards, dbrps, labels, orgs, secrets, telegrafs, users, variables
from fluxkeep.api.v2.telegrafs import file_name, negotiate
from fluxkeep.clock import ManualClock
from fluxkeep.errors import FluxkeepError
from fluxkeep.ids import IdGenerator, UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.resources.dashboards import Dashboards
from fluxkeep.resources.labels import Labels
from fluxkeep.resources.sealing import Seal
from fluxkeep.resources.secrets import OrgSecrets
from fluxkeep.resources.telegrafs import Telegrafs
from fluxkeep.resources.variables import Variables
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Bucket, Organization


class House:
    """Everything behind the endpoints, and a way to ask them."""

    def __init__(self, store: MetaStore, clock: ManualClock) -> None:
        ids = IdGenerator(clock)
        self.tenancy = Tenancy.open(store, ids)
        self.labels = Labels(store, ids)
        with store.begin() as work:
            self.root = self.tenancy.users.add(work, name="root")
        self.operator = Access(Principal(user_id=self.root.id, permissions=operator_permissions()))
        self.acme: Organization = self.tenancy.organizations.create(self.operator, name="acme")
        self.bucket: Bucket = self.tenancy.buckets.create(self.operator, org_id=self.acme.id, name="b")
        t = self.tenancy
        self.router = Router(
            [
                *orgs.endpoints(t.organizations, t.memberships),
                *users.endpoints(t.users, t.memberships),
                *buckets.endpoints(t.buckets, t.memberships, self.labels),
                *dbrps.endpoints(t.dbrps, t.organizations),
                *labels.endpoints(self.labels),
                *secrets.endpoints(OrgSecrets(store, Seal(bytes(32))), t.organizations),
                *telegrafs.endpoints(Telegrafs(store, ids), t.memberships, self.labels),
                *dashboards.endpoints(Dashboards(store, ids), t.organizations, t.memberships, self.labels),
                *variables.endpoints(Variables(store, ids), t.organizations, self.labels),
            ]
        )

    def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        access: Access | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        path, _, query = target.partition("?")
        match = self.router.match(path)
        assert match is not None, path
        endpoint = match.route.endpoint(method)
        if endpoint is None:
            return self.router.missing(path, match)
        call = Call(
            method=method,
            path=path,
            params=match.params,
            query=parse_query(query),
            headers=headers or {},
            body=body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode(),
            maybe_access=access or self.operator,
        )
        try:
            return endpoint.handler(call)
        except FluxkeepError as error:
            return error_response(error)

    def json(self, method: str, target: str, body: object = None, access: Access | None = None) -> Any:
        response = self.ask(method, target, body, access)
        assert response.status_code in (200, 201), bytes(response.body)
        return json.loads(bytes(response.body))

    def refusal(self, method: str, target: str, body: object = None, access: Access | None = None) -> tuple[int, str]:
        response = self.ask(method, target, body, access)
        return response.status_code, json.loads(bytes(response.body))["message"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    clock = ManualClock()
    store = MetaStore(tmp_path / "influxd.bolt", clock)
    yield House(store, clock)
    store.close()


def holding(*permissions: Permission) -> Access:
    return Access(Principal(user_id=UserID("00000000000000ff"), permissions=PermissionSet(permissions)))


class TestMembers:
    def test_the_life_of_a_member(self, house: House) -> None:
        path = f"/api/v2/buckets/{house.bucket.id}"
        user = house.tenancy.users.create(house.operator, name="u", oauth_id="o")
        shown = {
            "role": "member",
            "links": {"self": f"/api/v2/users/{user.id}"},
            "id": user.id,
            "name": "u",
            "oauthID": "o",
            "status": "active",
        }
        assert house.json("GET", f"{path}/members") == {"links": {"self": f"{path}/members"}, "users": []}
        response = house.ask("POST", f"{path}/members", {"id": user.id, "name": "ignored"})
        assert response.status_code == 201
        assert json.loads(bytes(response.body)) == shown
        assert house.json("GET", f"{path}/members")["users"] == [shown]
        assert house.json("GET", f"{path}/owners")["users"] == []
        text = f"Unexpected error when assigning user to a resource: mapping for user {user.id} already exists"
        assert house.refusal("POST", f"{path}/owners", {"id": user.id}) == (500, text)
        # Whichever of the two collections is named.
        assert house.ask("DELETE", f"{path}/owners/{user.id}").status_code == 204
        assert house.json("GET", f"{path}/members")["users"] == []
        assert house.ask("DELETE", f"{path}/members/{user.id}").status_code == 204

    def test_refusals(self, house: House) -> None:
        path = f"/api/v2/buckets/{house.bucket.id}/members"
        assert house.refusal("POST", path, {}) == (400, "user id missing or invalid")
        assert house.refusal("POST", path, {"id": "00000000000000aa"}) == (404, "user not found")
        assert house.refusal("DELETE", f"{path}/zz") == (400, "id must have a length of 16 bytes")
        assert house.refusal("GET", "/api/v2/buckets/zz/members") == (
            400,
            "corrupt ID provided: id must have a length of 16 bytes",
        )
        for family in ("buckets", "orgs", "telegrafs"):
            unknown = f"/api/v2/{family}/00000000000000aa/members"
            assert house.refusal("GET", unknown) == (404, "404 page not found")
            assert house.refusal("POST", unknown, {"id": house.root.id}) == (404, "404 page not found")

    def test_what_readers_and_writers_see(self, house: House) -> None:
        path = f"/api/v2/buckets/{house.bucket.id}"
        reader, writer = holding(house.bucket.to_read), holding(house.bucket.to_write)
        for part in ("members", "owners", "labels"):
            assert house.refusal("GET", f"{path}/{part}", access=writer) == (404, "404 page not found")
        assert house.refusal("GET", f"{path}/members", access=reader) == (404, "not found")
        both = holding(house.bucket.to_read, house.acme.permission(Action.READ))
        assert house.json("GET", f"{path}/members", access=both)["users"] == []
        refused = (401, f"{house.bucket.to_write} is unauthorized")
        assert house.refusal("POST", f"{path}/members", {"id": house.root.id}, both) == refused
        assert house.refusal("DELETE", f"{path}/members/{house.root.id}", access=both) == refused
        assert house.ask("POST", f"{path}/members", {"id": house.root.id}, writer).status_code == 201

    def test_owners_of_an_organization_may_do_what_owners_may(self, house: House) -> None:
        user = house.tenancy.users.create(house.operator, name="u")
        house.json("POST", f"/api/v2/orgs/{house.acme.id}/owners", {"id": user.id})
        shown = house.json("GET", f"/api/v2/users/{user.id}/permissions")
        assert {"action": "write", "resource": {"type": "orgs", "id": house.acme.id}} in shown
        assert {"action": "write", "resource": {"type": "buckets", "orgID": house.acme.id}} in shown
        assert len(shown) == 46


class TestBuckets:
    def test_a_bucket_shows_its_present_state_and_labels(self, house: House) -> None:
        path = f"/api/v2/buckets/{house.bucket.id}"
        assert house.json("GET", path)["labels"] == []
        assert house.json("GET", path)["name"] == "b"
        label = house.json("POST", "/api/v2/labels", {"orgID": house.acme.id, "name": "<l>"})["label"]
        house.json("POST", f"{path}/labels", {"labelID": label["id"]})
        assert house.json("GET", path)["labels"] == [label]
        house.json("PATCH", f"/api/v2/labels/{label['id']}", {"name": "m"})
        assert house.json("GET", path)["labels"][0]["name"] == "m"
        house.json("PATCH", path, {"name": "c"})
        listed = house.json("GET", "/api/v2/buckets?name=c")
        assert [one["name"] for one in listed["buckets"]] == ["c"]
        # A caller who may not read labels is not shown what another was.
        assert house.json("GET", path, access=holding(house.bucket.to_read))["labels"] == []
        assert len(house.json("GET", path)["labels"]) == 1

    def test_markup_in_names_is_escaped(self, house: House) -> None:
        house.json("PATCH", f"/api/v2/buckets/{house.bucket.id}", {"name": "<b>&"})
        body = bytes(house.ask("GET", f"/api/v2/buckets/{house.bucket.id}").body)
        assert b"<" not in body
        assert b"\\u003cb\\u003e\\u0026" in body

    def test_a_number_too_great_is_refused_as_json(self, house: House) -> None:
        body = {"orgID": house.acme.id, "name": "n", "retentionRules": [{"everySeconds": 1 << 64}]}
        status, text = house.refusal("POST", "/api/v2/buckets", body)
        assert status == 400
        assert text.startswith("failed to unmarshal json: ")

    def test_reads_run_on_the_loop_and_changes_do_not(self, house: House) -> None:
        for path in ("/api/v2/buckets", f"/api/v2/buckets/{house.bucket.id}", "/api/v2/orgs", "/api/v2/me"):
            match = house.router.match(path)
            assert match is not None
            for method, endpoint in match.route.methods.items():
                assert endpoint.runs is (Runs.LOOP if method == "GET" else Runs.POOL), (method, path)


class TestText:
    def test_bytes_that_are_no_text_become_replacement_characters(self, house: House) -> None:
        made = json.loads(bytes(house.ask("POST", "/api/v2/orgs", b'{"name":"a\xff"}').body))
        assert made["name"] == "a\ufffd"

    @pytest.mark.parametrize("name", ["\\ud800", "\\ud800x"])
    def test_half_a_surrogate_pair_is_refused(self, house: House, name: str) -> None:
        assert house.refusal("POST", "/api/v2/orgs", f'{{"name":"{name}"}}'.encode())[0] == 400


class TestSecrets:
    def test_no_answer_has_a_value(self, house: House) -> None:
        path = f"/api/v2/orgs/{house.acme.id}/secrets"
        assert house.ask("PATCH", path, {"k": "planted"}).status_code == 204
        answer = house.ask("GET", path)
        assert json.loads(bytes(answer.body))["secrets"] == ["k"]
        assert b"planted" not in bytes(answer.body)

    def test_the_organization_must_be_readable(self, house: House) -> None:
        path = f"/api/v2/orgs/{house.acme.id}/secrets"
        only_secrets = holding(Permission(Action.READ, ResourceType.SECRETS, house.acme.id))
        assert house.refusal("GET", path, access=only_secrets) == (404, "404 page not found")
        only_org = holding(house.acme.permission(Action.READ))
        assert house.refusal("GET", path, access=only_org) == (
            401,
            f"read:orgs/{house.acme.id}/secrets is unauthorized",
        )


class TestTelegrafs:
    def test_the_form_follows_the_accept_header(self, house: House) -> None:
        body = {"orgID": house.acme.id, "name": " a b ", "config": "[agent]\n"}
        made = house.json("POST", "/api/v2/telegrafs", body)
        path = f"/api/v2/telegrafs/{made['id']}"
        assert made == {
            "id": made["id"],
            "orgID": house.acme.id,
            "name": " a b ",
            "config": "[agent]\n",
            "metadata": {"buckets": []},
            "labels": [],
            "links": {part: f"{path}/{part}" for part in ("labels", "members", "owners")} | {"self": path},
        }
        plain = house.ask("GET", path)
        assert (plain.headers["content-type"], bytes(plain.body)) == ("application/toml; charset=utf-8", b"[agent]\n")
        download = house.ask("GET", path, headers={"accept": "application/octet-stream"})
        assert download.headers["content-disposition"] == 'attachment; filename="a_b.toml"'
        shown = house.ask("GET", path, headers={"accept": "application/json"})
        assert json.loads(bytes(shown.body)) == made
        assert house.refusal("PATCH", path)[0] == 405

    @pytest.mark.parametrize(
        ("accept", "form"),
        [
            ("", "application/toml"),
            ("*/*", "application/toml"),
            ("text/html", "application/toml"),
            ("application/json", "application/json"),
            ("text/html, APPLICATION/JSON;q=0.9", "application/json"),
            ("application/json;q=0.1, application/octet-stream;q=0.5", "application/octet-stream"),
            ("application/json;q=zz", "application/toml"),
            ("application/json;q=0", "application/toml"),
        ],
    )
    def test_negotiation(self, accept: str, form: str) -> None:
        assert negotiate(accept) == form

    def test_a_name_cannot_break_out_of_the_header(self) -> None:
        assert file_name('x"\r\nSet-Cookie: a=b/ü\\') == "x___Set-Cookie:_a=b___.toml"

    def test_refusals(self, house: House) -> None:
        post = ("POST", "/api/v2/telegrafs")
        assert house.refusal(*post, {"name": "n"}) == (400, "invalid org id for permission: invalid ID")
        assert house.refusal(*post, b"{")[0] == 400
        path = f"/api/v2/telegrafs/{house.json(*post, {'orgID': house.acme.id, 'name': 'n'})['id']}"
        assert house.refusal("PUT", path, {"orgID": "zz", "name": "m"})[0] == 400
        assert house.json("PUT", path, {"name": "m"})["name"] == "m"
        assert house.refusal("GET", "/api/v2/telegrafs?orgID=zz") == (
            400,
            "orgID is invalid: id must have a length of 16 bytes",
        )
        assert house.ask("DELETE", path).status_code == 204
        assert house.json("GET", "/api/v2/telegrafs?org=nobody") == {"configurations": []}


class TestVariables:
    def test_the_life_of_a_variable(self, house: House) -> None:
        body = {"orgID": house.acme.id, "name": "v", "arguments": {"type": "constant", "values": ["a"]}}
        made = house.json("POST", "/api/v2/variables", body)
        path = f"/api/v2/variables/{made['id']}"
        assert made["selected"] is None
        assert made["description"] == ""
        assert made["arguments"] == body["arguments"]
        assert made["links"] == {"labels": f"{path}/labels", "org": f"/api/v2/orgs/{house.acme.id}", "self": path}
        assert house.json("GET", path) == made
        assert house.json("PATCH", path, {"selected": ["a"]})["selected"] == ["a"]
        assert house.refusal("PUT", path, {"name": "w"}) == (400, "bad organization id: invalid ID")
        assert house.json("PUT", path, body | {"name": "w"})["name"] == "w"
        assert house.ask("DELETE", path).status_code == 204
        assert house.refusal("GET", path) == (404, f'variable not found for key "{made["id"]}"')

    def test_lists_and_refusals(self, house: House) -> None:
        for name in ("a", "b", "c"):
            body = {"orgID": house.acme.id, "name": name, "arguments": {"type": "map", "values": {"k": "v"}}}
            house.json("POST", "/api/v2/variables", body)
        page = house.json("GET", f"/api/v2/variables?orgID={house.acme.id}&limit=2&descending=true")
        assert [one["name"] for one in page["variables"]] == ["c", "b"]
        assert page["links"]["next"] == (f"/api/v2/variables?descending=true&limit=2&offset=2&orgID={house.acme.id}")
        assert len(house.json("GET", "/api/v2/variables?org=acme")["variables"]) == 3
        assert house.refusal("GET", "/api/v2/variables?org=nobody") == (
            404,
            'could not read variables: organization name "nobody" not found',
        )
        assert house.refusal("POST", "/api/v2/variables", b"") == (400, "EOF")
        assert house.refusal("POST", "/api/v2/variables", {"orgID": "zz"})[0] == 400
        assert house.json("GET", "/api/v2/variables", access=holding())["variables"] == []


class TestDashboards:
    def test_the_life_of_a_dashboard(self, house: House) -> None:
        path = "/api/v2/dashboards"
        empty = {"links": {"self": f"{path}?descending=false&limit=20&offset=0"}, "dashboards": []}
        assert house.json("GET", path) == empty
        made = house.json("POST", path, {"orgID": house.acme.id, "cells": [{"x": 1, "w": 4, "name": "inline"}]})
        one = f"{path}/{made['id']}"
        assert (made["name"], made["description"], made["labels"]) == ("", "", [])
        assert set(made["links"]) == {"self", "members", "owners", "cells", "labels", "org"}
        (cell,) = made["cells"]
        assert cell == {
            "id": cell["id"],
            "x": 1,
            "y": 0,
            "w": 4,
            "h": 0,
            "links": {"self": f"{one}/cells/{cell['id']}", "view": f"{one}/cells/{cell['id']}/view"},
        }
        assert house.json("PATCH", one, {"name": "n"})["name"] == "n"
        assert house.json("GET", f"{one}?include=properties")["cells"][0]["properties"] == {"shape": "empty"}
        for filters in (f"id={made['id']}", f"ownerID={house.root.id}", f"orgID={house.acme.id}", "org=acme"):
            assert len(house.json("GET", f"{path}?{filters}")["dashboards"]) == 1
        other = "00000000000000aa"
        for filters in (f"id={other}", f"ownerID={other}", f"orgID={other}"):
            assert house.json("GET", f"{path}?{filters}")["dashboards"] == []
        assert house.json("GET", path, access=holding())["dashboards"] == []
        assert house.ask("DELETE", one).status_code == 204
        assert house.refusal("GET", one) == (404, "dashboard not found")

    def test_cells(self, house: House) -> None:
        made = house.json("POST", "/api/v2/dashboards", {"orgID": house.acme.id, "name": "d"})
        cells = f"/api/v2/dashboards/{made['id']}/cells"
        first = house.json("POST", cells, {"x": 0, "y": 0, "w": 4, "h": 4, "name": "first"})
        assert "name" not in first
        view = f"{cells}/{first['id']}/view"
        house.json("PATCH", view, {"properties": {"shape": "chronograf-v2", "type": "markdown", "note": "hi"}})
        copied = house.json("POST", cells, {"w": 1, "usingView": first["id"]})
        assert house.json("GET", f"{cells}/{copied['id']}/view") == {
            "id": copied["id"],
            "name": "first",
            "links": {"self": f"{cells}/{copied['id']}"},
            "properties": {"shape": "chronograf-v2", "type": "markdown", "note": "hi"},
        }
        assert house.json("PATCH", f"{cells}/{copied['id']}", {"y": 5})["y"] == 5
        response = house.ask("PUT", cells, [{"id": copied["id"], "x": 2, "y": 2, "w": 2, "h": 2}])
        assert response.status_code == 201
        kept = json.loads(bytes(response.body))["cells"]
        assert [(one["id"], one["x"]) for one in kept] == [(copied["id"], 2)]
        assert house.ask("DELETE", f"{cells}/{copied['id']}").status_code == 204
        assert house.refusal("DELETE", f"{cells}/{copied['id']}") == (404, "cell not found")

    def test_refusals(self, house: House) -> None:
        path = "/api/v2/dashboards"
        made = house.json("POST", path, {"orgID": house.acme.id, "name": "d"})
        one, cells = f"{path}/{made['id']}", f"{path}/{made['id']}/cells"
        cell = house.json("POST", cells, {"x": 1})
        other = "00000000000000aa"
        expected = [
            ("POST", path, b"", (400, "failed to unmarshal json: EOF")),
            ("GET", f"{path}?org=nobody", None, (404, 'organization name "nobody" not found')),
            ("PATCH", one, {}, (400, "must update at least one attribute")),
            ("PATCH", one, b"", (400, "EOF")),
            ("POST", cells, {}, (400, "req body is empty")),
            ("POST", cells, b"", (400, "bad request json body: EOF")),
            ("POST", cells, {"usingView": other}, (404, "view not found")),
            ("PUT", cells, [{"x": 1}], (400, "cannot provide empty cell id")),
            ("PUT", cells, [{"id": other}], (422, "cannot replace cells that were not already present")),
            ("PATCH", f"{cells}/{cell['id']}", {}, (400, "must update at least one attribute")),
            ("PATCH", f"{cells}/{other}", {"x": 1}, (404, "cell not found")),
            ("GET", f"{cells}/{other}/view", None, (404, "view not found")),
            ("PATCH", f"{cells}/{cell['id']}/view", {}, (400, "expected at least one attribute to be updated")),
            ("PATCH", f"{cells}/{cell['id']}/view", {"properties": {"shape": "x"}}, (400, "unknown shape x")),
            ("GET", f"{path}/{other}/members", None, (404, "404 page not found")),
        ]
        for method, target, body, answer in expected:
            assert house.refusal(method, target, body) == answer, (method, target)
        reader = holding(Permission(Action.READ, ResourceType.DASHBOARDS, house.acme.id))
        refused = (401, f"write:orgs/{house.acme.id}/dashboards/{made['id']} is unauthorized")
        for method, target, body in (
            ("PATCH", one, {"name": "n"}),
            ("DELETE", one, None),
            ("POST", cells, {"x": 1}),
            ("PUT", cells, []),
            ("PATCH", f"{cells}/{cell['id']}", {"x": 1}),
            ("DELETE", f"{cells}/{cell['id']}", None),
            ("PATCH", f"{cells}/{cell['id']}/view", {"name": "n"}),
        ):
            assert house.refusal(method, target, body, reader) == refused, (method, target)
