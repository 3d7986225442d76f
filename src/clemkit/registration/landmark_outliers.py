"""Wrong pairs among landmarks: weights that ignore them, and their names.

A pair is an outlier if its residual, predicted from all other pairs, is far beyond the local
scale: the larger of the overall and the neighbourhood's median residual, times how well that place
can be predicted at all. Strongly deformed regions have large local scales and keep their landmarks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from clemkit.geometry import FloatArray
from clemkit.registration.landmark_spline import chi_median, robust_weights

__all__ = ["Outliers", "RobustFit", "fit_robustly", "starting_weights"]

_LIMITS = (11.0, 14.0)  # in local standard deviations; uneven localisation needs so much
_GROSS = 20.0  # beyond it a pair must help its neighbours much to be kept
_NEIGHBOURS = 10
_ROUNDS = 5
_MILD = 10.0  # degrees of freedom of the final weights
_WASTE = 1.03  # what strong weights must gain, since they are chosen by chance otherwise
_MINIMUM = 8  # fewer landmarks cannot outvote one of them


@dataclass(frozen=True, slots=True, eq=False)
class Outliers:
    """Which pairs were set aside.

    Attributes
    ----------
    mask : (N,) bool array
        True for an outlier.
    severity : (N,) float array
        Leave-one-out residual in local standard deviations.
    swapped : tuple of (int, int)
        Outlier rows that fit each other's target.
    """

    mask: np.ndarray[Any, np.dtype[np.bool_]]
    severity: FloatArray
    swapped: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class RobustFit:
    """What one fit must tell: leave-one-out residuals ``(N, 3)`` and their relative spread."""

    loo_nm: FloatArray
    loo_spread: FloatArray
    model: Any


def starting_weights(
    source: FloatArray, target: FloatArray, dimension: int, seed: int
) -> FloatArray:
    """Return first weights from a least-median affine and the medians of neighbours.

    Parameters
    ----------
    source, target : (N, 3) float array
        Landmarks.
    dimension : int
        3, or 2 for flat data.
    seed : int
        For the random minimal subsets.

    Returns
    -------
    (N,) array
    """
    from scipy.spatial import cKDTree

    n = len(source)
    if n < _MINIMUM:
        return np.ones(n)
    rng = np.random.default_rng(seed)
    x = np.hstack([np.ones((n, 1)), _scaled(source)[:, 3 - dimension :]])
    size = dimension + 2
    trials = np.array([rng.choice(n, size, replace=False) for _ in range(300)])
    solutions = np.linalg.pinv(x[trials]) @ target[trials]
    shown = rng.choice(n, min(n, 400), replace=False)
    errors = np.linalg.norm(x[shown] @ solutions - target[shown], axis=2)
    best = solutions[int(np.argmin(np.median(errors, axis=1)))]
    for _ in range(3):  # refit to the better half
        error = np.linalg.norm(x @ best - target, axis=1)
        half = np.argsort(error)[: max(n // 2, size)]
        best = np.linalg.lstsq(x[half], target[half], rcond=None)[0]
    left = target - x @ best
    near = cKDTree(source).query(source, k=min(_NEIGHBOURS, n // 2) + 1)[1][:, 1:]
    rough = np.linalg.norm(left - np.median(left[near], axis=1), axis=1)
    scale = float(np.median(rough)) / chi_median(dimension)
    return robust_weights(rough / (1.5 * scale + 1e-300), dimension)


def fit_robustly(
    fit: Callable[[FloatArray], RobustFit],
    source: FloatArray,
    target: FloatArray,
    *,
    base_weights: FloatArray,
    start: FloatArray,
    dimension: int,
    rounds: int = _ROUNDS,
) -> tuple[RobustFit, Outliers, FloatArray]:
    """Iterate fit and weights; return the fit, the outliers and the final weights.

    Parameters
    ----------
    fit : callable
        Fits all landmarks with weights ``(N,)``.
    source, target : (N, 3) float array
        Landmarks.
    base_weights : (N,) float array
        From localisation uncertainties, about one.
    start : (N,) float array
        From :func:`starting_weights`.
    dimension : int
        3, or 2 for flat data.
    rounds : int
        Fits at most.
    """
    n = len(source)
    if n < _MINIMUM:
        made = fit(base_weights)
        none = Outliers(np.zeros(n, dtype=bool), np.zeros(n))
        return made, none, base_weights
    # rounding is no outlier, and a perfect fit has no scale
    floor = 1e-9 * float(np.max(np.ptp(target, axis=0))) + 1e-12 * float(np.max(np.abs(target)))
    weights = base_weights * start
    before = np.full(n, -1.0)
    for _ in range(rounds):
        used = weights
        made = fit(used)
        ratio = _standardised(made, base_weights, dimension, floor)
        severity = ratio / _local_excess(source, ratio, dimension)
        limit = _limit(severity)
        mask = severity > limit
        weights = base_weights * robust_weights(ratio, dimension)
        weights[mask] = base_weights[mask] * 1e-4  # no say, yet still predicted
        if np.max(np.abs(weights - used)) < 0.03 or np.max(np.abs(weights - before)) < 0.03:
            break  # settled, or swinging between two states
        before = used
    suspects = mask
    mask = suspects & ~_helpful(fit, made, source, used, base_weights, severity, suspects)
    # the weights above waste good landmarks, and take steep deformation for noise
    plain = np.where(mask, base_weights * 1e-4, base_weights)
    soft = plain * np.where(mask, 1.0, robust_weights(ratio, dimension, _MILD))
    soft[suspects & ~mask] = base_weights[suspects & ~mask]
    strong = np.where(suspects & ~mask, base_weights, used)
    options = [(fit(each), each) for each in (plain, soft)]
    options.append((made, used) if np.array_equal(strong, used) else (fit(strong), strong))
    errors = [_mean_error(option, ~mask) for option, _ in options]
    errors[-1] *= _WASTE
    made, used = options[int(np.argmin(errors))]
    return made, Outliers(mask, severity, _swaps(made, target, mask, severity, limit)), used


def _helpful(
    fit: Callable[[FloatArray], RobustFit],
    made: RobustFit,
    source: FloatArray,
    weights: FloatArray,
    base_weights: FloatArray,
    severity: FloatArray,
    suspects: np.ndarray[Any, np.dtype[np.bool_]],
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which suspects predict their neighbours better than no landmark would.

    A wrong pair spoils the leave-one-out errors around it; a good one in a steep place, though
    badly predicted itself, improves them.
    """
    from scipy.spatial import cKDTree

    helpful = np.zeros(len(source), dtype=bool)
    trusted = np.flatnonzero(~suspects)
    if not suspects.any() or len(trusted) < _MINIMUM:
        return helpful
    included = fit(np.where(suspects, base_weights, weights))
    without = np.linalg.norm(made.loo_nm, axis=1)
    with_all = np.linalg.norm(included.loo_nm, axis=1)
    rows = np.flatnonzero(suspects)
    near = trusted[cKDTree(source[trusted]).query(source[rows], k=6)[1]]
    enough = np.where(severity[rows] > _GROSS, 0.7, 1.0)
    helpful[rows] = with_all[near].sum(axis=1) < enough * without[near].sum(axis=1)
    return helpful


