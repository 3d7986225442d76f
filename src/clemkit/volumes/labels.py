"""Label volumes: integral floats, wrapped ids, connected components."""

from __future__ import annotations

from typing import Any

import numpy as np

from clemkit.errors import DataError
from clemkit.geometry import IntArray
from clemkit.volumes.source import BlockSource
from clemkit.volumes.volume import ArraySource

__all__ = ["as_labels", "connected_components", "looks_wrapped"]

_NEAR_TOP = 0.9  # wrapped ids pile up in the last tenth of the range
_FEW_IDS = 32
_LOOK_AT = 1 << 25  # voxels


class _IntegralSource(BlockSource):
    """Labels stored as floating point, read as int64 and checked while reading."""

    def __init__(self, source: ArraySource, name: str) -> None:
        super().__init__(tuple(source.shape), np.int64)
        self._source, self._name = source, name

    def read_block(
        self, channel: int, start: tuple[int, int, int], stop: tuple[int, int, int]
    ) -> np.ndarray[Any, Any]:
        where: tuple[Any, ...] = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        values = np.asarray(self._source[(channel, *where) if self.ndim == 4 else where])
        whole = np.rint(values)
        if not np.array_equal(whole, values):  # also true for NaN
            wrong = values[whole != values].ravel()[0]
            raise DataError(
                f"{self._name}: expected labels (whole numbers); found {wrong}; "
                "open it as an intensity volume or threshold it first"
            )
        return whole.astype(np.int64)


def as_labels(source: ArraySource, name: str) -> ArraySource:
    """Return *source* with an integer voxel type.

    Parameters
    ----------
    source : ArraySource
        Integer, boolean or floating-point voxels.
    name : str
        What to call it in a message.

    Returns
    -------
    ArraySource
        The same object for integers and booleans; int64 for floating-point voxels, whose values
        are checked whenever a part is read.

    Raises
    ------
    DataError
        The voxel type is complex or structured; while reading: a value is not whole.
    """
    kind = np.dtype(source.dtype).kind
    if kind in "iub":
        return source
    if kind != "f":
        raise DataError(f"{name}: expected integer labels; found {np.dtype(source.dtype)}")
    return _IntegralSource(source, name)


def connected_components(mask: np.ndarray[Any, Any], connectivity: int = 1) -> tuple[IntArray, int]:
    """Label the connected components of a mask with numbers.

    Parameters
    ----------
    mask : (z, y, x) array
        Non-zero is foreground.
    connectivity : int
        1: voxels touch by faces; 2: also by edges; 3: also by corners.

    Returns
    -------
    tuple
        ``(z, y, x)`` int64 labels from 1 in scan order, and their number.
    """
    from scipy import ndimage

    structure = ndimage.generate_binary_structure(mask.ndim, connectivity)
    labels, count = ndimage.label(mask != 0, structure=structure)
    return labels.astype(np.int64), int(count)


def looks_wrapped(labels: np.ndarray[Any, Any]) -> bool:
    """Say whether instance ids were cut to a small integer type and wrapped around.

    The sign is few distinct ids, all close to the top of the voxel type, that mostly consist of
    several connected components each. Such ids say nothing; use :func:`connected_components`.

    Parameters
    ----------
    labels : (z, y, x) integer array
        Label volume; 0 is background. Above 2**25 voxels, every n-th along each axis is looked
        at.

    Returns
    -------
    bool
    """
    from scipy import ndimage

    if labels.dtype.kind not in "iu":
        return False
    step = max(int(np.ceil((labels.size / _LOOK_AT) ** (1 / 3))), 1)
    labels = labels[tuple(slice(None, None, step if n > step else 1) for n in labels.shape)]
    ids = np.unique(labels)
    ids = ids[ids != 0]
    top = np.iinfo(labels.dtype).max
    if not 2 <= ids.size <= _FEW_IDS or ids.min() < _NEAR_TOP * top:
        return False
    several = 0
    for one, where in zip(ids, _boxes(labels, ids), strict=True):
        several += ndimage.label(labels[where] == one)[1] > 1
    return several > ids.size / 2


def _boxes(labels: np.ndarray[Any, Any], ids: np.ndarray[Any, Any]) -> list[Any]:
    from scipy import ndimage

    compact = np.searchsorted(ids, labels).astype(np.int32) + 1
    compact[labels == 0] = 0
    return ndimage.find_objects(compact)
