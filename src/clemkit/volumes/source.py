"""Lazy array sources: what every own reader hands out instead of an array."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from clemkit.errors import AxisError, FormatError

__all__ = ["AxesSource", "BlockCache", "BlockSource", "RawSource", "arrange", "index_ranges"]

AnyArray = np.ndarray[Any, Any]


class BlockSource(ABC):
    """Voxels that are read block by block; indexing gives numpy arrays in native byte order.

    Parameters
    ----------
    shape : tuple of int
        ``(z, y, x)`` or ``(c, z, y, x)``.
    dtype : numpy dtype
        Voxel type.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype).newbyteorder("=")

    @property
    def ndim(self) -> int:
        """Number of axes, 3 or 4."""
        return len(self.shape)

    @abstractmethod
    def read_block(
        self, channel: int, start: tuple[int, int, int], stop: tuple[int, int, int]
    ) -> AnyArray:
        """Read one channel inside a half-open, non-empty index box, ``(z, y, x)``."""

    def __getitem__(self, key: Any, /) -> AnyArray:
        """Read by integers and slices with positive steps; missing axes are taken whole."""
        ranges, dropped = index_ranges(key, self.shape)
        lo, hi = [r.start for r in ranges], [r.stop for r in ranges]
        extent = tuple(len(r) for r in ranges)
        if 0 in extent:
            out = np.zeros(extent, self.dtype)
        else:
            steps = tuple(slice(None, None, r.step) for r in ranges[-3:])
            start, stop = (lo[-3], lo[-2], lo[-1]), (hi[-3], hi[-2], hi[-1])
            if self.ndim == 3:
                out = self._native(self.read_block(0, start, stop)[steps])
            else:
                parts = [self._native(self.read_block(c, start, stop)[steps]) for c in ranges[0]]
                out = np.stack(parts)
        return out[tuple(0 if axis in dropped else slice(None) for axis in range(self.ndim))]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        whole = self[...]
        return whole if dtype is None else whole.astype(dtype)

    def _native(self, block: AnyArray) -> AnyArray:
        return block.astype(self.dtype, copy=False)


def index_ranges(key: Any, shape: tuple[int, ...]) -> tuple[list[range], set[int]]:
    """Return what an index means along each axis, and the axes that integers drop.

    Raises
    ------
    AxisError
        There are more keys than axes, or a step is not positive.
    """
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(k is Ellipsis for k in keys):
        at = next(i for i, k in enumerate(keys) if k is Ellipsis)
        keys[at : at + 1] = [slice(None)] * (len(shape) - len(keys) + 1)
    keys += [slice(None)] * (len(shape) - len(keys))
    if len(keys) > len(shape):
        raise AxisError(f"index {key!r}: expected at most {len(shape)} axes; found {len(keys)}")
    ranges: list[range] = []
    dropped: set[int] = set()
    for axis, (k, n) in enumerate(zip(keys, shape, strict=True)):
        if isinstance(k, slice):
            start, stop, step = k.indices(n)
            if step < 1:
                raise AxisError(f"index {key!r}: expected positive steps; found {step}")
            ranges.append(range(start, max(stop, start), step))
            continue
        index = int(k)
        if not -n <= index < n:
            raise IndexError(f"index {index} is outside axis {axis} of extent {n}")
        index %= n
        ranges.append(range(index, index + 1))
        dropped.add(axis)
    return ranges, dropped


class BlockCache:
    """A least-recently-used cache of decoded blocks, bounded in bytes, safe between threads.

    Parameters
    ----------
    limit : int
        Bytes kept at most; a single larger block is handed out but not kept.
    """

    def __init__(self, limit: int = 64 << 20) -> None:
        self._limit = limit
        self._held = 0
        self._blocks: OrderedDict[Hashable, AnyArray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], AnyArray]) -> AnyArray:
        """Return the block of *key*, made by *make* where it is not held."""
        with self._lock:
            if key in self._blocks:
                self._blocks.move_to_end(key)
                return self._blocks[key]
        block = make()
        with self._lock:
            if key not in self._blocks and block.nbytes <= self._limit:
                self._blocks[key] = block
                self._held += block.nbytes
                while self._held > self._limit:
                    self._held -= self._blocks.popitem(last=False)[1].nbytes
        return block

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return type(self), (self._limit,)


class AxesSource(BlockSource):
    """Another array seen as ``(z, y, x)`` or ``(c, z, y, x)``.

    Parameters
    ----------
    array : array-like
        Numpy, zarr or h5py array, or a :class:`RawSource`; only integers and slices are used.
    axes : str
        One letter of ``tczyx`` per axis of *array*, in its order; y and x are required.
    time : int
        Time point to show.
    """

    def __init__(self, array: Any, axes: str, time: int = 0) -> None:
        extent = dict(zip(axes, array.shape, strict=True))
        zyx = (extent.get("z", 1), extent["y"], extent["x"])
        super().__init__((extent["c"], *zyx) if "c" in extent else zyx, array.dtype)
        self._array, self._axes, self._time = array, axes, time

    def read_block(
        self, channel: int, start: tuple[int, int, int], stop: tuple[int, int, int]
    ) -> AnyArray:
        """Read one channel inside a box."""
        where: dict[str, Any] = {"t": self._time, "c": channel}
        where |= {a: slice(lo, hi) for a, lo, hi in zip("zyx", start, stop, strict=True)}
        block = np.asarray(self._array[tuple(where[a] for a in self._axes)])
        kept = [a for a in self._axes if a in "zyx"]
        if "z" not in kept:
            block, kept = block[None], ["z", *kept]
        return block.transpose([kept.index(a) for a in "zyx"])


def arrange(array: Any, axes: str, time: int = 0) -> Any:
    """Return *array* as it is where its axes fit already, else behind an :class:`AxesSource`."""
    return array if axes in ("zyx", "czyx") else AxesSource(array, axes, time)


class RawSource:
    """An n-dimensional array stored plainly in a file, mapped while it is read.

    Parameters
    ----------
    path : Path or callable
        The file, or a function that makes it when first needed (decompression).
    shape, dtype, offset, order
        As for :class:`numpy.memmap`.
    """

    def __init__(
        self,
        path: Path | Callable[[], Path],
        shape: tuple[int, ...],
        dtype: Any,
        offset: int = 0,
        order: Literal["C", "F"] = "C",
    ) -> None:
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype).newbyteorder("=")
        self._stored = np.dtype(dtype)
        self._path, self._offset, self._order = path, offset, order

    @property
    def path(self) -> Path | Callable[[], Path]:
        """The file, or the function that makes it."""
        return self._path

    @property
    def nbytes(self) -> int:
        """Bytes of the voxels."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def check(self) -> None:
        """Raise unless the file is long enough.

        Raises
        ------
        FormatError
            The file ends before its last voxel.
        """
        if isinstance(self._path, Path):
            self._check_size(self._path)

    def _check_size(self, path: Path) -> None:
        size, needed = path.stat().st_size, self._offset + self.nbytes
        if size < needed:
            raise FormatError(
                path,
                f"the file is truncated: expected {needed} bytes; found {size}; copy it again",
            )

    def __getitem__(self, key: Any, /) -> AnyArray:
        path = self._path if isinstance(self._path, Path) else self._path()
        self._check_size(path)
        # mapped anew each time, so that pages of earlier reads do not count as used memory
        mapped = np.memmap(path, self._stored, "r", self._offset, self.shape, self._order)
        return np.array(mapped[key], self.dtype)

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self._path, self.shape, self._stored, self._offset, self._order)
