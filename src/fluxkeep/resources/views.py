"""What a dashboard's cell shows: view properties, typed by their `type`.

The API gives every member of the type back, with its zero value where nothing
was sent, and drops what the type does not have; the web page relies on it.

Source: http-api.md §16.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from fluxkeep.errors import InvalidInput

Properties = dict[str, Any]

EMPTY: Properties = {"shape": "empty"}

_QUERY = {
    "text": "",
    "editMode": "",
    "name": "",
    "builderConfig": {
        "buckets": [],
        "tags": [],
        "functions": [],
        "aggregateWindow": {"period": "", "fillValues": False},
    },
}
_COLOR = {"id": "", "type": "", "hex": "", "name": "", "value": 0}
_AXIS = {"bounds": [], "label": "", "prefix": "", "suffix": "", "base": "", "scale": ""}
_DECIMALS = {"isEnforced": False, "digits": 0}

# Groups of members that types share. None is an array that prints null when it was not sent.
_A: Properties = {"queries": [], "colors": [], "note": "", "showNoteWhenEmpty": False}
_X: Properties = {"xColumn": "", "generateXAxisTicks": None, "xTotalTicks": 0, "xTickStart": 0, "xTickStep": 0}
_Y: Properties = {"yColumn": "", "generateYAxisTicks": None, "yTotalTicks": 0, "yTickStart": 0, "yTickStep": 0}
_L: Properties = {
    "legendColorizeRows": False,
    "legendHide": False,
    "legendOpacity": 0,
    "legendOrientationThreshold": 0,
}
_D: Properties = {
    "xAxisLabel": "",
    "yAxisLabel": "",
    "xPrefix": "",
    "xSuffix": "",
    "yPrefix": "",
    "ySuffix": "",
}
_AXES: Properties = {"axes": None, "staticLegend": {}}
_LINES: Properties = {**_A, **_X, **_Y, **_L, **_AXES, "position": "", "timeFormat": "", "hoverDimension": ""}
_NUMBER: Properties = {
    **_A,
    "prefix": "",
    "tickPrefix": "",
    "suffix": "",
    "tickSuffix": "",
    "decimalPlaces": _DECIMALS,
}

# Every type's members with their zero values.
TYPES: Mapping[str, Properties] = {
    "xy": {**_LINES, "geom": "", "shadeBelow": False},
    "line-plus-single-stat": {**_LINES, "shadeBelow": False, "prefix": "", "suffix": "", "decimalPlaces": _DECIMALS},
    "band": {
        **_A,
        **_X,
        **_Y,
        **_L,
        **_AXES,
        "geom": "",
        "timeFormat": "",
        "hoverDimension": "",
        "upperColumn": "",
        "mainColumn": "",
        "lowerColumn": "",
    },
    "single-stat": _NUMBER,
    "gauge": _NUMBER,
    "histogram": {
        **_A,
        **_L,
        "xColumn": "",
        "fillColumns": None,
        "xAxisLabel": "",
        "position": "",
        "binCount": 0,
    },
    "heatmap": {**_A, **_X, **_Y, **_L, **_D, "binSize": 0, "timeFormat": ""},
    "scatter": {**_A, **_X, **_Y, **_L, **_D, "fillColumns": None, "symbolColumns": None, "timeFormat": ""},
    "mosaic": {
        **_A,
        **_X,
        **_L,
        **_D,
        "fillColumns": None,
        "yLabelColumnSeparator": "",
        "yLabelColumns": None,
        "ySeriesColumns": None,
        "timeFormat": "",
        "hoverDimension": "",
    },
    "table": {
        **_A,
        "tableOptions": {
            "verticalTimeAxis": False,
            "sortBy": {"internalName": "", "displayName": "", "visible": False},
            "wrapping": "",
            "fixFirstColumn": False,
        },
        "fieldOptions": None,
        "timeFormat": "",
        "decimalPlaces": _DECIMALS,
    },
    "geo": {
        **_A,
        "center": {"lat": 0, "lon": 0},
        "zoom": 0,
        "mapStyle": "",
        "allowPanAndZoom": False,
        "detectCoordinateFields": False,
        "layers": None,
    },
    "check": {"checkID": "", "queries": [], "colors": [], **_L},
    "markdown": {"note": ""},
    "log-viewer": {"columns": None},
}

# Shown only where they were sent.
_OPTIONAL = {
    "histogram": ("xDomain",),
    "heatmap": ("xDomain", "yDomain"),
    "scatter": ("xDomain", "yDomain"),
    "mosaic": ("xDomain", "yDomain"),
}
_TEXT_COLORS = frozenset(("heatmap", "scatter", "mosaic"))
_STATIC_LEGEND = (
    "colorizeRows",
    "heightRatio",
    "show",
    "opacity",
    "orientationThreshold",
    "valueAxis",
    "widthRatio",
)


def parse_properties(sent: object) -> Properties:
    """Properties with every member of their type and no other.

    Raises:
        InvalidInput: An unknown shape or type, or a member of the wrong kind.
    """
    if sent is None:
        return dict(EMPTY)
    if not isinstance(sent, dict):
        raise InvalidInput("view properties must be an object")
    shape = sent.get("shape")
    if shape == "empty":
        return dict(EMPTY)
    if shape != "chronograf-v2":
        raise InvalidInput(f"unknown shape {shape if isinstance(shape, str) else ''}")
    given = sent.get("type")
    kind = given if isinstance(given, str) else ""
    members = TYPES.get(kind)
    if members is None:
        raise InvalidInput(f"unknown type {kind}")
    made: Properties = {"shape": shape, "type": kind}
    for name, zero in members.items():
        made[name] = _member(name, zero, sent.get(name), text_colors=kind in _TEXT_COLORS)
    for name in _OPTIONAL.get(kind, ()):
        if sent.get(name) is not None:
            made[name] = _of_kind(name, [], sent[name])
    return made


def _member(name: str, zero: object, value: object, *, text_colors: bool) -> object:
    if value is None:
        return copy.deepcopy(zero)
    if name == "staticLegend":
        legend = _of_kind(name, {}, value)
        return {key: legend[key] for key in _STATIC_LEGEND if key in legend}
    if name == "axes":
        return {key: _filled(key, _AXIS, one) for key, one in _of_kind(name, {}, value).items()}
    if name == "queries":
        return [_filled(name, _QUERY, one) for one in _of_kind(name, [], value)]
    if name == "colors":
        colors = _of_kind(name, [], value)
        return [_of_kind(name, "", one) if text_colors else _filled(name, _COLOR, one) for one in colors]
    if isinstance(zero, dict):
        return _filled(name, zero, value)
    return _of_kind(name, [] if zero is None else zero, value)


def _filled(name: str, zeros: Mapping[str, Any], value: object) -> Properties:
    given = _of_kind(name, {}, value)
    made: Properties = {}
    for key, zero in zeros.items():
        one = given.get(key)
        if one is None:
            made[key] = copy.deepcopy(zero)
        elif isinstance(zero, dict):
            made[key] = _filled(key, zero, one)
        else:
            made[key] = _of_kind(key, zero, one)
    return made


def _of_kind(name: str, zero: Any, value: Any) -> Any:
    kind: tuple[type, ...] = (int, float) if type(zero) is int else (type(zero),)
    if not isinstance(value, kind) or (isinstance(value, bool) and type(zero) is not bool):
        raise InvalidInput(f"view property {name} is of the wrong kind")
    return value
