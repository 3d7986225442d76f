"""Where a transform may be trusted: map points and say which lie in its domain."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clemkit.geometry import FloatArray, as_points
from clemkit.transforms import Chain, Transform

__all__ = ["map_with_domain"]


def map_with_domain(
    transform: Transform, points_zyx_nm: ArrayLike
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Map points through a transform and flag those outside the domain of any of its parts.

    Parts with a domain are B-splines, displacement fields (``contains``) and certified inverses
    (``apply_points_checked``); the others are defined everywhere.

    Parameters
    ----------
    transform : Transform
        Any transform; chains are followed part by part.
    points_zyx_nm : (N, 3) array-like
        Points in the source space.

    Returns
    -------
    mapped : (N, 3) float array
        NaN where no position exists.
    inside : (N,) bool array
        Whether the point is mapped and inside every domain on its way.
    """
    mapped = as_points(points_zyx_nm)
    inside = np.ones(len(mapped), dtype=bool)
    for part in transform.parts if isinstance(transform, Chain) else (transform,):
        usable = np.isfinite(mapped).all(axis=1)
        out = np.full(mapped.shape, np.nan)
        trusted = np.zeros(len(mapped), dtype=bool)
        if usable.any():
            out[usable], trusted[usable] = _map_part(part, mapped[usable])
        mapped = out
        inside &= trusted
    return mapped, inside & np.isfinite(mapped).all(axis=1)


def _map_part(part: Transform, points: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    checked = getattr(part, "apply_points_checked", None)
    if checked is not None:
        out, inside = checked(points)
        return out, np.asarray(inside, dtype=bool)
    contains = getattr(part, "contains", None)
    within = np.ones(len(points), dtype=bool) if contains is None else contains(points)
    return part.apply_points(points), np.asarray(within, dtype=bool)
