"""The pull-back as the kernels see it: a lattice of positions per tile of the output.

The output is cut into fixed tiles of 64³ voxels, counted from its first voxel whatever the chunks
are. Per tile the map is sampled on a lattice that is refined until it reproduces itself within the
tolerance. A tile is always evaluated whole and in the same pieces, so the lattice is the same for
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

_PIECE = 16384  # positions per call of a transform: bounds its temporary memory
_FAR = 1e6  # voxels beyond the input after which positions are clamped: keeps float32 exact enough
_CACHE_BYTES = 64 << 20

_Shape = tuple[int, int, int]
_Nodes = tuple[FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class TileMap:
    """The map over one tile.

    Attributes
    ----------
    box : Box
        The tile in the output.
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
        self._cache: dict[_Shape, TileMap] = {}
        self._cached_bytes = 0
        self._lock = threading.Lock()

    def tiles(self, box: Box) -> list[TileMap]:
        """Return the tiles that meet *box*, in C order."""
        spans = [range(a // TILE, -(-b // TILE)) for a, b in zip(box.start, box.stop, strict=True)]
        return [self.tile((z, y, x)) for z, y, x in product(*spans)]

    def tile(self, index: _Shape) -> TileMap:
        """Return one tile by its place among the tiles."""
        with self._lock:
            found = self._cache.get(index)
        if found is not None:
            return found
        made = self._make(index)
        with self._lock:
            if index not in self._cache:
                self._cache[index] = made
                self._cached_bytes += made.nodes.nbytes
            while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
                oldest = next(iter(self._cache))
                self._cached_bytes -= self._cache.pop(oldest).nodes.nbytes
        return made

    def _make(self, index: _Shape) -> TileMap:
        z, y, x = (i * TILE for i in index)
        box = Box((z, y, x), (z + TILE, y + TILE, x + TILE)).clip(self.output_grid.shape_zyx)
        breaks = [
            knots[(knots > a) & (knots < b - 1)] - a
            for knots, a, b in zip(self._knots, box.start, box.stop, strict=True)
        ]
        step = self._first_step
        while True:
            axes = _axes(box.shape, step, breaks)
            positions = self._evaluate(box, axes)
            known = np.isfinite(positions).all(axis=0)
            if step == 0 or not known.any():
                error = 0.0
                break
            if known.all():
                accepted = self._accept(positions, axes, box.shape, step)
                if accepted is not None:
                    positions, axes, error = accepted
                    known = np.ones(positions.shape[1:], dtype=bool)
                    break
            # else a border of the transform's domain: resolve it voxel by voxel
            step = step // 2 if step > 2 else 0
        positions[:, ~known] = np.nan
        base = np.zeros(3, dtype=np.int64)
        if known.any():
            base = np.floor(np.nanmin(positions, axis=(1, 2, 3))).astype(np.int64) - 1
        nodes = (positions - base[:, None, None, None]).astype(np.float32)
        return TileMap(
            box=box,
            tables=axis_weights(box.shape, axes),
            base_zyx=base,
            nodes=nodes,
            error_voxels=error,
        )

    def _accept(
        self, positions: FloatArray, axes: _Nodes, shape: _Shape, step: int
    ) -> tuple[FloatArray, _Nodes, float] | None:
        """Return a lattice within the tolerance, its axes and its error, or None to refine."""
        tolerance = self.tolerance_voxels
        coarse = (axes[0][::2], axes[1][::2], axes[2][::2])
        kept = positions[:, ::2, ::2, ::2]
        linear = _distance(_resample(kept, coarse, axes, 2), positions)
        if linear <= tolerance:
            return positions, axes, linear
        if any(len(k) for k in self._knots):
            return None  # kinked: a cubic would overshoot
        cubic = _distance(_resample(kept, coarse, axes, 4), positions)
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

    def _evaluate(self, box: Box, axes: _Nodes) -> FloatArray:
        from clemkit.transforms.io.checked_points import map_checked

        moved = [nodes + a for nodes, a in zip(axes, box.start, strict=True)]
        shape = tuple(len(a) for a in axes)
        index = np.stack(np.meshgrid(*moved, indexing="ij"), axis=-1).reshape(-1, 3)
        out = np.empty((len(index), 3))
        limit = np.array(self.input_grid.shape_zyx) + _FAR
        for start in range(0, len(index), _PIECE):
            piece = slice(start, start + _PIECE)
            # beyond its domain an inverse is extended, and has no answer only where it has none
            mapped, _ = map_checked(self.pull_back, self.output_grid.to_physical(index[piece]))
            out[piece] = np.clip(self.input_grid.to_index(mapped), -_FAR, limit)
        return np.ascontiguousarray(out.T).reshape(3, *shape)


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
