"""Lists of authorizations are written without the values that single ones are made of; both must be the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.credentials.house import House

from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType, operator_permissions
from fluxkeep.api.responses import encode_json
from fluxkeep.api.wire.credentials import AuthorizationWriter
from fluxkeep.clock import ManualClock
from fluxkeep.credentials.authorizations import Shown
from fluxkeep.credentials.store import Authorization
from fluxkeep.ids import AuthorizationID, OrgID, UserID
from fluxkeep.secret import Secret

INSTANTS = st.integers(0, 4_000_000_000_000_000_000)
MAYBE = st.none() | INSTANTS
GONE = "0123456789abcdef"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("lists") / "data", ManualClock())
    made.set_up()
    yield made
    made.close()


@given(data=st.data())
def test_a_member_of_a_list_is_the_single_answer_to_the_byte(house: House, data: st.DataObject) -> None:
    now = house.tenancy.directory.now
    org = data.draw(st.sampled_from([now.organizations.all[0].id, OrgID(GONE)]))
    permission = Permission(Action.READ, ResourceType.BUCKETS, org, now.buckets.all[0].id)
    members: dict[str, Any] = {
        name: data.draw(MAYBE) for name in ("expires_at", "last_used_at", "revoked_at", "previous_until", "grace_ns")
    }
    created = data.draw(INSTANTS)
    record = Authorization(
        id=AuthorizationID("0c00000000000001"),
        status=data.draw(st.sampled_from(["active", "inactive"])),
        description=data.draw(st.text() | st.sampled_from(["<b>&", 'say "no"', "a\u2028b", "\\"])),
        org_id=org,
        user_id=data.draw(st.sampled_from([now.users.all[0].id, UserID(GONE)])),
        permissions=data.draw(st.sampled_from([operator_permissions(), PermissionSet([permission])])),
        created_at=created,
        updated_at=data.draw(st.just(created) | INSTANTS),
        rotating=data.draw(st.booleans()),
        **members,
    )
    shown = Shown(record, data.draw(st.none() | st.builds(Secret, st.text())))
    writer = AuthorizationWriter(now, lifecycle=data.draw(st.booleans()))
    for _ in range(2):
        assert writer.listed(shown) == encode_json(writer.token(shown))
