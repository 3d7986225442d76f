"""Map points through a registration and tell which of them lie outside its domain."""

from __future__ import annotations

import numpy as np

from clemkit.geometry import FloatArray
from clemkit.workflows.open_registration import Direction, Registered

__all__ = ["certificate", "map_points"]


def map_points(
    registered: Registered, points_zyx_nm: FloatArray, direction: Direction
) -> tuple[FloatArray, np.ndarray]:
    """Map points, and tell which lie outside the domain.

    Parameters
    ----------
    registered : Registered
        The registration.
    points_zyx_nm : (N, 3) float array
        Points in the source space.
    direction : {"fixed-to-moving", "moving-to-fixed"}
        Which way.

    Returns
    -------
    mapped : (N, 3) array
        NaN where the transform has no answer.
    outside : (N,) bool array
        The point is not in the volume it comes from, or its inverse is not certified or not in
        the fixed volume.
    """
    from clemkit.transforms.io.checked_points import map_checked

    finite = np.all(np.isfinite(points_zyx_nm), axis=1)
    mapped = np.full(points_zyx_nm.shape, np.nan)
    outside = ~finite
    mapped[finite], trusted = map_checked(registered.map_points(direction), points_zyx_nm[finite])
    outside[finite] = ~trusted
    grid = registered.source_grid(direction)
    if grid is not None:
        outside |= ~grid.contains(points_zyx_nm)
    if direction == "moving-to-fixed" and registered.fixed_grid is not None:
        slack = 1e-6 * registered.fixed_grid.extent_zyx_nm  # a point on the face is inside
        index = registered.fixed_grid.to_index(mapped)
        slack = slack / np.array(registered.fixed_grid.voxel_size_zyx_nm)
        last = np.array(registered.fixed_grid.shape_zyx) - 0.5
        outside |= ~np.all((index >= -0.5 - slack) & (index <= last + slack), axis=1)
    return mapped, outside


def certificate(registered: Registered, direction: Direction) -> float | None:
    """Return the largest error of a certified inverse, nm; None where the map is exact."""
    error = getattr(registered.map_points(direction), "max_error_nm", None)
    return None if error is None else float(error)
