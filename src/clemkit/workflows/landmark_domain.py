"""Grids over landmarks, for formats and maps that need a domain where there is no volume."""

from __future__ import annotations

import numpy as np

from clemkit.geometry import FloatArray, Grid, Space, as_triple
from clemkit.landmarks import LandmarkPairs

__all__ = ["landmark_domains"]

_LONGEST = 64  # samples along the longest axis
_MARGIN = 0.05
_THIN = 1e-4  # thickness of a plane, of its longest edge; a map of flat landmarks ends there


def landmark_domains(pairs: LandmarkPairs) -> tuple[Grid, Grid]:
    """Return grids over the bounding boxes of the fixed and the moving landmarks.

    The boxes are 5 % larger on each side. Flat sets give one plane.
    """
    fixed, moving = pairs.fixed, pairs.moving
    return _box(fixed.points_zyx_nm, fixed.space), _box(moving.points_zyx_nm, moving.space)


def _box(points: FloatArray, space: Space) -> Grid:
    low, high = points.min(axis=0), points.max(axis=0)
    size = (high - low) * (1 + 2 * _MARGIN)
    voxel = max(float(size.max()) / _LONGEST, 1e-3)
    shape = np.maximum(np.ceil(size / voxel - 1e-9).astype(int), 1)
    edges = np.where(size > _THIN * size.max(), voxel, max(_THIN * float(size.max()), 1e-3))
    origin = (low + high) / 2 - (shape - 1) / 2 * edges
    return Grid(
        space=space,
        shape_zyx=(int(shape[0]), int(shape[1]), int(shape[2])),
        voxel_size_zyx_nm=as_triple(edges, "voxel"),
        origin_zyx_nm=as_triple(origin, "origin"),
    )
