"""Options that mean the same in every command, and strict parsing of their values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from clemkit.errors import ArgumentError

__all__ = [
    "AsJson",
    "Debug",
    "DryRun",
    "Output",
    "Overwrite",
    "Quiet",
    "Registration",
    "Seed",
    "Units",
    "Verbose",
    "Workers",
    "parse_choice",
    "parse_index_or_name",
    "parse_triple",
]

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and every log message.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and write nothing.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Where the result goes.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No prose, no progress.")]
Registration = Annotated[
    Path, typer.Option("--registration", help="Output folder of `clemkit register`.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random choice.")]
Units = Annotated[str | None, typer.Option("--units", help="Unit of the landmarks: nm, um or mm.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Threads; never changes the result. Default: cores."),
]


def parse_triple(text: str | None, flag: str) -> tuple[float, float, float] | None:
    """Parse ``Z,Y,X`` in nanometres: exactly three finite numbers above zero.

    Raises
    ------
    ArgumentError
        Anything else.
    """
    if text is None:
        return None
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 3 or not all(math.isfinite(v) and v > 0 for v in values):
        raise ArgumentError(
            f"{flag}: expected Z,Y,X as three numbers above zero in nanometres, "
            f"for example 50,8,8; found {text!r}"
        )
    return values[0], values[1], values[2]


def parse_index_or_name(text: str | None) -> int | str | None:
    """Parse a channel or a series: digits are an index from 0, anything else is a name."""
    if text is None:
        return None
    return int(text) if text.isdecimal() else text


def parse_choice(text: str, flag: str, choices: tuple[str, ...]) -> str:
    """Return *text* if it is one of *choices*.

    Raises
    ------
    ArgumentError
        It is not.
    """
    if text not in choices:
        listed = f"{', '.join(choices[:-1])} or {choices[-1]}"
        raise ArgumentError(f"{flag}: expected {listed}; found {text!r}")
    return text
