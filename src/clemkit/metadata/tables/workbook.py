"""Workbooks: written with comments, marks and drop-downs, always with the same bytes; read back."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from clemkit.errors import FormatError, MissingExtraError, NotFoundError
from clemkit.metadata.model_map import model_map
from clemkit.metadata.tables.guidance import comment_of, how_to, is_required, tab_colour
from clemkit.metadata.tables.layout import (
    LONG_TEXTS,
    column_slot,
    home_of,
    people_sheets,
    root_sheets,
    sheet_class,
    suggested_columns,
)
from clemkit.metadata.tables.table import NUMBER, PARENT, Cell, Row, Table, cell_name

__all__ = ["blank_columns", "read_workbook", "workbook_bytes", "write_workbook"]

_LISTS = "_lists"
_ROWS = 1000  # rows that have drop-downs
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can hold
_WHEN = "1980-01-01T00:00:00Z"


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtraError("openpyxl", "metadata") from error
    return openpyxl


def blank_columns() -> dict[str, tuple[str, ...]]:
    """Return the sheets of the blank workbook with their columns."""
    return {name: suggested_columns(sheet_class(name)) for name in people_sheets()}


def workbook_bytes(tables: Sequence[Table], *, compressed: bool = True) -> bytes:
    """Return a workbook of *tables*; the same tables give the same bytes.

    Parameters
    ----------
    tables : sequence of Table
        What goes in, in this order.
    compressed : bool
        Without compression the bytes are the same on every machine.

    Raises
    ------
    MissingExtraError
        openpyxl is not installed.
    """
    book = _openpyxl().Workbook()
    book.remove(book.active)
    _write_how_to(book.create_sheet("readme"), tables)
    names = [t.name for t in tables]
    lists = _Lists()
    for table in tables:
        _write_sheet(book.create_sheet(table.name), table, names, lists)
    lists.write(book.create_sheet(_LISTS))
    stream = io.BytesIO()
    book.save(stream)
    return _same_bytes(stream.getvalue(), compressed)


def write_workbook(tables: Sequence[Table], path: str | Path, *, overwrite: bool = False) -> None:
    """Write a workbook, atomically.

    Raises
    ------
    FileExistsError
        The file exists and *overwrite* is false.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target}: exists; pass --overwrite to replace it")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(workbook_bytes(tables))
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _write_how_to(sheet: Any, tables: Sequence[Table]) -> None:
    from openpyxl.styles import Font

    sheet.column_dimensions["A"].width = 26
    sheet.column_dimensions["B"].width = 110
    for row in how_to([t.name for t in tables]):
        sheet.append(row)
    sheet["A1"].font = Font(bold=True, size=14)


class _Lists:
    """Values for drop-downs, one column each."""

    def __init__(self) -> None:
        self._columns: dict[tuple[str, ...], str] = {}
        self._titles: list[str] = []

    def range_of(self, title: str, values: Iterable[str]) -> str:
        """Return the address of a list of values."""
        content = tuple(values)
        if content not in self._columns:
            self._titles.append(title)
            letters = cell_name(len(self._titles), 1)[:-1]
            self._columns[content] = f"={_LISTS}!${letters}$2:${letters}${len(content) + 1}"
        return self._columns[content]

    def write(self, sheet: Any) -> None:
        """Fill the sheet that holds them."""
        sheet.sheet_state = "hidden"
        for column, (title, values) in enumerate(
            zip(self._titles, self._columns, strict=True), start=1
        ):
            for row, text in enumerate((title, *values), start=1):
                sheet.cell(row, column, text)


def _write_sheet(sheet: Any, table: Table, sheets: Sequence[str], lists: _Lists) -> None:
    from openpyxl.comments import Comment
    from openpyxl.styles import Font, PatternFill

    sheet.freeze_panes = "B2" if table.name in root_sheets() else "A2"
    sheet.sheet_properties.tabColor = tab_colour(table.name)
    bold, marked = Font(bold=True), PatternFill("solid", start_color="FFF2CC")
    declared = None if table.name == LONG_TEXTS else sheet_class(table.name)
    for index, column in enumerate(table.columns, start=1):
        cell = sheet.cell(1, index, column)
        cell.font = bold
        letters = cell_name(index, 1)[:-1]
        sheet.column_dimensions[letters].width = max(12, min(40, len(column) + 4))
        if declared is None:
            continue
        note = Comment(comment_of(table.name, column), "clemkit", width=340, height=150)
        cell.comment = note
        if is_required(table.name, column):
            cell.fill = marked
        if column not in (PARENT, NUMBER):
            _add_choices(sheet, declared, column, letters, sheets, lists, len(table.rows))
    for row in table.rows:
        for index, column in enumerate(table.columns, start=1):
            if column in row.cells:
                _write_cell(sheet.cell(row.number, index), row.cells[column])


