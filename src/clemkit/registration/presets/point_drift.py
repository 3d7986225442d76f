"""Coherent point drift: rigid, affine and smooth maps between point clouds without partners.

A. Myronenko, X. Song, "Point set registration: coherent point drift", IEEE PAMI 32(12),
2262-2275, 2010: points of the source are centres of a Gaussian mixture that the target's points
are drawn from; expectation maximisation moves the centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError, NotConvergedError, TooFewLandmarksError
from clemkit.geometry import FloatArray, as_points

__all__ = ["Drift", "coherent_point_drift"]

Model = Literal["rigid", "similarity", "affine", "smooth"]
_CHUNK = 4_000_000  # pairs at once
_REACH = 4.5  # standard deviations kept by the truncated step
_LEAST_POINTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """Where the source points went.

    Attributes
    ----------
    linear : (3, 3) float array
        Linear part; the best affine one for a smooth drift.
    translation_zyx_nm : (3,) float array
        ``moved = linear @ source + translation`` unless the drift is smooth.
    moved_zyx_nm : (M, 3) float array
        Source points on the target.
    expected_zyx_nm : (M, 3) float array
        Mean of the target points that each source point explains; the moved point where none.
    support : (M,) float array
        Number of target points that each source point explains.
    sigma_nm : float
        Standard deviation of the mixture along one axis.
    iterations : int
    """

    linear: FloatArray
    translation_zyx_nm: FloatArray
    moved_zyx_nm: FloatArray
    expected_zyx_nm: FloatArray
    support: FloatArray
    sigma_nm: float
    iterations: int


def coherent_point_drift(
    source_zyx_nm: ArrayLike,
    target_zyx_nm: ArrayLike,
    *,
    model: Model = "similarity",
    outliers: float = 0.1,
    sigma_nm: float | None = None,
    least_sigma_nm: float = 1.0,
    stiffness: float = 3.0,
    smoothness_nm: float | None = None,
    rank: int = 100,
    iterations: int = 100,
    tolerance: float = 1e-4,
) -> Drift:
    """Move *source* onto *target*.

    Parameters
    ----------
    source_zyx_nm, target_zyx_nm : (M, 3) and (N, 3) array-like
        Point clouds, already roughly in place.
    model : {"rigid", "similarity", "affine", "smooth"}
        What may change; a smooth drift moves points like a Gaussian-filtered velocity field.
    outliers : float
        Expected share of target points without a source, 0 to below 1.
    sigma_nm : float, optional
        First width; default from all distances.
    least_sigma_nm : float
        Iteration ends below this width.
    stiffness, smoothness_nm : float
        Weight and width of the smooth model; the width defaults to a quarter of the extent.
    rank : int
        Eigenvectors kept of the smooth model.
    iterations : int
        At most.
    tolerance : float
        Relative change of the width that ends the iteration.

    Returns
    -------
    Drift

    Raises
    ------
    TooFewLandmarksError
        Fewer than four points on a side.
    NotConvergedError
        No source point explains any target point.
    ArgumentError
        An argument is out of its range.
    """
    source, target = as_points(source_zyx_nm, "source"), as_points(target_zyx_nm, "target")
    if min(len(source), len(target)) < _LEAST_POINTS:
        raise TooFewLandmarksError(
            f"coherent point drift: expected at least {_LEAST_POINTS} points on each side; found "
            f"{len(source)} and {len(target)}"
        )
    if not 0 <= outliers < 1:
        raise ArgumentError(f"outliers: expected 0 to below 1; found {outliers}")
    spread = source - source.mean(axis=0)
    size = float(np.sqrt(np.mean(spread**2)))
    field = (
        _SmoothField(source, smoothness_nm or 0.25 * float(np.ptp(source, axis=0).max()), rank)
        if model == "smooth"
        else None
    )
    linear, shift, moved = np.eye(3), np.zeros(3), source
    sigma = sigma_nm or float(np.sqrt(_mean_squared_distance(source, target)))
    done = 0
    for done in range(1, iterations + 1):  # noqa: B007 - reported
        support, weighted, squares = _expectation(moved, target, sigma, outliers)
        total = float(support.sum())
        if not total > 1e-6 * len(source):
            raise NotConvergedError(
                "coherent point drift: expected overlapping clouds; found that no source point "
                "explains a target point; give a better start"
            )
        if field is not None:
            moved = source + field.solve(support, weighted, stiffness * (sigma / size) ** 2)
        else:
            linear, shift = _maximisation(source, support, weighted, total, model)
            moved = source @ linear.T + shift
        left = squares - 2 * float(np.sum(weighted * moved)) + float(support @ (moved**2).sum(1))
        new = np.sqrt(max(left / (3 * total), 0.0))
        change = abs(sigma - new) / sigma
        sigma = max(float(new), 1e-3 * least_sigma_nm)
        if sigma <= least_sigma_nm or change < tolerance:
            break
    support, weighted, _ = _expectation(moved, target, sigma, outliers)
    known = support > 1e-6
    expected = moved.copy()
    expected[known] = weighted[known] / support[known, None]
    if field is not None:
        design = np.column_stack([source, np.ones(len(source))])
        solution = np.linalg.lstsq(design, moved, rcond=None)[0]
        linear, shift = np.asarray(solution[:3].T, np.float64), np.asarray(solution[3], np.float64)
    return Drift(linear, shift, moved, expected, support, sigma, done)


def _mean_squared_distance(a: FloatArray, b: FloatArray) -> float:
    """Return the mean of squared distances over all pairs, per axis."""
    between = a.mean(axis=0) - b.mean(axis=0)
    return float((a.var(axis=0).sum() + b.var(axis=0).sum() + between @ between) / 3)


def _expectation(
    moved: FloatArray, target: FloatArray, sigma: float, outliers: float
) -> tuple[FloatArray, FloatArray, float]:
    """Return support (M,), weighted target sums (M, 3) and the explained sum of squares."""
    m, n = len(moved), len(target)
    # the paper's 1 / N is the background's density only in normalised units
    volume = max(float(np.prod(np.ptp(target, axis=0))), 1e-300)
    uniform = (2 * np.pi * sigma**2) ** 1.5 * outliers / (1 - outliers) * m / volume
    extent = float(np.ptp(target, axis=0).max())
    if _REACH * sigma < 0.15 * extent:
        return _near(moved, target, sigma, uniform)
    support, weighted, squares = np.zeros(m), np.zeros((m, 3)), 0.0
    norms = (moved**2).sum(axis=1)
    for start in range(0, n, step := max(_CHUNK // m, 1)):
        part = target[start : start + step]
        distance = norms[:, None] - 2 * moved @ part.T + (part**2).sum(axis=1)
        kernel = np.exp(np.maximum(distance, 0) / (-2 * sigma**2))
        kernel /= kernel.sum(axis=0) + uniform + 1e-300
        support += kernel.sum(axis=1)
        weighted += kernel @ part
        squares += float(kernel.sum(axis=0) @ (part**2).sum(axis=1))
    return support, weighted, squares


def _near(
    moved: FloatArray, target: FloatArray, sigma: float, uniform: float
) -> tuple[FloatArray, FloatArray, float]:
    """Return the same from pairs within reach only, found with trees."""
    from scipy.sparse import coo_array
    from scipy.spatial import cKDTree

    pairs = cKDTree(moved).sparse_distance_matrix(
        cKDTree(target), _REACH * sigma, output_type="ndarray"
    )
    rows, columns = pairs["i"], pairs["j"]
    kernel = np.exp(pairs["v"] ** 2 / (-2 * sigma**2))
    n = len(target)
    kernel /= (np.bincount(columns, kernel, n) + uniform + 1e-300)[columns]
    matrix = coo_array((kernel, (rows, columns)), shape=(len(moved), n)).tocsr()
    explained = np.bincount(columns, kernel, n)
    return (
        np.asarray(matrix.sum(axis=1)).ravel(),
        np.asarray(matrix @ target),
        float(explained @ (target**2).sum(axis=1)),
    )


def _maximisation(
    source: FloatArray, support: FloatArray, weighted: FloatArray, total: float, model: Model
) -> tuple[FloatArray, FloatArray]:
    mean_target = weighted.sum(axis=0) / total
    mean_source = support @ source / total
    centred = source - mean_source
    cross = (weighted - support[:, None] * mean_target).T @ centred
    inertia = (centred * support[:, None]).T @ centred
    if model == "affine":
        ridge = 1e-9 * np.trace(inertia) * np.eye(3)  # flat clouds
        linear = np.linalg.solve(inertia + ridge, cross.T).T
    else:
        u, values, vt = np.linalg.svd(cross)
        signs = np.array([1.0, 1.0, np.linalg.det(u @ vt)])
        linear = (u * signs) @ vt
        if model == "similarity":
            linear = linear * float(values @ signs) / float(np.trace(inertia))
    return linear, mean_target - linear @ mean_source


class _SmoothField:
    """Displacements that a Gaussian kernel spans, by its leading eigenvectors."""

    def __init__(self, source: FloatArray, width_nm: float, rank: int) -> None:
        from scipy.linalg import eigh

        m = len(source)
        norms = (source**2).sum(axis=1)
        distance = norms[:, None] - 2 * source @ source.T + norms[None]
        kernel = np.exp(np.maximum(distance, 0) / (-2 * width_nm**2))
        values, vectors = eigh(kernel, subset_by_index=(max(m - rank, 0), m - 1))
        kept = values > 1e-9 * values[-1]
        self.values, self.vectors, self.source = values[kept], vectors[:, kept], source

    def solve(self, support: FloatArray, weighted: FloatArray, weight: float) -> FloatArray:
        """Return the displacements ``G w`` of ``(d(P1) G + weight I) w = P X - d(P1) Y``."""
        wanted = weighted - support[:, None] * self.source
        q = self.vectors
        inner = np.diag(weight / self.values) + (q * support[:, None]).T @ q
        # within the span: G w = Q (weight / L + Q' d(P1) Q)^-1 Q' (P X - d(P1) Y)
        return np.asarray(q @ np.linalg.solve(inner, q.T @ wanted), dtype=np.float64)
