"""``clemkit protocol``: sample-preparation protocols, in and out."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clemkit.cli import options
from clemkit.cli.failures import FINDINGS, OK
from clemkit.cli.terminal import Terminal, open_terminal

if TYPE_CHECKING:
    from clemkit.errors import Problem
    from clemkit.workflows.protocols import Written

__all__ = ["app", "check", "diff", "read", "show", "to_rdf", "to_spw", "to_text"]

app = typer.Typer(
    help="Sample-preparation protocols: read, check, compare, write.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_HELP = "Text, Markdown, Word, table, SPW or protocols.io JSON, or a description."
Source = Annotated[Path, typer.Argument(metavar="FILE", help=_HELP)]
Kind = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="spw, protocols.io, text, markdown, docx, table or description. "
        "Default: by the content.",
    ),
]
Extractor = Annotated[
    str | None,
    typer.Option(
        "--extractor",
        metavar="COMMAND",
        help="Program that reads the words instead: text in, description as JSON out.",
    ),
]
Chosen = Annotated[
    str | None, typer.Option("--protocol", help="Id of the protocol, where there are several.")
]
Target = Annotated[Path | None, typer.Option("--output", "-o", help="File; stdout when not given.")]


@app.command("read", short_help="A protocol file to a description.")
def read(
    path: Source,
    kind: Kind = None,
    output: Target = None,
    into: Annotated[
        Path | None,
        typer.Option("--into", help="Description to add it to; prints the difference."),
    ] = None,
    extractor: Extractor = None,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Turn a protocol file into steps, materials and quantities, with where each was read.

    With --into, the description's text is added to and comments stay; nothing is written without
    --output, which may be the same file with --overwrite.
    """
    from clemkit.workflows.protocols import add_to_description, write_description

    with open_terminal(quiet=quiet, debug=debug, as_json=as_json) as terminal:
        more: dict[str, Any] = {"kind": kind, "extractor": extractor, "overwrite": overwrite}
        if into is not None:
            written = add_to_description(path, into, output, dry_run=dry_run, **more)
        else:
            written = write_description(path, output, dry_run=dry_run, **more)
        _answer(terminal, written, dry_run=dry_run, always=into is not None)
    return OK


