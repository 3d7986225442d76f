"""From volumes to what the engine works on, bounded in memory; refuses what cannot work."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from clemkit.errors import DataError, TooFewLandmarksError
from clemkit.geometry import Box, Grid
from clemkit.registration.intensity import block_mean
from clemkit.volumes import Volume

__all__ = ["instances", "read_reduced", "require_finite"]

FloatImage = NDArray[np.float32]
_SLAB_VOXELS = 40_000_000


def require_finite(image: FloatImage, name: str) -> None:
    """Raise when an image holds NaN or infinity, or is constant.

    Raises
    ------
    DataError
    """
    bad = int(image.size - np.count_nonzero(np.isfinite(image)))
    if bad:
        raise DataError(
            f"{name}: expected finite values; found {bad} NaN or infinite voxels; "
            "replace them (0 for outside) before registering"
        )
    if image.size and float(image.min()) == float(image.max()):
        raise DataError(
            f"{name}: expected an image with structure; found the same value "
            f"{float(image.flat[0]):g} everywhere; check the file and the channel"
        )


def read_reduced(
    volume: Volume, channel: int, factor_zyx: tuple[int, int, int], box: Box | None = None
) -> tuple[FloatImage, Grid]:
    """Read one channel averaged over blocks, slab by slab.

    Parameters
    ----------
    volume : Volume
    channel : int
    factor_zyx : tuple of int
    box : Box, optional
        Part to read.

    Returns
    -------
    image, grid
    """
    box = box or Box((0, 0, 0), volume.grid.shape_zyx)
    whole = volume.grid.crop(box)
    _, y, x = whole.shape_zyx
    step = max(_SLAB_VOXELS // max(y * x, 1) // factor_zyx[0], 1) * factor_zyx[0]
    parts = []
    for start in range(box.start[0], box.stop[0], step):
        stop = min(start + step, box.stop[0])
        slab = Box((start, *box.start[1:]), (stop, *box.stop[1:]))
        data = volume.read(slab, channel)
        parts.append(block_mean(data, volume.grid.crop(slab), factor_zyx)[0])
    return np.concatenate(parts), whole.downsample(factor_zyx)


def instances(labels: NDArray[np.generic], name: str) -> tuple[NDArray[np.int32], list[str]]:
    """Return instance labels from labels, a mask, or wrapped ids.

    A volume with a single id, or with few ids that each fall into many parts, is split into
    connected components; the change is reported.

    Raises
    ------
    DataError
        The labels are not whole numbers.
    TooFewLandmarksError
        There is no labelled voxel.
    """
    notes: list[str] = []
    data = np.asarray(labels)
    if data.dtype.kind == "f":
        if not np.all(np.isfinite(data)):
            raise DataError(f"{name}: expected label numbers; found NaN or infinity")
        if not np.array_equal(data, np.round(data)):
            raise DataError(f"{name}: expected whole label numbers; found fractions")
    if not np.any(data):
        raise TooFewLandmarksError(
            f"{name}: expected labelled structures; found none (all voxels are 0); "
            "check the file, or segment first"
        )
    ids = np.unique(data)
    ids = ids[ids != 0]
    compact = np.searchsorted(ids, data).astype(np.int32) + 1
    compact[data == 0] = 0
    if len(ids) <= 12:
        mask = data != 0
        parts, count = ndi.label(mask, ndi.generate_binary_structure(3, 3))
        if count > 3 * len(ids):
            sizes = np.bincount(parts.ravel())
            keep = sizes >= 8
            keep[0] = False
            if keep.sum() >= 1:
                renumber = np.cumsum(keep).astype(np.int32) * keep
                notes.append(
                    f"{name}: {len(ids)} label value(s) in {int(keep.sum())} separate parts; "
                    "treated as a mask, each connected part is one object"
                )
                return renumber[parts].astype(np.int32), notes
    return compact, notes
