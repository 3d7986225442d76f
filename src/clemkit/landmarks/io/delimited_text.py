"""Delimited text as landmark tools leave it: any line end, a byte-order mark, comma, tab or ;."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from clemkit.errors import FormatError, NotFoundError

__all__ = ["is_number", "parse_numbers", "read_rows", "read_text", "write_rows"]


def read_text(path: str | Path) -> str:
    """Return a file's text with line feeds only and without a byte-order mark.

    Raises
    ------
    NotFoundError
        There is no such file.
    FormatError
        The file is not text.
    """
    file = Path(path)
    if not file.is_file():
        raise NotFoundError(f"{path}: expected a file; found nothing there")
    data = file.read_bytes()
    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FormatError(path, "expected a text file; found binary data")
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # old spreadsheets; only names can hold such bytes
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_rows(path: str | Path) -> list[tuple[int, list[str]]]:
    """Return the non-empty rows as (line number, stripped cells)."""
    text = read_text(path)
    first = next((line for line in text.split("\n") if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    rows = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise FormatError(path, f"line {reader.line_num}: {error}") from None
    if not rows:
        raise FormatError(path, "expected rows of landmarks; found an empty file")
    return rows


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number, infinities and NaN included."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def parse_numbers(
    cells: Sequence[str], path: str | Path, line: int, *, empty: float | None = None
) -> list[float]:
    """Return the cells as floats; an empty cell gives *empty* if that is not None.

    Raises
    ------
    FormatError
        A cell is not a number.
    """
    values = []
    for cell in cells:
        if not cell and empty is not None:
            values.append(empty)
            continue
        try:
            values.append(float(cell))
        except ValueError:
            raise FormatError(path, f"line {line}: expected a number; found {cell!r}") from None
    return values


def write_rows(path: str | Path, rows: Sequence[Sequence[object]], *, quote: bool = False) -> None:
    """Write comma-separated rows; floats in their shortest exact form."""
    with Path(path).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(
            stream, lineterminator="\n", quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL
        )
        writer.writerows([[_cell(value) for value in row] for row in rows])


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(float(value))
