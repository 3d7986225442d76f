"""PageTab as tab-separated text: blocks between empty lines, one attribute per line.

A block begins with the type of a section, its accession and that of its parent; ``<name>`` is a
reference, ``[name]`` qualifies the value before it, ``(name)`` its name. A block that begins with
``Type[parent]`` is a table with one section per row, and ``Links`` or ``Files`` likewise.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["is_pagetab_tsv", "pagetab_tsv", "read_tsv"]

Location = tuple[str | int, ...]
Row = tuple[int, list[str]]
_TABLE = re.compile(r"(?P<type>[^\[\]]+)\[(?P<parent>[^\]]*)\]")
_ITEMS = {"Link": "links", "Links": "links", "File": "files", "Files": "files"}
_NAMES = {"links": "url", "files": "path"}


def is_pagetab_tsv(text: str) -> bool:
    """Whether *text* begins as a submission in tab-separated form."""
    for line in text.lstrip("\ufeff").splitlines():
        if line.strip() and not line.startswith("#"):
            return line.split("\t")[0].strip() == "Submission"
    return False


def read_tsv(text: str) -> tuple[dict[str, Any], dict[Location, int]]:
    """Return a submission in the form of PageTab JSON, and the line of each value."""
    reading = _Reading()
    for block in _blocks(text):
        reading.block(block)
    return reading.finished()


def _blocks(text: str) -> Iterator[list[Row]]:
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter="\t")
    block: list[Row] = []
    line = 1
    for cells in reader:
        row = [c.strip("\r") for c in cells]
        if any(c.strip() for c in row):
            if not row[0].startswith("#"):
                block.append((line, row))
        elif block:
            yield block
            block = []
        line = reader.line_num + 1
    if block:
        yield block


def _cell(row: list[str], index: int) -> str:
    return row[index].strip() if index < len(row) else ""


class _Reading:
    def __init__(self) -> None:
        self.data: dict[str, Any] = {"type": "submission", "attributes": []}
        self.root: dict[str, Any] | None = None
        self.current: dict[str, Any] = self.data
        self.by_accession: dict[str, dict[str, Any]] = {}
        self._line_of: dict[int, int] = {}

    def block(self, rows: list[Row]) -> None:
        line, head = rows[0]
        kind = _cell(head, 0)
        if kind == "Submission":
            self.data["accno"] = _cell(head, 1)
            self._attributes(self.data, rows[1:])
            self._note(self.data, line)
        elif kind in ("Link", "File"):
            item: dict[str, Any] = {_NAMES[_ITEMS[kind]]: _cell(head, 1)}
            self._add(_ITEMS[kind], item, line)
            self._attributes(item, rows[1:])
        elif kind in ("Links", "Files"):
            for number, row in rows[1:]:
                item = {_NAMES[_ITEMS[kind]]: _cell(row, 0)}
                self._add(_ITEMS[kind], item, number)
                self._cells(item, head[1:], row[1:], number)
        elif table := _TABLE.fullmatch(kind):
            for number, row in rows[1:]:
                section = self._section(table["type"].strip(), _cell(row, 0), table["parent"])
                self._note(section, number)
                self._cells(section, head[1:], row[1:], number)
        else:
            section = self._section(kind, _cell(head, 1), _cell(head, 2))
            self._note(section, line)
            self._attributes(section, rows[1:])

    def _section(self, kind: str, accession: str, parent: str) -> dict[str, Any]:
        section: dict[str, Any] = {"accno": accession} if accession else {}
        section |= {"type": kind, "attributes": []}
        if accession:
            self.by_accession[accession] = section
        if self.root is None:
            self.root = section
        else:
            self.by_accession.get(parent, self.root).setdefault("subsections", []).append(section)
        self.current = section
        return section

    def _add(self, kind: str, item: dict[str, Any], line: int) -> None:
        self.current.setdefault(kind, []).append(item)
        if kind == "files":
            item["type"] = "file"
        self._note(item, line)

    def _cells(
        self, holder: dict[str, Any], names: list[str], values: list[str], line: int
    ) -> None:
        pairs = [(line, [n, v]) for n, v in zip(names, values, strict=False) if v.strip()]
        self._attributes(holder, pairs)

    def _attributes(self, holder: dict[str, Any], rows: list[Row]) -> None:
        items = holder.setdefault("attributes", [])
        for line, row in rows:
            name, value = _cell(row, 0), row[1] if len(row) > 1 else ""
            if name[:1] + name[-1:] in ("[]", "()") and items:
                key = "valqual" if name[0] == "[" else "nmqual"
                items[-1].setdefault(key, []).append({"name": name[1:-1], "value": value})
                continue
            reference = name.startswith("<") and name.endswith(">")
            if "path" in holder and name == "size" and value.isdigit():
                holder["size"] = int(value)
                continue
            item: dict[str, Any] = {"name": name[1:-1] if reference else name}
            if value:
                item["value"] = value
            if reference:
                item["reference"] = True
            items.append(item)
            self._note(item, line)

    def _note(self, thing: dict[str, Any], line: int) -> None:
        self._line_of[id(thing)] = line

    def finished(self) -> tuple[dict[str, Any], dict[Location, int]]:
        self.data["section"] = self.root or {"type": "Study", "attributes": []}
        lines: dict[Location, int] = {}
        self._place(self.data, (), lines)
        return self.data, lines

    def _place(self, thing: Any, location: Location, lines: dict[Location, int]) -> None:
        if id(thing) in self._line_of:
            lines[location] = self._line_of[id(thing)]
        items: Iterator[tuple[str | int, Any]] = iter(())
        if isinstance(thing, dict):
            items = iter(thing.items())
        elif isinstance(thing, list):
            items = iter(enumerate(thing))
        for key, value in items:
            self._place(value, (*location, key), lines)


def pagetab_tsv(data: Mapping[str, Any]) -> str:
    """Return a submission, in the form of PageTab JSON, as tab-separated text.

    A section that has subsections and no accession gets one, since the text refers to it.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t", lineterminator="\n")
    writer.writerow(["Submission", data.get("accno", "")])
    _write_attributes(writer, data)
    _write_section(writer, data["section"], "", "root", True)
    return out.getvalue()


