"""Compiled rasterisers: tubes to distance and label volumes, cells to depth, emitters to counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from clemkit.geometry import FloatArray, Grid
from clemkit.testing.cells import Monolayer, cell_depth, nucleus_distance
from clemkit.testing.organelles import Tubes

__all__ = [
    "CellVolumes",
    "TubeVolumes",
    "paint_balls",
    "render_cells",
    "render_tubes",
    "splat",
]

_FAR_NM = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class TubeVolumes:
    """Tubes on a grid.

    Attributes
    ----------
    distance_nm : (z, y, x) float32 array
        Signed distance to the nearest surface, negative inside; large where nothing is near.
    nodes : (z, y, x) int32 array
        Index of the nearest node, -1 where nothing is near.
    """

    distance_nm: np.ndarray[Any, Any]
    nodes: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class CellVolumes:
    """Cells on a grid: depth below the plasma membrane, nuclear distance (nm), cell index."""

    depth_nm: np.ndarray[Any, Any]
    nuclear_nm: np.ndarray[Any, Any]
    cells: np.ndarray[Any, Any]


@njit(cache=True)
def _paint(points, radii, origin, voxel, margin, distance, nodes):  # type: ignore[no-untyped-def]
    shape = distance.shape
    for n in range(points.shape[0]):
        reach = radii[n] + margin
        lo = np.empty(3, np.int64)
        hi = np.empty(3, np.int64)
        for a in range(3):
            lo[a] = max(int(np.ceil((points[n, a] - reach - origin[a]) / voxel[a])), 0)
            hi[a] = min(int(np.floor((points[n, a] + reach - origin[a]) / voxel[a])), shape[a] - 1)
        for i in range(lo[0], hi[0] + 1):
            dz = i * voxel[0] + origin[0] - points[n, 0]
            for j in range(lo[1], hi[1] + 1):
                dy = j * voxel[1] + origin[1] - points[n, 1]
                for k in range(lo[2], hi[2] + 1):
                    dx = k * voxel[2] + origin[2] - points[n, 2]
                    r2 = dz * dz + dy * dy + dx * dx
                    if r2 < reach * reach:
                        d = np.sqrt(r2) - radii[n]
                        if d < distance[i, j, k]:
                            distance[i, j, k] = d
                            nodes[i, j, k] = n


def paint_balls(
    points_zyx_nm: FloatArray, radii_nm: FloatArray, grid: Grid, margin_nm: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the signed distance to a union of balls and the nearest ball, on a grid.

    Parameters
    ----------
    points_zyx_nm, radii_nm : (N, 3) and (N,) float array
    margin_nm : float
        How far outside a ball distances are wanted.

    Returns
    -------
    distance_nm : (z, y, x) float32 array
        Large where nothing is near.
    balls : (z, y, x) int32 array
        -1 where nothing is near.
    """
    distance = np.full(grid.shape_zyx, _FAR_NM, dtype=np.float32)
    balls = np.full(grid.shape_zyx, -1, dtype=np.int32)
    origin, voxel = np.array(grid.origin_zyx_nm), np.array(grid.voxel_size_zyx_nm)
    _paint(points_zyx_nm, radii_nm, origin, voxel, margin_nm, distance, balls)
    return distance, balls


def render_tubes(tubes: Tubes, grid: Grid, margin_nm: float) -> TubeVolumes:
    """Render tubes on a grid, with distances up to *margin_nm* outside them."""
    return TubeVolumes(*paint_balls(tubes.points_zyx_nm, tubes.radii_nm, grid, margin_nm))


@njit(cache=True)
def _render_cells(cells, origin, voxel, depth, nuclear, index):  # type: ignore[no-untyped-def]
    for i in range(depth.shape[0]):
        z = origin[0] + i * voxel[0]
        for j in range(depth.shape[1]):
            y = origin[1] + j * voxel[1]
            for k in range(depth.shape[2]):
                x = origin[2] + k * voxel[2]
                d, c = cell_depth(cells, z, y, x)
                depth[i, j, k] = d
                index[i, j, k] = c
                nuclear[i, j, k] = nucleus_distance(cells, c, z, y, x)


def render_cells(cells: Monolayer, grid: Grid) -> CellVolumes:
    """Render cell depth, nuclear distance and cell index on a grid."""
    depth = np.empty(grid.shape_zyx, dtype=np.float32)
    nuclear = np.empty(grid.shape_zyx, dtype=np.float32)
    index = np.empty(grid.shape_zyx, dtype=np.int16)
    origin, voxel = np.array(grid.origin_zyx_nm), np.array(grid.voxel_size_zyx_nm)
    _render_cells(cells, origin, voxel, depth, nuclear, index)
    return CellVolumes(depth, nuclear, index)


@njit(cache=True)
def _splat(index, weights, out):  # type: ignore[no-untyped-def]
    shape = out.shape
    for n in range(index.shape[0]):
        i = int(np.floor(index[n, 0]))
        j = int(np.floor(index[n, 1]))
        k = int(np.floor(index[n, 2]))
        a, b, c = index[n, 0] - i, index[n, 1] - j, index[n, 2] - k
        if i < -1 or j < -1 or k < -1 or i >= shape[0] or j >= shape[1] or k >= shape[2]:
            continue
        for di in range(2):
            if i + di < 0 or i + di >= shape[0]:
                continue
            wi = a if di else 1 - a
            for dj in range(2):
                if j + dj < 0 or j + dj >= shape[1]:
                    continue
                wj = b if dj else 1 - b
                for dk in range(2):
                    if k + dk < 0 or k + dk >= shape[2]:
                        continue
                    wk = c if dk else 1 - c
                    out[i + di, j + dj, k + dk] += weights[n] * wi * wj * wk


def splat(grid: Grid, points_zyx_nm: FloatArray, weights: FloatArray) -> np.ndarray[Any, Any]:
    """Share the weights ``(N,)`` of points ``(N, 3)`` among the voxels around each point."""
    out = np.zeros(grid.shape_zyx, dtype=np.float32)
    _splat(grid.to_index(points_zyx_nm), np.asarray(weights, dtype=np.float64), out)
    return out
