"""The engine passes the vectors that the web page's permission hints pass too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fluxkeep.access.decisions import Access, Principal
from fluxkeep.access.permissions import Action, Permission, PermissionSet, ResourceType
from fluxkeep.ids import OrgID, ResourceID, UserID

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("vectors.json").read_text())["cases"]


def permission(value: dict[str, Any]) -> Permission:
    resource = value["resource"]
    return Permission(
        Action(value["action"]),
        ResourceType(resource["type"]),
        org_id=OrgID(resource["orgID"]) if "orgID" in resource else None,
        id=ResourceID(resource["id"]) if "id" in resource else None,
    )


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_vector(case: dict[str, Any]) -> None:
    principal = Principal(
        user_id=UserID("0" * 15 + "1"),
        permissions=PermissionSet(permission(held) for held in case["held"]),
    )
    assert Access(principal).allows(permission(case["wanted"])) is case["allowed"]
