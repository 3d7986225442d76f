"""Landmark pairs from which BigWarp rebuilds a transform, and how well it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clemkit.geometry import FloatArray, Grid
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.transforms import Affine, Transform, compose, fit_thin_plate_spline

__all__ = ["Rebuilt", "rebuild_with_pairs"]

_MOST_PAIRS = 700  # BigWarp solves a dense system at every edit
_CHECKS = 2000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rebuilt:
    """Pairs on a lattice over the fixed volume.

    Attributes
    ----------
    pairs : LandmarkPairs
    median_nm, max_nm : float
        Distance, in the moving space, between the spline through the pairs and the transform, at
        random places inside the fixed volume.
    """

    pairs: LandmarkPairs
    median_nm: float
    max_nm: float

    def to_dict(self) -> dict[str, float | int]:
        """Return JSON-ready figures."""
        return {"pairs": len(self.pairs), "median_nm": self.median_nm, "max_nm": self.max_nm}


def rebuild_with_pairs(
    fixed_to_moving: Transform, domain: Grid, *, wanted_nm: float, seed: int = 0
) -> Rebuilt:
    """Choose pairs whose interpolating spline comes close to a transform.

    The lattice is refined until the largest error at check points is below *wanted_nm*, or 700
    pairs are reached. The spline is BigWarp's: thin plate with kernel ``r² log r``, fixed to
    moving.

    Parameters
    ----------
    fixed_to_moving : Transform
    domain : Grid
        The fixed volume.
    wanted_nm : float
        Largest error wanted, moving space.
    seed : int
        Of the check points.
    """
    flat = domain.shape_zyx[0] == 1
    rng = np.random.default_rng(seed)
    low, high = domain.corners()[0], domain.corners()[-1]
    if flat:
        low[0] = high[0] = domain.centre_zyx_nm[0]
    checks = low + rng.random((_CHECKS, 3)) * (high - low)
    wanted = fixed_to_moving.apply_points(checks)
    best: Rebuilt | None = None
    affine = isinstance(compose(fixed_to_moving), Affine)
    for per_axis in _lattices(high - low, flat):
        fixed = _lattice(low, high, per_axis)
        moving = fixed_to_moving.apply_points(fixed)
        spline = fit_thin_plate_spline(
            fixed,
            moving,
            source=domain.space,
            target=fixed_to_moving.target,
            kernel="r2_log_r",
            planar=flat,
            allow_reflection=True,
        )
        error = np.linalg.norm(spline.apply_points(checks) - wanted, axis=1)
        found = Rebuilt(
            pairs=_pairs(fixed, moving, domain, fixed_to_moving),
            median_nm=float(np.median(error)),
            max_nm=float(error.max()),
        )
        if best is None or found.max_nm < best.max_nm:
            best = found
        if affine or best.max_nm <= wanted_nm:
            break
    assert best is not None
    return best


def _lattices(extent: FloatArray, flat: bool) -> list[tuple[int, int, int]]:
    """Return lattices of growing size, points about equally far apart along each axis."""
    axes = extent[1:] if flat else extent
    shapes = []
    for step in axes.max() / np.array([2.0, 3.0, 4.5, 6.0, 8.0, 10.0, 13.0, 17.0, 22.0]):
        z, y, x = (max(round(e / step) + 1, 2) for e in extent)
        shape = (1 if flat else z, y, x)
        if shape[0] * y * x <= _MOST_PAIRS and shape not in shapes:
            shapes.append(shape)
    return shapes or [(1 if flat else 2, 2, 2)]


def _lattice(low: FloatArray, high: FloatArray, shape: tuple[int, int, int]) -> FloatArray:
    axes = [
        np.linspace(a, b, n) if n > 1 else np.array([(a + b) / 2])
        for a, b, n in zip(low, high, shape, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _pairs(
    fixed: FloatArray, moving: FloatArray, domain: Grid, transform: Transform
) -> LandmarkPairs:
    ids = tuple(f"Pt-{n}" for n in range(len(fixed)))
    return LandmarkPairs(
        moving=LandmarkSet(space=transform.target, ids=ids, points_zyx_nm=moving),
        fixed=LandmarkSet(space=domain.space, ids=ids, points_zyx_nm=fixed),
    )
