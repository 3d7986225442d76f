"""PageTab files, JSON and TSV, in one form: that of the JSON, with the line of every value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clemkit.deposition.bia.pagetab_tsv import is_pagetab_tsv, read_tsv
from clemkit.deposition.json_lines import read_json_lines
from clemkit.errors import FormatError, NotFoundError
from clemkit.metadata.load import Document

__all__ = [
    "Location",
    "Section",
    "attributes",
    "first_value",
    "is_pagetab",
    "listed",
    "pagetab_json",
    "read_pagetab",
    "sections",
]

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a submission and its place."""

    data: Mapping[str, Any]
    location: Location
    parent: Section | None = None

    @property
    def kind(self) -> str:
        """Type in small letters without spaces, since submissions spell it both ways."""
        return str(self.data.get("type", "")).lower().replace(" ", "").replace("-", "")


def is_pagetab(text: str) -> bool:
    """Whether *text* is a PageTab submission, JSON or TSV, by its content."""
    if is_pagetab_tsv(text):
        return True
    if not text.lstrip("\ufeff \t\r\n").startswith("{") or '"section"' not in text:
        return False
    try:
        content = json.loads(text.lstrip("\ufeff"))
    except ValueError:
        return False
    section = content.get("section")
    return isinstance(section, Mapping) and "type" in section


def read_pagetab(path: str | Path) -> Document:
    """Read a PageTab file.

    Returns
    -------
    Document
        ``data`` in the form of PageTab JSON, also for TSV.

    Raises
    ------
    NotFoundError
        The file does not exist.
    FormatError
        It is not UTF-8 or not PageTab.
    """
    source = Path(path)
    if not source.is_file():
        raise NotFoundError(f"{source}: expected a PageTab file (JSON or TSV); found no such file")
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(source, f"expected UTF-8; found another byte at {error.start}") from error
    if is_pagetab_tsv(text):
        data, lines = read_tsv(text)
    else:
        data, lines = read_json_lines(text, source)
    if not isinstance(data, Mapping) or not isinstance(data.get("section"), Mapping):
        raise FormatError(source, "expected a submission with a section; found none")
    return Document(data, lines, (), source, data)


def pagetab_json(data: Mapping[str, Any]) -> str:
    """Return a submission as PageTab JSON."""
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def sections(data: Mapping[str, Any]) -> Iterator[Section]:
    """Yield every section, a parent before its children; tables are lists of sections."""
    yield from _inside(data.get("section"), ("section",), None)


def _inside(value: Any, location: Location, parent: Section | None) -> Iterator[Section]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _inside(item, (*location, index), parent)
    elif isinstance(value, Mapping):
        section = Section(value, location, parent)
        yield section
        yield from _inside(value.get("subsections"), (*location, "subsections"), section)


def attributes(
    holder: Mapping[str, Any], name: str = ""
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield attributes with their index; only those called *name* (letter case does not matter)."""
    for index, item in enumerate(listed(holder, "attributes")):
        if isinstance(item, Mapping):
            given = str(item.get("name", "")).lower()
            if not name or given == name.lower():
                yield index, item


def listed(holder: Mapping[str, Any], key: str) -> list[Any]:
    """Return the list under *key*; an empty one for anything else."""
    value = holder.get(key)
    return value if isinstance(value, list) else []


def first_value(holder: Mapping[str, Any], *names: str) -> str:
    """Return the first value that is not empty among attributes called one of *names*."""
    for name in names:
        for _, item in attributes(holder, name):
            if item.get("value") not in (None, ""):
                return str(item["value"])
    return ""
