"""``clemkit convert``: any readable volume to OME-Zarr or OME-TIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clemkit.cli import figures, options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal

__all__ = ["convert"]


def convert(
    path: Annotated[Path, typer.Argument(metavar="INPUT", help="File, folder or store.")],
    output: options.Output,
    voxel_size: Annotated[
        str | None,
        typer.Option(metavar="Z,Y,X", help="Voxel size in nm, overriding the file's."),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="N|NAME", help="Convert this channel only.")
    ] = None,
    series: Annotated[
        str | None, typer.Option(metavar="N|NAME", help="Image of a file that holds several.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Array inside an HDF5, N5 or Zarr store.")
    ] = None,
    time: Annotated[int | None, typer.Option(min=0, help="Time point of a time series.")] = None,
    workers: options.Workers = None,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Convert a volume to OME-Zarr (name ends in .zarr) or OME-TIFF (.ome.tif), block by block."""
    size = options.parse_triple(voxel_size, "--voxel-size")
    from clemkit.workflows.convert import convert_volume

    with open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal:
        with terminal.progress() as progress:
            found = convert_volume(
                path,
                output,
                voxel_size_zyx_nm=size,
                channel=options.parse_index_or_name(channel),
                series=options.parse_index_or_name(series),
                dataset=dataset,
                time=time,
                overwrite=overwrite,
                dry_run=dry_run,
                workers=workers,
                progress=progress,
            )
        terminal.result(found, lambda: figures.table(found))
    return OK