def _mean_error(made: RobustFit, kept: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    return float(np.mean(np.linalg.norm(made.loo_nm[kept], axis=1)))


def _standardised(
    made: RobustFit, base_weights: FloatArray, dimension: int, floor: float
) -> FloatArray:
    """Return leave-one-out lengths over their expected size, with median about one sigma."""
    length = np.linalg.norm(made.loo_nm, axis=1) * np.sqrt(base_weights)
    spread = made.loo_spread * np.sqrt(base_weights)
    spread = np.clip(spread / np.median(spread), 0.7, 3.0)
    ratio = length / spread
    scale = max(float(np.median(ratio)) / chi_median(dimension), floor)
    return np.asarray(ratio / scale)


def _limit(severity: FloatArray) -> float:
    """Return how severe an outlier is at least: more where the upper quartile is far out."""
    return float(np.clip(2.5 * np.quantile(severity, 0.75), *_LIMITS))


def _local_excess(source: FloatArray, ratio: FloatArray, dimension: int) -> FloatArray:
    """Return how much larger residuals are in each neighbourhood than overall, at least one."""
    from scipy.spatial import cKDTree

    k = min(_NEIGHBOURS, len(source) - 1)
    near = cKDTree(source).query(source, k=k + 1)[1][:, 1:]
    # below the median, so that several wrong pairs together do not hide each other
    local = np.quantile(ratio[near], 0.35, axis=1) / (0.83 * chi_median(dimension))
    return np.maximum(local, 1.0)


def _swaps(
    made: RobustFit,
    target: FloatArray,
    mask: np.ndarray[Any, np.dtype[np.bool_]],
    severity: FloatArray,
    limit: float,
) -> tuple[tuple[int, int], ...]:
    """Return outlier rows whose predictions fit each other's targets much better."""
    rows = [int(row) for row in np.flatnonzero(mask)]
    predicted = target - made.loo_nm
    length = np.linalg.norm(made.loo_nm, axis=1)
    pairs = []
    free = set(rows)
    for i in rows:
        for j in rows:
            if not (i < j and i in free and j in free):
                continue
            a = float(np.linalg.norm(target[j] - predicted[i]))
            b = float(np.linalg.norm(target[i] - predicted[j]))
            # after the exchange both must be inliers
            if severity[i] * a < 0.5 * limit * length[i] and (
                severity[j] * b < 0.5 * limit * length[j]
            ):
                pairs.append((i, j))
                free -= {i, j}
    return tuple(pairs)


def _scaled(points: FloatArray) -> FloatArray:
    centred = points - points.mean(axis=0)
    return np.asarray(centred / max(float(np.abs(centred).max()), 1e-300))
