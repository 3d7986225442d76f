"""``clemkit query``: SPARQL over descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from clemkit.cli import options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal

__all__ = ["query"]


def query(
    text: Annotated[
        str, typer.Argument(metavar="QUERY", help="SPARQL, or the name of a shipped query.")
    ],
    paths: Annotated[list[Path], typer.Argument(help="Descriptions or RDF files.")],
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> int:
    """Ask one or many descriptions; the prefixes of the model are declared."""
    from clemkit.workflows.metadata import query_files

    with open_terminal(debug=debug, as_json=as_json) as terminal:
        columns, rows = query_files(paths, text)
        content = {"columns": columns, "rows": rows}
        terminal.result(content, lambda: _lines(columns, rows))
    return OK


def _lines(columns: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield "\t".join(columns)
    for row in rows:
        yield "\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row)
