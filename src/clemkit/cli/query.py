"""``clemkit query``: SPARQL over descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clemkit.cli import options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal
from clemkit.errors import ArgumentError

if TYPE_CHECKING:
    from clemkit.metadata.query import Answer

__all__ = ["query"]


def query(
    text: Annotated[
        str | None,
        typer.Argument(metavar="QUERY", help="SPARQL, or the name of a shipped query."),
    ] = None,
    paths: Annotated[list[Path] | None, typer.Argument(help="Descriptions or RDF files.")] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Folder that keeps what was read, for many descriptions."),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="Address of a SPARQL endpoint to ask instead.")
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Print the shipped queries and what they answer.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the answer as CSV.")] = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> int:
    """Ask one or many descriptions; the prefixes of the model are declared."""
    from clemkit.metadata.query import named_queries
    from clemkit.workflows.metadata import query_files

    with open_terminal(debug=debug, as_json=as_json) as terminal:
        if listed:
            found = {n: t.splitlines()[0].lstrip("# ") for n, t in named_queries().items()}
            terminal.result({"queries": found}, lambda: (f"{n}\t{t}" for n, t in found.items()))
            return OK
        if text is None:
            raise ArgumentError("query: expected SPARQL or a name; found nothing; see --list")
        if as_csv and as_json:
            raise ArgumentError("--csv: expected no --json beside it; found both")
        answer = query_files(paths or (), text, store=store, endpoint=endpoint)
        if as_csv:
            _print_csv(answer)
        else:
            content = {"columns": answer.columns, "rows": answer.rows}
            terminal.result(content, lambda: _lines(answer))
    return OK


def _print_csv(answer: Answer) -> None:
    import csv
    import sys

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)


def _lines(answer: Answer) -> Iterator[str]:
    yield "\t".join(answer.columns)
    for row in answer.rows:
        yield "\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row)
