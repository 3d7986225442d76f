"""``clemkit validate``: check descriptions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clemkit.cli import options
from clemkit.cli.failures import FINDINGS, OK
from clemkit.cli.terminal import open_terminal
from clemkit.errors import ArgumentError

if TYPE_CHECKING:
    from clemkit.metadata.validate import Report

__all__ = ["validate"]


def validate(
    paths: Annotated[list[Path], typer.Argument(help="Descriptions, YAML or JSON.")],
    profile: Annotated[
        list[str] | None,
        typer.Option("--profile", help="rembi, empiar, bia, gide or all; may be repeated."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    files: Annotated[
        bool, typer.Option("--files", help="Open the headers of the image files too.")
    ] = False,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Repair what loses nothing, and print the difference first."),
    ] = False,
    dry_run: options.DryRun = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF, for one file.")] = False,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> int:
    """Check descriptions: fields, terms, references, profiles, plausible numbers. Offline."""
    from clemkit.workflows.metadata import repair_file, validate_file

    if sarif and (as_json or len(paths) != 1):
        raise ArgumentError("--sarif: expected one file and no --json; found more")
    if dry_run and not fix:
        raise ArgumentError("--dry-run: expected --fix, which it is for; found none")
    with open_terminal(debug=debug, as_json=as_json) as terminal:
        for path in paths if fix else ():
            # beside the result, which may be JSON
            print(repair_file(path, dry_run=dry_run), end="", file=sys.stderr)
        reports = [validate_file(p, profile or (), strict=strict, files=files) for p in paths]
        if sarif:
            print(reports[0].to_sarif(), end="")
        else:
            content = {"reports": [r.to_dict() for r in reports]}
            terminal.result(content, lambda: _lines(reports))
    return OK if all(r.ok for r in reports) else FINDINGS


def _lines(reports: list[Report]) -> Iterator[str]:
    for report in reports:
        yield from report.lines()
