"""The one exception tree; each class carries an InfluxDB error code.

    FluxkeepError                    code                   HTTP
    ├── InvalidInput                 invalid                400
    │   └── EmptyValue               empty value            400
    ├── Unauthorized                 unauthorized           401
    ├── Forbidden                    forbidden              403
    ├── NotFound                     not found              404
    ├── MethodNotAllowed             method not allowed     405
    ├── TooLarge                     request too large      413
    ├── Conflict                     conflict               422
    ├── Unprocessable                unprocessable entity   422
    ├── TooManyRequests              too many requests      429
    ├── Internal                     internal error         500
    │   └── Corruption               internal error         500
    ├── Unsupported                  not implemented        501
    └── Unavailable                  unavailable            503
        └── DeviceFull               unavailable            503

Classes are told apart by what the caller can do about them. Rooms subclass
where they raise. Codes become statuses and bodies in `api/errors.py` alone.

Outside the tree stands `Abandoned`: no failure, and sent to nobody.

Source: http-api.md §1.3.
"""

from __future__ import annotations

from typing import ClassVar


class FluxkeepError(Exception):
    """An error with an InfluxDB code and one message for the client."""

    code: ClassVar[str] = "internal error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(FluxkeepError):
    """The request cannot be understood or is not allowed to mean what it says."""

    code = "invalid"


class EmptyValue(InvalidInput):
    """A value that must not be empty is."""

    code = "empty value"


class Unauthorized(FluxkeepError):
    """No credential, an unknown one, or a permission that is lacking.

    `reason` is one of missing-credential, unknown-token, inactive-token,
    expired-token, missing-permission; it goes into `X-Fluxkeep-Reason`.
    """

    code = "unauthorized"

    def __init__(self, message: str = "unauthorized access", *, reason: str = "missing-permission") -> None:
        super().__init__(message)
        self.reason = reason


class Forbidden(FluxkeepError):
    """The caller is known and may not do this."""

    code = "forbidden"


class NotFound(FluxkeepError):
    """The thing named does not exist, or the caller may not know that it does."""

    code = "not found"


class MethodNotAllowed(FluxkeepError):
    """The path exists, the method does not."""

    code = "method not allowed"

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class TooLarge(FluxkeepError):
    """A named limit is exceeded by what was sent."""

    code = "request too large"


class Conflict(FluxkeepError):
    """Something of that identity exists already."""

    code = "conflict"


class Unprocessable(FluxkeepError):
    """Understood, and refused by a rule."""

    code = "unprocessable entity"


class TooManyRequests(FluxkeepError):
    """Throttled; `retry_after_seconds` goes into `Retry-After`."""

    code = "too many requests"

    def __init__(self, message: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Internal(FluxkeepError):
    """A broken invariant or an unforeseen failure on our side."""

    code = "internal error"


class Corruption(Internal):
    """Bytes on disk are not what was written there."""

    def __init__(self, message: str, *, file: str, offset: int = -1) -> None:
        super().__init__(message)
        self.file = file
        self.offset = offset


class Unsupported(FluxkeepError):
    """Known to the reference, not built here yet, said plainly."""

    code = "not implemented"


class Unavailable(FluxkeepError):
    """Not now; `retry_after_seconds` goes into `Retry-After`."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeviceFull(Unavailable):
    """No space is left for what must be durable; reads and deletes go on."""


class Abandoned(Exception):  # an event, as asyncio's CancelledError
    """The client has gone, and what it asked for stops.

    Not a `FluxkeepError`: rooms catch those to give them a place, another kind or a row in the
    answer, and this has to pass through all of them.
    """
