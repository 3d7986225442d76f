"""From tables to a description; tolerant of what people do, and it says what it changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal

from clemkit.errors import Problem
from clemkit.metadata.model_map import model_map
from clemkit.metadata.ordering import in_model_order
from clemkit.metadata.shorthand import concrete_class, unit_named
from clemkit.metadata.tables.cells import clean, value_from_cell
from clemkit.metadata.tables.layout import (
    EXPERIMENT,
    LONG_TEXTS,
    columns_of,
    root_sheets,
    sheet_class,
)
from clemkit.metadata.tables.table import NUMBER, PARENT, Row, Table, TableReading, cell_name

__all__ = ["HEADER", "data_from_tables"]

Location = tuple[str | int, ...]
# a column and the unit of its numbers
HEADER = re.compile(r"([^\[\]]*)\[([^\[\]]+)\]")
_IGNORED = {"readme", "lists"}


def data_from_tables(tables: Iterable[Table]) -> TableReading:
    """Return the description that tables hold, with what is wrong in them."""
    reader = _Reader()
    given = {clean(t.name).lower(): t for t in tables}
    for name, table in given.items():
        if name.startswith("_") or name in _IGNORED:
            continue
        reader.table(name, table)
    reader.attach()
    return reader.result()


@dataclass
class _Thing:
    """An object that was read from a row, and where."""

    sheet: str
    number: int
    data: dict[str, Any]
    refs: dict[str, str]  # cells of parent and number
    parent: str = ""
    position: int | None = None


class _Reader:
    def __init__(self) -> None:
        self._data: dict[str, Any] = {}
        self._problems: list[Problem] = []
        self._named: dict[str, dict[str, Any]] = {"": self._data}
        self._class_of: dict[int, str] = {id(self._data): model_map()["root"]}
        self._children: list[_Thing] = []
        self._texts: dict[tuple[str, str], list[tuple[int, str, str]]] = {}
        self._refs: dict[int, dict[str, str]] = {}
        self._items: dict[tuple[int, str], dict[int, dict[str, Any]]] = {}

    def _report(
        self, sheet: str, cell: str, rule: str, message: str, hint: str = "", bad: bool = False
    ) -> None:
        severity: Literal["error", "warning"] = "error" if bad else "warning"
        self._problems.append(Problem((sheet, cell), rule, severity, message, hint))

    def table(self, name: str, table: Table) -> None:
        """Read one sheet."""
        known = [EXPERIMENT, LONG_TEXTS, *_lists()]
        if name not in known:
            close = get_close_matches(name, known, 1, 0.6)
            hint = f"did you mean {close[0]!r}?" if close else "it is not read"
            bad = bool(table.rows)
            message = f"expected a sheet of the model; found {table.name!r}"
            self._report(table.name, "A1", "L0-sheet", message, hint, bad)
            return
        if name == LONG_TEXTS:
            self._long_texts(table)
            return
        columns = self._headers(name, table)
        for row in table.rows:
            self._row(name, row, columns, table)

    def _headers(self, name: str, table: Table) -> dict[str, tuple[str, str | None]]:
        """Return what each header means: column of the model and unit."""
        declared = sheet_class(name)
        known = columns_of(declared)
        child = name not in (EXPERIMENT, *root_sheets())
        own = (PARENT, NUMBER) if child else ()
        found: dict[str, tuple[str, str | None]] = {}
        for index, header in enumerate(table.columns, 1):
            text, unit = clean(header).rstrip("* "), None
            if bracket := HEADER.fullmatch(text):
                text, unit = clean(bracket[1]), unit_named(clean(bracket[2]))
            plain = re.sub(r"\s+", "_", text.lower())
            if plain in known or plain in own:
                if plain in {column for column, _ in found.values()}:
                    message = f"expected each column once; found {header!r} again"
                    self._report(name, cell_name(index, 1), "L0-column", message, "", bad=True)
                found[header] = (plain, unit)
            elif any(header in row.cells for row in table.rows):
                close = get_close_matches(plain, [*known, *own], 1, 0.6)
                hint = f"did you mean {close[0]!r}?" if close else "it is not read"
                message = f"expected a column of {declared}; found {header!r}"
                self._report(name, cell_name(index, 1), "L0-column", message, hint)
        return found

    def _row(
        self, name: str, row: Row, columns: Mapping[str, tuple[str, str | None]], table: Table
    ) -> None:
        numbers = {c: i for i, c in enumerate(table.columns, 1)}
        thing = _Thing(name, row.number, {}, {})
        for header, cell in row.cells.items():
            if header not in columns:
                continue
            column, unit = columns[header]
            ref = cell_name(numbers[header], row.number)
            if column in (PARENT, NUMBER):
                thing.refs[column] = ref
            if column == PARENT:
                thing.parent = clean(str(cell)).strip("/")
            elif column == NUMBER:
                thing.position = self._position(cell, name, ref)
            else:
                self._cell(thing, column, cell, unit, ref)
        self._place(thing)

    def _position(self, cell: Any, sheet: str, ref: str) -> int | None:
        text = clean(str(cell))
        if re.fullmatch(r"[1-9][0-9]*([.]0+)?", text):
            return int(float(text))
        message = f"expected a position from 1, or nothing; found {cell!r}"
        self._report(sheet, ref, "L0-cell", message, "leave it empty to keep the order of rows")
        return None

    def _cell(self, thing: _Thing, column: str, cell: Any, unit: str | None, ref: str) -> None:
        *owners, last = column.split(".")
        slot = model_map()["slots"][last]

        def report(rule: str, message: str, hint: str) -> None:
            self._report(thing.sheet, ref, rule, message, hint)

        target = thing.data
        for owner in owners:
            inner = target.get(owner)
            if not isinstance(inner, dict):
                inner = {} if inner is None else {"verbatim": str(inner)}
                target[owner] = inner
            self._refs.setdefault(id(target), {}).setdefault(owner, ref)
            target = inner
        value = value_from_cell(cell, slot, unit, report)
        if value == "" or (value is None and cell != '""'):
            value = "" if cell == '""' else None
        if value is None:
            return
        before = target.get(last)
        if isinstance(before, dict) and isinstance(value, dict):
            target[last] = {**value, **before}  # `x.term_label` stood before `x`
        else:
            target[last] = value
        self._refs.setdefault(id(target), {})[last] = ref

    def _place(self, thing: _Thing) -> None:
        sheet, data = thing.sheet, thing.data
        self._refs.setdefault(id(data), {})[""] = f"A{thing.number}"
        if sheet == EXPERIMENT:
            if "id" in self._data:
                self._report(sheet, f"A{thing.number}", "L0-cell", "expected one row; found more")
                return
            self._refs[id(self._data)] = self._refs.pop(id(data), {})
            self._data |= data
        elif sheet in root_sheets():
            name = data.get("id")
            self._class_of[id(data)] = sheet_class(sheet)
            if model_map()["slots"][sheet].get("multivalued"):
                self._data.setdefault(sheet, []).append(data)
            elif sheet in self._data:
                self._report(sheet, f"A{thing.number}", "L0-cell", "expected one row; found more",
                             bad=True)  # fmt: skip
            else:
                self._data[sheet] = data
            if isinstance(name, str):
                self._named.setdefault(name, data)
        else:
            self._children.append(thing)

    def _long_texts(self, table: Table) -> None:
        for row in table.rows:
            cells = row.cells
            key = (str(cells.get(PARENT) or ""), str(cells.get("column")))
            text = str(cells.get("text") or "")
            number = int(float(str(cells.get(NUMBER) or 0)))
            self._texts.setdefault(key, []).append((number, text[1:-1], f"A{row.number}"))

    def attach(self) -> None:
        """Give every row below another to its parent, the outer ones first."""
        last: dict[tuple[int, str], int] = {}
        owners: dict[tuple[int, str], dict[str, Any]] = {}
        for thing in sorted(self._children, key=lambda t: t.parent.count("/")):
            owner = self._find(thing.parent)
            if owner is None or thing.sheet not in self._slots_of(owner):
                names = [n for n in self._named if n]
                close = get_close_matches(thing.parent, names, 1, 0.6)
                hint = f"did you mean {close[0]!r}?" if close else "write the id of its owner"
                message = f"expected what has {thing.sheet}; found {thing.parent!r}"
                ref = thing.refs.get(PARENT, f"A{thing.number}")
                self._report(thing.sheet, ref, "L0-parent", message, hint, bad=True)
                continue
            key = (id(owner), thing.sheet)
            items = self._items.setdefault(key, {})
            position = thing.position or last.get(key, 0) + 1
            if position in items:
                message = f"expected each position once; found {position} again"
                hint = "leave the numbers empty to keep the order of rows"
                ref = thing.refs.get(NUMBER, f"A{thing.number}")
                self._report(thing.sheet, ref, "L0-cell", message, hint, bad=True)
                continue
            items[position] = thing.data
            last[key] = max(last.get(key, 0), position)
            owners[key] = owner
            self._class_of[id(thing.data)] = sheet_class(thing.sheet)
        for key, owner in owners.items():
            items = self._items[key]
            # terms may stand in a cell of the owner too
            owner[key[1]] = [*owner.get(key[1], ()), *(items[n] for n in sorted(items))]
        self._join_texts()

    def _join_texts(self) -> None:
        for (path, column), parts in self._texts.items():
            owner = self._find(path)
            text = "".join(part for _, part, _ in sorted(parts))
            ref = parts[0][2]
            if owner is None or column not in columns_of(self._class_of[id(owner)]):
                message = f"expected the place of a long text; found {path!r}, {column!r}"
                self._report(LONG_TEXTS, ref, "L0-parent", message, bad=True)
                continue
            self._cell(_Thing(LONG_TEXTS, 0, owner, {}), column, text, None, ref)

    def _slots_of(self, owner: dict[str, Any]) -> list[str]:
        declared = self._class_of[id(owner)]
        name = concrete_class(declared, owner) or declared
        return list(model_map()["classes"][name]["slots"])

    def _find(self, path: str) -> dict[str, Any] | None:
        """Return the object at *path*: ``id``, ``id/slot`` or ``id/slot/number``."""
        parts = path.split("/") if path else [""]
        if parts[0] not in self._named and parts[0] in _lists():
            parts = ["", *parts]
        here = self._named.get(parts[0])
        rest = parts[1:]
        while here is not None and rest:
            slot = rest.pop(0)
            if slot not in self._slots_of(here):
                return None
            entry = model_map()["slots"][slot]
            if entry.get("multivalued"):
                number = rest.pop(0) if rest else ""
                found = self._items.get((id(here), slot), {})
                here = found.get(int(number)) if number.isdigit() else None
            else:
                inner = here.setdefault(slot, {})
                if not isinstance(inner, dict):
                    return None
                self._class_of.setdefault(id(inner), entry["range"])
                here = inner
        return here

    def result(self) -> TableReading:
        """Return the whole, with fields in the order of the model."""
        if "id" not in self._data:
            message = "expected an id of the experiment; found none"
            self._report(EXPERIMENT, "A2", "L1-missing-field", message, "fill in column id",
                         bad=True)  # fmt: skip
        cells = dict(self._cells(self._data, (), EXPERIMENT))
        order = _rank(self._problems)
        return TableReading(in_model_order(self._data), order, cells)

    def _cells(self, value: Any, location: Location, sheet: str) -> Iterator[tuple[Location, str]]:
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._cells(item, (*location, index), sheet)
            return
        if not isinstance(value, dict):
            return
        refs = self._refs.get(id(value), {})
        if "" in refs:
            yield location, f"{sheet}!{refs['']}"
        for key, item in value.items():
            inner = key if key in _lists() and isinstance(item, list | dict) else sheet
            inner = sheet if key in refs else inner
            if key in refs:
                yield (*location, key), f"{sheet}!{refs[key]}"
            yield from self._cells(item, (*location, key), inner)


@cache
def _lists() -> tuple[str, ...]:
    slots = model_map()["slots"]
    return tuple(
        name
        for name, slot in slots.items()
        if slot["kind"] == "class"
        and slot["inlined"]
        and (slot.get("multivalued") or name in root_sheets())
    )


def _rank(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(problems))
