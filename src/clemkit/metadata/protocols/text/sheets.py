"""Protocols in spreadsheets: a row is a step, the header says what the columns hold."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from clemkit.errors import FormatError, MissingExtraError, NotFoundError
from clemkit.metadata.protocols.reading import ProtocolReading
from clemkit.metadata.protocols.text.reader import read_prose

__all__ = ["read_table"]


def read_table(
    path: str | Path, *, name: str | None = None, sheet: str | None = None
) -> ProtocolReading:
    """Read a protocol from a table in a .xlsx, .csv or .tsv file.

    The rows, one in a line and cells between bars, become the ``source_text``; spans are offsets
    into it. A bare number has the unit that the header of its column names.

    Parameters
    ----------
    path : str or Path
        The file.
    name : str, optional
        Name of the protocol; otherwise that of the file.
    sheet : str, optional
        Name of the sheet of a workbook; otherwise its first one.

    Raises
    ------
    NotFoundError
        The file or the sheet does not exist.
    FormatError
        The file cannot be read as a table.
    MissingExtraError
        openpyxl is not installed.
    """
    source = Path(path)
    if not source.is_file():
        raise NotFoundError(f"{source}: expected a table (.xlsx, .csv, .tsv); found no such file")
    rows = (
        _workbook(source, sheet)
        if source.suffix.lower() in (".xlsx", ".xlsm")
        else _separated(source)
    )
    lines = [
        f"| {' | '.join(cells)} |" if any(cells) else ""
        for cells in ([_words(c) for c in row] for row in rows)
    ]
    text = "\n".join(lines).strip("\n") + "\n"
    return read_prose(text, name=name or source.stem, source_file=source.name)


def _workbook(path: Path, sheet: str | None) -> list[tuple[Any, ...]]:
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtraError("openpyxl", "metadata") from error
    from zipfile import BadZipFile

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise FormatError(path, f"expected a workbook (.xlsx); found {error}") from error
    try:
        if sheet is not None and sheet not in book.sheetnames:
            listed = ", ".join(book.sheetnames)
            raise NotFoundError(f"{path}: expected the sheet {sheet!r}; found {listed}")
        chosen = book[sheet] if sheet is not None else book.worksheets[0]
        return [tuple(row) for row in chosen.iter_rows(values_only=True)]
    finally:
        book.close()


def _separated(path: Path) -> Iterable[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            path, f"expected UTF-8; found byte {error.object[error.start]:#x} at {error.start}"
        ) from error
    first = text.partition("\n")[0]
    delimiter = max(";\t,", key=first.count)
    try:
        return list(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise FormatError(path, f"expected a table with {delimiter!r}; found {error}") from error


def _words(cell: Any) -> str:
    """Return a cell in one line; numbers without the digits that only a float has."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.12g}"
    if isinstance(cell, dt.time):  # a workbook takes 01:30 for a time of day: it is 90 min
        return f"{cell.hour * 60 + cell.minute} min" if cell.second == 0 else str(cell)
    return " ".join(str(cell).split()).replace("|", "/")
