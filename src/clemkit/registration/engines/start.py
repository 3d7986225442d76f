"""Starts of any kind, made into an affine one that ITK engines accept."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clemkit.geometry import Grid, as_triple
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.transforms import Affine, Identity, Transform

__all__ = ["AffineStart", "affine_start", "padded"]

FloatImage = NDArray[np.float32]
_MARGIN = 0.1  # of the extent, on each side
_BLOCK = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class AffineStart:
    """A refinement problem whose start is affine.

    Attributes
    ----------
    affine : Affine
        Start; the engine's own result follows it.
    moving_image, moving_grid
        What the engine sees.
    landmarks : LandmarkPairs or None
        Moving points as the engine sees them.
    then : tuple of Transform
        What follows the engine's result.
    """

    affine: Affine
    moving_image: FloatImage
    moving_grid: Grid
    landmarks: LandmarkPairs | None
    then: tuple[Transform, ...] = ()


def padded(grid: Grid, fraction: float) -> Grid:
    """Return a grid that reaches further out on each side by a fraction of the extent."""
    more = np.ceil(np.array(grid.shape_zyx) * fraction).astype(int)
    shape = np.array(grid.shape_zyx) + 2 * more
    origin = np.array(grid.origin_zyx_nm) - more * np.array(grid.voxel_size_zyx_nm)
    return replace(
        grid,
        shape_zyx=(int(shape[0]), int(shape[1]), int(shape[2])),
        origin_zyx_nm=as_triple(origin, "origin_zyx_nm"),
    )


def affine_start(
    start: Transform,
    fixed_grid: Grid,
    moving_image: FloatImage,
    moving_grid: Grid,
    landmarks: LandmarkPairs | None,
) -> AffineStart:
    """Return the same problem with an affine start.

    Where *start* bends, the moving image is pulled through it onto the fixed grid with a margin
    (linear, edge value outside), and the start becomes the identity.
    """
    if isinstance(start, Identity):
        start = Affine.identity(start.source, start.target)
    if isinstance(start, Affine):
        return AffineStart(start, moving_image, moving_grid, landmarks)
    from scipy import ndimage as ndi

    grid = padded(fixed_grid, _MARGIN)
    pulled = np.empty(grid.shape_zyx, np.float32)
    planes = max(_BLOCK // (grid.shape_zyx[1] * grid.shape_zyx[2]), 1)
    for first in range(0, grid.shape_zyx[0], planes):
        index = np.indices((min(planes, grid.shape_zyx[0] - first), *grid.shape_zyx[1:]))
        index[0] += first
        points = start.apply_points(grid.to_physical(index.reshape(3, -1).T))
        where = moving_grid.to_index(points).T
        values = ndi.map_coordinates(moving_image, where, order=1, mode="nearest")
        pulled[first : first + planes] = values.reshape(index.shape[1:])
    if landmarks is not None:
        # the moving points as seen in the fixed frame; a certified inverse, since the start bends
        from clemkit.transforms import numerical_inverse

        back = numerical_inverse(start, domain=grid, outside="extend")
        points = back.apply_points(landmarks.moving.points_zyx_nm)
        moving = LandmarkSet(space=fixed_grid.space, ids=landmarks.ids, points_zyx_nm=points)
        landmarks = LandmarkPairs(moving=moving, fixed=landmarks.fixed)
    identity = Affine.identity(start.source, start.source)
    return AffineStart(identity, pulled, grid, landmarks, (start,))
