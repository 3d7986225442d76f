"""``clemkit run``: the whole flow, resumed where it stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clemkit.cli import figures, options
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
        name = f"{step['name']:<{width}}"
        if found["dry_run"]:
            yield f"{name}  {step['state']:<7}  {', '.join(step['outputs'])}"
        else:
            spent = "kept" if step["state"] == "kept" else f"{step['seconds']:.1f} s"
            yield f"{name}  {spent:>7}  {_words(step['name'], step['result'])}".rstrip()
    yield f"{'plan of ' if found['dry_run'] else ''}{found['output']}"


def _words(name: str, result: Mapping[str, Any]) -> str:
    """Return the figure of a step that people want to see."""
    kind = name.split(":")[0]
    if kind == "protocol":
        return f"{result['steps']} steps, {result['findings']} findings"
    if kind == "segment":
        return f"{result['objects']} objects"
    if kind == "register":
        error = figures.length(result["tre_estimate_nm"]["median"])
        return f"{result['status']}, estimated error {error}"
    if kind == "evaluate":
        return f"median error {figures.length(result['median_nm'])} at {result['n']} landmarks"
    if kind in ("check", "validate"):
        return f"{result['warnings']} warnings"
    if kind in ("empiar", "bia"):
        return f"{result['files']} files, {result['warnings']} warnings"
    return ""
