"""Hypothesis strategies for grids, points and affines; hypothesis itself is not a dependency."""

from __future__ import annotations

from typing import Any

import numpy as np

from clemkit.errors import MissingExtraError
from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine

__all__ = ["affines", "grids", "points"]


def _hypothesis() -> Any:
    try:
        from hypothesis import strategies
    except ImportError as error:
        raise MissingExtraError("hypothesis", "test") from error
    return strategies


def points(*, count_max: int = 20, reach_nm: float = 1e5) -> Any:
    """Return a strategy of ``(N, 3)`` float64 points, nanometres, N from 1 to *count_max*."""
    st = _hypothesis()
    value = st.floats(-reach_nm, reach_nm, allow_nan=False, width=64)
    rows = st.lists(st.tuples(value, value, value), min_size=1, max_size=count_max)
    return rows.map(lambda r: np.array(r, dtype=np.float64))


def grids(*, space: str = "em", edge_max: int = 12) -> Any:
    """Return a strategy of small grids with unequal voxels and origins off zero."""
    st = _hypothesis()
    edge = st.integers(2, edge_max)
    voxel = st.floats(1.0, 500.0, allow_nan=False)
    origin = st.floats(-1e5, 1e5, allow_nan=False)
    return st.builds(
        lambda shape, size, start: Grid(
            space=Space(space), shape_zyx=shape, voxel_size_zyx_nm=size, origin_zyx_nm=start
        ),
        st.tuples(edge, edge, edge),
        st.tuples(voxel, voxel, voxel),
        st.tuples(origin, origin, origin),
    )


def affines(
    *, source: str = "em", target: str = "lm", mirrored: bool | None = None, scale_max: float = 2.0
) -> Any:
    """Return a strategy of well-conditioned affines: rotation, scale, shift, maybe a mirror.

    Parameters
    ----------
    source, target : str
        Names of the spaces.
    mirrored : bool, optional
        Whether they mirror; by default some do.
    scale_max : float
        Scales lie between its reciprocal and itself, each axis.
    """
    st = _hypothesis()
    part = st.floats(-1.0, 1.0, allow_nan=False)
    quaternion = st.tuples(part, part, part, part).filter(lambda q: sum(v * v for v in q) > 0.1)
    scale = st.floats(1.0 / scale_max, scale_max, allow_nan=False)
    shift = st.floats(-1e5, 1e5, allow_nan=False)
    flip = st.booleans() if mirrored is None else st.just(mirrored)

    def build(q: Any, s: Any, t: Any, mirror: bool) -> Affine:
        w, a, b, c = np.array(q) / np.linalg.norm(q)
        turn = np.array(
            [
                [1 - 2 * (b * b + c * c), 2 * (a * b - c * w), 2 * (a * c + b * w)],
                [2 * (a * b + c * w), 1 - 2 * (a * a + c * c), 2 * (b * c - a * w)],
                [2 * (a * c - b * w), 2 * (b * c + a * w), 1 - 2 * (a * a + b * b)],
            ]
        )
        matrix = np.eye(4)
        matrix[:3, :3] = turn @ np.diag(s) @ np.diag([-1.0 if mirror else 1.0, 1.0, 1.0])
        matrix[:3, 3] = t
        return Affine(matrix, source=Space(source), target=Space(target))

    return st.builds(
        build, quaternion, st.tuples(scale, scale, scale), st.tuples(shift, shift, shift), flip
    )
