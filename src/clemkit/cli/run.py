"""``clemkit run``: the whole flow, resumed where it stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clemkit.cli import options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal

__all__ = ["run"]


def run(
    description: Annotated[Path, typer.Argument(help="The description, experiment.yaml.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run. Default: run beside the file."),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(help="How to work. Default: run.yaml beside the file, where it exists."),
    ] = None,
    start_from: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="Do this step and all after again.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="STEP", help="Stop after this step.")
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Copy data into packages instead of hard links.")
    ] = False,
    seed: options.Seed = 0,
    workers: options.Workers = None,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """From raw files and a protocol to packages for archives; run it again to resume."""
    from clemkit.workflows.run import run_experiment

    with (
        open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal,
        terminal.progress() as progress,
    ):
        found = run_experiment(
            description,
            output,
            settings=settings,
            seed=seed,
            workers=workers,
            copy=copy,
            start_from=start_from,
            until=until,
            dry_run=dry_run,
            progress=progress,
        )
    terminal.result(found, lambda: _lines(found))
    return OK


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    width = max(len(step["name"]) for step in found["steps"])
    for step in found["steps"]:
        state = step["state"]
        if found["dry_run"]:
            yield f"{step['name']:<{width}}  {state:<7}  {', '.join(step['outputs'])}"
        elif state == "done":
            yield f"{step['name']:<{width}}  {step['seconds']:.1f} s"
        else:
            yield f"{step['name']:<{width}}  kept from before"
    yield f"{'plan of ' if found['dry_run'] else ''}{found['output']}"
