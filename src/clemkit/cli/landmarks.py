"""``clemkit landmarks``: sample landmarks from labels, convert between formats."""

from __future__ import annotations

import typer

__all__ = ["app"]

app = typer.Typer(
    help="Sample landmarks from labels; convert landmark files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
