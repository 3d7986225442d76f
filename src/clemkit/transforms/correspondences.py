"""Corresponding points at the door of a fit: shapes, numbers, repeats, spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError, DegenerateLandmarksError, TooFewLandmarksError
from clemkit.geometry import FloatArray, IntArray, as_points

__all__ = ["Correspondences", "check_correspondences", "check_spread", "merge_repeats"]

# relative to the largest spread; points from files carry 6 to 9 digits
FLAT = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Correspondences:
    """Checked point pairs.

    Attributes
    ----------
    source, target : (N, 3) float array
        Finite points, nanometres.
    weights : (N,) float array
        Positive, relative.
    ids : tuple of str
        Names for messages.
    """

    source: FloatArray
    target: FloatArray
    weights: FloatArray
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


def check_correspondences(
    source_points: ArrayLike,
    target_points: ArrayLike,
    *,
    minimum: int,
    model: str,
    weights: ArrayLike | None = None,
    ids: Sequence[str] | None = None,
) -> Correspondences:
    """Return point pairs as arrays, or say what is wrong with them.

    Raises
    ------
    ArgumentError
        Shapes differ, numbers are not finite, or weights are not positive.
    TooFewLandmarksError
        Fewer than *minimum* pairs.
    """
    source = as_points(source_points, "source_points")
    target = as_points(target_points, "target_points")
    n = len(source)
    if len(target) != n:
        raise ArgumentError(
            f"{model}: expected as many target as source points ({n}); found {len(target)}"
        )
    names = tuple(str(i) for i in range(n)) if ids is None else tuple(ids)
    if len(names) != n:
        raise ArgumentError(f"{model}: expected {n} ids; found {len(names)}")
    bad = ~np.all(np.isfinite(source) & np.isfinite(target), axis=1)
    if np.any(bad):
        raise ArgumentError(
            f"{model}: expected finite coordinates; found NaN or infinity in landmarks "
            f"{_name(names, np.flatnonzero(bad))}; drop them first"
        )
    if n < minimum:
        raise TooFewLandmarksError(f"{model}: expected at least {minimum} landmarks; found {n}")
    w = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or not np.all(np.isfinite(w) & (w > 0)):
        raise ArgumentError(
            f"{model}: expected {n} finite weights > 0; found shape {w.shape}, "
            f"smallest {np.min(w) if w.size else 'none'}; drop landmarks that have no weight"
        )
    return Correspondences(source, target, w, names)


def check_spread(points: FloatArray, rank: int, model: str, what: str) -> None:
    """Raise unless points ``(N, D)`` spread along at least *rank* directions.

    Raises
    ------
    DegenerateLandmarksError
        The points are one point, on a line or in a plane.
    """
    centred = points - points.mean(axis=0)
    values = np.linalg.svd(centred, compute_uv=False)
    found = int(np.sum(values > FLAT * max(values[0], 1e-300))) if values[0] > 0 else 0
    if found >= rank:
        return
    shape = ("one point", "a line", "a plane")[found]
    needed = ("", "distinct", "not collinear", "not coplanar")[rank]
    advice = (
        "add landmarks at other depths, or fit in plane with planar=True for flat data"
        if rank == 3
        else "add landmarks elsewhere"
    )
    raise DegenerateLandmarksError(
        f"{model}: expected {what} landmarks that are {needed}; found all {len(points)} "
        f"on {shape}; {advice}"
    )


def merge_repeats(pairs: Correspondences, model: str) -> tuple[Correspondences, IntArray]:
    """Merge landmarks that repeat another one in both spaces; their weights add up.

    Returns
    -------
    merged : Correspondences
        In order of first appearance.
    group : (N,) int array
        Row of *merged* for each row of *pairs*.

    Raises
    ------
    DegenerateLandmarksError
        One source point has several targets; the message names the ids.
    """
    from scipy.spatial import cKDTree

    n = len(pairs)
    scale = float(np.max(np.ptp(pairs.source, axis=0)))
    target_scale = float(np.max(np.ptp(pairs.target, axis=0)))
    close = cKDTree(pairs.source).query_pairs(1e-9 * scale, output_type="ndarray")
    first = np.arange(n)
    for a, b in sorted(map(tuple, close.tolist())):
        apart = float(np.linalg.norm(pairs.target[a] - pairs.target[b]))
        if apart > 1e-9 * target_scale:
            raise DegenerateLandmarksError(
                f"{model}: expected one target per source point; found landmarks "
                f"{pairs.ids[a]!r} and {pairs.ids[b]!r} at the same source point with targets "
                f"{apart:.4g} nm apart; drop or average one of them"
            )
        first[b] = min(first[b], first[a])
    kept, group = np.unique(first, return_inverse=True)
    group = group.astype(np.int64)
    weights = np.zeros(len(kept))
    np.add.at(weights, group, pairs.weights)
    merged = Correspondences(
        pairs.source[kept], pairs.target[kept], weights, tuple(pairs.ids[i] for i in kept)
    )
    return merged, group


def _name(ids: Sequence[str], rows: IntArray) -> str:
    shown = ", ".join(ids[i] for i in rows[:5])
    return shown if len(rows) <= 5 else f"{shown} and {len(rows) - 5} more"
