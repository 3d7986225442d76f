"""From a description to tables; nothing is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clemkit.errors import DataError
from clemkit.metadata.model_map import model_map
from clemkit.metadata.shorthand import concrete_class
from clemkit.metadata.tables.cells import cell_from_value
from clemkit.metadata.tables.layout import (
    EXPERIMENT,
    LONG_TEXTS,
    columns_of,
    root_sheets,
    sheet_class,
)
from clemkit.metadata.tables.table import NUMBER, PARENT, Cell, Row, Table

__all__ = ["tables_from_data"]

_LONGEST = 32_000  # a cell of a workbook holds 32,767 characters


def tables_from_data(
    data: Mapping[str, Any], columns: Mapping[str, Iterable[str]] | None = None
) -> list[Table]:
    """Return the tables of a description.

    Parameters
    ----------
    data : mapping
        A description in long form that fits the model.
    columns : mapping, optional
        Sheets and columns that are there even when empty.

    Raises
    ------
    DataError
        Two things share an id, or a class is not known.
    """
    writer = _Writer()
    writer.experiment(data)
    return writer.tables(columns or {})


class _Writer:
    def __init__(self) -> None:
        self._rows: dict[str, list[dict[str, Cell]]] = {}
        self._ids: set[str] = set()

    def experiment(self, data: Mapping[str, Any]) -> None:
        own = {k: v for k, v in data.items() if k not in root_sheets()}
        row: dict[str, Cell] = {}
        self._rows[EXPERIMENT] = [row]
        self._fill(row, own, model_map()["root"], "", "")
        for name in root_sheets():
            value = data.get(name)
            for item in [value] if isinstance(value, dict) else value or ():
                path = self._identity(item)
                row = {}
                self._rows.setdefault(name, []).append(row)
                self._fill(row, item, sheet_class(name), "", path)

    def _identity(self, item: Mapping[str, Any]) -> str:
        name = str(item["id"])
        if name in self._ids:
            raise DataError(f"tables: expected each id once; found {name!r} twice; rename one")
        self._ids.add(name)
        return name

    def _fill(
        self,
        row: dict[str, Cell],
        data: Mapping[str, Any],
        declared: str,
        prefix: str,
        path: str,
        row_path: str | None = None,
    ) -> None:
        """Put *data* into columns of *row* that begin with *prefix*; *path* is where it is."""
        root = path if row_path is None else row_path
        if concrete_class(declared, data) is None:
            raise DataError(f"tables: expected a class below {declared}; found {data.get('type')}")
        term = model_map()["classes"][declared]["shorthand"] == "term"
        for name, value in data.items():
            slot = model_map()["slots"][name]
            cell = cell_from_value(value, slot)
            # the column of a term itself holds its identifier
            column = prefix[:-1] if term and name == "term" and prefix else f"{prefix}{name}"
            if isinstance(cell, str) and len(cell) > _LONGEST:
                self._long(cell, column, root)
            elif cell is not None:
                row[column] = cell
            elif slot.get("multivalued"):
                for number, item in enumerate(value, 1):
                    self._child(name, item, path, number)
            else:
                inner = f"{path}/{name}" if path else name
                self._fill(row, value, slot["range"], f"{prefix}{name}.", inner, root)

    def _child(self, sheet: str, item: Mapping[str, Any], owner: str, number: int) -> None:
        row: dict[str, Cell] = {PARENT: owner or None, NUMBER: number}
        self._rows.setdefault(sheet, []).append(row)
        self._fill(row, item, sheet_class(sheet), "", f"{owner}/{sheet}/{number}".lstrip("/"))

    def _long(self, text: str, column: str, path: str) -> None:
        for number, start in enumerate(range(0, len(text), _LONGEST), 1):
            part = '"' + text[start : start + _LONGEST] + '"'  # outer spaces stay
            row: dict[str, Cell] = {PARENT: path or None, "column": column, NUMBER: number}
            self._rows.setdefault(LONG_TEXTS, []).append(row | {"text": part})

    def tables(self, wanted: Mapping[str, Iterable[str]]) -> list[Table]:
        names = list(dict.fromkeys([*wanted, *self._rows]))
        return [self._table(name, tuple(wanted.get(name, ()))) for name in names]

    def _table(self, name: str, wanted: tuple[str, ...]) -> Table:
        rows = self._rows.get(name, [])
        used = set(wanted).union(*rows)
        if name == LONG_TEXTS:
            order: tuple[str, ...] = (PARENT, "column", NUMBER, "text")
        else:
            child = name != EXPERIMENT and name not in root_sheets()
            order = (*((PARENT, NUMBER) if child else ()), *columns_of(sheet_class(name)))
        columns = tuple(c for c in order if c in used or c in (PARENT, NUMBER))
        kept = [{k: v for k, v in row.items() if v is not None} for row in rows]
        return Table(name, columns, tuple(Row(i, row) for i, row in enumerate(kept, 2)))
