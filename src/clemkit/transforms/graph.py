"""Spaces joined by registrations, and the best way from one to another."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clemkit.errors import ArgumentError, NotFoundError
from clemkit.geometry import FloatArray, Grid, Space, require_same_space
from clemkit.transforms.base import Identity, Transform, compose

if TYPE_CHECKING:
    from clemkit.transforms.loop_closure import LoopClosure
    from clemkit.transforms.path_error import PathError

__all__ = ["GraphEdge", "GraphPath", "TransformGraph"]

_MOST_SEARCHED = 100_000  # unfinished paths; a graph of microscopes has a few dozen


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GraphEdge:
    """One registration between two spaces, with its error.

    Attributes
    ----------
    name : str
    forward, backward : Transform
        From ``source`` to ``target``, and back.
    median_nm : float
        Expected length of the error, measured in ``error_space``; NaN where nobody knows.
    low_nm, high_nm : float
        90 % interval of the median; the median itself where it is not known.
    p90_nm : float
        90th percentile of the error; that of an isotropic normal error where it is not known.
    error_space : Space or None
        Source or target; the target where None.
    source_grid, target_grid : Grid or None
        Where the two images are.
    is_trusted : bool
        False for a registration that must be looked at first: paths avoid it.
    """

    name: str
    forward: Transform
    backward: Transform
    median_nm: float = math.nan
    low_nm: float = math.nan
    high_nm: float = math.nan
    p90_nm: float = math.nan
    error_space: Space | None = None
    source_grid: Grid | None = None
    target_grid: Grid | None = None
    is_trusted: bool = True

    def __post_init__(self) -> None:
        require_same_space(self.source, self.backward.target, f"edge {self.name}: backward")
        require_same_space(self.target, self.backward.source, f"edge {self.name}: backward")
        if self.source == self.target:
            raise ArgumentError(f"edge {self.name}: expected two spaces; found {self.source} twice")
        space = self.error_space or self.target
        if space not in (self.source, self.target):
            raise ArgumentError(
                f"edge {self.name}: error_space: expected {self.source} or {self.target}; "
                f"found {space}"
            )
        for grid, end in ((self.source_grid, self.source), (self.target_grid, self.target)):
            if grid is not None:
                require_same_space(end, grid.space, f"edge {self.name}: grid")
        if self.median_nm < 0 or self.low_nm > self.median_nm or self.high_nm < self.median_nm:
            raise ArgumentError(
                f"edge {self.name}: expected 0 <= low_nm <= median_nm <= high_nm; found "
                f"{self.low_nm}, {self.median_nm}, {self.high_nm}"
            )
        object.__setattr__(self, "error_space", space)
        for name in ("low_nm", "high_nm"):
            if math.isnan(getattr(self, name)):
                object.__setattr__(self, name, self.median_nm)
        if math.isnan(self.p90_nm):  # chi with three degrees of freedom: 2.5003 over 1.5382
            object.__setattr__(self, "p90_nm", 1.6255 * self.median_nm)

    @property
    def source(self) -> Space:
        """Space that ``forward`` starts from."""
        return self.forward.source

    @property
    def target(self) -> Space:
        """Space that ``forward`` leads to."""
        return self.forward.target

    @property
    def is_known(self) -> bool:
        """Whether there is an error estimate."""
        return math.isfinite(self.median_nm)

    def other(self, space: Space) -> Space:
        """Return the other end."""
        return self.target if space == self.source else self.source

    def map_from(self, space: Space) -> Transform:
        """Return the map of points that starts from one end."""
        return self.forward if space == self.source else self.backward

    def cost(self) -> tuple[int, float]:
        """Return what a path pays: doubtful edges count before all, then the squared error."""
        if not self.is_known:
            return 1, 0.0
        return int(not self.is_trusted), self.median_nm**2


@dataclass(frozen=True, slots=True, eq=False)
class GraphPath:
    """A way through the graph.

    Attributes
    ----------
    spaces : tuple of Space
        Each space on the way, from the first to the last.
    edges : tuple of GraphEdge
        One less.
    """

    spaces: tuple[Space, ...]
    edges: tuple[GraphEdge, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the edges in order."""
        return tuple(edge.name for edge in self.edges)

    @property
    def is_trusted(self) -> bool:
        """Whether every edge is trusted and has an error estimate."""
        return all(edge.is_trusted and edge.is_known for edge in self.edges)

    def steps(self) -> tuple[Transform, ...]:
        """Return the maps of points in order."""
        return tuple(
            edge.map_from(space) for edge, space in zip(self.edges, self.spaces, strict=False)
        )

    def transform(self) -> Transform:
        """Return the composed map of points."""
        if not self.edges:
            return Identity(self.spaces[0], self.spaces[0])
        return compose(*self.steps())


