"""An honest error from leave-one-out residuals: median, its interval, and where it is weak."""

from __future__ import annotations

from typing import Any

import numpy as np

from clemkit.geometry import FloatArray
from clemkit.registration.result import ErrorEstimate

__all__ = ["leave_one_out_estimate"]

_RESAMPLES = 1000
_PER_REGION = 10  # landmarks that a region should hold on average


def leave_one_out_estimate(
    errors_nm: FloatArray, points_zyx_nm: FloatArray, seed: int
) -> ErrorEstimate:
    """Summarise leave-one-out errors.

    Each error contains the localisation error of the landmark itself, so the error of the map at
    a perfectly placed point is smaller.

    Parameters
    ----------
    errors_nm : (N,) float array
        Error at each landmark when it was left out; NaN where there is none.
    points_zyx_nm : (N, 3) float array
        Landmarks in the fixed space.
    seed : int
        For the bootstrap.
    """
    good = np.isfinite(errors_nm)
    errors, points = errors_nm[good], points_zyx_nm[good]
    if len(errors) < 2:
        nan = float("nan")
        return ErrorEstimate(
            median_nm=nan, p90_nm=nan, low_nm=nan, high_nm=nan, kind="none", count=0
        )
    rng = np.random.default_rng(seed)
    low, high = _interval(errors, rng)
    return ErrorEstimate(
        median_nm=float(np.median(errors)),
        p90_nm=float(np.percentile(errors, 90)),
        low_nm=low,
        high_nm=high,
        kind="leave-one-out",
        count=len(errors),
        regions=tuple(_regions(errors, points, rng)),
    )


def _interval(errors: FloatArray, rng: np.random.Generator) -> tuple[float, float]:
    """Return the 90 % bootstrap interval of the median."""
    medians = np.empty(_RESAMPLES)
    for start in range(0, _RESAMPLES, 100):  # in blocks, to bound memory
        rows = rng.integers(0, len(errors), (100, len(errors)))
        medians[start : start + 100] = np.median(errors[rows], axis=1)
    low, high = np.percentile(medians, [5, 95])
    return float(low), float(high)


def _regions(
    errors: FloatArray, points: FloatArray, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Cut the bounding box of the landmarks into roughly cubic regions."""
    low = points.min(axis=0)
    extent = np.ptp(points, axis=0)
    cells = np.ones(3, dtype=int)
    while np.prod(cells) * _PER_REGION < len(points) and cells.max() < 6:
        cells[int(np.argmax(extent / cells))] += 1
    size = np.where(extent > 0, extent, 1.0) / cells
    index = np.minimum(((points - low) / size).astype(int), cells - 1)
    found = []
    for cell in np.ndindex(*cells.tolist()):
        inside = errors[np.all(index == cell, axis=1)]
        region: dict[str, Any] = {
            "centre_zyx_nm": [float(v) for v in low + (np.array(cell) + 0.5) * size],
            "size_zyx_nm": [float(v) for v in size],
            "count": len(inside),
        }
        if len(inside) >= 3:  # fewer give no median worth its interval
            region["median_nm"] = float(np.median(inside))
            region["low_nm"], region["high_nm"] = _interval(inside, rng)
        found.append(region)
    return found
