"""``clemkit target``: where a target lies in the block, for the ultramicrotome."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clemkit.cli import figures, options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal
from clemkit.errors import ArgumentError

__all__ = ["target"]


def target(
    registration: Annotated[
        Path, typer.Option("--registration", help="Output folder of `clemkit register`.")
    ],
    point: Annotated[
        str | None,
        typer.Option(metavar="Z,Y,X", help="Target in the image it was seen in, nm."),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Label volume of that image, instead of --point.")
    ] = None,
    label: Annotated[
        int | None, typer.Option(help="Object of --labels that is the target.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="IMAGE", help="Image with the target. Default: moving."),
    ] = None,
    xray_image: Annotated[
        str | None, typer.Option("--to", metavar="IMAGE", help="The X-ray image. Default: fixed.")
    ] = None,
    face: Annotated[
        Path | None,
        typer.Option(
            metavar="POINTS", help="Points on the block face in the X-ray image, 3 or more."
        ),
    ] = None,
    xray: Annotated[
        Path | None, typer.Option(metavar="VOLUME", help="X-ray volume to find the face in.")
    ] = None,
    face_side: Annotated[
        str, typer.Option(help="Where the air is: z-, z+, y-, y+, x- or x+.")
    ] = "z-",
    threshold: Annotated[
        float | None, typer.Option(help="Grey value between air and resin. Default: found.")
    ] = None,
    bright_air: Annotated[
        bool, typer.Option("--bright-air", help="Air is brighter than resin.")
    ] = False,
    edge: Annotated[
        Path | None,
        typer.Option(metavar="POINTS", help="Left and right end of the face's reference edge."),
    ] = None,
    plane: Annotated[
        Path | None,
        typer.Option(
            metavar="POINTS",
            help="Points of the plane to cut, in the image with the target. Default: its planes.",
        ),
    ] = None,
    units: Annotated[
        str | None, typer.Option("--units", help="Unit of the point files: nm, um or mm.")
    ] = None,
    pick_error: Annotated[
        float | None,
        typer.Option(min=0.0, help="Error of a picked point, nm. Default: an X-ray voxel."),
    ] = None,
    picture: Annotated[Path | None, typer.Option(metavar="PNG", help="Picture to write.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON to write, with its provenance.")
    ] = None,
    seed: options.Seed = 0,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Depth, lateral position and knife angles of a target in a block, with 90 % intervals."""
    place = _parse_point(point)
    from clemkit.workflows.trimming import predict_target

    with open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal:
        found = predict_target(
            registration,
            point_zyx_nm=place,
            labels=labels,
            label=label,
            source=source,
            xray_space=xray_image,
            face_points=face,
            xray=xray,
            face_side=face_side,
            threshold=threshold,
            bright_air=bright_air,
            edge=edge,
            plane=plane,
            units=units,
            pick_error_nm=pick_error,
            output=output,
            picture=picture,
            seed=seed,
            overwrite=overwrite,
        )
        terminal.result(found, lambda: _lines(found))
    return OK


def _parse_point(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 3 or not all(math.isfinite(value) for value in values):
        raise ArgumentError(f"--point: expected Z,Y,X in nanometres; found {text!r}")
    return values[0], values[1], values[2]


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"depth     {_length(found['depth_nm'])}  below the face"
    if "object_depth_nm" in found:
        reach = found["object_depth_nm"]
        yield f"object    {figures.length(reach['from'])} to {figures.length(reach['to'])} deep"
    origin = found["face"]["origin"]
    yield f"right     {_length(found['right_nm'])}  of the {origin}, seen from the knife"
    yield f"up        {_length(found['up_nm'])}"
    yield f"tilt      {_angle(found['tilt_deg'])}  positive: upper edge of the face to the knife"
    yield f"knife     {_angle(found['knife_deg'])}  positive: deeper on the right"
    yield f"approach  {_length(found['approach_nm'])}  from the first touch, so turned"
    yield f"plane     {found['wanted_plane']}; {found['total_deg']:.2f}° from the face"
    yield f"face      {found['face']['how']}"
    yield (
        f"error     of the registration: median {figures.length(found['error_nm']['median'])}, "
        f"90th percentile {figures.length(found['error_nm']['p90'])}; intervals are 90 %"
    )
    for finding in found["findings"]:
        yield f"finding   {finding}"
    for what in ("output", "picture"):
        if what in found:
            yield f"{what:<8}  {found[what]}"


def _length(figure: Mapping[str, float]) -> str:
    low, high = figures.length(figure["low"]), figures.length(figure["high"])
    return f"{figures.length(figure['value'])} ({low} to {high})"


def _angle(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:+.2f}° ({figure['low']:+.2f}° to {figure['high']:+.2f}°)"
