"""`csv`: tables from text.

Source: flux.md §13, §8.
"""

from __future__ import annotations

from collections.abc import Sequence

from fluxkeep.datamodel.tables import Block
from fluxkeep.errors import FluxkeepError, InvalidInput
from fluxkeep.flux.execute.failures import PlacedError, PlacedInternal
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
    text = call.string("csv")
    read = _raw if call.string("mode", "annotations") == "raw" else _annotated
    # Read when it runs: what is wrong with a text is an error of execution, told without the call.
    return call.node(Effect("csv.from", lambda _, __: read(text)))


def _raw(text: str) -> Sequence[Block]:
    return decode_raw(text)


def _annotated(text: str) -> Sequence[Block]:
    try:
        results = decode(text)
    except FluxkeepError as error:
        message = f"error in csv.from(): {error.message}"
        # Quirk: only these two are the caller's fault in the reference. Source: recorded answers.
        if "annotation datatype" in message or "invalid datatype" in message:
            raise PlacedError(message) from error
        raise PlacedInternal(message) from error
    if len(results) > 1:
        raise PlacedError("error in csv.from(): csv.from() can only parse 1 result")
    return results[0].blocks if results else []
