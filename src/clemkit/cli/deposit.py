"""``clemkit deposit``: check, build, import and compare depositions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clemkit.cli import options
from clemkit.cli.failures import FINDINGS, OK
from clemkit.cli.terminal import open_terminal
from clemkit.errors import ArgumentError, IncompleteDepositionError

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="What an archive takes: checked against the files, built as a package.",
)

Description = Annotated[Path, typer.Argument(help="The description, experiment.yaml.")]
Archive = Annotated[str, typer.Option("--archive", help="empiar, bia or all.")]
Accession = Annotated[
    str | None, typer.Option(help="Which entry, where a file of EMPIAR's API holds several.")
]


@app.command("check", short_help="All that would go wrong, before anything is sent.")
def check(
    description: Description,
    archive: Archive = "empiar",
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    workers: options.Workers = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Check a description, its files, and the document that the archive would get."""
    from clemkit.workflows.deposit import check_deposit

    with open_terminal(quiet=quiet, debug=debug, as_json=as_json) as terminal:
        with terminal.progress() as progress:
            found = check_deposit(
                description, archive=archive, strict=strict, workers=workers, progress=progress
            )
        content = found.report.to_dict() | {
            "archives": list(found.archives),
            "files": len(found.plan.files),
            "bytes": found.plan.total_bytes,
        }
        terminal.result(content, found.report.lines)
    return OK if found.report.ok else FINDINGS


@app.command("build", short_help="The folder that an archive takes.")
def build(
    description: Description,
    output: options.Output,
    archive: Archive = "empiar",
    link: Annotated[bool, typer.Option("--link", help="Hard links; the default.")] = False,
    copy: Annotated[bool, typer.Option("--copy", help="Copies.")] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="A table of files instead of data and checksums.")
    ] = False,
    draft: Annotated[
        bool, typer.Option("--draft", help="Build in spite of errors, and say so in it.")
    ] = False,
    workers: options.Workers = None,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Check, then build or bring up to date; --overwrite takes files that have changed since."""
    from clemkit.workflows.deposit import build_deposit

    chosen = [n for n, on in (("link", link), ("copy", copy), ("plan", plan)) if on]
    if len(chosen) > 1:
        raise ArgumentError(
            f"deposit build: expected one of --link, --copy, --plan; found {chosen}"
        )
    with open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal:
        try:
            with terminal.progress() as progress:
                found = build_deposit(
                    description,
                    output,
                    archive=archive,
                    mode=chosen[0] if chosen else "link",  # type: ignore[arg-type]
                    draft=draft,
                    overwrite=overwrite,
                    workers=workers,
                    dry_run=dry_run,
                    progress=progress,
                )
        except IncompleteDepositionError as error:
            told = zip(error.problems, error.lines, strict=True)
            for problem, line in list(told)[1:]:  # the first is in the message
                terminal.complain(f"{description}:{line}: {problem.severity}: {problem}")
            raise
        terminal.result(found, lambda: _built(found))
    return OK


def _built(found: Mapping[str, Any]) -> Iterator[str]:
    size = f"{found['files']} files, {found['bytes'] / 1e6:.1f} MB"
    if found["dry_run"]:
        for image, directory in found["directories"].items():
            yield f"{image} -> {directory}"
        yield f"would make {found['output']}: {size}"
        return
    yield f"{found['output']}: {size}, {found['warnings']} warnings"
    if found["draft"]:
        yield f"a draft: {found['errors']} errors; do not send it"
    if found["resumed"]:
        yield "an earlier build had been stopped and was finished"
    for name in found["changed"]:
        yield f"changed since the earlier build: {name}"
    for name in found["removed"]:
        yield f"no longer described, taken away: {name}"
    yield f"thumbnail: {found['thumbnail']}"
    if found["written"] == 0:
        yield "nothing had to be written"
    yield f"next: {found['output']}/README.md says how to check and send it"


@app.command("import", short_help="A description from an old entry.")
def import_(
    file: Annotated[
        Path, typer.Argument(help="EMPIAR entry or deposition (JSON), or PageTab (JSON, TSV).")
    ],
    output: options.Output,
    accession: Accession = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Write a description to start from; what no field holds is kept and reported."""
    from clemkit.workflows.deposit import import_deposit

    with open_terminal(quiet=quiet, debug=debug, as_json=as_json) as terminal:
        found = import_deposit(file, output, accession=accession, overwrite=overwrite)
        terminal.result(found, lambda: _imported(found))
    return OK


def _imported(found: Mapping[str, Any]) -> Iterator[str]:
    for problem in found["problems"]:
        yield f"{problem['severity']}: {problem['message']}"
    yield f"{found['output']}: {found['images']} images from {found['kind']}"


@app.command("diff", short_help="What differs between two depositions.")
def diff(
    first: Annotated[
        Path, typer.Argument(help="Package, deposition, entry (JSON) or description (YAML).")
    ],
    second: Annotated[Path, typer.Argument(help="The other one.")],
    accession: Accession = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Compare; the exit status is 1 when they differ."""
    from clemkit.workflows.deposit import diff_deposits

    with open_terminal(quiet=quiet, debug=debug, as_json=as_json) as terminal:
        found = diff_deposits(first, second, accession=accession)
        terminal.result(found.to_dict(), found.lines)
    return FINDINGS if found else OK
