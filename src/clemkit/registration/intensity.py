"""Image preparation for matching: block means, local normalisation, oriented Gaussian blur."""

from __future__ import annotations

import numpy as np
import scipy.fft as sf
from numpy.typing import NDArray
from scipy import ndimage as ndi

from clemkit.geometry import FloatArray, Grid, Triple

__all__ = [
    "block_mean",
    "gaussian_blur_nm",
    "local_normalise",
    "oriented_blur",
    "recorded_field",
    "stabilise",
]

FloatImage = NDArray[np.float32]
_BLOCKS_PER_SIGMA = 3.0  # fewer would show in what is interpolated between them


def block_mean(
    image: NDArray[np.generic], grid: Grid, factor_zyx: tuple[int, int, int]
) -> tuple[FloatImage, Grid]:
    """Average whole blocks; the last incomplete block is averaged over what it has.

    Parameters
    ----------
    image : (Z, Y, X) array
    grid : Grid
        Grid of *image*.
    factor_zyx : tuple of int

    Returns
    -------
    image, grid
        Float32 block means and their grid.
    """
    if factor_zyx == (1, 1, 1):
        return np.asarray(image, dtype=np.float32), grid
    out = np.asarray(image, dtype=np.float32)
    for axis, f in enumerate(factor_zyx):
        if f == 1:
            continue
        n = out.shape[axis]
        starts = np.arange(0, n, f)
        sums = np.add.reduceat(out, starts, axis=axis)
        counts = np.minimum(starts + f, n) - starts
        shape = [1, 1, 1]
        shape[axis] = len(starts)
        out = np.asarray(sums / counts.reshape(shape), dtype=np.float32)
    return out, grid.downsample(factor_zyx)


def gaussian_blur_nm(
    image: FloatImage, sigma_nm: float | Triple, voxel_zyx_nm: Triple
) -> FloatImage:
    """Blur with a Gaussian given in nanometres; axes with one voxel stay as they are.

    Wide blurs are made on block means and interpolated, which changes a step of 1 by less than
    0.02 (tested).
    """
    sigma = np.broadcast_to(np.asarray(sigma_nm, dtype=float), 3) / np.array(voxel_zyx_nm)
    sigma = np.where(np.array(image.shape) > 1, sigma, 0.0)
    factor = np.maximum((sigma / _BLOCKS_PER_SIGMA).astype(int), 1)
    factor = np.where(np.array(image.shape) >= 4 * factor, factor, 1)
    if factor.max() == 1:
        return np.asarray(ndi.gaussian_filter(image, sigma, mode="nearest"), dtype=np.float32)
    small = _padded_block_mean(image, factor)
    # blocks and straight lines between them blur too
    own = np.where(factor > 1, (factor**2 - 1) / 12 + factor**2 / 6, 0.0)
    rest = np.sqrt(np.maximum(sigma**2 - own, 0.0)) / factor
    small = np.asarray(ndi.gaussian_filter(small, rest, mode="nearest"), dtype=np.float32)
    for axis in np.argsort(-factor):
        if factor[axis] > 1:
            small = _between(small, int(axis), int(factor[axis]), image.shape[axis])
    return small


