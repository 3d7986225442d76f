"""The only place that writes to the terminal: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

__all__ = ["Terminal", "json_ready", "open_terminal"]

ProgressCallback = Callable[..., None]


def json_ready(value: Any) -> Any:
    """Return *value* as strict JSON data: NaN and infinities become null, arrays lists."""
    if hasattr(value, "tolist"):  # numpy scalars and arrays, without importing numpy
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): json_ready(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_ready(v) for v in value]
    if isinstance(value, PurePath):
        return str(value)
    return value


@dataclass(frozen=True, slots=True)
class Terminal:
    """How one command talks.

    Attributes
    ----------
    quiet : bool
        No prose and no progress; errors, warnings and ``--json`` remain.
    as_json : bool
        The result is one JSON object on stdout.
    """

    quiet: bool = False
    as_json: bool = False

    def result(self, content: Mapping[str, Any], lines: Callable[[], Iterator[str]]) -> None:
        """Write a result: the whole *content* as JSON, or *lines* for people."""
        if self.as_json:
            print(json.dumps(json_ready(content), indent=2, ensure_ascii=False, allow_nan=False))
        elif not self.quiet:
            for line in lines():
                print(line)

    def complain(self, text: str) -> None:
        """Write one line on stderr, also when quiet."""
        print(f"clemkit: {' '.join(text.split())}", file=sys.stderr)

    @contextmanager
    def progress(self) -> Iterator[ProgressCallback]:
        """Yield a progress callback: bars on a terminal, plain lines elsewhere."""
        if self.quiet:
            yield _silent
        elif sys.stderr.isatty():
            with _bars() as callback:
                yield callback
        else:
            yield _PlainLines()


@contextmanager
def open_terminal(
    *, quiet: bool = False, verbose: bool = False, debug: bool = False, as_json: bool = False
) -> Iterator[Terminal]:
    """Yield a terminal; log messages of the package go to stderr while it is open."""
    logger = logging.getLogger("clemkit")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("clemkit: %(message)s"))
    before = logger.level
    logger.setLevel(logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING)
    logger.addHandler(handler)
    try:
        yield Terminal(quiet=quiet, as_json=as_json)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def _silent(stage: str, fraction: float, message: str = "") -> None:
    return None


class _PlainLines:
    """One line when a stage begins, at each quarter, and when it ends."""

    def __init__(self) -> None:
        self._quarter: dict[str, int] = {}

    def __call__(self, stage: str, fraction: float, message: str = "") -> None:
        quarter = int(min(max(fraction, 0.0), 1.0) * 4)
        if quarter <= self._quarter.get(stage, -1):
            return
        self._quarter[stage] = quarter
        tail = f"  {message}" if message else ""
        print(f"{stage}: {25 * quarter} %{tail}", file=sys.stderr, flush=True)


@contextmanager
def _bars() -> Iterator[ProgressCallback]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[message]}", markup=False),
        console=Console(stderr=True),
    )
    tasks: dict[str, TaskID] = {}

    def update(stage: str, fraction: float, message: str = "") -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=1.0, message=message)
        bars.update(tasks[stage], completed=min(max(fraction, 0.0), 1.0), message=message)

    with bars:
        yield update
