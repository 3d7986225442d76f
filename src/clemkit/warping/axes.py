"""Node positions along one axis of a tile, and the weights to interpolate between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from clemkit.geometry import FloatArray, IntArray

__all__ = ["Tables", "axis_nodes", "axis_taps", "axis_weights"]


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Per axis and voxel of a tile: the node before it, and the share of the next node."""

    lower: tuple[IntArray, IntArray, IntArray]
    weight: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]


def axis_nodes(n: int, step: int, breaks: tuple[float, ...] = ()) -> FloatArray:
    """Return node positions from voxel 0 to ``n - 1``.

    Each stretch between breaks is cut into an even number of equal cells (a power of two) of at
    most *step* voxels, so that every second node makes the lattice of twice the step; with step 0
    every voxel is a node and breaks do not matter.
    """
    if n == 1:
        return np.zeros(1)
    if step == 0:
        return np.arange(n, dtype=np.float64)
    ends = (0.0, *breaks, float(n - 1))
    pieces = []
    for a, b in pairwise(ends):
        cells = 2
        while (b - a) / cells > step:
            cells *= 2
        pieces.append(np.linspace(a, b, cells + 1)[:-1])
    return np.append(np.concatenate(pieces), float(n - 1))


def axis_weights(
    shape_zyx: tuple[int, int, int], axes: tuple[FloatArray, FloatArray, FloatArray]
) -> Tables:
    """Return the kernels' tables for a tile."""
    z, y, x = (_voxel_weights(n, a.tobytes()) for n, a in zip(shape_zyx, axes, strict=True))
    return Tables(lower=(z[0], y[0], x[0]), weight=(z[1], y[1], x[1]))


@lru_cache(maxsize=512)
def _voxel_weights(n: int, nodes: bytes) -> tuple[IntArray, np.ndarray[Any, Any]]:
    positions = np.frombuffer(nodes)
    if len(positions) == 1:
        return np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.float32)
    voxel = np.arange(n)
    lower = np.searchsorted(positions, voxel, side="right") - 1
    lower = np.minimum(lower, len(positions) - 2).astype(np.int64)
    weight = (voxel - positions[lower]) / (positions[lower + 1] - positions[lower])
    return lower, weight.astype(np.float32)


def axis_taps(nodes: FloatArray, targets: FloatArray, taps: int) -> tuple[IntArray, FloatArray]:
    """Return Lagrange weights of up to *taps* nodes around each target: 2 linear, 4 cubic.

    Returns
    -------
    first : (M,) int array
        First node used.
    weights : (M, T) array
        T is *taps*, or the number of nodes where there are fewer.
    """
    return _taps(nodes.tobytes(), targets.tobytes(), taps)


@lru_cache(maxsize=512)
def _taps(node_bytes: bytes, target_bytes: bytes, taps: int) -> tuple[IntArray, FloatArray]:
    nodes, targets = np.frombuffer(node_bytes), np.frombuffer(target_bytes)
    taps = min(taps, len(nodes))
    cell = np.searchsorted(nodes, targets, side="right") - 1
    first = np.clip(cell - (taps - 1) // 2, 0, len(nodes) - taps).astype(np.int64)
    weights = np.ones((len(targets), taps))
    for i in range(taps):
        for j in range(taps):
            if i != j:
                a, b = nodes[first + i], nodes[first + j]
                weights[:, i] *= (targets - b) / (a - b)
    return first, weights
