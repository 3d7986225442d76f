"""``clemkit metadata``: descriptions to and from workbooks, CSV tables, OME-XML and archives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clemkit.cli import options
from clemkit.cli.failures import FINDINGS, OK
from clemkit.cli.terminal import open_terminal

if TYPE_CHECKING:
    from clemkit.workflows.imported import Imported

__all__ = ["app"]

app = typer.Typer(help=__doc__, no_args_is_help=True, rich_markup_mode=None)

Description = Annotated[Path, typer.Argument(help="Description, YAML or JSON.")]
_DESCRIPTION = Path("experiment.yaml")


@app.command("to-xlsx")
def to_xlsx(
    path: Description,
    output: options.Output = Path("experiment.xlsx"),
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> int:
    """Write a description as a workbook with drop-downs; nothing is lost."""
    from clemkit.workflows.tables import write_xlsx

    with open_terminal(debug=debug):
        print(write_xlsx(path, output, overwrite=overwrite))
    return OK


@app.command("from-xlsx")
def from_xlsx(
    path: Annotated[Path, typer.Argument(help="Workbook.")],
    output: options.Output = _DESCRIPTION,
    dry_run: options.DryRun = False,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> int:
    """Read a workbook; findings name sheet and cell, and errors stop the writing."""
    from clemkit.workflows.tables import read_workbook_file

    with open_terminal(debug=debug, as_json=as_json) as terminal:
        found = read_workbook_file(path, None if dry_run else output, overwrite=overwrite)
        terminal.result(found.to_dict(), lambda: _lines(found))
    return OK if found.ok else FINDINGS


@app.command("to-csv")
def to_csv(
    path: Description,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path(
        "tables"
    ),
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> int:
    """Write a description as CSV files, one for each table."""
    from clemkit.workflows.tables import write_csv_tables

    with open_terminal(debug=debug):
        for written in write_csv_tables(path, output, overwrite=overwrite):
            print(written)
    return OK


@app.command("from-csv")
def from_csv(
    source: Annotated[Path, typer.Argument(help="Folder of CSV files, or one file.")],
    output: options.Output = _DESCRIPTION,
    into: Annotated[
        Path | None, typer.Option("--into", help="Description that the rows are brought into.")
    ] = None,
    sheet: Annotated[
        str | None, typer.Option("--sheet", help="Sheet of one file: specimens, images, …")
    ] = None,
    dry_run: options.DryRun = False,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> int:
    """Read CSV tables, alone or into a description; errors stop the writing."""
    from clemkit.workflows.tables import read_csv_tables

    with open_terminal(debug=debug, as_json=as_json) as terminal:
        target = None if dry_run else output
        found = read_csv_tables(source, target, into=into, sheet=sheet, overwrite=overwrite)
        terminal.result(found.to_dict(), lambda: _lines(found))
    return OK if found.ok else FINDINGS


@app.command("to-ome")
def to_ome(
    path: Description,
    output: options.Output = Path("image.ome.xml"),
    image: Annotated[
        str | None, typer.Option("--image", help="Id of the image; needed when there are several.")
    ] = None,
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> int:
    """Write OME-XML of one image, with the whole description in it."""
    from clemkit.workflows.ome_xml import write_ome_file

    with open_terminal(debug=debug):
        print(write_ome_file(path, output, image, overwrite=overwrite))
    return OK


@app.command("from-ome")
def from_ome(
    path: Annotated[Path, typer.Argument(help="OME-XML file.")],
    output: options.Output = _DESCRIPTION,
    dry_run: options.DryRun = False,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> int:
    """Read OME-XML: our own comes back whole, others as far as the model goes."""
    from clemkit.workflows.ome_xml import read_ome_file

    with open_terminal(debug=debug, as_json=as_json) as terminal:
        found = read_ome_file(path, None if dry_run else output, overwrite=overwrite)
        terminal.result(found.to_dict(), lambda: _lines(found))
    return OK if found.ok else FINDINGS


@app.command("import")
def import_(
    path: Annotated[
        Path, typer.Argument(help="PageTab, RO-Crate, EMPIAR, MIFA, REMBI or SPW file, or a crate.")
    ],
    output: options.Output = _DESCRIPTION,
    dry_run: options.DryRun = False,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> int:
    """Read a description of an archive; the kind of file is recognised by its content."""
    from clemkit.workflows.importing import import_description

    with open_terminal(debug=debug, as_json=as_json) as terminal:
        found = import_description(path, None if dry_run else output, overwrite=overwrite)
        terminal.result(found.to_dict(), lambda: _lines(found))
    return OK if found.ok else FINDINGS


def _lines(found: Imported) -> Iterator[str]:
    yield from found.lines()
