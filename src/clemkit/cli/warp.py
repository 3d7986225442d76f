"""``clemkit warp``: apply a registration to a volume, to points, or to meshes and skeletons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clemkit.cli import figures, options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal
from clemkit.errors import ArgumentError

__all__ = ["warp"]

_DIRECTIONS = ("fixed-to-moving", "moving-to-fixed")


def warp(
    registration: options.Registration,
    output: options.Output,
    points: Annotated[
        Path | None,
        typer.Option(help="CSV with columns z_nm, y_nm, x_nm; others pass through. Or a mesh."),
    ] = None,
    volume: Annotated[Path | None, typer.Option(help="Volume to resample.")] = None,
    geometry: Annotated[
        Path | None, typer.Option(help="Mesh (OBJ, PLY, STL) or skeleton (SWC).")
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(help="fixed-to-moving or moving-to-fixed (the default of --volume)."),
    ] = None,
    like: Annotated[Path | None, typer.Option(help="Volume whose grid the result gets.")] = None,
    labels: Annotated[
        bool, typer.Option("--labels", help="Values are identities: never interpolated.")
    ] = False,
    voxel_size: Annotated[
        str | None, typer.Option(metavar="Z,Y,X", help="Of --volume in nm, overriding the file's.")
    ] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="N|NAME", help="Channel of --volume.")
    ] = None,
    units: Annotated[
        str | None, typer.Option(help="Unit of the coordinates of a mesh or skeleton: nm, um, mm.")
    ] = None,
    workers: options.Workers = None,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Apply a registration. Give exactly one of --points, --volume and --geometry."""
    inputs = {"--points": points, "--volume": volume, "--geometry": geometry}
    given = [flag for flag, path in inputs.items() if path is not None]
    if len(given) != 1:
        raise ArgumentError(
            f"warp: expected one of {', '.join(inputs)}; found {', '.join(given) or 'none'}"
        )
    for flag, value, owner in (
        ("--like", like, "--volume"),
        ("--labels", labels or None, "--volume"),
        ("--voxel-size", voxel_size, "--volume"),
        ("--channel", channel, "--volume"),
        ("--units", units, "--geometry or --points"),
    ):
        if value is not None and given[0] not in owner:
            raise ArgumentError(f"warp: {flag} goes with {owner}, not with {given[0]}")
    if direction is None and volume is None:
        raise ArgumentError(f"warp: {given[0]} needs --direction {' or '.join(_DIRECTIONS)}")
    way = options.parse_choice(direction or "moving-to-fixed", "--direction", _DIRECTIONS)
    size = options.parse_triple(voxel_size, "--voxel-size")
    from clemkit.workflows.warp import warp_geometry, warp_points, warp_volume_file

    with open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal:
        if points is not None:
            found = warp_points(
                registration,
                points,
                output,
                direction=way,
                units=units,
                overwrite=overwrite,
                dry_run=dry_run,
            )
        elif geometry is not None:
            found = warp_geometry(
                registration,
                geometry,
                output,
                direction=way,
                units=units,
                overwrite=overwrite,
                dry_run=dry_run,
            )
        elif volume is not None:
            with terminal.progress() as progress:
                found = warp_volume_file(
                    registration,
                    volume,
                    output,
                    like=like,
                    labels=labels,
                    direction=way,
                    voxel_size_zyx_nm=size,
                    channel=options.parse_index_or_name(channel),
                    workers=workers,
                    overwrite=overwrite,
                    dry_run=dry_run,
                    progress=progress,
                )
        terminal.result(found, lambda: figures.table(found))
    return OK