def _padded_block_mean(image: FloatImage, factor: NDArray[np.int64]) -> FloatImage:
    """Average blocks; the last one is filled with copies of the edge."""
    out = image
    for axis, f in enumerate(factor):
        if f == 1:
            continue
        missing = -out.shape[axis] % f
        if missing:
            edge = np.take(out, [-1], axis=axis)
            out = np.concatenate([out, np.repeat(edge, missing, axis=axis)], axis=axis)
        shape = (*out.shape[:axis], out.shape[axis] // f, f, *out.shape[axis + 1 :])
        out = out.reshape(shape).mean(axis=axis + 1, dtype=np.float32)
    return np.asarray(out, dtype=np.float32)


def _between(image: FloatImage, axis: int, factor: int, count: int) -> FloatImage:
    """Interpolate block centres along an axis to *count* voxels."""
    n = image.shape[axis]
    place = np.clip((np.arange(count) + 0.5) / factor - 0.5, 0, n - 1)
    first = np.minimum(place.astype(int), n - 2) if n > 1 else np.zeros(count, int)
    weight = (place - first).astype(np.float32)
    weight = weight.reshape([-1 if a == axis else 1 for a in range(3)])
    low = np.take(image, first, axis=axis)
    low += weight * (np.take(image, np.minimum(first + 1, n - 1), axis=axis) - low)
    return low


def stabilise(image: FloatImage) -> FloatImage:
    """Return the square root above the background, which evens out photon noise.

    The background is the second percentile of the image; negative values become zero.
    """
    low, mid = np.percentile(image, [2.0, 50.0])
    spread = max(float(mid - low), 1e-3 * float(np.ptp(image)), 1e-12)
    return np.sqrt(np.maximum(image - low, 0.0) + 0.1 * spread).astype(np.float32)


def recorded_field(image: FloatImage) -> NDArray[np.bool_] | None:
    """Return where something was recorded, or None when that is everywhere.

    Rotated or stitched images are padded: voxels of the lowest value that hang together, touch
    the border and make up at least 2 % of the image are taken as padding, one voxel further in.
    The broad faces of a thin volume do not count as border: dark structures cross it.
    """
    lowest = image <= float(image.min()) + 1e-6 * float(np.ptp(image))
    if lowest.mean() < 0.02:
        return None
    parts, _ = ndi.label(lowest)
    touching = set()
    for axis in range(3):
        if 2 * image.shape[axis] >= max(image.shape):
            for side in (0, -1):
                touching.update(np.unique(np.take(parts, side, axis=axis)).tolist())
    sizes = np.bincount(parts.ravel())
    padding = [k for k in touching if k and sizes[k] >= 0.005 * image.size]
    outside = np.isin(parts, padding)
    if outside.mean() < 0.02:
        return None
    return ~np.asarray(ndi.binary_dilation(outside), dtype=bool)


def local_normalise(
    image: FloatImage,
    voxel_zyx_nm: Triple,
    scale_nm: float,
    floor: float = 0.3,
    recorded: NDArray[np.bool_] | None = None,
) -> FloatImage:
    """Remove slow changes of brightness and contrast.

    The image minus its Gaussian mean at *scale_nm*, over the local root mean square at twice
    that scale plus *floor* times its median. Where nothing was *recorded* the result is 0, and
    such voxels do not enter the means.
    """
    if recorded is not None:
        share = recorded.astype(np.float32)
        near = np.maximum(gaussian_blur_nm(share, scale_nm, voxel_zyx_nm), 1e-3)
        far = np.maximum(gaussian_blur_nm(share, 2 * scale_nm, voxel_zyx_nm), 1e-3)
        mean = gaussian_blur_nm(image * share, scale_nm, voxel_zyx_nm) / near
        rest = ((image - mean) * share).astype(np.float32)
        power = gaussian_blur_nm(rest * rest, 2 * scale_nm, voxel_zyx_nm) / far
        spread = np.sqrt(np.maximum(power, 0.0))
        base = floor * float(np.median(spread[recorded])) + 1e-6 * float(spread.max()) + 1e-30
        return (rest / (spread + base)).astype(np.float32)
    high = image - gaussian_blur_nm(image, scale_nm, voxel_zyx_nm)
    local = np.sqrt(np.maximum(gaussian_blur_nm(high * high, 2 * scale_nm, voxel_zyx_nm), 0.0))
    base = floor * float(np.median(local)) + 1e-6 * float(local.max()) + 1e-30
    return (high / (local + base)).astype(np.float32)


def oriented_blur(image: FloatImage, covariance_vox: FloatArray) -> FloatImage:
    """Blur with a Gaussian of any covariance, zero beyond the edges.

    Parameters
    ----------
    image : (Z, Y, X) float32 array
    covariance_vox : (3, 3) array
        Covariance of the kernel in voxels squared, z-y-x.
    """
    cov = covariance_vox.copy()
    for axis in range(3):
        if image.shape[axis] == 1:
            cov[axis, :] = cov[:, axis] = 0.0
    pad = np.ceil(3 * np.sqrt(np.diag(cov))).astype(int)
    shape = [sf.next_fast_len(int(n + p), True) for n, p in zip(image.shape, pad, strict=True)]
    spectrum = sf.rfftn(image, shape)
    w = (
        (2 * np.pi * sf.fftfreq(shape[0])).astype(np.float32)[:, None, None],
        (2 * np.pi * sf.fftfreq(shape[1])).astype(np.float32)[None, :, None],
        (2 * np.pi * sf.rfftfreq(shape[2])).astype(np.float32)[None, None, :],
    )
    exponent = np.zeros(spectrum.shape, dtype=np.float32)
    for i in range(3):
        for j in range(i, 3):
            factor = cov[i, j] * (1.0 if i == j else 2.0)
            if factor != 0:
                exponent += np.float32(factor) * w[i] * w[j]
    spectrum *= np.exp(np.float32(-0.5) * exponent)
    z, y, x = image.shape
    return np.asarray(sf.irfftn(spectrum, shape)[:z, :y, :x], dtype=np.float32)
