"""Fixed structures: label volumes cut into pieces on the work grid, and their size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.cluster.vq import kmeans2

from clemkit.geometry import FloatArray, Grid
from clemkit.registration.intensity import block_mean

_MOST_PIECES = 200  # of one object; more are not needed to hold parts of it out

__all__ = ["Structures", "block_structures", "cut_pieces", "structure_radius_nm"]


@dataclass(frozen=True, slots=True, eq=False)
class Structures:
    """Pieces of fixed objects on a work grid.

    Attributes
    ----------
    grid : Grid
        Work grid.
    fraction : (Z, Y, X) float32 array
        Share of each work voxel that is labelled.
    piece : (Z, Y, X) int32 array
        Piece that owns the voxel; 0 where there is none.
    count : int
        Number of pieces.
    objects : (count + 1,) int array
        Object each piece belongs to; entry 0 is unused.
    centres_zyx_nm : (count + 1, 3) float array
        Centroids of the pieces; entry 0 is unused.
    """

    grid: Grid
    fraction: NDArray[np.float32]
    piece: NDArray[np.int32]
    count: int
    objects: NDArray[np.int64]
    centres_zyx_nm: FloatArray


def structure_radius_nm(labels: NDArray[np.generic], grid: Grid) -> float:
    """Return a typical radius: twice the volume over the surface, as for long tubes.

    Faces between labelled and unlabelled voxels count as surface.
    """
    mask = np.asarray(labels) > 0
    voxel = np.array(grid.voxel_size_zyx_nm)
    volume = float(mask.sum()) * float(np.prod(voxel))
    surface = 0.0
    for axis in range(3):
        if mask.shape[axis] == 1:
            continue
        faces = float(np.count_nonzero(np.diff(mask, axis=axis)))
        surface += faces * float(np.prod(voxel)) / voxel[axis]
    # faces of a voxel grid overstate a smooth surface by 3/2 on average
    return 2 * volume / max(surface / 1.5, 1e-9)


def cut_pieces(
    labels: NDArray[np.integer], grid: Grid, size_nm: float, factor_zyx: tuple[int, int, int]
) -> Structures:
    """Cut each object into pieces of about *size_nm* and bring them to the work grid.

    Pieces have their own brightness later, so that merged or partly labelled objects do no harm.

    Parameters
    ----------
    labels : (Z, Y, X) integer array
        Instances; 0 is background.
    grid : Grid
        Grid of *labels*.
    size_nm : float
        Wanted length of a piece.
    factor_zyx : tuple of int
        Block size of the work grid in label voxels.

    Returns
    -------
    Structures
    """
    voxel = np.array(grid.voxel_size_zyx_nm)
    fine = np.zeros(labels.shape, np.int32)
    owners: list[int] = [0]
    rng = np.random.default_rng(0)
    # volume of a piece of a tube of the typical radius
    each = np.pi * structure_radius_nm(labels, grid) ** 2 * size_nm
    for index, where in enumerate(ndi.find_objects(labels)):
        if where is None:
            continue
        mask = labels[where] == index + 1
        points = np.argwhere(mask) * voxel
        length = 3.4 * float(np.sqrt(points.var(axis=0).sum()))  # of a rod of that variance
        count = max(round(length / size_nm), 1)
        filled = len(points) * float(np.prod(voxel)) / each
        if filled > 4 * count:  # no rod: walls or a network fill far more
            count = min(round(filled), _MOST_PIECES)
        if count == 1:
            fine[where][mask] = len(owners)
            owners.append(index + 1)
            continue
        sample = min(len(points), max(400, 20 * count))
        chosen = points[rng.choice(len(points), sample, replace=False)]
        count = min(count, len(chosen))
        centres, _ = kmeans2(chosen, count, seed=1, minit="++", iter=8)
        centres = centres[np.all(np.isfinite(centres), axis=1)]
        nearest = _nearest(points, centres)
        fine[where][mask] = len(owners) + nearest
        owners.extend([index + 1] * len(centres))
    fraction, work = block_mean((fine > 0).astype(np.float32), grid, factor_zyx)
    piece = _block_max(fine, factor_zyx)
    weight = fraction.ravel()
    total = np.maximum(np.bincount(piece.ravel(), weight, len(owners)), 1e-12)
    points = work.points()
    centres_nm = np.stack(
        [np.bincount(piece.ravel(), weight * points[:, a], len(owners)) / total for a in range(3)],
        axis=1,
    )
    return Structures(work, fraction, piece, len(owners) - 1, np.array(owners), centres_nm)


def block_structures(grid: Grid, size_nm: float) -> Structures:
    """Return cubes as stand-ins for structures, to hold out parts of an image.

    Parameters
    ----------
    grid : Grid
        Work grid.
    size_nm : float
        Edge of a cube.
    """
    places = []
    counts = []
    for n, v in zip(grid.shape_zyx, grid.voxel_size_zyx_nm, strict=True):
        count = max(round(n * v / size_nm), 1)
        places.append(np.minimum(np.arange(n) * count // n, count - 1))
        counts.append(count)
    z, y, x = places
    piece = (z[:, None, None] * counts[1] + y[None, :, None]) * counts[2] + x[None, None, :] + 1
    count = int(np.prod(counts))
    points = grid.points()
    total = np.bincount(piece.ravel(), minlength=count + 1).clip(1)
    centres = np.stack(
        [np.bincount(piece.ravel(), points[:, a], count + 1) / total for a in range(3)], axis=1
    )
    fraction = np.ones(grid.shape_zyx, np.float32)
    return Structures(grid, fraction, piece.astype(np.int32), count, np.arange(count + 1), centres)


def _nearest(points: FloatArray, centres: FloatArray) -> NDArray[np.int64]:
    out = np.empty(len(points), np.int64)
    step = max(10_000_000 // len(centres), 1)
    for start in range(0, len(points), step):
        part = points[start : start + step]
        square = (part**2).sum(1)[:, None] - 2 * part @ centres.T + (centres**2).sum(1)[None]
        out[start : start + step] = square.argmin(axis=1)
    return out


def _block_max(labels: NDArray[np.int32], factor_zyx: tuple[int, int, int]) -> NDArray[np.int32]:
    out = labels
    for axis, f in enumerate(factor_zyx):
        if f > 1:
            starts = np.arange(0, out.shape[axis], f)
            out = np.maximum.reduceat(out, starts, axis=axis)
    return out
