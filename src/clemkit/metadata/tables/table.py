"""What a table is, and how its cells are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

__all__ = ["NUMBER", "PARENT", "Cell", "Row", "Table", "TableReading", "cell_name"]

Cell = str | int | float | bool | date | datetime | None
PARENT = "parent"  # the thing that a row belongs to
NUMBER = "number"  # its position there, from 1


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes
    ----------
    number : int
        Row in its sheet or file, from 1; the header is 1.
    cells : mapping of str to Cell
        What is in it, by column; nothing for empty cells.
    """

    number: int
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """One sheet or CSV file.

    Attributes
    ----------
    name : str
        Name of the sheet: a slot of the model, ``experiment``, or ``long_texts``.
    columns : tuple of str
        Headers in their order; a header may carry a unit in brackets.
    rows : tuple of Row
        Rows with content.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class TableReading:
    """What tables say.

    Attributes
    ----------
    data : dict
        The description in long form.
    problems : tuple of Problem
        What is wrong with tables and cells; the location of each is ``(sheet, cell)``.
    cells : mapping
        Cell, such as ``images!C4``, of each place in the data.
    """

    data: dict[str, Any]
    problems: tuple[Any, ...] = ()
    cells: Mapping[tuple[str | int, ...], str] = field(default_factory=dict)

    def cell_of(self, location: tuple[str | int, ...]) -> str:
        """Return the cell of *location*, or of the closest thing around it."""
        while location and location not in self.cells:
            location = location[:-1]
        return self.cells.get(location, "experiment")


def cell_name(column: int, row: int) -> str:
    """Return the name of a cell; *column* and *row* from 1."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{row}"
