"""``clemkit landmarks``: sample landmarks from labels, convert between formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clemkit.cli import figures, options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal

__all__ = ["app", "convert", "sample"]

app = typer.Typer(
    help="Sample landmarks from labels; convert landmark files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_KINDS = ("centroid", "surface", "skeleton")


@app.command("sample", short_help="Landmarks of the objects in a label volume.")
def sample(
    labels: Annotated[Path, typer.Argument(help="Label volume; 0 is background.")],
    output: options.Output,
    kind: Annotated[
        str, typer.Option(help="What of each object: centroid, surface or skeleton.")
    ] = "centroid",
    voxel_size: Annotated[
        str | None,
        typer.Option(metavar="Z,Y,X", help="Voxel size in nm, overriding the file's."),
    ] = None,
    components: Annotated[
        bool, typer.Option("--components", help="Connected components are the objects.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Number of surface points.")] = None,
    spacing: Annotated[
        float | None, typer.Option(help="Least distance of surface or skeleton points, nm.")
    ] = None,
    min_voxels: Annotated[int, typer.Option(min=1, help="Smallest object for centroids.")] = 1,
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Write landmarks of the objects in a label volume, with their uncertainty, as CSV."""
    options.parse_choice(kind, "--kind", _KINDS)
    size = options.parse_triple(voxel_size, "--voxel-size")
    from clemkit.workflows.landmarks import sample_landmarks

    with open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal:
        found = sample_landmarks(
            labels,
            output,
            kind=kind,
            voxel_size_zyx_nm=size,
            components=components,
            count=count,
            spacing_nm=spacing,
            min_voxels=min_voxels,
            seed=seed,
            overwrite=overwrite,
            dry_run=dry_run,
        )
        terminal.result(found, lambda: _lines(found))
    return OK


@app.command("convert", short_help="A landmark file to another format.")
def convert(
    path: Annotated[
        Path, typer.Argument(metavar="INPUT", help="BigWarp, elastix, napari or a plain table.")
    ],
    output: options.Output,
    units: options.Units = None,
    fixed_units: Annotated[
        str | None, typer.Option(help="Unit of the fixed side where it differs.")
    ] = None,
    output_units: Annotated[
        str | None, typer.Option(help="Unit to write. Default: the input's.")
    ] = None,
    output_format: Annotated[
        str | None,
        typer.Option("--format", help="Format to write. Default: after the output's suffix."),
    ] = None,
    fixed: Annotated[
        Path | None, typer.Option(help="Fixed points, where INPUT has the moving ones alone.")
    ] = None,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Convert landmark pairs, or one set of points, to another format."""
    from clemkit.workflows.landmarks import convert_landmarks

    with open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal:
        found = convert_landmarks(
            path,
            output,
            units=units,
            fixed_units=fixed_units,
            output_units=output_units,
            output_format=output_format,
            fixed=fixed,
            overwrite=overwrite,
            dry_run=dry_run,
        )
        terminal.result(found, lambda: _lines(found))
    return OK


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield from figures.table({key: value for key, value in found.items() if key != "warnings"})
    for warning in found["warnings"]:
        yield f"finding  {warning}"
