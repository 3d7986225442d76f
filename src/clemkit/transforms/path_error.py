"""The expected error of several registrations one after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import FloatArray, Grid, Space
from clemkit.transforms.base import Transform
from clemkit.transforms.graph import GraphPath, TransformGraph

__all__ = ["PathError", "coverage", "lattice", "mapped", "path_error", "shared_points"]

_LATTICE = 7  # points along each axis of each grid
_MOST_JACOBIANS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PathError:
    """The expected error at the end of a path, in its last space.

    Each registration's error is mapped into the last space by the local scale of the way that
    remains. Independent errors add in squares, which for medians is exact where they are isotropic
    and normal. The ends of the interval follow from those of the parts, again in squares.

    Attributes
    ----------
    median_nm, p90_nm : float
        Median and 90th percentile of the length of the error; NaN where an edge has no estimate.
    low_nm, high_nm : float
        90 % interval of the median.
    contributions : tuple of (str, float)
        Edge and its median in the last space.
    samples : int
        Positions where the local scale was taken; 0 where the images share none, and 1 was taken.
    """

    median_nm: float
    p90_nm: float
    low_nm: float
    high_nm: float
    contributions: tuple[tuple[str, float], ...]
    samples: int


def path_error(
    graph: TransformGraph, path: GraphPath, points_zyx_nm: FloatArray | None = None
) -> PathError:
    """Combine the errors of a path.

    Parameters
    ----------
    graph : TransformGraph
        Knows where the images are.
    path : GraphPath
    points_zyx_nm : (N, 3) array, optional
        Positions in the first space; a lattice in what all images share where absent.
    """
    points = shared_points(graph, path) if points_zyx_nm is None else points_zyx_nm
    scales = _scales(path, points)
    parts = [
        (edge.median_nm * s, edge.low_nm * s, edge.high_nm * s, edge.p90_nm * s)
        for edge, s in zip(path.edges, scales, strict=True)
    ]
    middle = [part[0] for part in parts]
    total = math.sqrt(sum(m * m for m in middle))
    if math.isnan(total):
        return PathError(
            median_nm=math.nan, p90_nm=math.nan, low_nm=math.nan, high_nm=math.nan,
            contributions=tuple(zip(path.names, middle, strict=True)), samples=len(points),
        )  # fmt: skip
    # one edge at a time at its end of the interval, then the shifts in squares
    up = [math.sqrt(total**2 + high**2 - m**2) - total for m, _, high, _ in parts]
    down = [total - math.sqrt(max(total**2 + low**2 - m**2, 0.0)) for m, low, _, _ in parts]
    return PathError(
        median_nm=total,
        p90_nm=math.sqrt(sum(part[3] ** 2 for part in parts)),
        low_nm=max(total - math.hypot(*down), 0.0),
        high_nm=total + math.hypot(*up),
        contributions=tuple(zip(path.names, middle, strict=True)),
        samples=len(points),
    )


def shared_points(graph: TransformGraph, path: GraphPath) -> FloatArray:
    """Return points of the first space that lie in every image along a path.

    They come from a lattice in each image, so that a small one in a large one is not missed.

    Returns
    -------
    (N, 3) array
        Empty where the images share nothing.

    Raises
    ------
    ArgumentError
        No image on the way has a grid.
    """
    grids = [graph.grid(space) for space in path.spaces]
    if all(grid is None for grid in grids):
        raise ArgumentError(
            f"graph: expected a grid of one of {', '.join(s.name for s in path.spaces)}, to know "
            "where to look; found none; pass points"
        )
    steps = path.steps()
    back = [e.map_from(s) for e, s in zip(path.edges, path.spaces[1:], strict=True)]
    found = []
    for place, grid in enumerate(grids):
        if grid is None or grid.space in path.spaces[:place]:
            continue
        points, ok = mapped(lattice(grid), tuple(reversed(back[:place])))
        found.append(points[ok])
    candidates = np.concatenate(found)
    inside = np.ones(len(candidates), dtype=bool)
    here = candidates
    for place, grid in enumerate(grids):
        if grid is not None:
            inside &= np.all(np.isfinite(here), axis=1)
            inside[inside] = grid.contains(here[inside])
        if place < len(steps):
            here, ok = mapped(here, steps[place : place + 1], inside)
            inside &= ok
    return candidates[inside]


def coverage(graph: TransformGraph, path: GraphPath) -> float:
    """Return the share of the first image that lies in all images on the way to the last.

    A way through a small image holds only there, however small its error. 1.0 where nothing is
    known of the images.
    """
    first = graph.grid(path.spaces[0])
    if first is None:
        return 1.0
    here = lattice(first)
    inside = np.ones(len(here), dtype=bool)
    for space, step in zip(path.spaces[1:-1], path.steps(), strict=False):
        here, ok = mapped(here, (step,), inside)
        inside &= ok
        grid = graph.grid(space)
        if grid is not None:
            inside[inside] = grid.contains(here[inside])
    return float(inside.mean())


def lattice(grid: Grid) -> FloatArray:
    """Return the centres of at most 7 x 7 x 7 equal cells of a grid, ``(N, 3)``."""
    shape = np.minimum(_LATTICE, np.array(grid.shape_zyx))
    cells = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape), indexing="ij"), axis=-1)
    index = cells.reshape(-1, 3) / shape * np.array(grid.shape_zyx) - 0.5
    return grid.to_physical(index)


def mapped(
    points: FloatArray, steps: Sequence[Transform], where: np.ndarray | None = None
) -> tuple[FloatArray, np.ndarray]:
    """Map points ``(N, 3)``, NaN where refused, and say which the transforms are certified for."""
    from clemkit.transforms.io.checked_points import map_checked

    ok = np.all(np.isfinite(points), axis=1)
    if where is not None:
        ok &= where
    out = np.array(points, dtype=np.float64)
    for step in steps:
        out[ok], fine = map_checked(step, out[ok])
        ok[ok] = fine
    out[~ok] = np.nan
    return out, ok


def _scales(path: GraphPath, points: FloatArray) -> list[float]:
    """Return by how much the rest of the path stretches the error of each edge, RMS."""
    if len(points) == 0:
        return [1.0] * len(path.edges)
    certified = mapped(points, path.steps())[1]
    if not np.any(certified):
        return [1.0] * len(path.edges)
    points = points[certified]
    chosen = points[np.unique(np.linspace(0, len(points) - 1, _MOST_JACOBIANS).astype(int))]
    slopes = []
    for step in path.steps():
        slopes.append(step.jacobian(chosen))
        chosen = step.apply_points(chosen)
    scales = []
    rest = np.broadcast_to(np.eye(3), (len(chosen), 3, 3))
    for number in reversed(range(len(path.edges))):
        end: Space = path.spaces[number + 1]
        before = rest
        rest = rest @ slopes[number]
        used = before if path.edges[number].error_space == end else rest
        scales.append(float(np.sqrt(np.mean(np.sum(used**2, axis=(1, 2)) / 3))))
    return scales[::-1]
