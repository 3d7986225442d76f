"""``clemkit rdf``: a description as linked data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clemkit.cli import options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal

__all__ = ["rdf"]


def rdf(
    path: Annotated[Path, typer.Argument(help="Description, YAML or JSON.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File; stdout when not given.")
    ] = None,
    syntax: Annotated[
        str | None,
        typer.Option("--syntax", help="turtle, nt, jsonld or trig. Default: by the file's ending."),
    ] = None,
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> int:
    """Write a description as RDF; reading it back gives the same description."""
    from clemkit.workflows.metadata import export_rdf

    with open_terminal(debug=debug):
        text = export_rdf(path, output, syntax, overwrite=overwrite)
        print(text if output is None else output, end="" if output is None else "\n")
    return OK
