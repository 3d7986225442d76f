"""A way through a transform graph as a registration folder that every other command takes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clemkit.errors import ArgumentError, TransformError
from clemkit.workflows.register_output import new_output
from clemkit.workflows.registration_record import (
    affine_record,
    grid_record,
    peak_memory_mb,
    strict_json,
    write_json_file,
)

if TYPE_CHECKING:
    from clemkit.geometry import Grid, Space
    from clemkit.transforms import Transform
    from clemkit.transforms.graph import GraphPath, TransformGraph
    from clemkit.transforms.path_error import PathError

__all__ = ["choose_fixed", "error_record", "write_composed"]

_SAMPLED_VOXELS = 0.1  # how close a sampled map shall come, moving voxels
_INVERSE_VOXELS = 0.01
_FOLDING_LONGEST = 48  # positions along each axis where folds are looked for
_FAR_ENOUGH = 0.9  # share of the widest way that another must cover


def choose_fixed(graph: TransformGraph, one: Space, other: Space) -> GraphPath:
    """Return the best path from the image that is the better fixed one.

    That is the one from which no inverse is needed; else the one with the smaller field.
    """
    path, back = _covering(graph, one, other), _covering(graph, other, one)
    if _inverses(path.transform()) != _inverses(back.transform()):
        return min((path, back), key=lambda p: _inverses(p.transform()))
    volumes = [_extent(graph.grid(p.spaces[0])) for p in (path, back)]
    return path if volumes[0] <= volumes[1] else back


def _covering(graph: TransformGraph, one: Space, other: Space) -> GraphPath:
    """Return the path with the smallest error of those that hold about as far as any."""
    from clemkit.transforms.path_error import coverage

    ways = [(path, coverage(graph, path)) for path in graph.paths(one, other)]
    most = max(share for _, share in ways)
    return next(path for path, share in ways if share >= _FAR_ENOUGH * most)


def write_composed(
    graph: TransformGraph, path: GraphPath, output: Path, *, status: str, seed: int
) -> dict[str, Any]:
    """Write a path as a registration: ``registration.json`` and ``transforms/``.

    ``fixed_to_moving.exact.json`` and ``moving_to_fixed.exact.json`` hold the chain without any
    sampling, where every part has numbers of its own.

    Parameters
    ----------
    graph : TransformGraph
    path : GraphPath
        From the fixed image to the moving one.
    output : Path
        Folder to make or replace.
    status : {"ok", "uncertain"}
        Of the registrations on the way, the worst.
    seed : int

    Returns
    -------
    dict
        The content of ``registration.json``.

    Raises
    ------
    ArgumentError
        The grid of an end is not known.
    TransformError
        The composed map folds, or cannot be inverted.
    """
    from clemkit.transforms import numerical_inverse
    from clemkit.transforms.io import write_registration_transforms
    from clemkit.transforms.io.affine_fit import best_affine
    from clemkit.transforms.io.exact_json import write_exact_json
    from clemkit.transforms.path_error import path_error

    fixed, moving = path.spaces[0], path.spaces[-1]
    grids = graph.grid(fixed), graph.grid(moving)
    if grids[0] is None or grids[1] is None:
        unknown = fixed if grids[0] is None else moving
        raise ArgumentError(
            f"{fixed} to {moving}: expected files of {unknown}, to know its grid; found none"
        )
    fixed_grid, moving_grid = grids[0], grids[1]
    forward, map_error = _without_inverses(path.transform(), fixed_grid, moving_grid)
    tolerance = _INVERSE_VOXELS * min(fixed_grid.voxel_size_zyx_nm + moving_grid.voxel_size_zyx_nm)
    back = numerical_inverse(forward, domain=fixed_grid, tolerance_nm=tolerance, outside="extend")
    fit = best_affine(forward, fixed_grid)
    error = path_error(graph, path)
    notes = [
        f"composed of {', '.join(path.names)}; no image was compared, the error is combined from "
        "those of the registrations on the way"
    ]
    with new_output(output, output.exists()) as folder:
        write_registration_transforms(
            folder / "transforms",
            fixed_to_moving=forward,
            moving_to_fixed=back,
            fixed_grid=fixed_grid,
            moving_grid=moving_grid,
        )
        exact = {"fixed_to_moving": path.transform(), "moving_to_fixed": _back(path)}
        for name, transform in exact.items():
            try:
                write_exact_json(folder / f"{name}.exact.json", transform)
            except ArgumentError as problem:  # a displacement field, from another engine
                notes.append(f"{name}.exact.json was not written: {problem}")
        affine = fit.moving_to_fixed.inverse()
        record = {
            "version": 1,
            "status": status,
            "confidence": None,
            "tre_estimate_nm": error_record(error) | {"space": "moving", "regions": []},
            "jacobian": _volume_change(forward, fixed_grid, affine.determinant),
            "inverse_error_nm": back.max_error_nm,
            "map_error_nm": map_error,
            "reflection": affine.determinant < 0,
            "stages": [],
            "peak_memory_mb": peak_memory_mb(),
            "warnings": notes,
            "reason": None,
            "method": "composed",
            "seed": seed,
            "inputs": {"path": [space.name for space in path.spaces], "edges": list(path.names)},
            "fixed_grid": grid_record(fixed_grid),
            "moving_grid": grid_record(moving_grid),
            "affine": affine_record(affine.matrix),
        }
        record = dict(strict_json(record))
        write_json_file(folder / "registration.json", record)
    return record


def error_record(error: PathError) -> dict[str, Any]:
    """Return a combined error as plain data."""
    return {
        "median": error.median_nm,
        "p90": error.p90_nm,
        "low": error.low_nm,
        "high": error.high_nm,
        "kind": "combined" if math.isfinite(error.median_nm) else "none",
        "count": error.samples,
        "contributions_nm": dict(error.contributions),
    }


def _back(path: GraphPath) -> Transform:
    reverse = replace(path, spaces=path.spaces[::-1], edges=path.edges[::-1])
    return reverse.transform()


def _inverses(transform: Transform) -> int:
    from clemkit.transforms import CertifiedInverse
    from clemkit.transforms.io.frame_note import chain_parts

    return sum(
        isinstance(part, CertifiedInverse) and not part.exact for part in chain_parts(transform)
    )


def _extent(grid: Grid | None) -> float:
    return math.inf if grid is None else float(np.prod(grid.extent_zyx_nm))


def _without_inverses(
    transform: Transform, fixed_grid: Grid, moving_grid: Grid
) -> tuple[Transform, float]:
    """Return a map that files can hold, and how far it is from the exact one, nm."""
    from clemkit.transforms.io.checked_points import unwrapped
    from clemkit.transforms.io.sampled_field import sample_over_domain

    if not _inverses(transform):
        return unwrapped(transform), 0.0
    wanted = _SAMPLED_VOXELS * min(moving_grid.voxel_size_zyx_nm)
    sampled = sample_over_domain(transform, fixed_grid, target_error_nm=wanted)
    if sampled.covered_fraction == 0:
        raise TransformError(
            f"{fixed_grid.space} to {moving_grid.space}: expected images that share a place; found "
            "none where all maps are certified"
        )
    return sampled.transform, sampled.max_error_nm


def _volume_change(forward: Transform, grid: Grid, determinant: float) -> dict[str, float]:
    from clemkit.transforms import check_folding
    from clemkit.workflows.register_images import overview_grid

    found = check_folding(forward, overview_grid(grid, _FOLDING_LONGEST))
    ends = sorted((found.minimum / determinant, found.maximum / determinant))
    return {"min": ends[0], "max": ends[1], "folded_fraction": found.folded_fraction}
