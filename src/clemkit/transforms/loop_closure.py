"""Whether registrations that lead around a loop come back to where they started."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import FloatArray, Space, Triple, as_triple
from clemkit.transforms.base import Transform
from clemkit.transforms.graph import GraphEdge, GraphPath, TransformGraph
from clemkit.transforms.path_error import PathError, lattice, mapped, path_error

__all__ = ["LoopClosure", "close_loops"]

_MOST_CYCLES = 500
_ROUNDING_NM = 1e-3  # registrations without error still round


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopClosure:
    """How far points are from where they started after one turn around a cycle.

    Attributes
    ----------
    edges : tuple of str
        The registrations in order.
    spaces : tuple of str
        The spaces in order; the residual is measured in the first.
    median_nm, p95_nm, max_nm : float
        Of the residual; NaN where the images share no place.
    worst_zyx_nm : tuple of float or None
        Where the largest residual is, in the first space.
    samples : int
        Number of positions.
    expected : PathError
        What the errors of the registrations predict.
    ratio : float
        Median residual over the expected median.
    limit_nm : float
        Median residual above which the loop contradicts the errors at the level asked for.
    is_open : bool
        The limit is exceeded.
    suspects : tuple of str
        Edges that no closing loop clears; one name where a further path tells which is wrong.
    """

    edges: tuple[str, ...]
    spaces: tuple[str, ...]
    median_nm: float
    p95_nm: float
    max_nm: float
    worst_zyx_nm: Triple | None
    samples: int
    expected: PathError
    ratio: float
    limit_nm: float
    is_open: bool
    suspects: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Return the finding in words."""
        way = " - ".join(self.spaces)
        if not self.samples:
            return f"loop {way}: the images share no place; nothing to check"
        if math.isnan(self.limit_nm):
            return (
                f"loop {way}: closes to {self.median_nm:.0f} nm (median); not judged, as a "
                "registration in it has no error estimate"
            )
        if not self.is_open:
            return (
                f"loop {way}: closes to {self.median_nm:.0f} nm (median), "
                f"{self.ratio:.2f} of what the stated errors predict"
            )
        who = f"suspect: {self.suspects[0]}" if len(self.suspects) == 1 else (
            f"any of {', '.join(self.suspects or self.edges)} may be wrong; one more registration "
            "around the loop would tell which"
        )  # fmt: skip
        return (
            f"loop {way}: misses its start by {self.median_nm:.0f} nm (median), {self.ratio:.1f} "
            f"times what the stated errors predict; at most {self.limit_nm:.0f} nm expected; {who}"
        )


def close_loops(graph: TransformGraph, level: float = 0.99) -> tuple[LoopClosure, ...]:
    """Measure the independent cycles of a graph: as few as there are, the shortest ones.

    The limit takes the whole residual field as a single draw of an isotropic normal error, the
    least favourable case, at the upper end of the interval of the expected error.

    Parameters
    ----------
    graph : TransformGraph
    level : float
        Probability with which correct registrations stay below the limit.

    Returns
    -------
    tuple of LoopClosure
        In the order of length and names; the order of the edges changes nothing.

    Raises
    ------
    ArgumentError
        The level is not between 0 and 1, or there are too many cycles.
    """
    if not 0 < level < 1:
        raise ArgumentError(f"level: expected 0 < level < 1; found {level}")
    cycles = _simple_cycles(graph)
    basis = set(_independent(graph, cycles))
    measured = [(cycle, _closure(graph, cycle, level)) for cycle in cycles]
    cleared = {
        name
        for _, found in measured
        if found.samples and math.isfinite(found.limit_nm) and not found.is_open
        for name in found.edges
    }
    shown = []
    for number, (_, found) in enumerate(measured):
        if number not in basis:
            continue
        left = tuple(sorted(name for name in found.edges if name not in cleared))
        shown.append(replace(found, suspects=left if found.is_open else ()))
    return tuple(shown)


def _simple_cycles(graph: TransformGraph) -> list[GraphPath]:
    """Return each simple cycle once, short ones first."""
    found = []
    for number, edge in enumerate(graph.edges):
        later = graph.edges[number + 1 :]
        for way in graph.search(edge.target, edge.source, later):
            found.append(_canonical(graph, edge.source, (edge, *way.edges)))
            if len(found) > _MOST_CYCLES:
                raise ArgumentError(
                    f"graph: expected at most {_MOST_CYCLES} loops; found more; leave out "
                    "registrations that are not needed"
                )
    return sorted(found, key=lambda path: (len(path.edges), sorted(path.names)))


