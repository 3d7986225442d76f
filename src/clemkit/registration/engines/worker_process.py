"""Runs an engine in a fresh interpreter: its crash, its memory and its noise stay there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from clemkit.errors import MissingExtraError, NotConvergedError

__all__ = ["EXIT_MISSING", "log_tail", "run_worker"]

EXIT_MISSING = 77  # the worker could not import its engine
_TAIL_LINES = 15


def run_worker(
    module: str, folder: Path, *, package: str, extra: str, environment: Mapping[str, str]
) -> None:
    """Run ``python -m module folder`` and wait.

    A new interpreter rather than a fork or a multiprocessing child: threads of the parent are
    not copied, and the caller's script needs no ``__main__`` guard.

    Parameters
    ----------
    module : str
        Worker module; reads its job from *folder* and writes its result there.
    folder : path
        Run folder; takes ``worker.log``.
    package, extra : str
        Named when the engine is not installed.
    environment : mapping
        Added to the worker's environment before the engine is imported.

    Raises
    ------
    MissingExtraError
        The engine could not be imported.
    NotConvergedError
        The worker failed or died; the tail of its logs is in the message.
    """
    log = folder / "worker.log"
    variables = {**os.environ, **environment, "PYTHONFAULTHANDLER": "1"}
    with log.open("wb") as stream:
        done = subprocess.run(
            [sys.executable, "-m", module, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=variables,
            check=False,
        )
    if done.returncode == 0:
        return
    if done.returncode == EXIT_MISSING:
        raise MissingExtraError(package, extra)
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}"
    raise NotConvergedError(
        f"{package}: expected a transform; the worker ended with {how}; its last lines:\n"
        + log_tail(folder)
    )


def log_tail(folder: Path, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of every log in a run folder."""
    parts = []
    for path in sorted(folder.glob("*.log")):
        text = path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        if text:
            parts.append(f"[{path.name}]\n" + "\n".join(text))
    return "\n".join(parts) or "(no log was written)"
