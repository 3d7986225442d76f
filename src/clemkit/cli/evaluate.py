"""``clemkit evaluate``: a registration against landmarks and labels that it never saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clemkit.cli import figures, options
from clemkit.cli.failures import OK
from clemkit.cli.terminal import open_terminal
from clemkit.errors import ArgumentError

__all__ = ["evaluate"]


def evaluate(
    registration: options.Registration,
    landmarks: Annotated[
        Path | None, typer.Option(help="Landmark pairs; BigWarp's order: moving, then fixed.")
    ] = None,
    units: options.Units = None,
    fixed_labels: Annotated[
        Path | None, typer.Option(help="Labels in the fixed volume, for the overlap.")
    ] = None,
    moving_labels: Annotated[
        Path | None, typer.Option(help="Labels of the same in the moving volume.")
    ] = None,
    above: Annotated[
        float | None,
        typer.Option(help="Label values above this belong to the structure. Default: 0."),
    ] = None,
    jacobian_on: Annotated[
        Path | None, typer.Option(help="Fixed volume on whose grid folds are looked for.")
    ] = None,
    fixed_voxel_size: Annotated[
        str | None, typer.Option(metavar="Z,Y,X", help="In nm, overriding the file's.")
    ] = None,
    moving_voxel_size: Annotated[
        str | None, typer.Option(metavar="Z,Y,X", help="In nm, overriding the file's.")
    ] = None,
    seed: options.Seed = 0,
    workers: options.Workers = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Measure the true error at landmark pairs, the overlap of labels, the change of volume."""
    if landmarks is None and fixed_labels is None and jacobian_on is None:
        raise ArgumentError("evaluate: expected --landmarks, --fixed-labels or --jacobian-on")
    if (fixed_labels is None) != (moving_labels is None):
        raise ArgumentError("evaluate: --fixed-labels and --moving-labels go together")
    if above is not None and fixed_labels is None:
        raise ArgumentError("evaluate: --above goes with --fixed-labels and --moving-labels")
    fixed_size = options.parse_triple(fixed_voxel_size, "--fixed-voxel-size")
    moving_size = options.parse_triple(moving_voxel_size, "--moving-voxel-size")
    from clemkit.workflows.evaluate import evaluate_jacobian, evaluate_landmarks, evaluate_overlap

    found: dict[str, Any] = {}
    with open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal:
        if landmarks is not None:
            found |= evaluate_landmarks(registration, landmarks, units=units, seed=seed)
        if fixed_labels is not None and moving_labels is not None:
            found["overlap"] = evaluate_overlap(
                registration,
                fixed_labels,
                moving_labels,
                fixed_voxel_size_zyx_nm=fixed_size,
                moving_voxel_size_zyx_nm=moving_size,
                above=above or 0.0,
                workers=workers or 1,
            )
        if jacobian_on is not None:
            from clemkit.volumes import open_volume

            grid = open_volume(jacobian_on, voxel_size_zyx_nm=fixed_size).grid
            found["jacobian"] = evaluate_jacobian(registration, grid)
        terminal.result(found, lambda: _lines(found))
    return OK


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    if "n" in found:
        yield f"landmarks        {found['n']}"
        yield f"median           {figures.length(found['median_nm'])}"
        yield f"95th percentile  {figures.length(found['p95_nm'])}"
        yield f"maximum          {figures.length(found['max_nm'])}"
        if found.get("n_outside"):
            yield f"outside          {found['n_outside']} of the domain of the transform"
        for finding in found.get("findings", ()):
            yield f"finding          {finding}"
    if "overlap" in found:
        overlap = found["overlap"]
        yield f"Dice             {overlap['dice']:.3f}"
        if surface := overlap.get("surface"):
            yield (
                f"surfaces         mean {figures.length(surface['mean_nm'])}, "
                f"95th percentile {figures.length(surface['hd95_nm'])}"
            )
    if "jacobian" in found:
        jacobian = found["jacobian"]
        yield (
            f"Jacobian         {figures.number(jacobian['min'])} to "
            f"{figures.number(jacobian['max'])}, "
            f"folded {figures.percent(jacobian['folded_fraction'])}"
        )
