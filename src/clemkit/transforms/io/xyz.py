"""The one place where z-y-x nanometres meet x-y-z in another unit.

Foreign formats list x first. Reversing the axes of both sides of a map reverses the rows and the
columns of its matrix; it is a relabelling, not a mirror: handedness stays as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import FormatError
from clemkit.geometry import FloatArray, Space, as_points, nanometres_per
from clemkit.transforms.affine import Affine

__all__ = ["affine_from_xyz", "affine_to_xyz", "points_from_xyz", "points_to_xyz"]


def affine_to_xyz(affine: Affine, unit: str) -> FloatArray:
    """Return an affine as ``(3, 4)`` rows for column vectors ``(x, y, z, 1)`` in *unit*."""
    rows = affine.matrix[:3][::-1][:, [2, 1, 0, 3]].copy()
    rows[:, 3] /= nanometres_per(unit)
    return rows


def affine_from_xyz(
    numbers: ArrayLike, unit: str, *, source: Space, target: Space, path: object = "affine"
) -> Affine:
    """Build an affine from 12 row-major numbers (or ``(3, 4)``) in x, y, z order.

    Raises
    ------
    FormatError
        Not twelve finite numbers; *path* names the file in the message.
    """
    try:
        rows = np.asarray(numbers, dtype=np.float64)
    except (TypeError, ValueError):
        raise FormatError(
            str(path), f"expected 12 numbers of a 3 x 4 affine; found {numbers!r}"
        ) from None
    if rows.size != 12 or not np.all(np.isfinite(rows)):
        raise FormatError(
            str(path),
            f"expected 12 finite numbers of a 3 x 4 affine, row by row; found {rows.size}"
            + ("" if rows.size != 12 else ", some not finite"),
        )
    matrix = np.eye(4)
    matrix[:3] = rows.reshape(3, 4)[::-1][:, [2, 1, 0, 3]]
    matrix[:3, 3] *= nanometres_per(unit)
    return Affine(matrix, source=source, target=target)


def points_to_xyz(points_zyx_nm: ArrayLike, unit: str) -> FloatArray:
    """Return points ``(N, 3)`` as x, y, z in *unit*."""
    return as_points(points_zyx_nm)[:, ::-1] / nanometres_per(unit)


def points_from_xyz(points_xyz: ArrayLike, unit: str) -> FloatArray:
    """Return points ``(N, 3)`` given as x, y, z in *unit* as z, y, x in nanometres."""
    return as_points(points_xyz, "points_xyz")[:, ::-1] * nanometres_per(unit)
