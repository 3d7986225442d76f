"""Walk through volumes that need not fit in memory, a few sections at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.volumes.volume import ArraySource

__all__ = ["iter_slabs", "require_same_shape"]

_SLAB_VOXELS = 1 << 24  # 16 Mvoxel: 128 MB as float64


def require_same_shape(*arrays: ArraySource) -> tuple[int, int, int]:
    """Return the common ``(z, y, x)`` shape of arrays on one grid.

    Raises
    ------
    ArgumentError
        An array is not three-dimensional, or the shapes differ.
    """
    shapes = [tuple(int(n) for n in a.shape) for a in arrays]
    if len(shapes[0]) != 3 or any(shape != shapes[0] for shape in shapes):
        raise ArgumentError(
            f"comparison of volumes: expected equal (z, y, x) shapes; found {shapes}; "
            "resample one onto the grid of the other first"
        )
    z, y, x = shapes[0]
    return z, y, x


def iter_slabs(
    *arrays: ArraySource, slab_voxels: int = _SLAB_VOXELS
) -> Iterator[tuple[np.ndarray[Any, Any], ...]]:
    """Yield the same block of whole sections from each array, in order of z.

    Parameters
    ----------
    *arrays : (z, y, x) array sources
        Volumes on one grid.
    slab_voxels : int
        Upper bound of the voxels per block; at least one section is read.
    """
    depth, height, width = require_same_shape(*arrays)
    step = max(1, slab_voxels // max(1, height * width))
    for start in range(0, depth, step):
        yield tuple(np.asarray(a[start : start + step]) for a in arrays)
