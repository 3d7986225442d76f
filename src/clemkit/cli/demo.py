"""``clemkit demo``: a phantom experiment, registered and measured against its truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clemkit.cli import figures, options
from clemkit.cli.failures import FINDINGS, OK
from clemkit.cli.terminal import open_terminal

__all__ = ["demo"]


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the experiment and its report.")
    ] = Path("clemkit-demo"),
    seed: options.Seed = 0,
    workers: options.Workers = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Make a phantom CLEM experiment, register it without help, and measure the true error."""
    from clemkit.workflows.demo import run_demo

    with open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal:
        with terminal.progress() as progress:
            found = run_demo(
                output, seed=seed, workers=workers, overwrite=overwrite, progress=progress
            )
        terminal.result(found, lambda: _lines(found))
    return FINDINGS if found.get("status") == "failed" else OK


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield from figures.table(found)
