"""Mapping points through transforms that are not defined everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clemkit.geometry import FloatArray
from clemkit.transforms.base import Transform
from clemkit.transforms.inverse import CertifiedInverse
from clemkit.transforms.io.frame_note import chain_parts, join_parts

__all__ = ["map_checked", "unwrapped"]


def unwrapped(transform: Transform) -> Transform:
    """Return a transform with certified inverses that are exact replaced by what they hold."""
    parts = tuple(
        part.start if isinstance(part, CertifiedInverse) and part.exact else part
        for part in chain_parts(transform)
    )
    return join_parts(parts)


def map_checked(
    transform: Transform, points_zyx_nm: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Map points, and say where the result can be trusted.

    Parameters
    ----------
    transform : Transform
        Any transform; certified inverses are asked which points come from their domain.
    points_zyx_nm : (N, 3) float array
        Points in the source space.

    Returns
    -------
    mapped : (N, 3) array
        NaN where there is no solution at all.
    ok : (N,) bool array
        Whether the point lies where the transform is certified.
    """
    mapped = np.array(points_zyx_nm, dtype=np.float64)
    ok: NDArray[Any] = np.ones(len(mapped), dtype=bool)
    found = ok.copy()
    for part in chain_parts(transform):
        if isinstance(part, CertifiedInverse):
            mapped[found], inside = part.apply_points_checked(mapped[found])
            ok[found] &= inside
            found = np.all(np.isfinite(mapped), axis=1)
        else:
            mapped[found] = part.apply_points(mapped[found])
    return mapped, ok & found
