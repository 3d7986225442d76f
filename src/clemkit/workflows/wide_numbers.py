"""Images of 64-bit whole numbers or booleans, read as floating point so that they interpolate."""

from __future__ import annotations

from typing import Any

import numpy as np

from clemkit.volumes import ArraySource

__all__ = ["as_float64"]


class _Float64:
    def __init__(self, source: ArraySource) -> None:
        self.shape = tuple(source.shape)
        self.dtype = np.dtype(np.float64)
        self._source = source

    def __getitem__(self, key: Any, /) -> Any:
        return np.asarray(self._source[key]).astype(np.float64)


def as_float64(source: ArraySource) -> ArraySource:
    """Return *source* converted while reading; exact up to 2**53."""
    return _Float64(source)
