"""Points on the surfaces of labelled objects, between voxels, evenly spread."""

from __future__ import annotations

import numpy as np

from clemkit.errors import ArgumentError, TooFewLandmarksError
from clemkit.geometry import FloatArray, Grid
from clemkit.landmarks.landmark_set import LandmarkSet
from clemkit.landmarks.sample import LabelArray, SampledLandmarks, each_object

__all__ = ["spread_evenly", "surface_points"]


def surface_points(
    labels: LabelArray,
    grid: Grid,
    *,
    count: int | None = None,
    spacing_nm: float | None = None,
    seed: int = 0,
) -> SampledLandmarks:
    """Return points on the surface of every object.

    Each boundary voxel is moved to where the smoothed object crosses one half along its gradient,
    by at most one voxel.

    Parameters
    ----------
    labels : (Z, Y, X) integer array
        Zero is background.
    grid : Grid
        Where the voxels are.
    count : int, optional
        Number of points over all objects, shared by surface; at least one per object.
    spacing_nm : float, optional
        Least distance between points of one object; by default, and unless *count* is given, four
        voxels (of geometric mean size).
    seed : int
        For the order in which points are taken.

    Raises
    ------
    TooFewLandmarksError
        No object.
    ArgumentError
        Both *count* and *spacing_nm*, or not positive.
    """
    if count is not None and spacing_nm is not None:
        raise ArgumentError("surface_points: expected count or spacing_nm; found both")
    for name, value in (("count", count), ("spacing_nm", spacing_nm)):
        if value is not None and not value > 0:
            raise ArgumentError(f"surface_points: expected {name} > 0; found {value}")
    rng = np.random.default_rng(seed)
    voxel = np.array(grid.voxel_size_zyx_nm)
    surfaces = [
        (label, grid.to_physical(_crossings(mask) + start))
        for label, mask, start in each_object(labels, grid)
    ]
    total = sum(len(points) for _, points in surfaces)
    distance = spacing_nm if spacing_nm is not None else 4 * float(np.prod(voxel)) ** (1 / 3)
    numbers: list[int] = []
    chosen: list[FloatArray] = []
    for label, points in surfaces:
        if count is None:
            rows = spread_evenly(points, rng, spacing_nm=distance)
        else:
            share = max(1, round(count * len(points) / total))
            rows = spread_evenly(points, rng, count=share)
        chosen.append(points[rows])
        numbers += [label] * len(rows)
    if not numbers:  # every object has a boundary, so only an empty volume could end here
        raise TooFewLandmarksError("labels: expected objects with a surface; found none")
    found = np.concatenate(chosen)
    points_set = LandmarkSet(
        space=grid.space,
        ids=tuple(f"surface-{k}" for k in range(len(found))),
        points_zyx_nm=found,
        sigma_zyx_nm=np.tile(voxel / np.sqrt(12), (len(found), 1)),
    )
    return SampledLandmarks(
        points_set, np.array(numbers, dtype=np.int64), ("surface",) * len(found)
    )


def spread_evenly(
    points: FloatArray,
    rng: np.random.Generator,
    *,
    count: int | None = None,
    spacing_nm: float | None = None,
) -> np.ndarray:
    """Return rows of evenly spread points, ascending.

    By *count*, farthest points are taken one after another; by *spacing_nm*, points in random order
    unless one already taken is nearer.
    """
    from scipy.spatial import cKDTree

    n = len(points)
    if count is not None:
        if count >= n:
            return np.arange(n)
        rows = [int(rng.integers(n))]
        nearest = np.linalg.norm(points - points[rows[0]], axis=1)
        while len(rows) < count:
            rows.append(int(np.argmax(nearest)))
            nearest = np.minimum(nearest, np.linalg.norm(points - points[rows[-1]], axis=1))
        return np.sort(rows)
    tree = cKDTree(points)
    free = np.ones(n, dtype=bool)
    taken = []
    for row in rng.permutation(n):
        if free[row]:
            taken.append(int(row))
            free[tree.query_ball_point(points[row], spacing_nm)] = False
    return np.sort(taken)


def _crossings(mask: np.ndarray) -> FloatArray:
    """Return sub-voxel positions of the surface in mask indices, one per boundary voxel."""
    from scipy.ndimage import binary_erosion, gaussian_filter

    boundary = np.argwhere(mask & ~binary_erosion(mask))
    wide = np.pad(mask, 2).astype(np.float64)
    smooth = gaussian_filter(wide, 1.0, mode="nearest")
    at = boundary + 2
    here = smooth[tuple(at.T)]
    slope = np.empty((len(at), 3))
    for axis in range(3):
        step = np.zeros(3, dtype=int)
        step[axis] = 1
        slope[:, axis] = (smooth[tuple((at + step).T)] - smooth[tuple((at - step).T)]) / 2
    steep = np.sum(slope**2, axis=1)
    # one Newton step to one half; thin objects have no slope and stay
    length = np.where(steep > 1e-4, (0.5 - here) / np.maximum(steep, 1e-4), 0.0)
    move = slope * length[:, None]
    size = np.linalg.norm(move, axis=1, keepdims=True)
    return np.asarray(boundary + move / np.maximum(size, 1.0))
