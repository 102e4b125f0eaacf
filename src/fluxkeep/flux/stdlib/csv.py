"""`csv`: tables from text.

Source: flux.md §13, §8.
"""

from __future__ import annotations

from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.flux.interpreter.calls import Call
from fluxkeep.flux.interpreter.values import Value
from fluxkeep.flux.plan.graph import Effect
from fluxkeep.flux.stdlib.registry import Package
from fluxkeep.formats.annotated_csv import decode, decode_raw

PACKAGE = Package("csv")


@PACKAGE.function("?csv ?file ?mode ?url")
def from_(call: Call) -> Value:
    """Annotated or raw CSV as a stream."""
    if call.has("csv") == call.has("file"):
        raise InvalidInput("must provide exactly one of the parameters csv or file")
    if call.has("file"):
        raise InvalidInput("failed to read file: the server reads no files")
    text, mode = call.string("csv"), call.string("mode", "annotations")
    if mode not in ("annotations", "raw"):
        raise InvalidInput(f'mode must be either "annotations" or "raw", got "{mode}"')
    if mode == "raw":
        blocks = decode_raw(text)
        return call.node(Effect("csv.from", lambda _, __: blocks))
    try:
        results = decode(text)
    except FluxkeepError as error:
        failure = InvalidInput(f"error in csv.from(): {error.message}")
        raise failure from error
    if len(results) > 1:
        raise InvalidInput("error in csv.from(): csv contains more than one result")
    tables = results[0].blocks if results else []
    return call.node(Effect("csv.from", lambda _, __: tables))
