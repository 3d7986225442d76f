"""How landmarks lie in space: on a line, in a plane, in a thin slab, or well spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clemkit.errors import DegenerateLandmarksError, Problem, TooFewLandmarksError
from clemkit.geometry import FloatArray
from clemkit.landmarks import LandmarkPairs

__all__ = ["LandmarkShape", "landmark_shape"]

_FLAT = 1e-4  # of the largest spread: thinner is a plane for every practical purpose
_THIN = 0.02


@dataclass(frozen=True, slots=True)
class LandmarkShape:
    """What the spread of the landmarks allows.

    Attributes
    ----------
    planar : bool
        All landmarks lie at one z on each side: a two-dimensional problem.
    coplanar : bool
        They lie in one plane that is not of constant z on both sides: no affine, no spline.
    fixed_spread : bool
        The fixed side has depth, so that an affine of it is determined.
    findings : tuple of Problem
        What the user should know.
    """

    planar: bool
    coplanar: bool
    fixed_spread: bool
    findings: tuple[Problem, ...]


def landmark_shape(pairs: LandmarkPairs) -> LandmarkShape:
    """Judge the spread of both sides.

    Raises
    ------
    TooFewLandmarksError
        Fewer than three distinct landmarks.
    DegenerateLandmarksError
        They lie on a line or in one point.
    """
    what = f"landmarks {pairs.moving.space} to {pairs.fixed.space}"
    if len(pairs) < 3:
        raise TooFewLandmarksError(
            f"{what}: expected at least 3 distinct landmarks; found {len(pairs)}; add landmarks"
        )
    fixed, moving = pairs.fixed.points_zyx_nm, pairs.moving.points_zyx_nm
    spreads = [_spread(fixed), _spread(moving)]
    for side, spread in zip(("fixed", "moving"), spreads, strict=True):
        if spread[0] == 0 or spread[1] < _FLAT * spread[0]:
            found = "one point" if spread[0] == 0 else "a line"
            raise DegenerateLandmarksError(
                f"{what}: expected {side} landmarks that are not collinear; found all "
                f"{len(pairs)} on {found}; add landmarks elsewhere"
            )
    flat = [bool(np.ptp(p[:, 0]) <= 1e-9 * np.max(np.ptp(p, axis=0))) for p in (fixed, moving)]
    if all(flat):
        finding = Problem(
            ("landmarks",),
            "landmarks.two-dimensional",
            "warning",
            "all landmarks lie at one z on both sides: fitted in the plane, z is shifted only",
        )
        return LandmarkShape(True, False, False, (finding,))
    thin = min(float(spread[2] / spread[0]) for spread in spreads)
    if thin < _FLAT:
        finding = Problem(
            ("landmarks",),
            "landmarks.coplanar",
            "warning",
            "all landmarks lie in one plane: depth and handedness cannot be told from them, so the "
            "model is a rigid or similarity map",
            "add landmarks at other depths",
        )
        return LandmarkShape(False, True, False, (finding,))
    findings: tuple[Problem, ...] = ()
    if thin < _THIN:
        findings = (
            Problem(
                ("landmarks",),
                "landmarks.thin",
                "warning",
                f"the landmarks form a thin slab ({thin:.1%} as thick as long): the map is not "
                "known away from it",
                "add landmarks at other depths",
            ),
        )
    return LandmarkShape(False, False, bool(spreads[0][2] >= _THIN * spreads[0][0]), findings)


def _spread(points: FloatArray) -> FloatArray:
    centred = points - points.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    return np.asarray(np.pad(values, (0, 3 - len(values))))
