"""``clemkit info``: what is in a volume file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clemkit.cli import figures, options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal

__all__ = ["info"]


def info(
    path: Annotated[Path, typer.Argument(help="File, folder or store to look at.")],
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> int:
    """Show shape, axes, voxel size, channels and format of a volume; reads no voxels."""
    from clemkit.workflows.convert import volume_info

    with open_terminal(debug=debug, as_json=as_json) as terminal:
        found = volume_info(path)
        terminal.result(found, lambda: figures.table(found))
    return OK
