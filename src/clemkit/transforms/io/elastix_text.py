"""The syntax of elastix parameter files: ``(Name value "text" …)``, one per line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from clemkit.errors import FormatError

__all__ = ["format_values", "parse_parameters"]

_LINE = re.compile(r"^\((\S+)\s*(.*?)\s*\)\s*(?://.*)?$")
_WORD = re.compile(r'"([^"]*)"|(\S+)')


def parse_parameters(text: str, path: str | Path) -> dict[str, tuple[str, ...]]:
    """Return every parameter's values as texts, quotes removed.

    Raises
    ------
    FormatError
        A line is neither a parameter nor a comment, or a name comes twice.
    """
    values: dict[str, tuple[str, ...]] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("//"):
            continue
        match = _LINE.match(line)
        if match is None:
            raise FormatError(path, f"line {number}: expected (Name values …); found {line[:60]!r}")
        name = match[1]
        words = tuple(m[1] if m[1] is not None else m[2] for m in _WORD.finditer(match[2]))
        if not words:
            raise FormatError(path, f"line {number}: expected values for {name}; found none")
        if name in values:
            raise FormatError(path, f"line {number}: expected {name} once; found it again")
        values[name] = words
    return values


def format_values(value: object) -> str:
    """Return texts in quotes and numbers so that they read back to the same bits."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, np.ndarray):
        return " ".join(map(repr, value.astype(np.float64).tolist()))
    if isinstance(value, list | tuple):
        return " ".join(map(repr, value))
    return repr(value)
