"""Measurement, tag set, series key.

A series is a measurement and a tag set. Its key is the canonical text that
line protocol would spell, tags sorted by key bytes, delimiters escaped; equal
keys mean equal series.
"""

from __future__ import annotations

from dataclasses import dataclass

Tags = tuple[tuple[str, str], ...]


def _escape(text: str, specials: str) -> str:
    for special in specials:
        text = text.replace(special, "\\" + special)
    return text


def series_key(measurement: str, tags: Tags) -> str:
    """The canonical key; `tags` sorted by key."""
    return ",".join([_escape(measurement, ", "), *(f"{_escape(k, ',= ')}={_escape(v, ',= ')}" for k, v in tags)])


@dataclass(frozen=True, slots=True)
class Series:
    """A measurement and its tags, sorted by key bytes; no tag has an empty value."""

    measurement: str
    tags: Tags

    @property
    def key(self) -> str:
        """The canonical key."""
        return series_key(self.measurement, self.tags)

    def tag(self, key: str) -> str | None:
        """The value of a tag, or None when the series lacks it."""
        for k, v in self.tags:
            if k == key:
                return v
        return None
