"""Rows of a table into a description that exists: many samples, many images."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.tables.layout import EXPERIMENT, root_sheets
from clemkit.metadata.tables.read import HEADER, data_from_tables
from clemkit.metadata.tables.table import NUMBER, PARENT, Cell, Row, Table, TableReading
from clemkit.metadata.tables.write import tables_from_data

__all__ = ["merged"]


def merged(data: Mapping[str, Any], tables: Sequence[Table]) -> TableReading:
    """Return *data* with the rows of *tables*: those with a known id change it, others are added.

    Parameters
    ----------
    data : mapping
        A description in long form.
    tables : sequence of Table
        What to bring in; an empty cell changes nothing.

    Returns
    -------
    TableReading
        The whole; problems and cells are those of *tables* only.
    """
    own = {t.name: t for t in tables_from_data(data)}
    alone = data_from_tables([Table(EXPERIMENT, ("id",), (Row(2, {"id": "x"}),)), *tables])
    problems = [p for p in alone.problems if p.rule != "L0-parent"]
    for table in map(_plain, tables):
        name = table.name.strip().lower()
        given = own.get(name)
        own[name] = _joined(given, table, name) if given else table
    both = data_from_tables(own.values())
    # only the whole can say whether there is a parent, and which id is whose
    problems += [p for p in both.problems if p.rule in ("L0-parent", "L1-missing-field")]
    return TableReading(both.data, tuple(_unique(problems)), {})


def _unique(problems: Sequence[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _joined(given: Table, table: Table, name: str) -> Table:
    rows = list(given.rows)
    keys = [_key(row.cells, name) for row in rows]
    places = {key: index for index, key in enumerate(keys) if key is not None}
    for row in table.rows:
        key = _key(row.cells, name)
        if key in places:
            index = places[key]
            rows[index] = Row(row.number, {**rows[index].cells, **row.cells})
        else:
            rows.append(row)
    return Table(name, tuple(dict.fromkeys([*given.columns, *table.columns])), tuple(rows))


def _plain(table: Table) -> Table:
    """Return the table with units in its cells, where headers had them, and plain headers."""
    titles, units = {}, {}
    for column in table.columns:
        found = HEADER.fullmatch(column.strip())
        titles[column] = (found[1] if found else column).strip().lower().replace(" ", "_")
        units[column] = found[2].strip() if found else ""
    rows = []
    for row in table.rows:
        cells: dict[str, Cell] = {}
        for column, cell in row.cells.items():
            alone = units[column] and re.fullmatch(r"[-+0-9.,eE]+", str(cell).strip())
            cells[titles[column]] = f"{cell} {units[column]}" if alone else cell
        rows.append(Row(row.number, cells))
    return Table(table.name, tuple(titles.values()), tuple(rows))


def _key(cells: Mapping[str, Cell], name: str) -> tuple[str, ...] | None:
    """Return what tells a row from others; None when it is new in any case."""
    if name == EXPERIMENT:
        return ()
    if name in root_sheets():
        return (str(cells["id"]).strip(),) if cells.get("id") else None
    number = cells.get(NUMBER)
    return (str(cells.get(PARENT) or "").strip(), str(number)) if number else None
