"""Array types shared by the numeric rooms, and the check of points at the door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clemkit.errors import ArgumentError, AxisError

__all__ = ["FloatArray", "IntArray", "Triple", "as_points", "as_triple"]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Triple: TypeAlias = tuple[float, float, float]


def as_points(points_zyx_nm: ArrayLike, name: str = "points_zyx_nm") -> FloatArray:
    """Return points as a ``(N, 3)`` float64 array, or say why that is impossible.

    Parameters
    ----------
    points_zyx_nm : (N, 3) array-like
        Points in z, y, x order, nanometres.
    name : str
        The caller's name of the argument, for the message.

    Raises
    ------
    AxisError
        The array is not ``(N, 3)``.
    """
    points = np.asarray(points_zyx_nm, dtype=np.float64)
    if points.size == 0 and points.ndim <= 2:
        return np.zeros((0, 3), dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise AxisError(f"{name}: expected shape (N, 3) in z, y, x order; found {points.shape}")
    return points


def as_triple(values: Sequence[float] | NDArray[Any], name: str) -> Triple:
    """Return three finite floats as a tuple.

    Raises
    ------
    ArgumentError
        Not exactly three values, or one is not finite.
    """
    if len(values) != 3:
        raise ArgumentError(f"{name}: expected three values (z, y, x); found {len(values)}")
    z, y, x = (float(v) for v in values)
    if not all(np.isfinite((z, y, x))):
        raise ArgumentError(f"{name}: expected finite values; found {(z, y, x)}")
    return z, y, x
