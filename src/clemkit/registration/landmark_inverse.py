"""The other direction of a landmark fit, with its measured error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clemkit.errors import FoldingError, NotInvertibleError, Problem
from clemkit.geometry import FloatArray, Grid, as_triple
from clemkit.registration.result import JacobianSummary
from clemkit.transforms import Affine, ThinPlateSpline, Transform, determinant_map
from clemkit.transforms.inverse import numerical_inverse

__all__ = ["domain_of", "inverse_of", "jacobian_of"]

_MARGIN = 0.1  # of the extent, on each side
_CELLS = 12  # per longest side


def domain_of(points_zyx_nm: FloatArray, transform: Transform, margin: float = _MARGIN) -> Grid:
    """Return a coarse grid over the bounding box of the landmarks, grown by *margin*."""
    low, high = points_zyx_nm.min(axis=0), points_zyx_nm.max(axis=0)
    extent = np.maximum(high - low, 1e-3 * np.max(high - low))
    low, extent = (low + high) / 2 - extent * (0.5 + margin), extent * (1 + 2 * margin)
    shape = np.maximum(np.round(_CELLS * extent / extent.max()).astype(int), 2)
    return Grid(
        space=transform.source,
        shape_zyx=(int(shape[0]), int(shape[1]), int(shape[2])),
        voxel_size_zyx_nm=as_triple(extent / shape, "voxel"),
        origin_zyx_nm=as_triple(low + extent / shape / 2, "origin"),
    )


def jacobian_of(transform: Transform, points_zyx_nm: FloatArray) -> JacobianSummary:
    """Sample the volume change relative to the affine part over the landmarks' bounding box."""
    affine = transform.affine if isinstance(transform, ThinPlateSpline) else transform
    values = determinant_map(transform, domain_of(points_zyx_nm, transform, 0.0), affine)
    return JacobianSummary(
        min=float(values.min()),
        max=float(values.max()),
        folded_fraction=float(np.mean(values <= 0)),
    )


def inverse_of(
    transform: Transform,
    points_zyx_nm: FloatArray,
    fit_backwards: Callable[[], Transform],
) -> tuple[Transform, float, tuple[Problem, ...]]:
    """Return the inverse, the largest round-trip error (nm), and findings.

    An affine is inverted exactly, a spline numerically over the box of the landmarks plus a margin,
    or without the margin if it folds there. Where it folds among the landmarks no inverse
    exists: then the same model is fitted in the other direction, and the round trip over the
    landmarks says how far the two are from being inverse.

    Parameters
    ----------
    transform : Transform
        Fixed to moving.
    points_zyx_nm : (N, 3) float array
        Landmarks in its source space.
    fit_backwards : callable
        Fits moving to fixed.
    """
    if isinstance(transform, Affine):
        return transform.inverse(), 0.0, ()
    extent = float(np.max(np.ptp(points_zyx_nm, axis=0)))
    reach = float(np.max(np.abs(points_zyx_nm)))
    tolerance = max(0.01, 1e-9 * (extent + reach))  # below it rounding decides
    for margin in (_MARGIN, 0.0):
        try:
            inverse = numerical_inverse(
                transform,
                domain=domain_of(points_zyx_nm, transform, margin),
                tolerance_nm=tolerance,
                outside="extend",
                samples=4000,
            )
        except (FoldingError, NotInvertibleError) as error:
            reason = str(error)
            continue
        return inverse, inverse.max_error_nm, ()
    backwards = fit_backwards()
    there = transform.apply_points(points_zyx_nm)
    error_nm = float(np.max(np.linalg.norm(backwards.apply_points(there) - points_zyx_nm, axis=1)))
    finding = Problem(
        ("inverse",),
        "landmarks.folded",
        "warning",
        f"the map folds between landmarks, so it has no inverse ({reason}); the other direction "
        f"was fitted by itself and misses the round trip by up to {error_nm:.4g} nm at the "
        "landmarks",
        "check the pairs there, or pass a larger smoothing",
    )
    return backwards, error_nm, (finding,)
