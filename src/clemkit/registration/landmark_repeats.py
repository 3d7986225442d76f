"""Landmarks given more than once: merged before a fit, since they make a spline singular."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clemkit.errors import ArgumentError, Problem
from clemkit.geometry import FloatArray, IntArray
from clemkit.landmarks import LandmarkPairs, LandmarkSet

__all__ = ["Merged", "merge_repeats"]

# relative to the extent: the digits that landmark files carry
_SAME = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Pairs with distinct fixed points.

    Attributes
    ----------
    pairs : LandmarkPairs
        In order of first appearance; a merged pair has the name of its first and mean positions.
    row_of : (N,) int array
        Row in *pairs* of each pair as given.
    findings : tuple of Problem
        Which were merged, and which moving points repeat.
    """

    pairs: LandmarkPairs
    row_of: IntArray
    findings: tuple[Problem, ...]


def merge_repeats(pairs: LandmarkPairs) -> Merged:
    """Merge pairs whose fixed points coincide.

    Exact repeats are one click saved twice and count once. If the moving points differ, their mean
    is taken and the finding says how far they were apart.

    Raises
    ------
    ArgumentError
        A coordinate is not finite.
    """
    fixed, moving = pairs.fixed.points_zyx_nm, pairs.moving.points_zyx_nm
    bad = np.flatnonzero(~np.isfinite(np.hstack([fixed, moving])).all(axis=1))
    if len(bad):
        raise ArgumentError(
            f"landmarks: expected finite coordinates; found NaN or infinity in "
            f"{pairs.ids[int(bad[0])]!r} ({len(bad)} landmarks); drop them first"
        )
    group = _groups(fixed)
    first = np.array([int(np.flatnonzero(group == g)[0]) for g in range(group.max(initial=-1) + 1)],
                     dtype=np.int64)  # fmt: skip
    findings = [*_moving_repeats(pairs, group)]
    if len(first) == len(pairs):
        return Merged(pairs, group, tuple(findings))
    apart = np.linalg.norm(moving - moving[first][group], axis=1)
    extent = float(np.max(np.ptp(moving, axis=0)))
    differing = [int(k) for k in np.flatnonzero(apart > _SAME * extent)]
    exact = len(pairs) - len(first) - len(differing)
    if exact:
        findings.append(
            Problem(
                ("landmarks",),
                "landmarks.repeated",
                "warning",
                f"{exact} landmarks repeat another one in both spaces and were counted once",
            )
        )
    if differing:
        k = differing[0]
        findings.append(
            Problem(
                ("landmarks", pairs.ids[k]),
                "landmarks.conflicting",
                "warning",
                f"{len(differing)} landmarks share their fixed point with another one but differ "
                f"in the moving point, for example {pairs.ids[int(first[group[k]])]!r} and "
                f"{pairs.ids[k]!r} by {apart[k]:.4g} nm; their mean was taken",
                "check which one is right",
            )
        )
    merged = LandmarkPairs(
        moving=_mean_set(pairs.moving, group, first), fixed=_mean_set(pairs.fixed, group, first)
    )
    return Merged(merged, group, tuple(findings))


def _groups(points: FloatArray) -> IntArray:
    """Return numbers of the distinct points in order of first appearance."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    n = len(points)
    extent = float(np.max(np.ptp(points, axis=0), initial=0.0)) if n else 0.0
    close = cKDTree(points).query_pairs(_SAME * extent, output_type="ndarray") if n else None
    if close is None or len(close) == 0:
        return np.arange(n, dtype=np.int64)
    graph = coo_array((np.ones(len(close)), (close[:, 0], close[:, 1])), shape=(n, n))
    label = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return np.asarray(rank[inverse], dtype=np.int64)


def _moving_repeats(pairs: LandmarkPairs, fixed_group: IntArray) -> list[Problem]:
    """Report different fixed points that share one moving point: legal, but suspicious."""
    group = _groups(pairs.moving.points_zyx_nm)
    seen: dict[int, int] = {}
    odd = []
    for row, g in enumerate(group.tolist()):
        if g in seen and fixed_group[seen[g]] != fixed_group[row]:
            odd.append((pairs.ids[seen[g]], pairs.ids[row]))
        seen.setdefault(g, row)
    if not odd:
        return []
    return [
        Problem(
            ("landmarks", odd[0][1]),
            "landmarks.shared-moving-point",
            "warning",
            f"{len(odd)} pairs of landmarks share one moving point but not the fixed one, for "
            f"example {odd[0][0]!r} and {odd[0][1]!r}",
            "check them",
        )
    ]


def _mean_set(points: LandmarkSet, group: IntArray, first: IntArray) -> LandmarkSet:
    count = np.bincount(group)[:, None]
    total = np.zeros((len(first), 3))
    np.add.at(total, group, points.points_zyx_nm)
    sigma = None if points.sigma_zyx_nm is None else points.sigma_zyx_nm[first]
    return LandmarkSet(
        space=points.space,
        ids=tuple(points.ids[int(k)] for k in first),
        points_zyx_nm=np.where(count == 1, points.points_zyx_nm[first], total / count),
        sigma_zyx_nm=sigma,
    )
