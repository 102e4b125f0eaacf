"""What a line of the audit log says: who did what to which object, from where, and with what outcome.

Ids and words only. A secret has no place in it; where the log has a key, the
line of an act that made a secret has its pseudonym, by which whoever holds the
key and the secret can find it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from fluxkeep.ids import ID, AuthorizationID, UserID

# Acts of the log itself.
RECOVERED = "audit.recover"  # a line that was never acknowledged was cut off
DAMAGED = "audit.damaged"  # the log is not as the head remembers it
KEYED = "audit.key"  # from here on another key than before


class Outcome(enum.StrEnum):
    """How an act went."""

    BEGUN = "begun"  # written before the act where nothing may happen unrecorded
    GRANTED = "granted"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One administrative act.

    Attributes:
        action: A dotted verb such as `authorization.create`.
        outcome: How it went.
        user_id: Who acted; none for an offline tool and for nobody.
        authorization_id: By which token; none for a session.
        address: From where; `-` for an offline tool.
        target: The object's id, if it has one.
        detail: Further words; never a secret.
    """

    action: str
    outcome: Outcome
    user_id: UserID | None = None
    authorization_id: AuthorizationID | None = None
    address: str = "-"
    target: ID | None = None
    detail: Mapping[str, str] = field(default_factory=dict)

    def members(self) -> dict[str, object]:
        """The JSON members of the line; what is absent is left out."""
        every: dict[str, object] = {
            "action": self.action,
            "outcome": self.outcome.value,
            "user": self.user_id,
            "authorization": self.authorization_id,
            "address": self.address,
            "target": self.target,
            "detail": dict(self.detail) or None,
        }
        return {name: value for name, value in every.items() if value is not None}