def _canonical(graph: TransformGraph, start: Space, edges: Sequence[GraphEdge]) -> GraphPath:
    """Start a cycle in its finest image, and turn towards the edge with the smaller name."""
    ring = list(edges)
    spaces = [start]
    for edge in ring:
        spaces.append(edge.other(spaces[-1]))

    def fineness(place: int) -> tuple[float, str]:
        grid = graph.grid(spaces[place])
        volume = math.inf if grid is None else float(np.prod(grid.voxel_size_zyx_nm))
        return volume, spaces[place].name

    first = min(range(len(ring)), key=fineness)
    turned = ring[first:] + ring[:first]
    if turned[-1].name < turned[0].name:
        turned.reverse()
    around = [spaces[first]]
    for edge in turned:
        around.append(edge.other(around[-1]))
    return GraphPath(tuple(around), tuple(turned))


def _independent(graph: TransformGraph, cycles: Sequence[GraphPath]) -> list[int]:
    """Return the numbers of cycles that are no sums of shorter ones (Gauss over GF(2))."""
    place = {edge.name: 1 << number for number, edge in enumerate(graph.edges)}
    rows: list[int] = []
    chosen = []
    for number, cycle in enumerate(cycles):
        bits = sum(place[name] for name in cycle.names)
        for row in rows:
            bits = min(bits, bits ^ row)
        if bits:
            rows.append(bits)
            rows.sort(reverse=True)
            chosen.append(number)
    return chosen


def _loop_points(graph: TransformGraph, cycle: GraphPath) -> FloatArray:
    """Return points of the first space that lie in every image of a loop.

    A point lies in an image if either way around leads there: one wrong registration spoils what
    comes after it on one way, and before it on the other.
    """
    steps = cycle.steps()
    back = [e.map_from(s) for e, s in zip(cycle.edges, cycle.spaces[1:], strict=True)]
    grids = [graph.grid(space) for space in cycle.spaces[:-1]]
    if all(grid is None for grid in grids):
        names = ", ".join(s.name for s in cycle.spaces[:-1])
        raise ArgumentError(
            f"graph: expected a grid of one of {names}, to know where to look; found none"
        )
    found = []
    for place, grid in enumerate(grids):
        if grid is not None:
            points, ok = mapped(lattice(grid), tuple(reversed(back[:place])))
            found.append(points[ok])
            points, ok = mapped(lattice(grid), steps[place:])
            found.append(points[ok])
    points = np.unique(np.concatenate(found), axis=0)  # the first image comes twice
    inside = np.ones(len(points), dtype=bool)
    for place, grid in enumerate(grids):
        if grid is not None:
            either = np.zeros(len(points), dtype=bool)
            for way in (steps[:place], tuple(reversed(back[place:]))):
                there, ok = mapped(points, way if place else ())
                ok[ok] = grid.contains(there[ok])
                either |= ok
            inside &= either
    return points[inside]


def _around(points: FloatArray, steps: Sequence[Transform]) -> FloatArray:
    """Return the residual lengths; infinite where a map has no answer."""
    from clemkit.transforms.io.checked_points import map_checked

    here, ok = points, np.ones(len(points), dtype=bool)
    for step in steps:  # also where a map is not certified: a wrong way leads out of its domain
        there = np.full(points.shape, np.nan)
        there[ok] = map_checked(step, here[ok])[0]
        here, ok = there, np.all(np.isfinite(there), axis=1)
    lengths = np.full(len(points), np.inf)
    lengths[ok] = np.linalg.norm(here[ok] - points[ok], axis=1)
    return lengths


def _closure(graph: TransformGraph, cycle: GraphPath, level: float) -> LoopClosure:
    from scipy.stats import chi2

    points = _loop_points(graph, cycle)
    expected = path_error(graph, cycle, points)
    factor = math.sqrt(float(chi2.ppf(level, 3)) / float(chi2.ppf(0.5, 3)))
    limit = factor * expected.high_nm + _ROUNDING_NM
    median = p95 = largest = math.nan
    worst: Triple | None = None
    if len(points):
        lengths = _around(points, cycle.steps())
        median, p95, largest = (float(np.percentile(lengths, q, method="higher"))
                                for q in (50, 95, 100))  # fmt: skip
        worst = as_triple(points[int(np.argmax(lengths))], "worst")
    return LoopClosure(
        edges=cycle.names,
        spaces=tuple(space.name for space in cycle.spaces),
        median_nm=median,
        p95_nm=p95,
        max_nm=largest,
        worst_zyx_nm=worst,
        samples=len(points),
        expected=expected,
        ratio=median / expected.median_nm if expected.median_nm > 0 else math.nan,
        limit_nm=limit,
        is_open=bool(median > limit),
    )
