"""Pulling a moving image onto the work grid through an affine map and a displacement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.special import ndtr

from clemkit.geometry import FloatArray, Grid, Space
from clemkit.registration.sampling import sample_displaced
from clemkit.transforms import Affine

__all__ = ["AffineMap", "Pull", "border_trust", "gradient_nm", "interior", "resample_to"]

FloatImage = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class AffineMap:
    """``moving = linear @ fixed + translation``, nm, z-y-x."""

    linear: FloatArray
    translation_zyx_nm: FloatArray

    def apply(self, points_zyx_nm: FloatArray) -> FloatArray:
        """Map fixed points ``(N, 3)`` to the moving frame."""
        return points_zyx_nm @ self.linear.T + self.translation_zyx_nm

    def after(self, linear: FloatArray, shift: FloatArray) -> AffineMap:
        """Return this map after ``x -> linear @ x + shift`` in the fixed frame."""
        return AffineMap(self.linear @ linear, self.linear @ shift + self.translation_zyx_nm)

    def to_transform(self, fixed: Space, moving: Space) -> Affine:
        """Return the point transform fixed → moving."""
        return Affine.from_parts(self.linear, self.translation_zyx_nm, source=fixed, target=moving)


@dataclass(frozen=True, slots=True, eq=False)
class Pull:
    """A moving image seen from a work grid.

    Attributes
    ----------
    image : (z, y, x) float32 array
    image_grid : Grid
    work_grid : Grid
    affine : AffineMap
    """

    image: FloatImage
    image_grid: Grid
    work_grid: Grid
    affine: AffineMap

    def __call__(
        self, displacement_nm: FloatImage | None = None
    ) -> tuple[FloatImage, NDArray[np.bool_]]:
        """Return the warped image and where it lies inside the moving field."""
        voxel = np.array(self.work_grid.voxel_size_zyx_nm)
        origin = np.array(self.work_grid.origin_zyx_nm)
        size = np.array(self.image_grid.voxel_size_zyx_nm)
        matrix = self.affine.linear * voxel[None] / size[:, None]
        start = self.affine.apply(origin[None])[0]
        offset = (start - np.array(self.image_grid.origin_zyx_nm)) / size
        shape = self.work_grid.shape_zyx
        if displacement_nm is None:
            scaled = np.zeros((3, *shape), np.float32)
        else:
            scaled = (displacement_nm / voxel[:, None, None, None]).astype(np.float32)
        out = np.empty(shape, np.float32)
        inside = np.empty(shape, bool)
        sample_displaced(self.image, matrix, offset, scaled, out, inside)
        return out, inside


def resample_to(image: FloatImage, grid: Grid, target: Grid) -> FloatImage:
    """Resample an image to another grid of the same space (trilinear, zero outside)."""
    identity = AffineMap(np.eye(3), np.zeros(3))
    return Pull(image, grid, target, identity)()[0]


def gradient_nm(image: FloatImage, grid: Grid) -> FloatImage:
    """Return the gradient per nanometre, ``(3, Z, Y, X)``; zero along an axis of one voxel."""
    parts = [
        np.gradient(image, grid.voxel_size_zyx_nm[axis], axis=axis)
        if image.shape[axis] > 1
        else np.zeros_like(image)
        for axis in range(3)
    ]
    return np.stack(parts).astype(np.float32)


def interior(inside: NDArray[np.bool_]) -> FloatImage:
    """Return 1 where a voxel and its neighbours lie inside, as float32 weights."""
    structure = ndi.generate_binary_structure(3, 1)
    return ndi.binary_erosion(inside, structure, border_value=1).astype(np.float32)


def border_trust(grid: Grid, blur_zyx_nm: FloatArray) -> FloatImage:
    """Return 1 inside a field and 0 at its border, where light comes from beyond it.

    Parameters
    ----------
    grid : Grid
    blur_zyx_nm : (3,) array
        Standard deviation of the blur.
    """
    trust = np.ones((1, 1, 1))
    for axis, (n, voxel) in enumerate(zip(grid.shape_zyx, grid.voxel_size_zyx_nm, strict=True)):
        if n == 1:
            continue
        edge = (np.minimum(np.arange(n), n - 1 - np.arange(n)) + 0.5) * voxel
        inside = np.clip(2 * ndtr(edge / float(blur_zyx_nm[axis])) - 1, 0.0, 1.0)
        trust = trust * inside.reshape([-1 if a == axis else 1 for a in range(3)])
    return trust.astype(np.float32)