@app.command("show", short_help="The steps as a table.")
def show(
    path: Source,
    kind: Kind = None,
    protocol: Chosen = None,
    extractor: Extractor = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Show the steps of a protocol file: what, how long, how warm, with what."""
    from clemkit.workflows.protocols import load, protocol_rows

    with open_terminal(quiet=quiet, debug=debug, as_json=as_json) as terminal:
        reading = load(path, kind=kind, extractor=extractor)
        rows = protocol_rows(reading, protocol)
        content = {"steps": rows, "findings": _plain(reading.findings)}
        terminal.result(content, lambda: _table(rows))
        _say(terminal, reading.findings)
    return OK


@app.command("to-rdf", short_help="As linked data.")
def to_rdf(
    path: Source,
    output: Target = None,
    syntax: Annotated[
        str | None,
        typer.Option("--format", help="turtle, jsonld, nt or trig. Default: by the file's ending."),
    ] = None,
    kind: Kind = None,
    extractor: Extractor = None,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Write a protocol as RDF: clemkit's classes, P-Plan, PROV-O, OBI, ChEBI, QUDT."""
    from clemkit.workflows.protocols import write_rdf

    with open_terminal(quiet=quiet, debug=debug) as terminal:
        written = write_rdf(
            path, output, syntax, kind=kind, extractor=extractor,
            overwrite=overwrite, dry_run=dry_run,
        )  # fmt: skip
        _answer(terminal, written, dry_run=dry_run)
    return OK


@app.command("to-spw", short_help="For EMPIAR's Specimen Preparation Widget.")
def to_spw(
    path: Source,
    output: Target = None,
    protocol: Chosen = None,
    kind: Kind = None,
    extractor: Extractor = None,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Write a protocol as the widget's JSON; what its form cannot hold goes to the notes."""
    from clemkit.workflows.protocols import write_spw

    with open_terminal(quiet=quiet, debug=debug) as terminal:
        written = write_spw(
            path, output, protocol=protocol, kind=kind, extractor=extractor,
            overwrite=overwrite, dry_run=dry_run,
        )  # fmt: skip
        _answer(terminal, written, dry_run=dry_run)
    return OK


@app.command("to-text", short_help="As a methods paragraph, Markdown or HTML.")
def to_text(
    path: Source,
    output: Target = None,
    form: Annotated[
        str, typer.Option("--format", help="paragraph, summary, markdown or html.")
    ] = "paragraph",
    protocol: Chosen = None,
    kind: Kind = None,
    extractor: Extractor = None,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Write a protocol in words, for a paper, an archive's form, or the bench."""
    from clemkit.workflows.protocols import write_text

    with open_terminal(quiet=quiet, debug=debug) as terminal:
        written = write_text(
            path, output, form, protocol=protocol, kind=kind, extractor=extractor,
            overwrite=overwrite, dry_run=dry_run,
        )  # fmt: skip
        _answer(terminal, written, dry_run=dry_run)
    return OK


@app.command("check", short_help="Whether chemistry and order can work.")
def check(
    path: Source,
    kind: Kind = None,
    extractor: Extractor = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Check a protocol: order of steps, resins, rinses, ladders, missing temperatures."""
    from clemkit.workflows.protocols import check_file

    with open_terminal(quiet=quiet, debug=debug, as_json=as_json) as terminal:
        reading, problems = check_file(path, kind=kind, extractor=extractor)
        content = {"problems": _plain(problems), "findings": _plain(reading.findings)}
        terminal.result(content, lambda: _problems(problems))
        _say(terminal, reading.findings)
    return FINDINGS if problems else OK


@app.command("diff", short_help="What differs between two protocols.")
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help=_HELP)],
    second: Annotated[Path, typer.Argument(metavar="B", help="The other.")],
    kind: Kind = None,
    extractor: Extractor = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> int:
    """Compare two protocols step by step: times, temperatures, concentrations. 1: they differ."""
    from clemkit.workflows.protocols import diff_files

    with open_terminal(quiet=quiet, debug=debug, as_json=as_json) as terminal:
        found = diff_files(first, second, kind=kind, extractor=extractor)
        terminal.result(found.to_dict(), lambda: iter(found.lines()))
    return OK if found.is_empty else FINDINGS


def _answer(terminal: Terminal, written: Written, *, dry_run: bool, always: bool = False) -> None:
    """Print the text, or where it went; findings beside it."""
    if terminal.as_json:
        content = {
            "description": written.reading.data,
            "findings": _plain(written.findings),
            "written": None if dry_run else written.path,
        }
        terminal.result(content, lambda: iter(()))
        return
    if written.path is None or always:
        print(written.text, end="")
    if written.path is not None and not terminal.quiet:
        print(f"would write {written.path}" if dry_run else written.path)
    _say(terminal, written.findings)


def _say(terminal: Terminal, findings: Sequence[Problem]) -> None:
    """Print findings on stderr, beside the result."""
    if not terminal.quiet and not terminal.as_json:
        for line in _problems(findings, clean=""):
            print(line, file=sys.stderr)


def _problems(findings: Sequence[Problem], clean: str = "nothing found") -> Iterator[str]:
    for problem in findings:
        where = problem.location
        if where[:1] == ("protocols",) and len(where) > 3 and where[2] == "steps":
            place = f"step {int(where[3]) + 1}"
        else:
            place = "/".join(map(str, where)) or "file"
        hint = f"; {problem.hint}" if problem.hint else ""
        yield f"{problem.severity}: {place}: {problem.message} [{problem.rule}]{hint}"
    if not findings and clean:
        yield clean


def _plain(findings: Sequence[Problem]) -> list[dict[str, Any]]:
    return [
        {
            "location": list(p.location),
            "rule": p.rule,
            "severity": p.severity,
            "message": p.message,
            "hint": p.hint,
        }
        for p in findings
    ]


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    if not rows:
        yield "no steps"
        return
    width = max(shutil.get_terminal_size((100, 24)).columns, 60)
    names = max(len(row["step"]) for row in rows)
    several = len({row["protocol"] for row in rows}) > 1
    before = ""
    for row in rows:
        if several and row["protocol"] != before:
            before = row["protocol"]
            yield f"{before}:"
        flags = "".join(f" [{flag}]" for flag in row["flags"])
        head = f"{row['number']:>3}  {row['step']:{names}}  "
        lines = textwrap.wrap(f"{row['what']}{flags}".strip(), max(width - len(head), 20)) or [""]
        yield (head + lines[0]).rstrip()
        yield from (" " * len(head) + line for line in lines[1:])
