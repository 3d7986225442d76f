"""What is matched: fixed structures (labels or image) and the moving image, ready for search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from clemkit.geometry import Box, FloatArray, Grid
from clemkit.registration.intensity import (
    block_mean,
    gaussian_blur_nm,
    local_normalise,
    recorded_field,
    stabilise,
)
from clemkit.registration.prepare import instances, read_reduced, require_finite
from clemkit.registration.structures import structure_radius_nm
from clemkit.volumes import Volume

__all__ = ["FixedFeatures", "MovingFeatures", "fixed_features", "moving_image", "reduction"]

FloatImage = NDArray[np.float32]
_LABEL_VOXELS = 60_000_000


@dataclass(frozen=True, slots=True, eq=False)
class FixedFeatures:
    """The fixed side.

    Attributes
    ----------
    labels : (Z, Y, X) int32 array or None
        Instances on ``grid``; None when an image is matched instead.
    image : (Z, Y, X) float32 array
        Labelled fraction, or the grey image.
    grid : Grid
    radius_nm : float
        Typical structure radius, or a third of the detail scale of an image.
    notes : tuple of str
        Findings for the user.
    """

    labels: NDArray[np.int32] | None
    image: FloatImage
    grid: Grid
    radius_nm: float
    notes: tuple[str, ...]

    @property
    def normalisation_nm(self) -> float:
        """Scale of local normalisation: a few structure radii, at most a third of the field.

        The detail of a grey image is its texture; what two images share is often larger.
        """
        widest = float(self.grid.extent_zyx_nm.max()) / 3
        if self.labels is None and min(self.grid.shape_zyx) > 1:
            return widest
        return min(5.5 * self.radius_nm, widest)

    def template(self, voxel_nm: float, blur_zyx_nm: FloatArray) -> tuple[FloatImage, Grid]:
        """Return the normalised template at about *voxel_nm*.

        Parameters
        ----------
        voxel_nm : float
        blur_zyx_nm : (3,) array
            Blur of the moving image in the fixed frame, for labels.
        """
        image, grid = block_mean(self.image, self.grid, reduction(self.grid, voxel_nm))
        recorded = recorded_field(image) if self.labels is None else None
        if self.labels is not None:
            z, y, x = (float(b) for b in blur_zyx_nm)
            image = np.sqrt(gaussian_blur_nm(image, (z, y, x), grid.voxel_size_zyx_nm) + 0.02)
        normal = local_normalise(
            image, grid.voxel_size_zyx_nm, self.normalisation_nm, recorded=recorded
        )
        return normal, grid


@dataclass(frozen=True, slots=True, eq=False)
class MovingFeatures:
    """The moving side at search resolution: normalised image and its grid."""

    image: FloatImage
    grid: Grid


def reduction(grid: Grid, voxel_nm: float) -> tuple[int, int, int]:
    """Return block sizes that bring each axis close to, not above, *voxel_nm*."""
    f = [
        1 if n == 1 else max(int(voxel_nm / v + 1e-6), 1)
        for n, v in zip(grid.shape_zyx, grid.voxel_size_zyx_nm, strict=True)
    ]
    return f[0], f[1], f[2]


def _bounded_factor(grid: Grid, limit: int) -> tuple[int, int, int]:
    """Return block sizes that keep at most *limit* voxels, finest axes first."""
    voxel = np.array(grid.voxel_size_zyx_nm)
    factor = np.ones(3, int)
    while grid.size / np.prod(factor) > limit:
        open_axes = [a for a in range(3) if grid.shape_zyx[a] > factor[a]]
        axis = min(open_axes, key=lambda a: voxel[a] * factor[a])
        factor[axis] += 1
    return int(factor[0]), int(factor[1]), int(factor[2])


def fixed_features(
    volume: Volume,
    labels: Volume | None,
    channel: int,
    radius_nm: float | None,
    *,
    crop: bool = True,
) -> FixedFeatures:
    """Read the fixed side.

    Labels larger than a bound are read at every n-th voxel, which is reported. Large empty
    borders around them are dropped unless *crop* is off.
    """
    notes: list[str] = []
    if labels is not None:
        factor = _bounded_factor(labels.grid, _LABEL_VOXELS)
        if factor == (1, 1, 1):
            data = labels.read()
            grid = labels.grid
        else:
            planes = range(0, labels.grid.shape_zyx[0], factor[0])
            data = np.stack(
                [labels.read(_plane(labels.grid, z))[0, :: factor[1], :: factor[2]] for z in planes]
            )
            grid = Grid(
                space=labels.grid.space,
                shape_zyx=data.shape,
                voxel_size_zyx_nm=tuple(np.array(labels.grid.voxel_size_zyx_nm) * factor),
                origin_zyx_nm=labels.grid.origin_zyx_nm,
            )
            notes.append(f"fixed labels read at every {factor} voxel (z, y, x) to bound memory")
        found, more = instances(data, "fixed labels")
        radius = radius_nm or structure_radius_nm(found, grid)
        if crop:
            found, grid = _crop_to_structures(found, grid, 4 * radius)
        mask = (found > 0).astype(np.float32)
        return FixedFeatures(found, mask, grid, radius, (*notes, *more))
    factor = _bounded_factor(volume.grid, 30_000_000)
    image, grid = read_reduced(volume, channel, factor)
    require_finite(image, "fixed image")
    if factor != (1, 1, 1):
        notes.append(f"fixed image averaged over blocks of {factor} voxels to bound memory")
    radius = radius_nm or _detail_nm(image, grid) / 2
    return FixedFeatures(None, image, grid, radius, tuple(notes))


def _crop_to_structures(
    labels: NDArray[np.int32], grid: Grid, margin_nm: float
) -> tuple[NDArray[np.int32], Grid]:
    """Drop empty borders when they are more than a third of the field."""
    low, high = [], []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        filled = np.flatnonzero(labels.any(axis=others))
        margin = int(np.ceil(margin_nm / grid.voxel_size_zyx_nm[axis]))
        low.append(max(int(filled[0]) - margin, 0))
        high.append(min(int(filled[-1]) + 1 + margin, labels.shape[axis]))
    box = Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    if np.prod(box.shape) > 0.67 * grid.size:
        return labels, grid
    return np.ascontiguousarray(labels[box.slices]), grid.crop(box)


def _plane(grid: Grid, z: int) -> Box:
    return Box((z, 0, 0), (z + 1, grid.shape_zyx[1], grid.shape_zyx[2]))


def _detail_nm(image: FloatImage, grid: Grid) -> float:
    """Return a scale of image detail: root of variance over gradient variance, slightly blurred.

    The image is first averaged to at most 96 voxels along each axis.
    """
    factor = [max(int(np.ceil(n / 96)), 1) for n in grid.shape_zyx]
    small, small_grid = block_mean(image, grid, (factor[0], factor[1], factor[2]))
    small = np.asarray(ndi.gaussian_filter(small, [1.0 if n > 1 else 0.0 for n in small.shape]))
    power = sum(
        float(np.mean(np.gradient(small, small_grid.voxel_size_zyx_nm[a], axis=a) ** 2))
        for a in range(3)
        if small.shape[a] > 1
    )
    axes = sum(n > 1 for n in small.shape)
    return float(np.sqrt(axes * small.var() / max(power, 1e-30)))


def moving_image(
    volume: Volume,
    labels: Volume | None,
    channel: int,
    voxel_nm: float,
    normalisation_nm: float,
) -> MovingFeatures:
    """Read the moving side at about *voxel_nm* and normalise it locally."""
    source = volume if labels is None else labels
    if labels is None:
        image, grid = read_reduced(source, channel, reduction(source.grid, voxel_nm))
        require_finite(image, "moving image")
        recorded = recorded_field(image)
        if volume.modality == "lm":
            image = stabilise(image)
    else:
        recorded = None
        image, grid = read_mask(labels, reduction(labels.grid, voxel_nm))
        image = np.sqrt(
            gaussian_blur_nm(image, 0.5 * voxel_nm, grid.voxel_size_zyx_nm) + np.float32(0.02)
        )
    normal = local_normalise(image, grid.voxel_size_zyx_nm, normalisation_nm, recorded=recorded)
    return MovingFeatures(normal, grid)


def read_mask(
    labels: Volume, factor_zyx: tuple[int, int, int], box: Box | None = None
) -> tuple[FloatImage, Grid]:
    """Return the labelled fraction of blocks of voxels."""

    @dataclass(frozen=True)
    class Mask:
        shape: tuple[int, ...]
        dtype: np.dtype[np.float32]

        def __getitem__(self, key: Any) -> FloatImage:
            return (np.asarray(labels.data[key]) > 0).astype(np.float32)

    view = Volume(
        data=Mask(tuple(labels.data.shape), np.dtype(np.float32)),
        grid=labels.grid,
        modality=labels.modality,
    )
    return read_reduced(view, 0, factor_zyx, box)
