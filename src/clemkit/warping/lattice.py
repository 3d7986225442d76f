"""The pull-back as the kernels see it: a lattice of positions per tile of the output.

The output is cut into fixed tiles of 64³ voxels, counted from its first voxel whatever the chunks
are. Per tile the map is sampled on a lattice that is refined until it reproduces itself within the
tolerance; where it bends sharply, only the cubes of 32, 16 or 8 voxels around the bend are. A tile
is always evaluated whole and in the same pieces, so the lattice is the same for
every chunking and every worker, also for transforms whose rounding depends on the batch.

Two things keep the lattice coarse. A displacement field that is applied first is linear between
its own knots, so the knot planes become node planes and the lattice is exact. Smooth maps are
sampled coarsely and refined by cubic interpolation before the kernel's linear one.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import Box, FloatArray, Grid, IntArray, require_same_space
from clemkit.transforms import Transform
from clemkit.warping.axes import Tables, axis_nodes, axis_taps, axis_weights
from clemkit.warping.knots import first_step, knot_planes

__all__ = ["TILE", "TileMap", "TiledMap"]

TILE = 64
"""Edge of a tile, output voxels."""

_CELLS = 8  # cells along the edge of a tile, and of the smaller cubes it is cut into
_PIECE = 16384  # positions per call of a transform: bounds its temporary memory
_FAR = 1e6  # voxels beyond the input after which positions are clamped: keeps float32 exact enough
_CACHE_BYTES = 64 << 20

_Shape = tuple[int, int, int]
_Nodes = tuple[FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class TileMap:
    """The map over one tile, or over a part of it.

    Attributes
    ----------
    box : Box
        What it covers in the output.
    tables : Tables
        Where each voxel lies between the nodes.
    base_zyx : (3,) int array
        Input voxel that node positions are relative to.
    nodes : (3, nz, ny, nx) float32 array
        Input positions, voxels; NaN where the transform has no answer.
    error_voxels : float
        Largest error found where it is largest for smooth maps, input voxels: for nodes that were
        evaluated, that of the lattice with every second node (about four times their own error);
        for nodes refined by a cubic, that of a cubic through every second node plus that of linear
        interpolation between them. 0 where every voxel is a node.
    """

    box: Box
    tables: Tables
    base_zyx: IntArray
    nodes: np.ndarray[Any, np.dtype[np.float32]]
    error_voxels: float

    @property
    def cell_voxels(self) -> float:
        """Mean node distance along the axis where it is smallest, output voxels."""
        shapes = zip(self.box.shape, self.nodes.shape[1:], strict=True)
        return min(((n - 1) / (m - 1) for n, m in shapes if m > 1), default=float(TILE))

    def input_box(self, box: Box, input_shape_zyx: _Shape) -> Box:
        """Return the input voxels that *box* (inside this tile) needs; empty when none.

        The bound is exact for the lattice that is sampled: its trilinear cells take their
        extremes at corners. One part in 10⁶ of the extent is added for float32 rounding.
        """
        from clemkit.warping.kernels import EDGE, lattice_bounds

        low, high = np.empty(3), np.empty(3)
        tables = self.tables
        origin = np.array(self.box.start)
        found = lattice_bounds(
            self.nodes,
            tables.lower,
            tables.weight,
            np.array(box.start) - origin,
            np.array(box.stop) - origin,
            low,
            high,
        )
        if not found:
            return Box((0, 0, 0), (0, 0, 0))
        slack = 1e-3 + 1e-6 * np.nanmax(np.abs(self.nodes))
        low += self.base_zyx - slack
        high += self.base_zyx + slack
        shape = np.array(input_shape_zyx)
        if np.any(high < -EDGE) or np.any(low > shape - 1 + EDGE):
            return Box((0, 0, 0), (0, 0, 0))
        first = np.clip(np.floor(low), 0, shape - 1).astype(int)
        stop = np.clip(np.floor(high) + 2, 1, shape).astype(int)
        return Box(
            (int(first[0]), int(first[1]), int(first[2])),
            (int(stop[0]), int(stop[1]), int(stop[2])),
        )


class TiledMap:
    """A pull-back on an output grid, tile by tile; tiles are computed when asked for and cached.

    Parameters
    ----------
    pull_back : Transform
        Maps points of the output's space to the input's.
    output_grid, input_grid : Grid
        Where the voxels are.
    tolerance_voxels : float
        Largest difference allowed between a lattice and the one of twice its step, input voxels.

    Raises
    ------
    SpaceMismatchError
        The transform does not go from the output's space to the input's.
    ArgumentError
        The tolerance is not positive.
    """

    def __init__(
        self,
        pull_back: Transform,
        output_grid: Grid,
        input_grid: Grid,
        tolerance_voxels: float = 0.05,
    ) -> None:
        require_same_space(output_grid.space, pull_back.source, "pull_back.source")
        require_same_space(input_grid.space, pull_back.target, "pull_back.target")
        if not tolerance_voxels > 0:
            raise ArgumentError(f"tolerance_voxels: expected a value > 0; found {tolerance_voxels}")
        self.pull_back = pull_back
        self.output_grid = output_grid
        self.input_grid = input_grid
        self.tolerance_voxels = float(tolerance_voxels)
        self._knots = knot_planes(pull_back, output_grid)
        self._first_step = first_step(pull_back, output_grid)
        self._cache: dict[_Shape, tuple[TileMap, ...]] = {}
        self._cached_bytes = 0
        self._lock = threading.Lock()

    def tiles(self, box: Box) -> list[TileMap]:
        """Return the maps that meet *box*, in canonical order; where none is, no input is seen."""
        spans = [range(a // TILE, -(-b // TILE)) for a, b in zip(box.start, box.stop, strict=True)]
        return [
            leaf
            for z, y, x in product(*spans)
            for leaf in self.tile((z, y, x))
            if _overlap(leaf.box, box)
        ]

    def tile(self, index: _Shape) -> tuple[TileMap, ...]:
        """Return the disjoint maps that cover one tile, given its place among the tiles.

        One where the map is smooth; smaller ones around bends. Parts that see no input are absent.
        """
        with self._lock:
            found = self._cache.get(index)
        if found is not None:
            return found
        made = self._make(index)
        with self._lock:
            if index not in self._cache:
                self._cache[index] = made
                self._cached_bytes += _nbytes(made)
            while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
                oldest = next(iter(self._cache))
                self._cached_bytes -= _nbytes(self._cache.pop(oldest))
        return made

    def _make(self, index: _Shape) -> tuple[TileMap, ...]:
        z, y, x = (i * TILE for i in index)
        box = Box((z, y, x), (z + TILE, y + TILE, x + TILE)).clip(self.output_grid.shape_zyx)
        leaves: list[TileMap] = []
        pending, edge = [box], TILE
        while pending:
            step = min(edge // _CELLS, self._first_step)
            if edge < 2 * _CELLS:
                step = 0  # the last resort: each voxel
            all_axes = [_axes(part.shape, step, self._breaks(part)) for part in pending]
            refused = []
            evaluated = self._evaluate(pending, all_axes)
            for part, axes, positions in zip(pending, all_axes, evaluated, strict=True):
                leaf = self._leaf(part, axes, positions, step)
                if leaf is None:
                    refused.append(part)
                elif leaf.nodes.size:
                    leaves.append(leaf)
            edge //= 2
            pending = [piece for part in refused for piece in _split(part, edge)]
        return tuple(sorted(leaves, key=lambda leaf: leaf.box.start))

    def _breaks(self, box: Box) -> list[FloatArray]:
        return [
            knots[(knots > a) & (knots < b - 1)] - a
            for knots, a, b in zip(self._knots, box.start, box.stop, strict=True)
        ]

    def _leaf(self, box: Box, axes: _Nodes, positions: FloatArray, step: int) -> TileMap | None:
        """Return the map over a box, without nodes if it sees no input; None to refine it."""
        known = np.isfinite(positions).all(axis=0)
        error = 0.0
        nowhere = not known.any()
        if step and not nowhere:
            if not known.all():
                return None  # a border of the transform's domain
            coarse = (axes[0][::2], axes[1][::2], axes[2][::2])
            linear = _resample(positions[:, ::2, ::2, ::2], coarse, axes, 2)
            error = _distance(linear, positions)
            nowhere = self._misses_input(positions, error)
            if not nowhere and error > self.tolerance_voxels:
                smooth = self._smooth(positions, axes, box.shape, step)
                if smooth is None:
                    return None
                positions, axes, error = smooth
                known = np.ones(positions.shape[1:], dtype=bool)
        if nowhere:
            positions, error = positions[:, :0], 0.0
            base = np.zeros(3, dtype=np.int64)
        else:
            positions[:, ~known] = np.nan
            base = np.floor(np.nanmin(positions, axis=(1, 2, 3))).astype(np.int64) - 1
        return TileMap(
            box=box,
            tables=axis_weights(box.shape, axes),
            base_zyx=base,
            nodes=(positions - base[:, None, None, None]).astype(np.float32),
            error_voxels=error,
        )

    def _misses_input(self, positions: FloatArray, error: float) -> bool:
        """Whether positions, and what may bulge out between them, all lie outside the input."""
        margin = 2 * error + 1
        low = positions.min(axis=(1, 2, 3)) - margin
        high = positions.max(axis=(1, 2, 3)) + margin
        return bool(np.any(high < -0.5) or np.any(low > np.array(self.input_grid.shape_zyx) - 0.5))

    def _smooth(
        self, positions: FloatArray, axes: _Nodes, shape: _Shape, step: int
    ) -> tuple[FloatArray, _Nodes, float] | None:
        """Refine by a cubic if that follows the map; return nodes, their axes and the error."""
        if any(len(k) for k in self._knots):
            return None  # kinked: a cubic would overshoot
        tolerance = self.tolerance_voxels
        coarse = (axes[0][::2], axes[1][::2], axes[2][::2])
        cubic = _distance(_resample(positions[:, ::2, ::2, ::2], coarse, axes, 4), positions)
        if cubic > tolerance / 2:
            return None
        # the cubic stands for the map; find the widest linear cells that follow it
        while step >= 2:
            finer = _axes(shape, step // 2, [np.zeros(0)] * 3)
            smooth = _resample(positions, axes, finer, 4)
            outer = (finer[0][::2], finer[1][::2], finer[2][::2])
            kept = smooth[:, ::2, ::2, ::2]
            linear = _distance(_resample(kept, outer, finer, 2), smooth)
            if linear <= tolerance / 2:
                return kept, outer, cubic + linear
            step //= 2
        exact = _axes(shape, 0, [np.zeros(0)] * 3)
        return _resample(positions, axes, exact, 4), exact, cubic

    def _evaluate(self, boxes: list[Box], all_axes: list[_Nodes]) -> list[FloatArray]:
        """Map the nodes of several boxes; together, since many transforms like long batches."""
        from clemkit.transforms.io.checked_points import map_checked

        grids = []
        for box, axes in zip(boxes, all_axes, strict=True):
            moved = [nodes + a for nodes, a in zip(axes, box.start, strict=True)]
            grids.append(np.stack(np.meshgrid(*moved, indexing="ij"), axis=-1).reshape(-1, 3))
        index = np.concatenate(grids)
        out = np.empty((len(index), 3))
        limit = np.array(self.input_grid.shape_zyx) + _FAR
        for start in range(0, len(index), _PIECE):
            piece = slice(start, start + _PIECE)
            # beyond its domain an inverse is extended, and has no answer only where it has none
            mapped, _ = map_checked(self.pull_back, self.output_grid.to_physical(index[piece]))
            out[piece] = np.clip(self.input_grid.to_index(mapped), -_FAR, limit)
        ends = np.cumsum([len(grid) for grid in grids])[:-1]
        return [
            np.ascontiguousarray(part.T).reshape(3, *(len(nodes) for nodes in axes))
            for part, axes in zip(np.split(out, ends), all_axes, strict=True)
        ]


def _overlap(a: Box, b: Box) -> bool:
    return all(p < s and r < q for p, q, r, s in zip(a.start, a.stop, b.start, b.stop, strict=True))


def _split(box: Box, edge: int) -> list[Box]:
    """Cut a box into cubes of *edge* voxels, counted from the output's first voxel."""
    spans = [range(a, b, edge) for a, b in zip(box.start, box.stop, strict=True)]
    return [
        Box((z, y, x), (z + edge, y + edge, x + edge)).clip(box.stop) for z, y, x in product(*spans)
    ]


def _nbytes(leaves: tuple[TileMap, ...]) -> int:
    return sum(leaf.nodes.nbytes + 1024 for leaf in leaves) + 1024


def _axes(shape: _Shape, step: int, breaks: list[FloatArray]) -> _Nodes:
    z, y, x = (axis_nodes(n, step, tuple(b)) for n, b in zip(shape, breaks, strict=True))
    return z, y, x


def _resample(values: FloatArray, nodes: _Nodes, targets: _Nodes, taps: int) -> FloatArray:
    """Interpolate a (3, nz, ny, nx) lattice at other planes, along one axis after the other."""
    from clemkit.warping.kernels import resample_axis

    for axis in range(3):
        first, weights = axis_taps(nodes[axis], targets[axis], taps)
        shape = values.shape
        lead = int(np.prod(shape[: axis + 1]))
        flat = np.ascontiguousarray(values).reshape(lead, shape[axis + 1], -1)
        out = resample_axis(flat, first, weights)
        values = out.reshape(*shape[: axis + 1], len(targets[axis]), *shape[axis + 2 :])
    return values


def _distance(a: FloatArray, b: FloatArray) -> float:
    return float(np.sqrt(np.max(np.sum((a - b) ** 2, axis=0))))