@dataclass(frozen=True, slots=True, eq=False)
class TransformGraph:
    """Spaces and the registrations between them.

    The order of the edges never changes an answer.

    Attributes
    ----------
    edges : tuple of GraphEdge
        Several may join the same two spaces.

    Examples
    --------
    >>> import numpy as np
    >>> from clemkit.transforms import Affine
    >>> lm, ct, em = Space("lm"), Space("ct"), Space("em")
    >>> first = Affine.from_parts(np.eye(3), [5, 0, 0], source=lm, target=ct)
    >>> then = Affine.from_parts(np.eye(3), [0, 7, 0], source=ct, target=em)
    >>> graph = TransformGraph((
    ...     GraphEdge(name="lm-ct", forward=first, backward=first.inverse(), median_nm=300),
    ...     GraphEdge(name="ct-em", forward=then, backward=then.inverse(), median_nm=400),
    ... ))
    >>> graph.transform(lm, em).apply_points([[0, 0, 0]])
    array([[5., 7., 0.]])
    >>> graph.path(em, lm).names
    ('ct-em', 'lm-ct')
    """

    edges: tuple[GraphEdge, ...] = field(default=())

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.edges, key=lambda edge: edge.name))
        names = [edge.name for edge in ordered]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ArgumentError(
                f"TransformGraph: expected edges of different names; found {', '.join(twice)} "
                "more than once"
            )
        object.__setattr__(self, "edges", ordered)

    @property
    def spaces(self) -> tuple[Space, ...]:
        """All spaces by name."""
        found = {end for edge in self.edges for end in (edge.source, edge.target)}
        return tuple(sorted(found, key=lambda space: space.name))

    def grid(self, space: Space) -> Grid | None:
        """Return the grid of a space that the first edge with one states."""
        for edge in self.edges:
            for end, grid in ((edge.source, edge.source_grid), (edge.target, edge.target_grid)):
                if end == space and grid is not None:
                    return grid
        return None

    def edge(self, name: str) -> GraphEdge:
        """Return an edge by its name.

        Raises
        ------
        NotFoundError
            There is none.
        """
        for edge in self.edges:
            if edge.name == name:
                return edge
        known = ", ".join(e.name for e in self.edges) or "none"
        raise NotFoundError(f"graph: expected an edge among {known}; found {name!r}")

    def with_edge(self, edge: GraphEdge) -> TransformGraph:
        """Return a graph with one edge more."""
        return TransformGraph((*self.edges, edge))

    def search(
        self, source: Space, target: Space, edges: tuple[GraphEdge, ...] | None = None
    ) -> Iterator[GraphPath]:
        """Yield the simple paths between two spaces, the smallest expected error first.

        Parameters
        ----------
        source, target : Space
        edges : tuple of GraphEdge, optional
            Those that may be used; all where absent.
        """
        usable = self.edges if edges is None else edges
        # every entry has different names, so comparison never reaches the path
        queue: list[tuple[int, float, int, tuple[str, ...], GraphPath]] = [
            (0, 0.0, 0, (), GraphPath((source,), ()))
        ]
        searched = 0
        while queue:
            doubts, square, count, names, path = heapq.heappop(queue)
            here = path.spaces[-1]
            if here == target:
                yield path
                continue
            searched += 1
            if searched > _MOST_SEARCHED:
                raise ArgumentError(
                    f"graph: expected fewer ways from {source} to {target}; gave up after "
                    f"{_MOST_SEARCHED}; leave out registrations that are not needed"
                )
            for edge in usable:
                if here not in (edge.source, edge.target) or edge.other(here) in path.spaces:
                    continue
                more, length = edge.cost()
                further = GraphPath((*path.spaces, edge.other(here)), (*path.edges, edge))
                entry = (doubts + more, square + length, count + 1, (*names, edge.name), further)
                heapq.heappush(queue, entry)

    def paths(self, source: Space, target: Space, most: int = 8) -> tuple[GraphPath, ...]:
        """Return the best paths, the smallest expected error (sum of squares) first.

        A path with a registration that is not trusted or has no error estimate comes after all
        others.

        Raises
        ------
        NotFoundError
            No such space, or no way between them.
        """
        for space in (source, target):
            if space not in self.spaces:
                known = ", ".join(s.name for s in self.spaces) or "none"
                raise NotFoundError(f"graph: expected a space among {known}; found {space.name!r}")
        found = []
        for path in self.search(source, target):
            found.append(path)
            if len(found) == most:
                break
        if not found:
            raise NotFoundError(
                f"graph: expected a way from {source} to {target}; found none; reached from "
                f"{source}: {', '.join(s.name for s in self.reached(source))}"
            )
        return tuple(found)

    def reached(self, source: Space) -> tuple[Space, ...]:
        """Return all spaces that can be reached, itself included."""
        found, todo = {source}, [source]
        while todo:
            here = todo.pop()
            for edge in self.edges:
                if here in (edge.source, edge.target) and edge.other(here) not in found:
                    found.add(edge.other(here))
                    todo.append(edge.other(here))
        return tuple(sorted(found, key=lambda space: space.name))

    def path(self, source: Space, target: Space) -> GraphPath:
        """Return the best path; :meth:`paths` states the alternatives."""
        return self.paths(source, target, 1)[0]

    def transform(self, source: Space, target: Space) -> Transform:
        """Return the map of points along the best path."""
        return self.path(source, target).transform()

    def expected_error(
        self, source: Space, target: Space, points_zyx_nm: FloatArray | None = None
    ) -> PathError:
        """Return the expected error of the best path; see :func:`.path_error.path_error`."""
        from clemkit.transforms.path_error import path_error

        return path_error(self, self.path(source, target), points_zyx_nm)

    def loop_closures(self, level: float = 0.99) -> tuple[LoopClosure, ...]:
        """Return how well each independent cycle closes; see :func:`.loop_closure.close_loops`."""
        from clemkit.transforms.loop_closure import close_loops

        return close_loops(self, level)
