"""A stack of planes that are decoded whole, one at a time, with a small cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from clemkit.volumes.source import AnyArray, BlockCache, BlockSource

__all__ = ["PlaneSource"]


class PlaneSource(BlockSource):
    """Planes behind a function.

    Parameters
    ----------
    shape : tuple of int
        ``(z, y, x)`` or ``(c, z, y, x)``.
    dtype : numpy dtype
        Voxel type.
    plane : callable
        Takes the plane's number and the channel, returns its (y, x) pixels.
    """

    def __init__(
        self, shape: tuple[int, ...], dtype: Any, plane: Callable[[int, int], AnyArray]
    ) -> None:
        super().__init__(shape, dtype)
        self._plane = plane
        self._cache = BlockCache()

    def read_block(
        self, channel: int, start: tuple[int, int, int], stop: tuple[int, int, int]
    ) -> AnyArray:
        """Read one channel inside a box."""
        out = np.empty(tuple(b - a for a, b in zip(start, stop, strict=True)), self.dtype)
        for z in range(start[0], stop[0]):
            pixels = self._cache.get((z, channel), lambda z=z: self._plane(z, channel))  # type: ignore[misc]
            out[z - start[0]] = pixels[start[1] : stop[1], start[2] : stop[2]]
        return out
