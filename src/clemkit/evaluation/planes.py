"""Three orthogonal planes of a volume, and the pictures that compare two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clemkit.geometry import Box, FloatArray, Grid, Triple, as_triple

__all__ = [
    "Plane",
    "blend",
    "checkerboard",
    "choose_centre",
    "content_box",
    "orthogonal_planes",
    "stretch",
]

PlaneName: TypeAlias = Literal["xy", "zy", "xz"]
_SAMPLE = 400_000  # voxels that set the contrast of a display
# name -> (axis across the plane, vertical axis, horizontal axis) as z, y, x indices
PLANES: dict[PlaneName, tuple[int, int, int]] = {
    "xy": (0, 1, 2),
    "zy": (2, 1, 0),
    "xz": (1, 0, 2),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plane:
    """One plane of a volume.

    Attributes
    ----------
    name : {"xy", "zy", "xz"}
        Horizontal axis, then vertical axis; both grow to the right and downwards.
    image : (rows, columns) array
        Voxels; rows along the vertical axis.
    left_nm, right_nm, top_nm, bottom_nm : float
        Outer edges, half voxels included.
    position_nm : float
        Where the plane cuts the third axis.
    """

    name: PlaneName
    image: NDArray[Any]
    left_nm: float
    right_nm: float
    top_nm: float
    bottom_nm: float
    position_nm: float

    @property
    def across(self) -> str:
        """Letter of the axis the plane cuts."""
        return "zyx"[PLANES[self.name][0]]


def orthogonal_planes(
    volume: NDArray[Any], grid: Grid, centre_zyx_nm: Triple
) -> dict[PlaneName, Plane]:
    """Cut the planes through the voxel nearest to a point.

    Parameters
    ----------
    volume : (z, y, x) array
        Voxels.
    grid : Grid
        Where they are.
    centre_zyx_nm : tuple of float
        Point; clipped to the volume.
    """
    index = np.rint(grid.to_index(np.array([centre_zyx_nm]))[0]).astype(int)
    index = np.clip(index, 0, np.array(grid.shape_zyx) - 1)
    voxel, origin = np.array(grid.voxel_size_zyx_nm), np.array(grid.origin_zyx_nm)
    low = origin - voxel / 2
    high = low + grid.extent_zyx_nm
    planes: dict[PlaneName, Plane] = {}
    for name, (across, down, right) in PLANES.items():
        image = np.take(volume, index[across], axis=across)
        planes[name] = Plane(
            name=name,
            image=image.T if down > right else image,
            left_nm=float(low[right]),
            right_nm=float(high[right]),
            top_nm=float(low[down]),
            bottom_nm=float(high[down]),
            position_nm=float(origin[across] + index[across] * voxel[across]),
        )
    return planes


def stretch(volume: NDArray[Any], low: float = 1.0, high: float = 99.5) -> NDArray[np.float32]:
    """Return intensities between two percentiles as 0 to 1; what is not finite becomes 0."""
    values = np.asarray(volume, dtype=np.float32)
    finite = np.isfinite(values)
    usable = values[finite]
    # zeros are the empty surroundings of a warped volume; they would eat the lower percentile
    content = usable[usable != 0]
    if not content.size:
        return np.zeros(values.shape, np.float32)
    sample = content[:: max(1, content.size // _SAMPLE)]
    bottom, top = np.percentile(sample, [low, high])
    if top <= bottom:
        return np.where(finite & (values >= top) & (values != 0), 1, 0).astype(np.float32)
    scaled = np.clip((values - bottom) / (top - bottom), 0, 1)
    return np.where(finite, scaled, 0).astype(np.float32)


def choose_centre(first: NDArray[Any], second: NDArray[Any], grid: Grid) -> Triple:
    """Return a point whose planes show much of both volumes.

    Per axis, the section in which the product of the two intensities is largest, looked for in
    the middle four fifths; the middle when there is no common content.

    Parameters
    ----------
    first, second : (z, y, x) array
        Intensities between 0 and 1 on *grid*.
    grid : Grid
        Where they are.
    """
    common = np.asarray(first, dtype=np.float32) * np.asarray(second, dtype=np.float32)
    index: list[float] = []
    for axis, size in enumerate(grid.shape_zyx):
        profile = common.sum(axis=tuple(a for a in range(3) if a != axis), dtype=np.float64)
        width = max(1, size // 10)
        smooth = np.convolve(profile, np.ones(width) / width, mode="same")
        margin = size // 10
        inner = smooth[margin : size - margin]
        middle = (size - 1) / 2
        index.append(float(margin + np.argmax(inner)) if inner.max() > 0 else middle)
    return as_triple(grid.to_physical(np.array([index]))[0], "centre")


def content_box(first: NDArray[Any], second: NDArray[Any]) -> Box:
    """Return the box that holds nearly all content of two volumes, with a margin.

    Along each axis, half a per cent of the bright voxels may lie outside, so that specks do not
    decide; a box that would save less than a fifth of every edge is the whole volume.

    Parameters
    ----------
    first, second : (z, y, x) array
        Intensities between 0 and 1.
    """
    bright = np.maximum(first, second) > 0.2
    shape = bright.shape
    whole = Box((0, 0, 0), (shape[0], shape[1], shape[2]))
    if not bright.any():
        return whole
    start, stop = [0, 0, 0], list(shape)
    for axis, size in enumerate(shape):
        profile = bright.sum(axis=tuple(a for a in range(3) if a != axis))
        share = np.cumsum(profile) / profile.sum()
        low, high = (int(np.searchsorted(share, level)) for level in (0.0025, 0.9975))
        margin = max(1, round(0.1 * (high - low + 1)))
        start[axis], stop[axis] = max(0, low - margin), min(size, high + 1 + margin)
    if all(b - a > 0.8 * n for a, b, n in zip(start, stop, shape, strict=True)):
        return whole
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def blend(fixed: NDArray[Any], moving: NDArray[Any]) -> FloatArray:
    """Return an RGB image: fixed magenta, moving green, agreement white.

    Parameters
    ----------
    fixed, moving : (rows, columns) array
        Intensities between 0 and 1.
    """
    return np.stack([fixed, moving, fixed], axis=-1).astype(np.float64)


def checkerboard(fixed: Plane, moving: Plane, tile_nm: float) -> FloatArray:
    """Return an RGB image of square tiles, in turn fixed (grey) and moving (green tint).

    Parameters
    ----------
    fixed, moving : Plane
        The same plane of both volumes, intensities between 0 and 1.
    tile_nm : float
        Edge of a tile.
    """
    rows, columns = fixed.image.shape
    down = (np.arange(rows) + 0.5) / rows * (fixed.bottom_nm - fixed.top_nm)
    right = (np.arange(columns) + 0.5) / columns * (fixed.right_nm - fixed.left_nm)
    tile = (down // tile_nm).astype(int)[:, None] + (right // tile_nm).astype(int)[None, :]
    shows_fixed = (tile % 2 == 0)[..., None]
    grey = np.repeat(fixed.image[..., None], 3, axis=-1)
    tinted = (0.1 + 0.9 * moving.image[..., None]) * np.array([0.62, 1.0, 0.62])
    return np.where(shows_fixed, grey, tinted).astype(np.float64)
