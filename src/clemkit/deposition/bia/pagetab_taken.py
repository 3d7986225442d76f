"""A section while it is read: what was taken and what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clemkit.deposition.bia.pagetab_document import Location, Section, attributes

__all__ = ["Taken"]


class Taken:
    """Keeps account of a section, so that nothing of it is lost.

    Parameters
    ----------
    section : Section
        A section of a submission.
    """

    def __init__(self, section: Section) -> None:
        self._section = section
        self._taken: set[int] = set()
        self._children: set[Location] = set()

    def peek(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield index and text of plain attributes called *name* that nobody took."""
        for index, item in attributes(self._section.data, name):
            plain = set(item) <= {"name", "value"}
            if plain and isinstance(item.get("value"), str) and index not in self._taken:
                yield index, item["value"]

    def take(self, index: int) -> None:
        """Note that the attribute at *index* was taken."""
        self._taken.add(index)

    def texts(self, *names: str) -> list[str]:
        """Take the attributes called one of *names* that have a text, and return the texts."""
        found: list[str] = []
        for name in names:
            for index, text in list(self.peek(name)):
                if text:
                    self.take(index)
                    found.append(text)
        return found

    def text(self, *names: str) -> str:
        """Take the first attribute called one of *names* that has a text, and return the text."""
        for name in names:
            for index, text in self.peek(name):
                if text:
                    self.take(index)
                    return text
        return ""

    def rest(self) -> Iterator[tuple[int, str, Any]]:
        """Yield index, name and value of what nobody took; all of it where it has qualifiers."""
        for index, item in attributes(self._section.data):
            if index in self._taken:
                continue
            name = str(item.get("name", ""))
            further = {k: v for k, v in item.items() if k != "name"}
            plain = set(further) <= {"value"} and not isinstance(item.get("value"), Mapping)
            yield index, name, item.get("value") if plain else further

    def child(self, place: Location) -> None:
        """Note that the subsection, link or file at *place* was taken."""
        self._children.add(place)

    def children(self, key: str) -> Iterator[tuple[Location, Mapping[str, Any]]]:
        """Yield place and content of subsections, links or files that nobody took."""
        yield from self._inside(self._section.data.get(key), (*self._section.location, key))

    def _inside(self, value: Any, place: Location) -> Iterator[tuple[Location, Mapping[str, Any]]]:
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._inside(item, (*place, index))
        elif isinstance(value, Mapping) and place not in self._children:
            yield place, value
