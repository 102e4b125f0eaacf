"""View properties come back whole, whatever was sent (http-api.md §16)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.errors import InvalidInput
from fluxkeep.resources.views import TYPES, parse_properties

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("kind", TYPES)
def test_nothing_sent_gives_every_member_its_zero_value(kind: str) -> None:
    made = parse_properties({"shape": "chronograf-v2", "type": kind})
    assert made == {"shape": "chronograf-v2", "type": kind, **TYPES[kind]}


def test_absent_and_empty_properties_are_empty() -> None:
    for sent in (None, {"shape": "empty", "type": "xy", "note": "n"}):
        assert parse_properties(sent) == {"shape": "empty"}


def test_members_are_filled_and_unknown_ones_dropped() -> None:
    made = parse_properties(
        {
            "shape": "chronograf-v2",
            "type": "xy",
            "nonsense": 1,
            "queries": [{"text": "q", "builderConfig": {"buckets": ["b"]}, "extra": 1}],
            "colors": [{"hex": "#fff", "value": 1.5}],
            "axes": {"x": {"label": "l"}},
            "staticLegend": {"show": True, "nonsense": 1},
            "generateXAxisTicks": ["a"],
            "xTickStep": 2.5,
        }
    )
    assert "nonsense" not in made
    assert made["queries"] == [
        {
            "text": "q",
            "editMode": "",
            "name": "",
            "builderConfig": {
                "buckets": ["b"],
                "tags": [],
                "functions": [],
                "aggregateWindow": {"period": "", "fillValues": False},
            },
        }
    ]
    assert made["colors"] == [{"id": "", "type": "", "hex": "#fff", "name": "", "value": 1.5}]
    assert made["axes"]["x"] == {"bounds": [], "label": "l", "prefix": "", "suffix": "", "base": "", "scale": ""}
    assert made["staticLegend"] == {"show": True}
    assert (made["generateXAxisTicks"], made["generateYAxisTicks"], made["xTickStep"]) == (["a"], None, 2.5)


def test_domains_are_shown_only_where_sent() -> None:
    assert "xDomain" not in parse_properties({"shape": "chronograf-v2", "type": "heatmap"})
    made = parse_properties({"shape": "chronograf-v2", "type": "heatmap", "xDomain": [0, 1], "colors": ["#fff"]})
    assert (made["xDomain"], made["colors"]) == ([0, 1], ["#fff"])


@pytest.mark.parametrize(
    "sent",
    [
        1,
        {"shape": "x"},
        {"shape": "chronograf-v2", "type": "x"},
        {"shape": "chronograf-v2", "type": ["xy"]},
        {"shape": "chronograf-v2", "type": "xy", "note": 1},
        {"shape": "chronograf-v2", "type": "xy", "xTotalTicks": True},
        {"shape": "chronograf-v2", "type": "xy", "shadeBelow": 1},
        {"shape": "chronograf-v2", "type": "xy", "queries": [1]},
        {"shape": "chronograf-v2", "type": "heatmap", "colors": [{}]},
    ],
)
def test_what_is_refused(sent: object) -> None:
    with pytest.raises(InvalidInput):
        parse_properties(sent)


@given(st.sampled_from(sorted(TYPES)), st.data())
def test_what_comes_back_is_stable(kind: str, data: st.DataObject) -> None:
    sent = {name: data.draw(JSON) for name in TYPES[kind] if data.draw(st.booleans())}
    try:
        made = parse_properties({**sent, "shape": "chronograf-v2", "type": kind})
    except InvalidInput:
        return
    assert parse_properties(made) == made
    assert set(made) - {"shape", "type"} >= set(TYPES[kind])
