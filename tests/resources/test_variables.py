"""Variables keep to http-api.md §15."""

from __future__ import annotations

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.clock import ManualClock
from fluxkeep.errors import Conflict, InvalidInput, NotFound, Unauthorized
from fluxkeep.ids import IdGenerator, OrgID, ResourceID, UserID
from fluxkeep.metastore.engine import MetaStore
from fluxkeep.resources.variables import Arguments, Variables, parse_arguments
from fluxkeep.tenancy.services import Tenancy
from fluxkeep.tenancy.values import Organization

CONSTANT = Arguments(type="constant", values=("a", "b"))


@pytest.fixture
def variables(store: MetaStore, ids: IdGenerator) -> Variables:
    return Variables(store, ids)


def holding(*permissions: Permission) -> Access:
    return Access(Principal(user_id=UserID("00000000000000ff"), permissions=PermissionSet(permissions)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({"type": "constant", "values": ["a", "b"]}, CONSTANT),
        ({"type": "map", "values": {"k": "v"}}, Arguments(type="map", values={"k": "v"})),
        (
            {"type": "query", "values": {"query": "q", "language": "flux", "more": 1}},
            Arguments(type="query", values={"query": "q", "language": "flux"}),
        ),
    ],
)
def test_arguments(value: object, expected: Arguments | None) -> None:
    assert parse_arguments(value) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"type": "zz"}, "unknown VariableArguments type zz"),
        ({"type": "constant", "values": {}}, "error parsing map[] as VariableConstantArguments"),
        (
            {"type": "constant", "values": {"b": [1, None], "a": True}},
            "error parsing map[a:true b:[1 <nil>]] as VariableConstantArguments",
        ),
        (
            {"type": "constant", "values": [1]},
            "expected variable constant value to be string but received float64",
        ),
        ({"type": "query", "values": {"language": "flux"}}, '"query" key not present in VariableQueryArguments'),
        ({"type": "query", "values": {"query": "q"}}, '"language" key not present in VariableQueryArguments'),
    ],
)
def test_arguments_that_are_refused(value: object, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_arguments(value)
    assert caught.value.message == text


def test_names_in_the_order_of_the_checks(variables: Variables, operator: Access, acme: Organization) -> None:
    for name, arguments, text in (
        (" ", None, "missing variable name"),
        ("1a", None, "variable name must start with a letter"),
        ("in", None, "invalid arguments type"),
        ("in", CONSTANT, '"in" is a protected variable name'),
        ("ok", CONSTANT, "invalid org id for permission: invalid ID"),
    ):
        with pytest.raises(InvalidInput, match=f"^{text}$"):
            variables.create(operator, org_id=None, name=name, arguments=arguments)
    with pytest.raises(NotFound, match="organization not found"):
        variables.create(operator, org_id=OrgID("00000000000000aa"), name="ok", arguments=CONSTANT)
    variables.create(operator, org_id=acme.id, name=" Ok ", arguments=CONSTANT)
    with pytest.raises(Conflict, match=f"^variable is not unique for key {acme.id}ok$"):
        variables.create(operator, org_id=acme.id, name="oK", arguments=CONSTANT)


def test_changes(variables: Variables, operator: Access, acme: Organization, clock: ManualClock) -> None:
    one = variables.create(operator, org_id=acme.id, name="one", description="d", arguments=CONSTANT)
    two = variables.create(operator, org_id=acme.id, name="two", selected=["a"], arguments=CONSTANT)
    assert variables.all() == variables.all(acme.id) == [one, two]
    clock.advance(seconds=1)
    changed = variables.update(operator, one.id, name="1 bad", selected=[])
    assert (changed.name, changed.description, changed.selected) == ("1 bad", "d", ())
    assert changed.updated_at > changed.created_at == one.created_at
    assert variables.get(operator, one.id) == variables.find(one.id) == changed
    with pytest.raises(InvalidInput, match="no fields supplied in update"):
        variables.update(operator, one.id)
    with pytest.raises(Conflict, match=f"conflicts with an existing entity for key {acme.id}two$"):
        variables.update(operator, one.id, name="TWO")
    replaced = variables.replace(operator, two.id, name="three", arguments=Arguments(type="map", values={}))
    assert (replaced.name, replaced.selected, replaced.created_at) == ("three", None, two.created_at)
    with pytest.raises(InvalidInput, match="missing variable name"):
        variables.replace(operator, two.id, name="", arguments=CONSTANT)
    variables.delete(operator, two.id)
    for call in (variables.get, variables.delete):
        with pytest.raises(NotFound, match=f'^variable not found for key "{two.id}"$'):
            call(operator, two.id)


def test_permissions(variables: Variables, operator: Access, acme: Organization) -> None:
    made = variables.create(operator, org_id=acme.id, name="n", arguments=CONSTANT)
    reader = holding(Permission(Action.READ, ResourceType.VARIABLES, acme.id))
    assert variables.get(reader, made.id) == made
    path = f"orgs/{acme.id}/variables"
    with pytest.raises(Unauthorized, match=f"^write:{path} is unauthorized$"):
        variables.create(reader, org_id=acme.id, name="m", arguments=CONSTANT)
    with pytest.raises(Unauthorized, match=f"^write:{path}/{made.id} is unauthorized$"):
        variables.update(reader, made.id, name="m")
    with pytest.raises(Unauthorized, match=f"^write:{path}/{made.id} is unauthorized$"):
        variables.replace(reader, made.id, name="m", arguments=CONSTANT)
    with pytest.raises(Unauthorized, match=f"^write:{path}/{made.id} is unauthorized$"):
        variables.delete(reader, made.id)
    with pytest.raises(Unauthorized, match=f"^read:{path}/{made.id} is unauthorized$"):
        variables.get(holding(), made.id)


def test_a_telegraf_is_no_variable(
    store: MetaStore, tenancy: Tenancy, ids: IdGenerator, variables: Variables, operator: Access, acme: Organization
) -> None:
    from fluxkeep.resources.telegrafs import Telegrafs

    other = Telegrafs(store, ids).create(operator, org_id=acme.id, name="n", description="", config="")
    assert variables.find(other.id) is None
    with pytest.raises(NotFound):
        variables.delete(operator, ResourceID(other.id))
    tenancy.organizations.delete(operator, acme.id)
    assert Telegrafs(store, ids).list_(operator) == []
