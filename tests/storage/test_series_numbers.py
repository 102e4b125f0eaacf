"""Ids by the numbers that the parser gives series are the ids by their tags, whichever parser saw which series."""

from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import SeriesMemory, parse
from fluxkeep.storage import series_index
from fluxkeep.storage.series_index import SeriesIndex

# The same series in several spellings, of two measurements.
KEYS = [f"{m},{tags}" for m in "mn" for tags in ("a=1", "a=2", "a=1,b=2", "b=2,a=1", "b=\\2,a=1", "c=x\\ y", "d=1")]


@given(
    requests=st.lists(
        st.tuples(st.integers(0, 1), st.lists(st.sampled_from([*KEYS, "m"]), min_size=1, max_size=12)), max_size=12
    ),
    series_max=st.sampled_from([1, 3, 1000]),
    few=st.sampled_from([0, 3]),
)
def test_numbers_and_tags_give_the_same_ids(requests: list[tuple[int, list[str]]], series_max: int, few: int) -> None:
    with mock.patch.object(series_index, "_FEW", few):
        _compare(requests, series_max)


def _compare(requests: list[tuple[int, list[str]]], series_max: int) -> None:
    memories = [SeriesMemory(series_max=series_max), SeriesMemory()]
    indexes = {name: SeriesIndex(name) for name in "mn"}
    for which, keys in requests:
        body = "".join(f"{key} v=1 {i}\n" for i, key in enumerate(keys)).encode()
        parsed = parse(body, precision=Precision.NS, now_ns=0, memory=memories[which])
        assert not parsed.errors
        for batch in parsed.batch.measurements:
            assert batch.known is not None
            index = indexes[batch.measurement]
            ids = index.ids_of(batch)
            assert [index.tags(int(i)) for i in ids] == [series.tags for series in batch.series]
            assert ids.tolist() == index.ids_of(batch).tolist()
            assert len(set(batch.known.numbers.tolist())) == len(batch.series)
