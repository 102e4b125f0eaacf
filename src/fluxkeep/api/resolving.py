"""From `org` and `orgID` parameters to the organization they name.

Source: http-api.md §6.1, §6.2, §10.2.
"""

from __future__ import annotations

from collections.abc import Mapping

from fluxkeep.errors import InvalidInput, NotFound
from fluxkeep.ids import OrgID
from fluxkeep.tenancy.snapshot import Snapshot
from fluxkeep.tenancy.values import Organization


def resolve_org(tenancy: Snapshot, query: Mapping[str, list[str]]) -> Organization:
    """The organization; `orgID` wins over `org`, and 16 hex digits in `org` are an id and never a name.

    Raises:
        InvalidInput: Neither is given, or a malformed id.
        NotFound: There is none.
    """
    org_id = (query.get("orgID") or [""])[0]
    name = (query.get("org") or [""])[0]
    if org_id:
        return _by_id(tenancy, OrgID.parse(org_id))
    if not name:
        raise InvalidInput("Please provide either orgID or org")
    try:
        parsed = OrgID.parse(name)
    except InvalidInput:
        found = tenancy.organizations.by_name.get(name)
        if found is None:
            raise NotFound(f'organization name "{name}" not found') from None
        return found
    return _by_id(tenancy, parsed)


def _by_id(tenancy: Snapshot, org_id: OrgID) -> Organization:
    found = tenancy.organizations.by_id.get(org_id)
    if found is None:
        raise NotFound("organization not found")
    return found
