"""``clemkit info``: what is in a volume file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clemkit.cli import figures, options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal

__all__ = ["info"]


def info(
    path: Annotated[Path, typer.Argument(help="File, folder or store to look at.")],
    dataset: Annotated[
        str | None, typer.Option(help="Array inside an HDF5, N5 or Zarr store.")
    ] = None,
    series: Annotated[
        str | None, typer.Option(metavar="N|NAME", help="Image of a file that holds several.")
    ] = None,
    as_json: options.AsJson = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the file's own metadata too.")
    ] = False,
    debug: options.Debug = False,
) -> int:
    """Show shape, axes, voxel size, channels and format of a volume; reads no voxels."""
    from clemkit.workflows.convert import volume_info

    with open_terminal(verbose=verbose, debug=debug, as_json=as_json) as terminal:
        found = volume_info(path, dataset=dataset, series=options.parse_index_or_name(series))
        terminal.result(found, lambda: _lines(found, verbose=verbose))
    return OK


def _lines(found: Mapping[str, Any], *, verbose: bool) -> Iterator[str]:
    shown = {
        key: value
        for key, value in found.items()
        if key not in ("metadata", "warnings") and value not in ([], (), "")
    }
    rows = shown | {"warning": warning} if (warning := _joined(found)) else shown
    yield from figures.table(rows)
    if verbose:
        yield from figures.table({"metadata": found.get("metadata", {})})


def _joined(found: Mapping[str, Any]) -> str:
    return "; ".join(found.get("warnings", ()))