def _write_section(
    writer: Any, section: Mapping[str, Any], parent: str, fallback: str, is_root: bool = False
) -> None:
    children = _rows(section.get("subsections"))
    accession = section.get("accno") or (fallback if children and not is_root else "")
    writer.writerow([])
    head = [section.get("type", ""), accession, parent]
    writer.writerow(head[: 3 if parent else 2 if accession else 1])
    _write_attributes(writer, section)
    for key, name in _NAMES.items():
        for item in _rows(section.get(key)):
            writer.writerow([])
            writer.writerow([key[:-1].capitalize(), item.get(name, "")])
            if "size" in item:
                writer.writerow(["size", item["size"]])
            _write_attributes(writer, item)
    for number, child in enumerate(children, 1):
        # a child of the root names no parent
        _write_section(
            writer, child, "" if is_root else accession, f"{accession or 'section'}-{number}"
        )


def _rows(item: Any) -> list[Mapping[str, Any]]:
    """Return the mappings in *item*, also those in lists of the list: rows of tables."""
    if isinstance(item, list):
        return [row for inner in item for row in _rows(inner)]
    return [item] if isinstance(item, Mapping) else []


def _write_attributes(writer: Any, holder: Mapping[str, Any]) -> None:
    for item in _rows(holder.get("attributes")):
        name = item.get("name", "")
        value = item.get("value")
        writer.writerow(
            [f"<{name}>" if item.get("reference") else name, "" if value is None else value]
        )
        for key, left, right in (("nmqual", "(", ")"), ("valqual", "[", "]")):
            for qualifier in _rows(item.get(key)):
                name = f"{left}{qualifier.get('name', '')}{right}"
                writer.writerow([name, qualifier.get("value") or ""])
