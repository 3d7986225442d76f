"""``clemkit init``: a description to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clemkit.cli import options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal

__all__ = ["init"]


def init(
    methods: Annotated[
        list[str],
        typer.Argument(
            metavar="METHOD...", help="Imaging methods in the order of use: confocal fib_sem …"
        ),
    ],
    output: options.Output = Path("experiment.yaml"),
    name: Annotated[str, typer.Option("--id", help="Short name of the experiment.")] = "experiment",
    overwrite: options.Overwrite = False,
    debug: options.Debug = False,
) -> int:
    """Write a commented description, or a workbook (.xlsx), for a chain of imaging methods."""
    from clemkit.workflows.metadata import write_template

    with open_terminal(debug=debug):
        print(write_template(methods, output, experiment_id=name, overwrite=overwrite))
    return OK
