"""Regular, axis-aligned samplings of a space. Integer index = voxel centre."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError
from clemkit.geometry.arrays import FloatArray, Triple, as_points, as_triple
from clemkit.geometry.space import Space

__all__ = ["Box", "Grid"]


@dataclass(frozen=True, slots=True)
class Box:
    """A half-open index box: ``start`` inclusive, ``stop`` exclusive, z, y, x voxels."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    def __post_init__(self) -> None:
        if any(b < a for a, b in zip(self.start, self.stop, strict=True)):
            raise ArgumentError(f"Box: expected stop >= start; found {self.start} to {self.stop}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Extent in voxels, z, y, x."""
        a, b = self.start, self.stop
        return (b[0] - a[0], b[1] - a[1], b[2] - a[2])

    @property
    def is_empty(self) -> bool:
        """Whether the box holds no voxel."""
        return min(self.shape) <= 0

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Slices that cut the box out of a (z, y, x) array."""
        a, b = self.start, self.stop
        return (slice(a[0], b[0]), slice(a[1], b[1]), slice(a[2], b[2]))

    def clip(self, shape_zyx: tuple[int, int, int]) -> Box:
        """Return the part of the box inside an array of *shape_zyx*."""
        lo = [min(max(a, 0), n) for a, n in zip(self.start, shape_zyx, strict=True)]
        hi = [min(max(b, a), n) for a, b, n in zip(lo, self.stop, shape_zyx, strict=True)]
        return Box((lo[0], lo[1], lo[2]), (hi[0], hi[1], hi[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A regular sampling of a space.

    Attributes
    ----------
    space : Space
        The frame in which the grid lies.
    shape_zyx : tuple of int
        Number of voxels.
    voxel_size_zyx_nm : tuple of float
        Distance between voxel centres, nanometres, positive.
    origin_zyx_nm : tuple of float
        Position of the centre of voxel (0, 0, 0), nanometres.
    """

    space: Space
    shape_zyx: tuple[int, int, int]
    voxel_size_zyx_nm: Triple
    origin_zyx_nm: Triple = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        voxel = as_triple(self.voxel_size_zyx_nm, "Grid.voxel_size_zyx_nm")
        origin = as_triple(self.origin_zyx_nm, "Grid.origin_zyx_nm")
        if len(self.shape_zyx) != 3 or any(int(n) != n or n < 1 for n in self.shape_zyx):
            raise ArgumentError(
                f"Grid.shape_zyx: expected three positive integers; found {self.shape_zyx}"
            )
        if min(voxel) <= 0:
            raise ArgumentError(f"Grid.voxel_size_zyx_nm: expected values > 0; found {voxel}")
        z, y, x = (int(n) for n in self.shape_zyx)
        object.__setattr__(self, "shape_zyx", (z, y, x))
        object.__setattr__(self, "voxel_size_zyx_nm", voxel)
        object.__setattr__(self, "origin_zyx_nm", origin)

    @property
    def extent_zyx_nm(self) -> FloatArray:
        """Edge lengths of the sampled volume including half voxels, (3,) nm."""
        return np.array(self.shape_zyx) * np.array(self.voxel_size_zyx_nm)

    @property
    def centre_zyx_nm(self) -> FloatArray:
        """Centre of the sampled volume, (3,) nm."""
        half = (np.array(self.shape_zyx) - 1) / 2
        return np.array(self.origin_zyx_nm) + half * np.array(self.voxel_size_zyx_nm)

    @property
    def size(self) -> int:
        """Number of voxels."""
        z, y, x = self.shape_zyx
        return z * y * x

    def to_physical(self, index_zyx: ArrayLike) -> FloatArray:
        """Map (fractional) voxel indices ``(N, 3)`` to nanometres."""
        index = as_points(index_zyx, "index_zyx")
        return index * np.array(self.voxel_size_zyx_nm) + np.array(self.origin_zyx_nm)

    def to_index(self, points_zyx_nm: ArrayLike) -> FloatArray:
        """Map points ``(N, 3)`` in nanometres to fractional voxel indices."""
        points = as_points(points_zyx_nm)
        return (points - np.array(self.origin_zyx_nm)) / np.array(self.voxel_size_zyx_nm)

    def contains(self, points_zyx_nm: ArrayLike) -> np.ndarray:
        """Return which points ``(N, 3)`` lie inside the sampled volume, half voxels included."""
        index = self.to_index(points_zyx_nm)
        return np.all((index >= -0.5) & (index <= np.array(self.shape_zyx) - 0.5), axis=1)

    def points(self) -> FloatArray:
        """Return all voxel centres, ``(Z*Y*X, 3)`` nm, in C order."""
        axes = [
            np.arange(n) * v + o
            for n, v, o in zip(
                self.shape_zyx, self.voxel_size_zyx_nm, self.origin_zyx_nm, strict=True
            )
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)

    def corners(self) -> FloatArray:
        """Return the eight outer corners, ``(8, 3)`` nm, half voxels included."""
        n = np.array(self.shape_zyx)
        bits = np.array([[(i >> 2) & 1, (i >> 1) & 1, i & 1] for i in range(8)])
        return self.to_physical(bits * n - 0.5)

    def crop(self, box: Box) -> Grid:
        """Return the grid of a sub-box; the origin moves to the box's first voxel."""
        z, y, x = self.to_physical(np.array([box.start], dtype=float))[0]
        return replace(self, shape_zyx=box.shape, origin_zyx_nm=(float(z), float(y), float(x)))

    def downsample(self, factor_zyx: tuple[int, int, int]) -> Grid:
        """Return the grid of a block mean by whole factors.

        The origin moves by ``(f - 1) / 2`` voxels, so that the block mean stays where it was.
        A last incomplete block counts as a voxel.
        """
        f = np.array(factor_zyx)
        if np.any(f < 1):
            raise ArgumentError(f"factor_zyx: expected integers >= 1; found {factor_zyx}")
        shape = -(-np.array(self.shape_zyx) // f)
        origin = np.array(self.origin_zyx_nm) + (f - 1) / 2 * np.array(self.voxel_size_zyx_nm)
        voxel = f * np.array(self.voxel_size_zyx_nm)
        return Grid(
            space=self.space,
            shape_zyx=(int(shape[0]), int(shape[1]), int(shape[2])),
            voxel_size_zyx_nm=as_triple(voxel, "voxel"),
            origin_zyx_nm=as_triple(origin, "origin"),
        )

    def resample(self, voxel_size_zyx_nm: Triple) -> Grid:
        """Return a grid over the same extent (outer faces kept) with another voxel size.

        The shape is rounded up, so the far face may lie up to one voxel further out.
        """
        new = np.array(as_triple(voxel_size_zyx_nm, "voxel_size_zyx_nm"))
        old = np.array(self.voxel_size_zyx_nm)
        shape = np.maximum(np.ceil(self.extent_zyx_nm / new - 1e-9).astype(int), 1)
        origin = np.array(self.origin_zyx_nm) - old / 2 + new / 2
        return Grid(
            space=self.space,
            shape_zyx=(int(shape[0]), int(shape[1]), int(shape[2])),
            voxel_size_zyx_nm=as_triple(new, "voxel"),
            origin_zyx_nm=as_triple(origin, "origin"),
        )
