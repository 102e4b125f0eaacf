"""Writing and deleting through the service: order of checks, texts, and what is there afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.ingest.conftest import BUCKET, NOW, OPERATOR, READER, House, rows_in

from fluxkeep.datamodel.point_rows import batch_of, point
from fluxkeep.datamodel.predicates import Compare, Op, Predicate
from fluxkeep.datamodel.timerange import TimeRange
from fluxkeep.errors import DeviceFull, Forbidden, Internal, InvalidInput, Unprocessable
from fluxkeep.ids import BucketID
from fluxkeep.ingest import Ingest, PointRules, Writing, v1_precision
from fluxkeep.instants import HOUR, SECOND, Precision
from fluxkeep.lineprotocol import ParseLimits
from fluxkeep.metrics import Metrics
from fluxkeep.storage.engine import Engine
from fluxkeep.storage.outcomes import Write, WriteOutcome
from fluxkeep.storage.settings import StorageOptions


def write(house: House, text: str, precision: Precision = Precision.NS) -> None:
    house.ingest.write(Writing(OPERATOR, BUCKET, text.encode(), precision))


def test_permission_is_checked_before_the_body_is_looked_at(house: House) -> None:
    with pytest.raises(Forbidden, match=r"^insufficient permissions for write$"):
        house.ingest.write(Writing(READER, BUCKET, b"bad", Precision.NS))


def test_a_bad_line_refuses_the_whole_body(house: House) -> None:
    with pytest.raises(InvalidInput, match=r"^unable to parse 'bad': missing fields$"):
        write(house, "m v=1 1\nbad\nm v=2 2")
    assert house.rows() == []


@pytest.mark.parametrize("body", ["", "\n", " ", "# comment\n"])
def test_a_body_without_points_is_fine(house: House, body: str) -> None:
    write(house, body)
    assert house.rows() == []


def test_the_precision_scales_and_cuts_the_servers_time(house: House) -> None:
    write(house, "m,t=a v=1 1700000000\nm,t=b v=2", Precision.S)
    assert [row[3] for row in house.rows()] == [1_700_000_000 * SECOND, NOW // SECOND * SECOND]


def test_a_string_over_the_limit_refuses_its_point_also_after_a_restart(house: House) -> None:
    long = "x" * 1_048_577
    with pytest.raises(Unprocessable) as caught:
        write(house, f'm v=1 1\nm v=2,s="{long}" 2\nm time=1,s="{long[:-1]}" 3\nm time=2 4')
    assert caught.value.message == (
        "failure writing points to database: partial write: "
        'input field "s" on measurement "m" is too long, 1048577 > 1048576 dropped=2'
    )
    before = house.rows()
    assert [(field, time) for _, _, field, time, _ in before] == [("s", 3), ("v", 1)]
    house.engine.close()
    reopened = Engine(house.path, house.clock, StorageOptions(background=False))
    try:
        assert rows_in(reopened, BUCKET.id) == before
    finally:
        reopened.close()


def test_the_earliest_refused_point_gives_the_reason_and_all_are_counted(house: House) -> None:
    write(house, "m v=1 1")
    with pytest.raises(Unprocessable, match=r'on measurement "m" is type integer, .* dropped=3$'):
        write(house, "m v=1i 2\nm time=1 3\nm v=true 4\nm v=2 5")
    with pytest.raises(Unprocessable, match=r'input field "time" on measurement "m" is invalid dropped=2$'):
        write(house, "m time=1 6\nm v=true 7")


def test_shards_speak_before_retention(house: House) -> None:
    bucket = BUCKET
    short = type(bucket)(
        id=BucketID("00000000000000c3"), org_id=bucket.org_id, name="s", retention_ns=HOUR, created_at=0, updated_at=0
    )
    with pytest.raises(Unprocessable, match=r'input field "time" on measurement "m" is invalid dropped=1$'):
        house.ingest.write(Writing(OPERATOR, short, b"m v=1 1\nm time=1\nm time=1 2", Precision.NS))
    with pytest.raises(
        Unprocessable, match=r"^failure .* dropped 1 points outside retention policy of duration 1h0m0s"
    ):
        house.ingest.write(Writing(OPERATOR, short, b"m v=1 1\nm time=1,v=2", Precision.NS))


def test_points_that_are_no_lines_are_stored_too(house: House) -> None:
    points = [point("m x", {"t": "a,b"}, {"v": 1.5, "s": 'q"'}, 7), point("n", {}, {"v": True}, 8)]
    house.ingest.write_points(OPERATOR, BUCKET, batch_of(points))
    assert house.rows() == [
        ("m x", {"t": "a,b"}, "s", 7, 'q"'),
        ("m x", {"t": "a,b"}, "v", 7, 1.5),
        ("n", {}, "v", 8, True),
    ]
    with pytest.raises(InvalidInput, match="cannot spell the series"):
        house.ingest.write_points(OPERATOR, BUCKET, batch_of([point("m\\", {}, {"v": 1}, 1)]))
    with pytest.raises(Forbidden):
        house.ingest.write_points(READER, BUCKET, batch_of(points))


def test_deleting_hides_both_ends_of_the_range_for_series_that_match(house: House) -> None:
    write(house, "\n".join(f"m,t={t} v={i} {i}" for t in "ab" for i in range(4)) + "\nm v=9 1")
    house.ingest.delete(OPERATOR, BUCKET, TimeRange(1, 3), Compare("t", Op.EQ, "a"))
    assert [(tags, time) for _, tags, _, time, _ in house.rows() if tags == {"t": "a"}] == [
        ({"t": "a"}, 0),
        ({"t": "a"}, 3),
    ]
    house.ingest.delete(OPERATOR, BUCKET, TimeRange(0, 4), Compare("t", Op.EQ, ""))
    assert [tags for _, tags, *_ in house.rows()] == [{"t": "a"}] * 2 + [{"t": "b"}] * 4
    house.ingest.delete(OPERATOR, BUCKET, TimeRange(3, 0), None)
    assert len(house.rows()) == 6
    with pytest.raises(Forbidden, match=r"^insufficient permissions to delete$"):
        house.ingest.delete(READER, BUCKET, TimeRange(0, 4), None)


def test_of_bodies_written_together_each_has_its_own_end(house: House) -> None:
    bodies = [b"m v=1 1", b"m v=", b"", b"m v=2i 2\nm v=3 3", b"m v=4 1"]
    wanted = [Writing(OPERATOR, BUCKET, body, Precision.NS) for body in bodies]
    wanted.insert(1, Writing(READER, BUCKET, b"m v=9 9", Precision.NS))
    errors = house.ingest.write_all(wanted)
    kinds = [type(error) for error in errors]
    assert kinds == [type(None), Forbidden, InvalidInput, type(None), Unprocessable, type(None)]
    # Of a body with a conflict the other lines are kept; of two writes of one time the later one wins.
    assert [(time, value) for *_, time, value in house.rows()] == [(1, 4.0), (3, 3.0)]
    assert house.ingest.write_all([]) == []


class _Failing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def write_all(self, writes: Sequence[Write], /) -> list[WriteOutcome | Exception]:
        return [self._error] * len(writes)

    def delete(self, bucket: BucketID, time_range: TimeRange, predicate: Predicate | None = None, /) -> None:
        raise self._error


def test_failures_of_the_store_are_told_with_the_references_words(house: House) -> None:
    broken = Ingest(_Failing(Internal("device failure while syncing")), house.clock)
    with pytest.raises(Internal, match=r"^unexpected error writing points to database: device failure while syncing$"):
        broken.write(Writing(OPERATOR, BUCKET, b"m v=1", Precision.NS))
    with pytest.raises(
        Internal, match=r"^unable to delete: device failure while syncing: device failure while syncing$"
    ):
        broken.delete(OPERATOR, BUCKET, TimeRange(0, 1), None)
    full = Ingest(_Failing(DeviceFull("no space left on device")), house.clock)
    with pytest.raises(DeviceFull, match=r"^no space left on device$"):
        full.write(Writing(OPERATOR, BUCKET, b"m v=1", Precision.NS))


def test_limits_of_lines_are_kept(house: House) -> None:
    narrow = Ingest(house.engine, house.clock, limits=ParseLimits(line_bytes_max=10))
    with pytest.raises(InvalidInput, match=r"line is too long: 11 > 10$"):
        narrow.write(Writing(OPERATOR, BUCKET, b"m v=1234567", Precision.NS))


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("", Precision.NS),
        ("n", Precision.NS),
        ("ns", Precision.NS),
        ("nonsense", Precision.NS),
        ("u", Precision.US),
        ("µ", Precision.US),
        ("us", Precision.US),
        ("ms", Precision.MS),
        ("s", Precision.S),
        ("m", Precision.M),
        ("h", Precision.H),
    ],
)
def test_v1_precisions_are_never_refused(text: str, precision: Precision) -> None:
    assert v1_precision(text) is precision


def test_types_hold_across_the_parts_of_a_sparse_measurement(house: House) -> None:
    first = "\n".join(f"m f{i}=1 {i}" for i in range(700))
    last = "\n".join(f"m g{i}=1,f0=1i {i}" for i in range(3))
    with pytest.raises(Unprocessable, match=r'"f0" on measurement "m" is type integer, .* as type float dropped=3$'):
        write(house, first + "\n" + last)
    assert len(house.rows()) == 700
    write(house, "m f0=2 0")
    assert house.rows()[0] == ("m", {}, "f0", 0, 2.0)


def test_strings_of_any_length_where_the_limit_is_off(house: House) -> None:
    loose = Ingest(house.engine, house.clock, rules=PointRules(string_bytes_max=None))
    loose.write(Writing(OPERATOR, BUCKET, b'm s="' + b"x" * 1_048_577 + b'" 1', Precision.NS))
    assert [len(row[4]) for row in house.rows()] == [1_048_577]


@pytest.mark.parametrize("key", ["m\x01", "m,t=a\x7fb", "m,k\ufffd=a", "m\u200b"])
def test_keys_must_be_printable_where_that_is_asked_for(house: House, key: str) -> None:
    write(house, f"{key} v=1 1")
    strict = Ingest(house.engine, house.clock, rules=PointRules(printable_keys=True))
    with pytest.raises(Unprocessable) as caught:
        strict.write(Writing(OPERATOR, BUCKET, f"m,t=☃ v=2 2\n{key} v=3 3".encode(), Precision.NS))
    assert caught.value.message == (
        f'failure writing points to database: partial write: key contains invalid unicode: "{key}" dropped=1'
    )
    assert sorted(row[4] for row in house.rows()) == [1, 2]


def test_points_are_counted(house: House) -> None:
    metrics = Metrics()
    counting = Ingest(house.engine, house.clock, metrics=metrics)
    counting.write(Writing(OPERATOR, BUCKET, b"m v=1 1\nm v=2 2", Precision.NS))
    with pytest.raises(Unprocessable):
        counting.write(Writing(OPERATOR, BUCKET, b"m v=3 3\nm v=1i 4\nm time=1 5", Precision.NS))
    assert metrics.registry.get_sample_value("storage_writer_ok_points_sum") == 3
    assert metrics.registry.get_sample_value("storage_writer_dropped_points_sum") == 2
    assert metrics.registry.get_sample_value("storage_writer_ok_points_count") == 2
