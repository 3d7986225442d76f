"""How much a thin-plate spline should smooth: leave-one-out and generalised cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError, TooFewLandmarksError
from clemkit.geometry import FloatArray
from clemkit.transforms.thin_plate_system import Kernel, ThinPlateSystem

__all__ = ["SmoothingChoice", "choose_smoothing", "leave_one_out_residuals"]


@dataclass(frozen=True, slots=True, eq=False)
class SmoothingChoice:
    """The smoothing with the best cross-validation score.

    Attributes
    ----------
    smoothing : float
        For :func:`~clemkit.transforms.fit_thin_plate_spline`; zero interpolates, infinity is the
        affine fit.
    score_nm : float
        Its score; nanometres.
    candidates : (M,) float array
        What was tried, ascending.
    scores_nm : (M,) float array
        Root of the weighted mean square prediction error of each.
    criterion : {"loo", "gcv"}
        How it was scored.
    residuals_nm : (N, 3) float array
        Leave-one-out prediction minus target at the chosen smoothing. Slightly optimistic as an
        accuracy, since the smoothing was chosen with the same landmarks.
    """

    smoothing: float
    score_nm: float
    candidates: FloatArray
    scores_nm: FloatArray
    criterion: Literal["loo", "gcv"]
    residuals_nm: FloatArray


def leave_one_out_residuals(
    source_points: ArrayLike,
    target_points: ArrayLike,
    *,
    smoothing: float = 0.0,
    weights: ArrayLike | None = None,
    ids: Sequence[str] | None = None,
    planar: bool = False,
    kernel: Kernel | None = None,
) -> FloatArray:
    """Predict each landmark from a spline fitted to all others, without refitting.

    Uses the diagonal of the influence matrix [1]_; equals refitting to rounding.

    Parameters
    ----------
    source_points, target_points, smoothing, weights, ids, planar, kernel
        As in :func:`~clemkit.transforms.fit_thin_plate_spline`.

    Returns
    -------
    (N, 3) array
        Prediction minus target, nanometres. Repeats of a landmark are left out together. NaN
        where the others do not determine a spline.

    Raises
    ------
    ArgumentError, TooFewLandmarksError, DegenerateLandmarksError
        As the fit; one landmark more is needed.

    References
    ----------
    .. [1] S. Rippa, "An algorithm for selecting a good value for the parameter c in radial basis
       function interpolation", Adv. Comput. Math. 11, 193-210, 1999; G. Wahba 1990, section 4.2.
    """
    from scipy.linalg import solve_triangular

    system = _build(source_points, target_points, weights, ids, planar, kernel)
    if np.isinf(system.scaled_smoothing(smoothing)):
        basis = system.expand(np.eye(len(system.reduced)))
        inner = basis.T @ system.values
        return _residuals(system, basis @ inner, np.sum(basis**2, axis=1))
    factor = system.cholesky(smoothing)
    rows = system.expand(np.eye(len(system.reduced))).T
    half = solve_triangular(factor, rows, lower=True, check_finite=False)
    return _residuals(system, half.T @ (half @ system.values), np.sum(half**2, axis=0))


def choose_smoothing(
    source_points: ArrayLike,
    target_points: ArrayLike,
    *,
    criterion: Literal["loo", "gcv"] = "loo",
    candidates: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    ids: Sequence[str] | None = None,
    planar: bool = False,
    kernel: Kernel | None = None,
) -> SmoothingChoice:
    """Choose the smoothing of a thin-plate spline from the landmarks alone.

    One eigendecomposition serves all candidates.

    Parameters
    ----------
    source_points, target_points, weights, ids, planar, kernel
        As in :func:`~clemkit.transforms.fit_thin_plate_spline`.
    criterion : {"loo", "gcv"}
        Exact leave-one-out, or generalised cross-validation [1]_, which is less swayed by single
        landmarks with high leverage.
    candidates : (M,) array-like, optional
        Smoothings to try. By default zero, infinity and 61 steps over the eigenvalues' range.

    Raises
    ------
    ArgumentError, TooFewLandmarksError, DegenerateLandmarksError
        As :func:`leave_one_out_residuals`.

    References
    ----------
    .. [1] P. Craven, G. Wahba, "Smoothing noisy data with spline functions", Numer. Math. 31,
       377-403, 1979.
    """
    from scipy.linalg import eigh

    if criterion not in ("loo", "gcv"):
        raise ArgumentError(f"criterion: expected 'loo' or 'gcv'; found {criterion!r}")
    system = _build(source_points, target_points, weights, ids, planar, kernel)
    values, vectors = eigh(system.reduced, check_finite=False)
    floor = float(values[-1]) * len(values) * np.finfo(float).eps
    values = np.maximum(values, floor)
    if candidates is None:
        steps = np.geomspace(values[0] * 1e-2, values[-1] * 1e3, 61)
        tried = np.concatenate([[0.0], steps * system.physical_smoothing(1.0), [np.inf]])
    else:
        tried = np.unique(np.asarray(candidates, dtype=np.float64))
        if tried.size == 0:
            raise ArgumentError("candidates: expected at least one smoothing; found none")
    basis = system.expand(vectors)
    inner = basis.T @ system.values
    squared = basis**2
    scores = np.empty(len(tried))
    for i, smoothing in enumerate(tried):
        shrink = _shrink(values, system.scaled_smoothing(float(smoothing)))
        if criterion == "loo":
            hat = basis @ (shrink[:, None] * inner)
            errors = _residuals(system, hat, squared @ shrink)
            scores[i] = _rms(system, errors)
        else:
            left = np.sum((shrink[:, None] * inner) ** 2)
            n = len(system.pairs)
            mean_weight = float(np.mean(system.pairs.weights))
            scores[i] = np.sqrt(n * left / np.sum(shrink) ** 2 / mean_weight)
    best = int(np.argmin(scores))
    shrink = _shrink(values, system.scaled_smoothing(float(tried[best])))
    hat = basis @ (shrink[:, None] * inner)
    return SmoothingChoice(
        smoothing=float(tried[best]),
        score_nm=float(scores[best]),
        candidates=tried,
        scores_nm=scores,
        criterion=criterion,
        residuals_nm=_residuals(system, hat, squared @ shrink),
    )


def _build(
    source_points: ArrayLike,
    target_points: ArrayLike,
    weights: ArrayLike | None,
    ids: Sequence[str] | None,
    planar: bool,
    kernel: Kernel | None,
) -> ThinPlateSystem:
    system = ThinPlateSystem.build(
        source_points, target_points, weights=weights, ids=ids, planar=planar, kernel=kernel
    )
    if len(system.pairs) <= system.n_polynomial:
        raise TooFewLandmarksError(
            f"leave-one-out: expected at least {system.n_polynomial + 1} distinct landmarks; "
            f"found {len(system.pairs)}"
        )
    return system


def _shrink(values: FloatArray, scaled_smoothing: float) -> FloatArray:
    """Return ``1 / (e + s)`` up to a common factor, which cancels in every score."""
    if np.isinf(scaled_smoothing):
        return np.ones_like(values)
    return 1.0 / (values + scaled_smoothing)


def _residuals(system: ThinPlateSystem, hat: FloatArray, diagonal: FloatArray) -> FloatArray:
    """Turn ``G y`` and diag ``G`` into leave-one-out predictions minus targets, (N, 3)."""
    k = system.n_polynomial
    unit = np.concatenate([np.eye(k), np.zeros((len(system.pairs) - k, k))])
    leverage = np.sum(system.rotate(unit, transpose=False) ** 2, axis=1)
    weights = system.pairs.weights
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = -hat / diagonal[:, None] / np.sqrt(weights)[:, None]
    inside[leverage > 1 - 1e-10] = np.nan
    out = np.zeros((len(system.pairs), 3))
    out[:, system.axes] = inside
    if system.planar:
        # z is a weighted mean shift: leave each landmark out of the mean
        shift = system.pairs.target[:, 0] - system.pairs.source[:, 0]
        total = weights.sum()
        out[:, 0] = (total * system.mean_shift_nm[0] - weights * shift) / (total - weights) - shift
    return out[system.group]


def _rms(system: ThinPlateSystem, residuals: FloatArray) -> float:
    """Weighted root mean square length over the landmarks that can be predicted."""
    first = np.unique(system.group, return_index=True)[1]
    squares = np.sum(residuals[first][:, system.axes] ** 2, axis=1)
    known = np.isfinite(squares)
    weights = system.pairs.weights[known]
    if not weights.size:
        return float("inf")
    return float(np.sqrt(weights @ squares[known] / weights.sum()))
