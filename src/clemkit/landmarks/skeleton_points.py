"""Points on the centre lines of labelled objects; ends and branches marked."""

from __future__ import annotations

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import FloatArray, Grid
from clemkit.landmarks.landmark_set import LandmarkSet
from clemkit.landmarks.sample import LabelArray, SampledLandmarks, each_object
from clemkit.landmarks.surface_points import spread_evenly

__all__ = ["skeleton_points"]


def skeleton_points(
    labels: LabelArray, grid: Grid, *, spacing_nm: float | None = None, seed: int = 0
) -> SampledLandmarks:
    """Return points on the skeleton of every object, thinned to a spacing.

    The skeleton is Lee's three-dimensional thinning [1]_; each point is moved to the local centre
    of the object, the mean of the voxels nearer to it than the surface is. Ends (one neighbour)
    and branches (three or more) are always kept, one per junction.

    Parameters
    ----------
    labels : (Z, Y, X) integer array
        Zero is background.
    grid : Grid
        Where the voxels are.
    spacing_nm : float, optional
        Least distance along the paths between points; by default four voxels.
    seed : int
        For the order in which path points are taken.

    Raises
    ------
    TooFewLandmarksError
        No object.
    ArgumentError
        The spacing is not positive.

    References
    ----------
    .. [1] T.-C. Lee, R. L. Kashyap, C.-N. Chu, "Building skeleton models via 3-D medial
       surface/axis thinning algorithms", CVGIP 56(6), 462-478, 1994.
    """
    if spacing_nm is not None and not spacing_nm > 0:
        raise ArgumentError(f"skeleton_points: expected spacing_nm > 0; found {spacing_nm}")
    voxel = np.array(grid.voxel_size_zyx_nm)
    distance = spacing_nm if spacing_nm is not None else 4 * float(np.prod(voxel)) ** (1 / 3)
    rng = np.random.default_rng(seed)
    points, sigmas, numbers, kinds = [], [], [], []
    for label, mask, start in each_object(labels, grid):
        where, kind, sigma = _object_skeleton(mask, voxel)
        physical = grid.to_physical(where + start)
        special = np.flatnonzero(kind != "path")
        path = np.flatnonzero(kind == "path")
        if len(special) and len(path):
            near = np.linalg.norm(physical[path][:, None] - physical[special][None], axis=2)
            path = path[near.min(axis=1) >= distance]
        if len(path):
            path = path[spread_evenly(physical[path], rng, spacing_nm=distance)]
        for row in np.sort(np.concatenate([special, path])):
            points.append(physical[row])
            sigmas.append(sigma[row])
            numbers.append(label)
            kinds.append(str(kind[row]))
    points_set = LandmarkSet(
        space=grid.space,
        ids=tuple(f"skeleton-{k}" for k in range(len(points))),
        points_zyx_nm=np.array(points),
        sigma_zyx_nm=np.array(sigmas),
    )
    return SampledLandmarks(points_set, np.array(numbers, dtype=np.int64), tuple(kinds))


def _object_skeleton(
    mask: np.ndarray, voxel: FloatArray
) -> tuple[FloatArray, np.ndarray, FloatArray]:
    """Return centred skeleton positions (mask indices), their kinds, and sigmas (nm)."""
    from scipy.ndimage import convolve, distance_transform_edt
    from scipy.ndimage import label as connected
    from scipy.spatial import cKDTree
    from skimage.morphology import skeletonize

    line = np.asarray(skeletonize(mask)) > 0
    if not line.any():  # thinning can erase objects of a few voxels
        line = np.zeros_like(mask)
        inside = np.argwhere(mask)
        middle = inside[np.argmin(np.sum((inside - inside.mean(axis=0)) ** 2, axis=1))]
        line[tuple(middle)] = True
    neighbours = convolve(line.astype(np.int16), np.ones((3, 3, 3), np.int16), mode="constant") - 1
    degree = np.where(line, neighbours, 0)
    junction, count = connected(line & (degree >= 3), structure=np.ones((3, 3, 3)))
    at = np.argwhere(line & (degree < 3))
    kind = np.where(degree[tuple(at.T)] == 2, "path", "end").astype("<U6")
    centres = [np.argwhere(junction == k + 1).mean(axis=0) for k in range(count)]
    where = np.concatenate([at, np.array(centres).reshape(-1, 3)]).astype(np.float64)
    kind = np.concatenate([kind, np.full(count, "branch")])
    depth = distance_transform_edt(mask, sampling=voxel)
    radius = depth[tuple(np.round(where).astype(int).T)]
    inside = np.argwhere(mask)
    tree = cKDTree(inside * voxel)
    for row in range(len(where)):
        if kind[row] == "end":
            continue  # the mean would pull an end inwards
        close = tree.query_ball_point(where[row] * voxel, float(radius[row]))
        if len(close) > 1:
            where[row] = inside[close].mean(axis=0)
    # along the line a point may slide by a voxel; an end is known to about the radius
    slide = np.where(kind == "end", radius, np.linalg.norm(voxel) / np.sqrt(12))
    sigma = np.maximum(voxel / np.sqrt(12), (slide / np.sqrt(3))[:, None])
    return where, kind, np.asarray(sigma)
