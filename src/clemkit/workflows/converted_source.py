"""Voxels converted while they are read: 64-bit numbers that interpolate, soft masks with edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from clemkit.volumes import ArraySource

__all__ = ["as_float64", "as_mask"]


class _Converted:
    def __init__(
        self, source: ArraySource, dtype: Any, convert: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        self.shape = tuple(source.shape)
        self.dtype = np.dtype(dtype)
        self._source, self._convert = source, convert

    def __getitem__(self, key: Any, /) -> Any:
        return self._convert(np.asarray(self._source[key])).astype(self.dtype)


def as_float64(source: ArraySource) -> ArraySource:
    """Return *source* as float64; exact up to 2**53."""
    return _Converted(source, np.float64, lambda values: values)


def as_mask(source: ArraySource, above: float) -> ArraySource:
    """Return 1 where *source* exceeds a value, 0 elsewhere."""
    return _Converted(source, np.uint8, lambda values: values > above)
