"""``clemkit evaluate``: a registration against landmarks that it never saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clemkit.cli import figures, options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal

__all__ = ["evaluate"]


def evaluate(
    registration: options.Registration,
    landmarks: Annotated[
        Path, typer.Option(help="Landmark pairs; BigWarp's order: moving, then fixed.")
    ],
    units: options.Units = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Measure the target registration error at landmark pairs."""
    from clemkit.workflows.evaluate import evaluate_landmarks

    with open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal:
        found = evaluate_landmarks(registration, landmarks, units=units)
        terminal.result(found, lambda: _lines(found))
    return OK


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"landmarks        {found['n']}"
    yield f"median           {figures.length(found['median_nm'])}"
    yield f"95th percentile  {figures.length(found['p95_nm'])}"
    yield f"maximum          {figures.length(found['max_nm'])}"
