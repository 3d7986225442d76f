"""Similarity of two intensity volumes on one grid, inside a mask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError, DataError
from clemkit.evaluation.slabs import iter_slabs
from clemkit.geometry import FloatArray
from clemkit.volumes.volume import ArraySource

__all__ = ["normalised_cross_correlation", "normalised_mutual_information"]

_DEFAULT_SLAB = 1 << 24


def normalised_cross_correlation(
    first: ArraySource,
    second: ArraySource,
    *,
    mask: ArraySource | None = None,
    slab_voxels: int = _DEFAULT_SLAB,
) -> float:
    """Return the Pearson correlation of the voxels of two volumes, -1 to 1.

    Parameters
    ----------
    first, second : (z, y, x) array sources
        Intensities on one grid; voxels that are not finite in either are left out.
    mask : (z, y, x) array source, optional
        Voxels to use (above zero).
    slab_voxels : int
        Upper bound of the voxels per block.

    Raises
    ------
    DataError
        Fewer than two voxels to compare, or one volume is constant there.
    """
    count = 0
    mean = np.zeros(2)
    scatter = np.zeros((2, 2))
    for pair in _valid_pairs(first, second, mask, slab_voxels):
        # blockwise update of mean and scatter (Chan, Golub, LeVeque 1983): no cancellation
        n = pair.shape[1]
        block_mean = pair.mean(axis=1)
        centred = pair - block_mean[:, None]
        delta = block_mean - mean
        total = count + n
        scatter += centred @ centred.T + np.outer(delta, delta) * (count * n / total)
        mean += delta * (n / total)
        count = total
    if count < 2:
        raise DataError(
            f"cross-correlation: expected at least two voxels to compare; found {count}; "
            "check the mask and the overlap of the volumes"
        )
    spread = np.sqrt(scatter[0, 0]) * np.sqrt(scatter[1, 1])
    if spread == 0:
        raise DataError("cross-correlation: expected varying intensities; found a constant volume")
    return float(np.clip(scatter[0, 1] / spread, -1.0, 1.0))


def normalised_mutual_information(
    first: ArraySource,
    second: ArraySource,
    *,
    mask: ArraySource | None = None,
    bins: int = 64,
    slab_voxels: int = _DEFAULT_SLAB,
) -> float:
    """Return (H(A) + H(B)) / H(A, B) [1]_: 1 for independent, 2 for identical volumes.

    Histograms have equal bins between the extremes of each volume inside the mask.

    Parameters
    ----------
    first, second : (z, y, x) array sources
        Intensities on one grid; voxels that are not finite in either are left out.
    mask : (z, y, x) array source, optional
        Voxels to use (above zero).
    bins : int
        Bins per axis of the joint histogram.
    slab_voxels : int
        Upper bound of the voxels per block.

    Raises
    ------
    ArgumentError
        Fewer than two bins.
    DataError
        No voxels to compare, or one volume is constant there.

    References
    ----------
    .. [1] C. Studholme, D. L. G. Hill, D. J. Hawkes, Pattern Recognition 32, 71-86, 1999.
    """
    if bins < 2:
        raise ArgumentError(f"bins: expected at least 2; found {bins}")
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for pair in _valid_pairs(first, second, mask, slab_voxels):
        low, high = np.minimum(low, pair.min(axis=1)), np.maximum(high, pair.max(axis=1))
    if not np.all(high > low):
        raise DataError(
            "mutual information: expected varying intensities in both volumes; found a constant "
            "one or no voxels to compare; check the mask and the overlap of the volumes"
        )
    joint = np.zeros((bins, bins))
    for pair in _valid_pairs(first, second, mask, slab_voxels):
        scaled = (pair - low[:, None]) / (high - low)[:, None] * bins
        index = np.minimum(scaled.astype(np.intp), bins - 1)
        joint += np.bincount(index[0] * bins + index[1], minlength=bins * bins).reshape(bins, bins)
    joint /= joint.sum()
    marginals = _entropy(joint.sum(axis=1)) + _entropy(joint.sum(axis=0))
    return float(marginals / _entropy(joint))


def _entropy(probability: FloatArray) -> float:
    p = probability[probability > 0]
    return float(-(p * np.log(p)).sum())


def _valid_pairs(
    first: ArraySource, second: ArraySource, mask: ArraySource | None, slab_voxels: int
) -> Iterator[FloatArray]:
    """Yield ``(2, n)`` blocks of the values to compare."""
    arrays = (first, second) if mask is None else (first, second, mask)
    block: tuple[np.ndarray[Any, Any], ...]
    for block in iter_slabs(*arrays, slab_voxels=slab_voxels):
        a, b = block[0].astype(np.float64), block[1].astype(np.float64)
        use = np.isfinite(a) & np.isfinite(b)
        if mask is not None:
            use &= block[2] > 0
        if use.any():
            yield np.stack([a[use], b[use]])
