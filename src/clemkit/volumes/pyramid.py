"""Resolution pyramids: block means with the exact origin shift, labels by block mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import Grid
from clemkit.volumes.volume import Role, Volume

__all__ = ["Pyramid", "downsample_block", "downsample_volume", "level_factors"]

AnyArray = np.ndarray[Any, Any]
_SMALLEST = 128  # voxels along the longest axis of the coarsest level


@dataclass(frozen=True, slots=True)
class Pyramid:
    """One image at several resolutions, finest first.

    Attributes
    ----------
    levels : tuple of Volume
        Same space, channels and role; each level's grid says where its voxels are.
    """

    levels: tuple[Volume, ...]

    def __post_init__(self) -> None:
        if not self.levels:
            raise ArgumentError("Pyramid.levels: expected at least one level; found none")
        for coarse, fine in zip(self.levels[1:], self.levels[:-1], strict=True):
            if coarse.grid.space != fine.grid.space:
                raise ArgumentError("Pyramid.levels: expected one space for all levels")
            if any(a > b for a, b in zip(coarse.grid.shape_zyx, fine.grid.shape_zyx, strict=True)):
                raise ArgumentError("Pyramid.levels: expected the finest level first")

    @classmethod
    def open(cls, path: str | Path, **options: Any) -> Pyramid:
        """Open every level of a file; *options* go to ``open_volume``."""
        from clemkit.volumes.readers import open_volume, probe

        info = probe(path, dataset=options.get("dataset"), series=options.get("series"))
        count = max(len(info.levels), 1)
        return cls(tuple(open_volume(path, level=i, **options) for i in range(count)))

    @classmethod
    def build(cls, volume: Volume, levels: int | None = None) -> Pyramid:
        """Build a pyramid in memory by repeated halving (see :func:`level_factors`)."""
        made = [volume]
        for factor in level_factors(volume.grid, levels):
            made.append(downsample_volume(made[-1], factor))
        return cls(tuple(made))

    def at(self, voxel_size_nm: float) -> Volume:
        """Return the coarsest level whose smallest voxel edge is at most *voxel_size_nm*.

        The finest level is returned where none is fine enough.
        """
        fitting = [
            level
            for level in self.levels
            if min(level.grid.voxel_size_zyx_nm) <= voxel_size_nm * (1 + 1e-9)
        ]
        return fitting[-1] if fitting else self.levels[0]


def level_factors(grid: Grid, levels: int | None = None) -> list[tuple[int, int, int]]:
    """Return the factor of each level after the first.

    An axis is halved while its voxel edge is below twice the smallest one, so that anisotropic
    voxels become nearly isotropic first.

    Parameters
    ----------
    grid : Grid
        The finest level.
    levels : int, optional
        Number of levels wanted, the finest included; where absent, as many as bring the longest
        axis to 128 voxels or fewer.

    Raises
    ------
    ArgumentError
        Fewer than one level.
    """
    if levels is not None and levels < 1:
        raise ArgumentError(f"levels: expected at least 1; found {levels}")
    factors: list[tuple[int, int, int]] = []
    while levels is None or len(factors) < levels - 1:
        if max(grid.shape_zyx) <= (_SMALLEST if levels is None else 1):
            break
        edges = [v for v, n in zip(grid.voxel_size_zyx_nm, grid.shape_zyx, strict=True) if n > 1]
        limit = 2 * min(edges)
        z, y, x = (
            2 if n > 1 and v < limit else 1
            for v, n in zip(grid.voxel_size_zyx_nm, grid.shape_zyx, strict=True)
        )
        factors.append((z, y, x))
        grid = grid.downsample((z, y, x))
    return factors


def downsample_volume(volume: Volume, factor_zyx: tuple[int, int, int]) -> Volume:
    """Return a volume in memory, smaller by whole factors, with the origin where it belongs."""
    if len(volume.data.shape) == 4:
        parts = [
            downsample_block(volume.read(channel=c), factor_zyx, volume.role)
            for c in range(volume.channel_count)
        ]
        data = np.stack(parts)
    else:
        data = downsample_block(volume.read(), factor_zyx, volume.role)
    return replace(volume, data=data, grid=volume.grid.downsample(factor_zyx))


def downsample_block(block: AnyArray, factor_zyx: Sequence[int], role: Role) -> AnyArray:
    """Downsample an array whose first voxel begins a block.

    Parameters
    ----------
    block : (z, y, x) array
        Any numeric or boolean type.
    factor_zyx : sequence of int
        Whole factors; a last incomplete block counts with the voxels it has.
    role : {"intensity", "labels", "mask"}
        Intensities are averaged in floating point and rounded, not truncated; labels and masks
        take the most frequent value, of equally frequent ones the largest (so that a thin
        structure does not vanish and no side is favoured).

    Returns
    -------
    array
        Same type as *block*.
    """
    if all(f == 1 for f in factor_zyx):
        return block
    parts, present = _phases(block, factor_zyx)
    if role == "intensity":
        return _mean(parts, present, block.dtype)
    return _mode(parts, present)


def _phases(block: AnyArray, factor: Sequence[int]) -> tuple[list[AnyArray], list[AnyArray | None]]:
    """Return the f0*f1*f2 strided views, padded to one shape, and where each one is real."""
    shape = tuple(-(-n // f) for n, f in zip(block.shape, factor, strict=True))
    parts: list[AnyArray] = []
    present: list[AnyArray | None] = []
    for start in product(*(range(f) for f in factor)):
        view = block[tuple(slice(s, None, f) for s, f in zip(start, factor, strict=True))]
        if view.shape == shape:
            parts.append(view)
            present.append(None)
            continue
        padded = np.zeros(shape, block.dtype)
        real = np.zeros(shape, bool)
        inside = tuple(slice(0, n) for n in view.shape)
        padded[inside], real[inside] = view, True
        parts.append(padded)
        present.append(real)
    return parts, present


def _mean(parts: list[AnyArray], present: list[AnyArray | None], dtype: Any) -> AnyArray:
    precise = np.dtype(dtype).itemsize > 2  # float32 holds sums of 16-bit values exactly
    total: AnyArray = np.zeros(parts[0].shape, np.float64 if precise else np.float32)
    for part in parts:
        total += part
    if all(real is None for real in present):
        total /= len(parts)
    else:
        count = np.zeros(parts[0].shape, total.dtype)
        for real in present:
            count += 1 if real is None else real
        total /= count
    if np.dtype(dtype).kind in "iub":
        np.rint(total, out=total)
    return total.astype(dtype)


def _mode(parts: list[AnyArray], present: list[AnyArray | None]) -> AnyArray:
    best = parts[0].copy()  # the first phase is real in every block
    best_count = np.zeros(best.shape, np.int16)
    for part, real in zip(parts, present, strict=True):
        count = np.zeros(best.shape, np.int16)
        for other, other_real in zip(parts, present, strict=True):
            same = part == other
            count += same if other_real is None else same & other_real
        if real is not None:
            count[~real] = 0
        better = (count > best_count) | ((count == best_count) & (part > best))
        better &= count > 0
        best[better], best_count[better] = part[better], count[better]
    return best
