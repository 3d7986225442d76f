"""CSV files: one for each sheet, for many samples and for programs that write tables."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from clemkit.errors import FormatError, NotFoundError
from clemkit.metadata.tables.table import Cell, Row, Table

__all__ = ["read_csv", "read_csv_folder", "write_csv_folder"]

_ENDINGS = (".csv", ".tsv", ".txt")


def write_csv_folder(
    tables: Sequence[Table], folder: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Write one CSV file for each table with rows, and return the paths.

    Raises
    ------
    FileExistsError
        One of the files exists and *overwrite* is false.
    """
    target = Path(folder)
    content = {target / f"{t.name}.csv": _text(t) for t in tables if t.rows}
    if taken := [p for p in content if p.exists() and not overwrite]:
        raise FileExistsError(f"{taken[0]}: exists; pass --overwrite to replace it")
    target.mkdir(parents=True, exist_ok=True)
    for path, text in content.items():
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            # the mark tells spreadsheets that this is UTF-8
            temporary.write_text(text, encoding="utf-8-sig", newline="")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    return list(content)


def _text(table: Table) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow([_written(row.cells.get(c)) for c in table.columns])
    return stream.getvalue()


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    return repr(cell) if isinstance(cell, float) else str(cell)


def read_csv_folder(folder: str | Path) -> list[Table]:
    """Return the tables of all CSV and TSV files of a folder; a file is named after its sheet.

    Raises
    ------
    NotFoundError
        The folder does not exist or has no such file.
    """
    source = Path(folder)
    paths = sorted(p for p in source.glob("*") if p.suffix.lower() in _ENDINGS)
    if not paths:
        raise NotFoundError(f"{source}: expected a folder with CSV files; found none")
    return [read_csv(path) for path in paths]


def read_csv(path: str | Path, sheet: str | None = None) -> Table:
    """Return the table of one CSV or TSV file; comma, semicolon or tab between cells.

    Parameters
    ----------
    path : path
        The file.
    sheet : str, optional
        Sheet that its rows belong to; its name when not given.

    Raises
    ------
    NotFoundError
        The file does not exist.
    FormatError
        It is not UTF-8, or a row has more cells than the header.
    """
    source = Path(path)
    if not source.is_file():
        raise NotFoundError(f"{source}: expected a CSV file; found no such file")
    try:
        text = source.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"expected UTF-8; found byte {error.object[error.start]:#x} at {error.start}"
        hint = "save it as CSV UTF-8"
        raise FormatError(source, f"{message}; {hint}") from error
    first = text.splitlines()[0] if text.strip() else ""
    mark = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    except csv.Error as error:
        raise FormatError(source, f"expected CSV; found {error}") from error
    header = [c.strip() for c in rows[0]] if rows else []
    kept = []
    for number, cells in enumerate(rows[1:], start=2):
        if len(cells) > len(header) and any(c.strip() for c in cells[len(header) :]):
            message = f"expected {len(header)} cells in row {number}; found {len(cells)}"
            raise FormatError(source, f"{message}; put cells with {mark!r} in quotes")
        named = {h: c for h, c in zip(header, cells, strict=False) if h and c.strip()}
        if named:
            kept.append(Row(number, named))
    return Table(sheet or source.stem, tuple(header), tuple(kept))