def _write_cell(cell: Any, value: Cell) -> None:
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"  # also what begins with an equals sign
        cell.number_format = "@"  # so that nobody's spreadsheet makes a date of it


def _add_choices(
    sheet: Any,
    declared: str,
    column: str,
    letters: str,
    sheets: Sequence[str],
    lists: _Lists,
    rows: int,
) -> None:
    from openpyxl.worksheet.datavalidation import DataValidation

    slot = column_slot(column)
    classes = model_map()["classes"]
    if slot.get("designator"):
        owner = column.rpartition(".")[0]
        kind = column_slot(owner)["range"] if owner else declared
        source = lists.range_of(kind, classes[kind]["concrete"])
    elif slot["kind"] == "enum":
        values = model_map()["enums"][slot["range"]]["values"]
        source = lists.range_of(slot["range"], values)
    elif slot["range"] == "boolean":
        source = '"TRUE,FALSE"'
    elif slot["kind"] == "class" and not slot["inlined"] and home_of(slot["range"]) in sheets:
        source = f"={home_of(slot['range'])}!$A$2:$A${_ROWS}"
    else:
        return
    many = bool(slot.get("multivalued"))
    rule = DataValidation(type="list", formula1=source, allow_blank=True)
    rule.showErrorMessage = not many  # several are written with a semicolon between them
    rule.errorStyle = "warning"
    rule.errorTitle, rule.error = column, "Not one of the list."
    rule.add(f"{letters}2:{letters}{max(_ROWS, rows + 200)}")
    sheet.add_data_validation(rule)


def _same_bytes(content: bytes, compressed: bool) -> bytes:
    """Return the file without the times of its making."""
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(stream, "w", method) as target,
    ):
        for name in sorted(source.namelist(), key=lambda n: (n != "[Content_Types].xml", n)):
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"(<dcterms:\w+ [^>]*>)[^<]*", rb"\g<1>" + _WHEN.encode(), data)
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # not that of this machine
            entry.external_attr = 0o600 << 16
            target.writestr(entry, data, method)
    return stream.getvalue()


def read_workbook(path: str | Path) -> list[Table]:
    """Return the tables of a workbook; of formulas their last value.

    Raises
    ------
    NotFoundError
        The file does not exist.
    FormatError
        The file is no workbook, or a formula has never been computed.
    """
    source = Path(path)
    if not source.is_file():
        raise NotFoundError(f"{source}: expected a workbook (.xlsx); found no such file")
    openpyxl = _openpyxl()
    try:
        book = openpyxl.load_workbook(source, data_only=True)
        with zipfile.ZipFile(source) as archive:
            formulas = any(
                b"<f" in archive.read(n)
                for n in archive.namelist()
                if n.startswith("xl/worksheets/sheet")
            )
        if formulas:
            _refuse_uncomputed(source, book, openpyxl.load_workbook(source))
    except FormatError:
        raise
    except Exception as error:  # zip, XML and openpyxl each have exceptions of their own
        reason = " ".join(str(error).split())[:200]
        message = f"expected a workbook (.xlsx); found {reason}; save it as .xlsx again"
        raise FormatError(source, message) from error
    return [_table(sheet) for sheet in book.worksheets if not _is_ours_only(sheet.title)]


def _is_ours_only(title: str) -> bool:
    return title in ("readme", _LISTS)


def _refuse_uncomputed(source: Path, values: Any, formulas: Any) -> None:
    for sheet in formulas.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f" and values[sheet.title][cell.coordinate].value is None:
                    place = f"{sheet.title}!{cell.coordinate}"
                    message = f"expected a value; found the formula of {place}, never computed"
                    raise FormatError(source, f"{message}; open and save it in a spreadsheet")


def _table(sheet: Any) -> Table:
    rows = list(_rows(sheet))
    header = rows[0][1] if rows and rows[0][0] == 1 else []
    columns = [str(c).strip() if c is not None else "" for c in header]
    width = max((len(cells) for _, cells in rows), default=0)
    # a value under no header is a surplus column, not nothing
    columns += [""] * (width - len(columns))
    names = tuple(c or f"column {cell_name(i, 1)[:-1]}" for i, c in enumerate(columns, 1))
    kept = []
    for number, cells in rows:
        named = {n: c for n, c in zip(names, cells, strict=False) if c is not None}
        if number > 1 and named:
            kept.append(Row(number, named))
    return Table(sheet.title, names, tuple(kept))


def _rows(sheet: Any) -> Iterator[tuple[int, list[Cell]]]:
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        plain = [_plain(c) for c in cells]
        if any(c is not None for c in plain):
            yield number, plain


def _plain(value: Any) -> Cell:
    if isinstance(value, str):
        return value if value.strip() else None
    if value is None or isinstance(value, bool | int | float | date):
        return value
    return str(value)  # a time of day, a span
