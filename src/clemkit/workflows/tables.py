"""A description as a workbook or as CSV files, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clemkit.errors import ArgumentError
from clemkit.workflows.imported import Imported, finished

if TYPE_CHECKING:
    from clemkit.metadata.tables.table import Table, TableReading

__all__ = ["read_csv_tables", "read_workbook_file", "write_csv_tables", "write_xlsx"]


def _tables(path: str | Path, *, blank: bool) -> list[Table]:
    from clemkit.metadata.tables.workbook import blank_columns
    from clemkit.metadata.tables.write import tables_from_data
    from clemkit.workflows.metadata import read_fitting

    return tables_from_data(read_fitting(path).data, blank_columns() if blank else None)


def write_xlsx(path: str | Path, output: str | Path, *, overwrite: bool = False) -> Path:
    """Write a description as a workbook, and return its path.

    Raises
    ------
    InvalidMetadataError
        The description does not fit the model.
    FileExistsError
        The output exists and *overwrite* is false.
    """
    from clemkit.metadata.tables.workbook import write_workbook

    write_workbook(_tables(path, blank=True), output, overwrite=overwrite)
    return Path(output)


def write_csv_tables(
    path: str | Path, folder: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Write a description as CSV files, one for each table with rows, and return their paths.

    Raises
    ------
    InvalidMetadataError
        The description does not fit the model.
    FileExistsError
        One of the files exists and *overwrite* is false.
    """
    from clemkit.metadata.tables.csv_files import write_csv_folder

    return write_csv_folder(_tables(path, blank=False), folder, overwrite=overwrite)


def read_workbook_file(
    path: str | Path, output: str | Path | None, *, overwrite: bool = False
) -> Imported:
    """Read a workbook and write the description, unless there are errors.

    Parameters
    ----------
    path : path
        The workbook.
    output : path or None
        The description to write; None only reads.
    overwrite : bool
        Replace an existing output.
    """
    from clemkit.metadata.tables.read import data_from_tables
    from clemkit.metadata.tables.workbook import read_workbook

    reading = data_from_tables(read_workbook(path))
    return _finished(Path(path), reading, output, overwrite)


def read_csv_tables(
    source: str | Path,
    output: str | Path | None,
    *,
    into: str | Path | None = None,
    sheet: str | None = None,
    overwrite: bool = False,
) -> Imported:
    """Read a folder of CSV files, or one file, and write the description, unless there are errors.

    Parameters
    ----------
    source : path
        A folder, whose files are named after their sheets, or one file.
    output : path or None
        The description to write; None only reads.
    into : path, optional
        A description that the rows are brought into: a known id changes its thing, others are new.
    sheet : str, optional
        Sheet of a single file, when its name is not that of the sheet.
    overwrite : bool
        Replace an existing output.
    """
    from clemkit.metadata.tables.csv_files import read_csv, read_csv_folder
    from clemkit.metadata.tables.merge import merged
    from clemkit.metadata.tables.read import data_from_tables
    from clemkit.workflows.metadata import read_fitting

    one = not Path(source).is_dir()
    if sheet is not None and not one:
        raise ArgumentError("--sheet: expected one CSV file; found a folder")
    tables = [read_csv(source, sheet)] if one else read_csv_folder(source)
    if into is None:
        reading = data_from_tables(tables)
    else:
        reading = merged(read_fitting(into).data, tables)
    return _finished(Path(source), reading, output, overwrite)


def _finished(
    source: Path, reading: TableReading, output: str | Path | None, overwrite: bool
) -> Imported:
    from clemkit.metadata.validate.schema import check_schema

    findings = [(f"{p.location[0]}!{p.location[1]}", p) for p in reading.problems]
    said = {place for place, _ in findings}
    for problem in check_schema(reading.data):
        place = reading.cell_of(problem.location)
        if place not in said or problem.location in reading.cells:
            findings.append((place, problem))
    return finished(Imported(source, reading.data, tuple(findings)), output, overwrite)
