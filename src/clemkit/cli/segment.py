"""``clemkit segment``: structures of one size to labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clemkit.cli import figures, options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal

__all__ = ["segment"]


def segment(
    path: Annotated[Path, typer.Argument(metavar="INPUT", help="File, folder or store.")],
    output: options.Output,
    radius_nm: Annotated[
        float, typer.Option("--radius-nm", help="Typical radius of the structures as imaged.")
    ],
    polarity: Annotated[
        str, typer.Option(help="bright (fluorescence) or dark (stained EM).")
    ] = "bright",
    sensitivity: Annotated[
        float, typer.Option(help="Above 1 finds more and fainter structures.")
    ] = 1.0,
    least_volume_um3: Annotated[
        float | None,
        typer.Option("--least-volume-um3", help="Drop smaller objects. Default: half a ball."),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="N|NAME", help="Channel that shows them.")
    ] = None,
    voxel_size: Annotated[
        str | None, typer.Option(metavar="Z,Y,X", help="In nm, overriding the file's.")
    ] = None,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Label blobs and tubes of about one radius, as OME-Zarr (name ends in .ome.zarr)."""
    chosen = options.parse_choice(polarity, "--polarity", ("bright", "dark"))
    size = options.parse_triple(voxel_size, "--voxel-size")
    from clemkit.workflows.segment import segment_file

    with open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal:
        with terminal.progress() as progress:
            found = segment_file(
                path,
                output,
                radius_nm=radius_nm,
                polarity=chosen,
                sensitivity=sensitivity,
                least_volume_um3=least_volume_um3,
                channel=options.parse_index_or_name(channel),
                voxel_size_zyx_nm=size,
                overwrite=overwrite,
                dry_run=dry_run,
                progress=progress,
            )
        terminal.result(found, lambda: figures.table(found))
    return OK
