"""Points that are refused of an otherwise good write, and the texts for it.

What storage refuses it says in types (`storage.outcomes`); what ingest itself
finds in the columns before is here: fields named `time`, strings that are too
long, keys that are no text. One text answers the client, chosen as the reference chooses: first what
a shard refused, then retention, then fields that were taken away.

Source: http-api.md §6.2, §6.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.points import FieldColumn, MeasurementBatch, PointBatch, Strings
from fluxkeep.datamodel.series import Series
from fluxkeep.instants import format_go_duration, format_rfc3339
from fluxkeep.storage.outcomes import BeyondRetention, Refusal, StoredBucket, TypeConflicts
from fluxkeep.storage.shards import bounds_of, group_duration

STRING_BYTES_MAX = 1_048_576

_TIME = "time"
# Sorting nothing costs a tenth of a small write.
_NONE: npt.NDArray[np.uint32] = np.empty(0, np.uint32)
_PREFIX = "failure writing points to database: partial write: "


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRules:
    """What a point must keep to; the server's settings.

    Attributes:
        string_bytes_max: Of a string value; None for any length (`storage-no-validate-field-size`).
        printable_keys: Measurements, tag keys and values must be printable text
            (`storage-validate-keys`). U+FFFD is not: the parser puts it where bytes were no UTF-8.
    """

    string_bytes_max: int | None = STRING_BYTES_MAX
    printable_keys: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A point that a shard would refuse for its fields; `line` is its ordinal."""

    line: int
    time: int
    reason: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What the columns of a write show.

    Attributes:
        empty: Points whose only field is `time`; storage drops them without a word.
        unfit: Points that break a rule; storage must be told to refuse them.
        stripped: Measurement of the first point that loses a field `time` and keeps others.
    """

    empty: tuple[Finding, ...] = ()
    unfit: tuple[Finding, ...] = ()
    stripped: str | None = None

    @property
    def refused(self) -> npt.NDArray[np.uint32]:
        """Ordinals of the points that storage must not take, ascending."""
        if not self.unfit:
            return _NONE
        return np.unique(np.array([finding.line for finding in self.unfit], np.uint32))


def inspect(batch: PointBatch, rules: PointRules, bound: int | None) -> Findings:
    """Look for what storage does not judge.

    Args:
        batch: The write.
        rules: What to look for.
        bound: Points before it are retention's business and left out.
    """
    empty: list[Finding] = []
    unfit: list[Finding] = []
    stripped: list[tuple[int, str]] = []
    for m in batch.measurements:
        young = None if bound is None else m.time >= bound
        if any(f.name == _TIME for f in m.fields):
            alone, beside = _with_time(m, young)
            reason = f'invalid field name: input field "time" on measurement "{m.measurement}" is invalid'
            empty += [Finding(int(m.line[i]), int(m.time[i]), reason) for i in alone.tolist()]
            stripped += [(int(m.line[beside[0]]), m.measurement)] if len(beside) else []
        if rules.printable_keys:
            unfit += _unprintable(m, young)
        if rules.string_bytes_max is not None:
            for f in m.fields:
                if isinstance(f.values, Strings) and len(f.values.data) > rules.string_bytes_max:
                    unfit += _too_long(m, f, f.values, rules.string_bytes_max, young)
    return Findings(tuple(empty), tuple(unfit), min(stripped)[1] if stripped else None)


def _with_time(
    m: MeasurementBatch, young: npt.NDArray[np.bool_] | None
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows whose only field is `time`, and rows that have others too."""
    timed = np.zeros(len(m), np.bool_)
    others = np.zeros(len(m), np.bool_)
    for f in m.fields:
        into = timed if f.name == _TIME else others
        into |= True if f.valid is None else f.valid
    if young is not None:
        timed &= young
    return np.flatnonzero(timed & ~others), np.flatnonzero(timed & others)


def _too_long(
    m: MeasurementBatch, f: FieldColumn, strings: Strings, bytes_max: int, young: npt.NDArray[np.bool_] | None
) -> list[Finding]:
    sizes = np.diff(strings.offsets)
    over = sizes > bytes_max
    if young is not None:
        over &= young
    return [
        Finding(
            int(m.line[i]),
            int(m.time[i]),
            f'input field "{f.name}" on measurement "{m.measurement}" is too long, {sizes[i]} > {bytes_max}',
        )
        for i in np.flatnonzero(over).tolist()
    ]


def _unprintable(m: MeasurementBatch, young: npt.NDArray[np.bool_] | None) -> list[Finding]:
    bad = np.array([not _is_printable(series) for series in m.series], np.bool_)
    if not bad.any():
        return []
    rows = bad[m.series_index]
    if young is not None:
        rows &= young
    return [
        Finding(
            int(m.line[i]),
            int(m.time[i]),
            f'key contains invalid unicode: "{m.series[int(m.series_index[i])].key}"',
        )
        for i in np.flatnonzero(rows).tolist()
    ]


def _is_printable(series: Series) -> bool:
    texts = (series.measurement, *(text for tag in series.tags for text in tag))
    return all(text.isprintable() and "\ufffd" not in text for text in texts)


def refusal_text(bucket: StoredBucket, findings: Findings, refusals: Sequence[Refusal]) -> str | None:
    """The text for the client; None when every point was taken whole.

    A shard group's earliest refused point gives the reason and all that the group
    refused are counted. Of several groups the earliest speaks (in the reference
    whichever is done first).
    """
    conflicts = [refusal for refusal in refusals if isinstance(refusal, TypeConflicts)]
    found = _earliest_group(bucket, findings)
    if conflicts or found:
        reasons = [(finding.line, finding.reason) for finding in found]
        dropped = len(found)
        if conflicts:
            # Where the groups of both are not known to be one, they are taken to be.
            dropped += conflicts[0].dropped
            reasons.append((conflicts[0].line, _conflict(conflicts[0])))
        return f"{_PREFIX}{min(reasons)[1]} dropped={dropped}"
    where = f" for database: {bucket.id} for retention policy: autogen"
    for refusal in refusals:
        if isinstance(refusal, BeyondRetention):
            return f"{_PREFIX}{_retention(refusal)} dropped={refusal.dropped}{where}"
    if findings.stripped is not None:
        reason = f'invalid field name: input field "time" on measurement "{findings.stripped}" is invalid.'
        return f'{_PREFIX}{reason} Field "time" has been stripped from point. dropped=0{where}'
    return None


def _earliest_group(bucket: StoredBucket, findings: Findings) -> list[Finding]:
    # A point may break several rules and counts once.
    found = list({finding.line: finding for finding in (*findings.empty, *findings.unfit)}.values())
    if not found:
        return []
    duration = group_duration(bucket.retention_ns, bucket.shard_group_ns)
    _, stop = bounds_of(min(finding.time for finding in found), duration)
    return [finding for finding in found if finding.time < stop]


def _conflict(refusal: TypeConflicts) -> str:
    return (
        f'field type conflict: input field "{refusal.field}" on measurement "{refusal.measurement}" '
        f"is type {refusal.new.value}, already exists as type {refusal.existing.value}"
    )


def _retention(refusal: BeyondRetention) -> str:
    bound = format_rfc3339(refusal.bound)
    ends = (
        f"{which} point {point.key} at {format_rfc3339(point.time)} "
        f"dropped because it violates a Retention Policy Lower Bound at {bound}"
        for which, point in (("oldest", refusal.oldest), ("newest", refusal.newest))
    )
    duration = format_go_duration(refusal.retention_ns)
    return f"dropped {refusal.dropped} points outside retention policy of duration {duration} - {', '.join(ends)}"
