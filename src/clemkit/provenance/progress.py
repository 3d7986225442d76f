"""How long work tells its caller where it is."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "no_progress"]


class Progress(Protocol):
    """Called by long work; the command line draws a bar, notebooks may print."""

    def __call__(self, stage: str, fraction: float, message: str = "") -> None:
        """Report that *stage* is done to *fraction* (0 to 1), with the current figure."""
        ...


def no_progress(stage: str, fraction: float, message: str = "") -> None:
    """Ignore progress."""
