"""Target registration error: how far mapped landmarks land from their partners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clemkit.errors import ArgumentError
from clemkit.evaluation.domain import map_with_domain
from clemkit.geometry import FloatArray, Grid, as_points
from clemkit.landmarks import LandmarkPairs
from clemkit.transforms import Transform

__all__ = ["TargetErrors", "bootstrap_median", "landmark_errors", "target_registration_error"]

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TargetErrors:
    """Errors of mapped points, one by one and together.

    The figures count every point that could be mapped, those outside the domain included: leaving
    them out would flatter the result. ``inside()`` gives the figures without them.

    Attributes
    ----------
    ids : tuple of str
        Names of the points.
    mapped_zyx_nm : (N, 3) float array
        Where the transform put them.
    vectors_zyx_nm : (N, 3) float array
        Mapped minus true position.
    outside : (N,) bool array
        Outside the domain of the transform, or not mappable (not finite).
    low_nm, high_nm : float
        90 % bootstrap interval of the median; NaN with fewer than two points.
    """

    ids: tuple[str, ...]
    mapped_zyx_nm: FloatArray
    vectors_zyx_nm: FloatArray
    outside: NDArray[np.bool_]
    low_nm: float
    high_nm: float

    @property
    def lengths_nm(self) -> FloatArray:
        """Error of each point, ``(N,)``; NaN where the transform gave no position."""
        return np.linalg.norm(self.vectors_zyx_nm, axis=1)

    @property
    def n(self) -> int:
        """Number of points in the figures."""
        return int(np.isfinite(self.lengths_nm).sum())

    @property
    def n_outside(self) -> int:
        """Number of points flagged as outside."""
        return int(self.outside.sum())

    @property
    def median_nm(self) -> float:
        """Median error."""
        return self._figure(np.median)

    @property
    def mean_nm(self) -> float:
        """Mean error."""
        return self._figure(np.mean)

    @property
    def p90_nm(self) -> float:
        """90th percentile."""
        return self._figure(lambda lengths: np.percentile(lengths, 90))

    @property
    def p95_nm(self) -> float:
        """95th percentile."""
        return self._figure(lambda lengths: np.percentile(lengths, 95))

    @property
    def max_nm(self) -> float:
        """Largest error."""
        return self._figure(np.max)

    def inside(self, seed: int = 0) -> TargetErrors:
        """Return the errors of the points that are not flagged as outside."""
        keep = ~self.outside
        low, high = bootstrap_median(self.lengths_nm[keep], seed=seed)
        return TargetErrors(
            ids=tuple(name for name, kept in zip(self.ids, keep, strict=True) if kept),
            mapped_zyx_nm=self.mapped_zyx_nm[keep],
            vectors_zyx_nm=self.vectors_zyx_nm[keep],
            outside=self.outside[keep],
            low_nm=low,
            high_nm=high,
        )

    def _figure(self, reduce: Callable[[FloatArray], Any]) -> float:
        lengths = self.lengths_nm
        lengths = lengths[np.isfinite(lengths)]
        return float(reduce(lengths)) if len(lengths) else float("nan")


def bootstrap_median(
    lengths_nm: ArrayLike, *, level: float = 0.9, seed: int = 0, resamples: int = _RESAMPLES
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a median [1]_.

    Parameters
    ----------
    lengths_nm : (N,) array-like
        Errors; values that are not finite are left out.
    level : float
        Coverage, between 0 and 1.
    seed : int
        Seed of the resampling.
    resamples : int
        Number of resamples.

    Returns
    -------
    low, high : float
        NaN, NaN with fewer than two values.

    References
    ----------
    .. [1] B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    if not 0 < level < 1:
        raise ArgumentError(f"level: expected a share between 0 and 1; found {level}")
    values = np.asarray(lengths_nm, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    medians = np.empty(resamples)
    for i in range(resamples):  # one at a time: N x resamples would not stay small
        medians[i] = np.median(rng.choice(values, len(values)))
    low, high = np.percentile(medians, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def target_registration_error(
    transform: Transform,
    source_points_zyx_nm: ArrayLike,
    target_points_zyx_nm: ArrayLike,
    *,
    ids: Sequence[str] | None = None,
    domain: Grid | None = None,
    seed: int = 0,
) -> TargetErrors:
    """Map points and measure how far they land from where they should.

    Parameters
    ----------
    transform : Transform
        Maps the source points.
    source_points_zyx_nm, target_points_zyx_nm : (N, 3) array-like
        Corresponding points in the source and the target space of *transform*.
    ids : sequence of str, optional
        Names; numbers from 1 if absent.
    domain : Grid, optional
        Narrower bounds than the transform's own, in its source space; points beyond are flagged.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    ArgumentError
        No points, or different numbers of points.
    """
    source = as_points(source_points_zyx_nm, "source_points_zyx_nm")
    target = as_points(target_points_zyx_nm, "target_points_zyx_nm")
    if len(source) != len(target) or not len(source):
        raise ArgumentError(
            "target registration error: expected as many source as target points, at least one; "
            f"found {len(source)} and {len(target)}"
        )
    names = tuple(ids) if ids is not None else tuple(str(i + 1) for i in range(len(source)))
    if len(names) != len(source):
        raise ArgumentError(f"ids: expected {len(source)} names; found {len(names)}")
    mapped, inside = map_with_domain(transform, source)
    vectors = mapped - target
    finite = np.all(np.isfinite(vectors), axis=1, keepdims=True)
    vectors = np.where(finite, vectors, np.nan)
    outside = np.logical_not(inside)
    if domain is not None:
        outside = np.logical_or(outside, np.logical_not(domain.contains(source)))
    low, high = bootstrap_median(np.linalg.norm(vectors, axis=1), seed=seed)
    return TargetErrors(
        ids=names,
        mapped_zyx_nm=mapped,
        vectors_zyx_nm=vectors,
        outside=outside,
        low_nm=low,
        high_nm=high,
    )


def landmark_errors(
    transform: Transform, pairs: LandmarkPairs, *, domain: Grid | None = None, seed: int = 0
) -> TargetErrors:
    """Measure a transform at landmark pairs, in the transform's target space.

    The direction follows from the spaces: a fixed → moving transform maps the fixed landmarks and
    is judged in the moving space, and the other way round.

    Raises
    ------
    ArgumentError
        The transform's spaces are not those of the pairs.
    """
    sides = {pairs.fixed.space: pairs.fixed, pairs.moving.space: pairs.moving}
    if len(sides) != 2 or {transform.source, transform.target} != set(sides):
        raise ArgumentError(
            "target registration error: expected a transform between the landmarks' spaces "
            f"{pairs.fixed.space} and {pairs.moving.space}; found {transform.source} to "
            f"{transform.target}"
        )
    return target_registration_error(
        transform,
        sides[transform.source].points_zyx_nm,
        sides[transform.target].points_zyx_nm,
        ids=pairs.ids,
        domain=domain,
        seed=seed,
    )
