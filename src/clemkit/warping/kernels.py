"""Compiled pull-back of one block through a lattice of source positions.

The map over a tile of the output is a lattice of positions in the input, in voxels, interpolated
trilinearly. Positions are float32 relative to an integer base near the tile's image, so that
rounding (about 1e-5 voxel) depends on the tile and never on how the output was cut into blocks.
Arithmetic follows IEEE order (no fast-math), one thread, interpreter lock released: each voxel is
computed alone, and any split of the work gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from clemkit.geometry import FloatArray, IntArray

__all__ = ["EDGE", "lattice_bounds", "pull_linear", "pull_nearest", "resample_axis"]

EDGE = 0.5 + 1e-3
"""How far beyond the outermost voxel centres the input reaches, voxels."""

_Array = np.ndarray[Any, Any]
_EDGE32 = np.float32(EDGE)
_HALF32 = np.float32(0.5)
_SINGLE = (types.uint8, types.int8, types.uint16, types.int16, types.float32)


def _real(value: Any) -> Any:
    """Voxel as the float it is interpolated in: float32 where that is exact, else float64."""
    return value


@overload(_real, strict=False)
def _real_overload(value: Any) -> Callable[..., Any]:
    if value in _SINGLE:
        return lambda value: np.float32(value)
    return lambda value: np.float64(value)


def _store(out: _Array, index: int, value: Any) -> None:
    """Write a float to a row, rounded (half up) for whole-number voxels."""
    out[index] = value


@overload(_store, strict=False)
def _store_overload(out: Any, index: Any, value: Any) -> Callable[..., Any]:
    dtype = out.dtype
    if isinstance(dtype, types.Float):

        def write(out: _Array, index: int, value: Any) -> None:
            out[index] = value

        return write
    whole = np.int32 if dtype in _SINGLE else np.int64
    half = np.float32(0.5) if dtype in _SINGLE else np.float64(0.5)

    def write_rounded(out: _Array, index: int, value: Any) -> None:
        out[index] = whole(math.floor(value + half))

    return write_rounded


@njit(cache=True, nogil=True)
def lattice_bounds(
    nodes: _Array,
    lower: tuple[IntArray, IntArray, IntArray],
    weight: tuple[_Array, _Array, _Array],
    start: IntArray,
    stop: IntArray,
    low: _Array,
    high: _Array,
) -> bool:
    """Find the exact extremes of the interpolated lattice over a box of a tile.

    A trilinear cell takes its extremes at its corners, so looking at the lattice's inner nodes
    and at the box's own faces is enough. NaN nodes are passed over.

    Parameters
    ----------
    nodes : (3, nz, ny, nx) float32 array
        Input positions relative to the tile's base, voxels.
    lower, weight : three (n,) arrays
        Per axis and voxel of the tile: the node before it and the share of the next.
    start, stop : (3,) int array
        Half-open box inside the tile.
    low, high : (3,) float64 array
        Written: extremes in voxels.

    Returns
    -------
    bool
        Whether any position is a number.
    """
    found = False
    low[:] = np.inf
    high[:] = -np.inf
    size = np.empty(3, np.int64)
    first = np.empty(3, np.int64)
    for a in range(3):
        first[a] = lower[a][start[a]]
        # inner nodes plus the two faces of the box
        size[a] = lower[a][stop[a] - 1] - first[a] + 2
    value = np.empty(3)
    for i in range(size[0]):
        z, tz = _face(i, size[0], first[0], lower[0], weight[0], start[0], stop[0])
        z1 = min(z + 1, nodes.shape[1] - 1)
        for j in range(size[1]):
            y, ty = _face(j, size[1], first[1], lower[1], weight[1], start[1], stop[1])
            y1 = min(y + 1, nodes.shape[2] - 1)
            for k in range(size[2]):
                x, tx = _face(k, size[2], first[2], lower[2], weight[2], start[2], stop[2])
                x1 = min(x + 1, nodes.shape[3] - 1)
                for c in range(3):
                    n = nodes[c]
                    a00 = n[z, y, x] + tx * (n[z, y, x1] - n[z, y, x])
                    a01 = n[z, y1, x] + tx * (n[z, y1, x1] - n[z, y1, x])
                    a10 = n[z1, y, x] + tx * (n[z1, y, x1] - n[z1, y, x])
                    a11 = n[z1, y1, x] + tx * (n[z1, y1, x1] - n[z1, y1, x])
                    a0 = a00 + ty * (a01 - a00)
                    a1 = a10 + ty * (a11 - a10)
                    value[c] = a0 + tz * (a1 - a0)
                if not math.isnan(value[0] + value[1] + value[2]):
                    found = True
                    for c in range(3):
                        low[c] = min(low[c], value[c])
                        high[c] = max(high[c], value[c])
    return found


@njit(cache=True, nogil=True)
def _face(
    i: int, size: int, first: int, lower: IntArray, weight: _Array, start: int, stop: int
) -> tuple[int, float]:
    if i == 0:
        return lower[start], float(weight[start])
    if i == size - 1:
        return lower[stop - 1], float(weight[stop - 1])
    return first + i, 0.0


@njit(cache=True, nogil=True)
def _row(
    nodes: _Array,
    z: int,
    tz: np.float32,
    y: int,
    ty: np.float32,
    start: int,
    stop: int,
    row: _Array,
) -> None:
    """Interpolate the lattice over z and y: node positions of one row of voxels."""
    z1 = min(z + 1, nodes.shape[1] - 1)
    y1 = min(y + 1, nodes.shape[2] - 1)
    for c in range(3):
        for i in range(start, stop):
            a = nodes[c, z, y, i]
            a = a + tz * (nodes[c, z1, y, i] - a)
            b = nodes[c, z, y1, i]
            b = b + tz * (nodes[c, z1, y1, i] - b)
            row[c, i] = a + ty * (b - a)


@njit(cache=True, nogil=True)
def pull_linear(
    source: _Array,
    offset: IntArray,
    first: _Array,
    last: _Array,
    nodes: _Array,
    lower: tuple[IntArray, IntArray, IntArray],
    weight: tuple[_Array, _Array, _Array],
    start: IntArray,
    out: _Array,
) -> None:
    """Fill *out* with the input at the lattice's positions, trilinearly.

    Voxels that map outside the input keep what *out* holds; within half a voxel of the outermost
    centres the nearest centre counts.

    Parameters
    ----------
    source : (Z, Y, X) array, C order
        A box of the input that holds every voxel needed.
    offset : (3,) int array
        The tile's base minus the box's first voxel.
    first, last : (3,) float32 array
        The input's first and last voxel relative to the tile's base.
    nodes : (3, nz, ny, nx) float32 array
        Input positions relative to the tile's base, voxels; NaN is outside.
    lower, weight : three (n,) arrays
        Per axis and voxel of the tile: the node before it and the share of the next.
    start : (3,) int array
        First voxel of *out* inside the tile.
    out : (z, y, x) array
        Part of the output inside the tile.
    """
    depth, height, width = out.shape
    stride_y = source.shape[2]
    stride_z = source.shape[1] * source.shape[2]
    flat = source.reshape(-1)
    columns = nodes.shape[3]
    row = np.empty((3, columns), np.float32)
    lx, wx = lower[2], weight[2]
    x_first = start[2]
    x_stop = x_first + width
    begin = lx[x_first]
    end = min(lx[x_stop - 1] + 2, columns)
    for z in range(depth):
        tz = weight[0][start[0] + z]
        for y in range(height):
            ty = weight[1][start[1] + y]
            _row(nodes, lower[0][start[0] + z], tz, lower[1][start[1] + y], ty, begin, end, row)
            line = out[z, y]
            x = x_first
            while x < x_stop:
                i = lx[x]
                j = min(i + 1, columns - 1)
                cell_stop = x + 1
                while cell_stop < x_stop and lx[cell_stop] == i:
                    cell_stop += 1
                bz, by, bx = row[0, i], row[1, i], row[2, i]
                dz, dy, dx = row[0, j] - bz, row[1, j] - by, row[2, j] - bx
                # positions are linear in x here: both ends well inside, all inside
                if (
                    min(bz, row[0, j]) >= first[0]
                    and max(bz, row[0, j]) + _HALF32 < last[0]
                    and min(by, row[1, j]) >= first[1]
                    and max(by, row[1, j]) + _HALF32 < last[1]
                    and min(bx, row[2, j]) >= first[2]
                    and max(bx, row[2, j]) + _HALF32 < last[2]
                ):
                    for k in range(x, cell_stop):
                        t = wx[k]
                        cz, cy, cx = bz + t * dz, by + t * dy, bx + t * dx
                        iz, iy, ix = np.int32(cz), np.int32(cy), np.int32(cx)
                        fz = cz - np.float32(iz)
                        fy = cy - np.float32(iy)
                        fx = cx - np.float32(ix)
                        p = (iz + offset[0]) * stride_z + (iy + offset[1]) * stride_y
                        p += ix + offset[2]
                        v00, v01 = _real(flat[p]), _real(flat[p + stride_y])
                        q = p + stride_z
                        v10, v11 = _real(flat[q]), _real(flat[q + stride_y])
                        v00 += fx * (_real(flat[p + 1]) - v00)
                        v01 += fx * (_real(flat[p + stride_y + 1]) - v01)
                        v10 += fx * (_real(flat[q + 1]) - v10)
                        v11 += fx * (_real(flat[q + stride_y + 1]) - v11)
                        v00 += fy * (v01 - v00)
                        v10 += fy * (v11 - v10)
                        _store(line, k - x_first, v00 + fz * (v10 - v00))
                else:
                    for k in range(x, cell_stop):
                        t = wx[k]
                        cz, cy, cx = bz + t * dz, by + t * dy, bx + t * dx
                        if not (
                            cz >= first[0] - _EDGE32
                            and cz <= last[0] + _EDGE32
                            and cy >= first[1] - _EDGE32
                            and cy <= last[1] + _EDGE32
                            and cx >= first[2] - _EDGE32
                            and cx <= last[2] + _EDGE32
                        ):
                            continue
                        cz = min(max(cz, first[0]), last[0])
                        cy = min(max(cy, first[1]), last[1])
                        cx = min(max(cx, first[2]), last[2])
                        iz, iy, ix = np.int32(cz), np.int32(cy), np.int32(cx)
                        fz = cz - np.float32(iz)
                        fy = cy - np.float32(iy)
                        fx = cx - np.float32(ix)
                        sz = stride_z if cz < last[0] else 0
                        sy = stride_y if cy < last[1] else 0
                        sx = 1 if cx < last[2] else 0
                        p = (iz + offset[0]) * stride_z + (iy + offset[1]) * stride_y
                        p += ix + offset[2]
                        v00, v01 = _real(flat[p]), _real(flat[p + sy])
                        q = p + sz
                        v10, v11 = _real(flat[q]), _real(flat[q + sy])
                        v00 += fx * (_real(flat[p + sx]) - v00)
                        v01 += fx * (_real(flat[p + sy + sx]) - v01)
                        v10 += fx * (_real(flat[q + sx]) - v10)
                        v11 += fx * (_real(flat[q + sy + sx]) - v11)
                        v00 += fy * (v01 - v00)
                        v10 += fy * (v11 - v10)
                        _store(line, k - x_first, v00 + fz * (v10 - v00))
                x = cell_stop


@njit(cache=True, nogil=True)
def pull_nearest(
    source: _Array,
    offset: IntArray,
    first: _Array,
    last: _Array,
    nodes: _Array,
    lower: tuple[IntArray, IntArray, IntArray],
    weight: tuple[_Array, _Array, _Array],
    start: IntArray,
    out: _Array,
) -> None:
    """Fill *out* with the nearest input voxel; parameters as in :func:`pull_linear`."""
    depth, height, width = out.shape
    columns = nodes.shape[3]
    row = np.empty((3, columns), np.float32)
    lx, wx = lower[2], weight[2]
    begin = lx[start[2]]
    end = min(lx[start[2] + width - 1] + 2, columns)
    for z in range(depth):
        tz = weight[0][start[0] + z]
        for y in range(height):
            ty = weight[1][start[1] + y]
            _row(nodes, lower[0][start[0] + z], tz, lower[1][start[1] + y], ty, begin, end, row)
            for x in range(width):
                i = lx[start[2] + x]
                j = min(i + 1, columns - 1)
                t = wx[start[2] + x]
                cz = row[0, i] + t * (row[0, j] - row[0, i])
                cy = row[1, i] + t * (row[1, j] - row[1, i])
                cx = row[2, i] + t * (row[2, j] - row[2, i])
                if (
                    cz >= first[0] - _EDGE32
                    and cz <= last[0] + _EDGE32
                    and cy >= first[1] - _EDGE32
                    and cy <= last[1] + _EDGE32
                    and cx >= first[2] - _EDGE32
                    and cx <= last[2] + _EDGE32
                ):
                    iz = np.int64(min(max(cz, first[0]), last[0]) + _HALF32)
                    iy = np.int64(min(max(cy, first[1]), last[1]) + _HALF32)
                    ix = np.int64(min(max(cx, first[2]), last[2]) + _HALF32)
                    iz = min(iz, np.int64(last[0]))
                    iy = min(iy, np.int64(last[1]))
                    ix = min(ix, np.int64(last[2]))
                    out[z, y, x] = source[iz + offset[0], iy + offset[1], ix + offset[2]]


@njit(cache=True, nogil=True)
def resample_axis(values: FloatArray, first: IntArray, weights: FloatArray) -> FloatArray:
    """Interpolate along the middle axis.

    Parameters
    ----------
    values : (A, N, B) float64 array, C order
        Samples.
    first : (M,) int array
        First sample of each output.
    weights : (M, T) float64 array
        Weights of *T* samples from there on.

    Returns
    -------
    (A, M, B) array
    """
    lead, _, trail = values.shape
    count, taps = weights.shape
    out = np.zeros((lead, count, trail))
    for a in range(lead):
        for m in range(count):
            for t in range(taps):
                w = weights[m, t]
                if w != 0.0:
                    for b in range(trail):
                        out[a, m, b] += w * values[a, first[m] + t, b]
    return out
