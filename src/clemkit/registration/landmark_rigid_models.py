"""Rigid, similarity and affine fits of landmarks with exact leave-one-out residuals."""

from __future__ import annotations

from typing import Literal

import numpy as np

from clemkit.geometry import FloatArray, Space
from clemkit.transforms import Affine, fit_affine, fit_rigid, fit_similarity

__all__ = ["AffineModel", "fit_affine_model", "leave_one_out_affine", "minimum_landmarks"]

AffineModel = Literal["rigid", "similarity", "affine"]


def minimum_landmarks(model: str, planar: bool) -> int:
    """Return how many landmarks a model needs at least."""
    if model == "affine":
        return 3 if planar else 4
    if model == "tps":
        return 4 if planar else 5
    return 2 if planar else 3


def fit_affine_model(
    model: AffineModel,
    source_points: FloatArray,
    target_points: FloatArray,
    *,
    source: Space,
    target: Space,
    weights: FloatArray,
    mirror: bool,
    planar: bool,
) -> Affine:
    """Fit one of the three models; *mirror* allows a negative determinant.

    Raises
    ------
    DegenerateLandmarksError, TooFewLandmarksError, RegistrationError
        As the fits of :mod:`clemkit.transforms`.
    """
    fit = {"rigid": fit_rigid, "similarity": fit_similarity, "affine": fit_affine}[model]
    return fit(
        source_points,
        target_points,
        source=source,
        target=target,
        weights=weights,
        allow_reflection=mirror,
        planar=planar,
    )


def leave_one_out_affine(
    model: AffineModel,
    source_points: FloatArray,
    target_points: FloatArray,
    *,
    weights: FloatArray,
    mirror: bool,
    planar: bool,
) -> FloatArray:
    """Return target minus its prediction from all other landmarks, ``(N, 3)``.

    All N fits are made at once from downdated moments; a landmark whose absence leaves too few
    gives NaN.
    """
    n = len(source_points)
    if n <= minimum_landmarks(model, planar):
        return np.full((n, 3), np.nan)
    axes = slice(1, 3) if planar else slice(0, 3)
    # about the centroid and scaled, since moments square the numbers
    x, y = source_points[:, axes], target_points[:, axes]
    x0, y0 = x.mean(axis=0), y.mean(axis=0)
    unit = float(np.abs(x - x0).max())
    x, y = (x - x0) / unit, (y - y0) / unit
    w = weights / weights.sum()
    total = 1.0 - w
    mean_x = (w @ x - w[:, None] * x) / total[:, None]
    mean_y = (w @ y - w[:, None] * y) / total[:, None]
    cross = _without_each(w, y, x, mean_y, mean_x, total)
    square = _without_each(w, x, x, mean_x, mean_x, total)
    if model == "affine":
        linear = cross @ np.linalg.pinv(square, hermitian=True, rcond=1e-12)
    else:
        linear = _rotations(cross, square, mirror, scaled=model == "similarity")
    predicted = mean_y + np.einsum("nij,nj->ni", linear, x - mean_x)
    out = np.zeros((n, 3))
    out[:, axes] = (y - predicted) * unit
    if planar:
        shift = target_points[:, 0] - source_points[:, 0]
        out[:, 0] = shift - (w @ shift - w * shift) / total
    return out


def _without_each(
    w: FloatArray,
    a: FloatArray,
    b: FloatArray,
    mean_a: FloatArray,
    mean_b: FloatArray,
    total: FloatArray,
) -> FloatArray:
    """Return the central cross moments without each landmark, ``(N, D, D)``."""
    full = np.einsum("n,ni,nj->ij", w, a, b)
    own = w[:, None, None] * a[:, :, None] * b[:, None, :]
    return np.asarray(full - own - total[:, None, None] * mean_a[:, :, None] * mean_b[:, None, :])


def _rotations(cross: FloatArray, square: FloatArray, mirror: bool, *, scaled: bool) -> FloatArray:
    u, values, vt = np.linalg.svd(cross)
    hand = np.ones(values.shape)
    flipped = np.linalg.det(u) * np.linalg.det(vt) < 0
    if not mirror:
        hand[flipped, -1] = -1.0
    rotation = (u * hand[:, None, :]) @ vt
    if not scaled:
        return np.asarray(rotation)
    scale = np.sum(values * hand, axis=1) / np.trace(square, axis1=1, axis2=2)
    return np.asarray(scale[:, None, None] * rotation)
