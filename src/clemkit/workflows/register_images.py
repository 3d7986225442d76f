"""The pictures and maps of a registration: overviews of moderate size, whatever the input's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clemkit.geometry import Box, FloatArray, Grid, Triple, as_triple
from clemkit.registration.prepare import read_reduced
from clemkit.transforms import Affine, Transform, determinant_map
from clemkit.volumes import Volume, open_volume, probe

__all__ = ["Overview", "jacobian_map", "make_overview", "overview_grid", "warped_grid"]

FloatImage = NDArray[np.float32]
_LONGEST = 320  # voxels of an overview along its longest axis
_MAP_LONGEST = 64
_MOST_WARPED = 100_000_000  # voxels of the warped volume
_MOST_AVERAGED = 500_000_000  # voxels read in order to average them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overview:
    """Fixed volume, and moving volume before and after, on one grid.

    Attributes
    ----------
    grid : Grid
    fixed, before, after : (Z, Y, X) float32 array
        ``before`` follows the affine part alone; NaN where the moving volume has no data.
    fixed_labels, before_labels, after_labels : (Z, Y, X) uint8 array or None
        1 where there are labels.
    """

    grid: Grid
    fixed: FloatImage
    before: FloatImage
    after: FloatImage
    fixed_labels: NDArray[np.uint8] | None
    before_labels: NDArray[np.uint8] | None
    after_labels: NDArray[np.uint8] | None


def overview_grid(grid: Grid, longest: int = _LONGEST) -> Grid:
    """Return a grid over the same volume with at most *longest* voxels along each axis."""
    voxel = np.array(grid.voxel_size_zyx_nm)
    wanted = np.maximum(voxel, float(grid.extent_zyx_nm.max()) / longest)
    if np.allclose(wanted, voxel):
        return grid
    return grid.resample(as_triple(np.minimum(wanted, grid.extent_zyx_nm), "voxel"))


def warped_grid(fixed: Grid, moving: Grid, fixed_to_moving: Affine, channels: int) -> Grid:
    """Return the grid of the warped volume: the fixed grid, unless that would be very large.

    Then it is the fixed volume at the resolution of the moving one, seen in the fixed frame, or
    coarser where even that has more than 100 million voxels.
    """
    most = _MOST_WARPED / max(channels, 1)
    if fixed.size <= most:
        return fixed
    scale = abs(np.linalg.det(fixed_to_moving.linear)) ** (1 / 3)
    finest = min(
        v for v, n in zip(moving.voxel_size_zyx_nm, moving.shape_zyx, strict=True) if n > 1
    )
    voxel = np.maximum(np.array(fixed.voxel_size_zyx_nm), finest / scale)
    voxel = np.minimum(voxel, fixed.extent_zyx_nm)
    while np.prod(np.ceil(fixed.extent_zyx_nm / voxel)) > most:
        voxel = np.minimum(voxel * 1.1, fixed.extent_zyx_nm)
    return fixed.resample(as_triple(voxel, "voxel"))


def jacobian_map(fixed_to_moving: Transform, affine: Affine, grid: Grid) -> tuple[FloatImage, Grid]:
    """Return the volume change relative to the affine part on a coarse grid over *grid*."""
    coarse = overview_grid(grid, _MAP_LONGEST)
    return determinant_map(fixed_to_moving, coarse, affine).astype(np.float32), coarse


def make_overview(
    fixed: Volume,
    fixed_path: Path | None,
    fixed_channel: int,
    fixed_labels: Volume | None,
    moving: Volume,
    moving_channel: int,
    moving_labels: Volume | None,
    fixed_to_moving: Transform,
    affine: Affine,
    *,
    workers: int = 1,
    longest: int = _LONGEST,
) -> Overview:
    """Read and sample what the report shows.

    Parameters
    ----------
    fixed, moving : Volume
    fixed_path : path or None
        Where coarser levels of the fixed volume may be found.
    fixed_channel, moving_channel : int
    fixed_labels, moving_labels : Volume or None
        On any grid of their space.
    fixed_to_moving : Transform
        The registration.
    affine : Affine
        Its affine part, fixed to moving.
    workers : int
        Threads; never changes the result.
    longest : int
        Voxels along the longest axis.
    """
    grid = overview_grid(fixed.grid, longest)
    whole = Affine.identity(fixed.grid.space, fixed.grid.space)
    fine, fixed_channel = _level_for(fixed, fixed_path, grid.voxel_size_zyx_nm, fixed_channel)
    image, image_grid = _read_about(fine, fixed_channel, grid.voxel_size_zyx_nm, None)
    corners = fixed_to_moving.apply_points(_shell(fixed.grid))
    voxel = as_triple(np.array(grid.voxel_size_zyx_nm) * _scale(affine), "voxel")
    part, part_grid = _read_about(moving, moving_channel, voxel, corners)

    def mask(labels: Volume | None, pull_back: Transform) -> NDArray[np.uint8] | None:
        return None if labels is None else _label_mask(labels, grid, pull_back, workers)

    return Overview(
        grid=grid,
        fixed=_sample(image, image_grid, grid, whole, workers),
        before=_sample(part, part_grid, grid, affine, workers),
        after=_sample(part, part_grid, grid, fixed_to_moving, workers),
        fixed_labels=mask(fixed_labels, whole),
        before_labels=mask(moving_labels, affine),
        after_labels=mask(moving_labels, fixed_to_moving),
    )


def _scale(affine: Affine) -> float:
    return float(abs(np.linalg.det(affine.linear)) ** (1 / 3))


def _shell(grid: Grid, count: int = 8) -> FloatArray:
    """Return points that span the volume, faces included."""
    corners = grid.corners()
    axes = [np.linspace(corners[0][a], corners[-1][a], count) for a in range(3)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def _level_for(
    volume: Volume, path: Path | None, voxel_zyx_nm: Triple, channel: int
) -> tuple[Volume, int]:
    """Open the coarsest level of a pyramid that is still finer than the overview."""
    if path is None or volume.grid.size <= _MOST_AVERAGED:
        return volume, channel
    levels = probe(path).levels
    for number in range(len(levels) - 1, 0, -1):
        level = open_volume(
            path,
            voxel_size_zyx_nm=volume.grid.voxel_size_zyx_nm,
            space=volume.grid.space,
            modality=volume.modality,
            role=volume.role,
            level=number,
        )
        if np.all(np.array(level.grid.voxel_size_zyx_nm) <= 1.01 * np.array(voxel_zyx_nm)):
            return level, channel
    return volume, channel


def _read_about(
    volume: Volume, channel: int, voxel_zyx_nm: Triple, reached_zyx_nm: FloatArray | None
) -> tuple[FloatImage, Grid]:
    """Read a channel at about a voxel size, where points reach, averaging unless too large."""
    grid = volume.grid
    box = Box((0, 0, 0), grid.shape_zyx)
    if reached_zyx_nm is not None:
        index = grid.to_index(reached_zyx_nm)
        low = np.clip(np.floor(index.min(axis=0)) - 2, 0, np.array(grid.shape_zyx) - 1)
        high = np.clip(np.ceil(index.max(axis=0)) + 3, low + 1, grid.shape_zyx)
        start, stop = (tuple(int(v) for v in bound) for bound in (low, high))
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
    ratio = np.array(voxel_zyx_nm) / np.array(grid.voxel_size_zyx_nm)
    whole = [min(max(int(r + 1e-6), 1), n) for r, n in zip(ratio, box.shape, strict=True)]
    factor = (whole[0], whole[1], whole[2])
    if volume.role == "intensity" and np.prod(box.shape) <= _MOST_AVERAGED:
        return read_reduced(volume, channel, factor, box)
    planes = []
    for z in range(box.start[0], box.stop[0], factor[0]):
        plane = volume.read(Box((z, *box.start[1:]), (z + 1, *box.stop[1:])), channel)[0]
        planes.append(plane[:: factor[1], :: factor[2]].astype(np.float32))
    data = np.stack(planes)
    cut = grid.crop(box)
    return data, Grid(
        space=grid.space,
        shape_zyx=data.shape,
        voxel_size_zyx_nm=as_triple(np.array(cut.voxel_size_zyx_nm) * factor, "voxel"),
        origin_zyx_nm=cut.origin_zyx_nm,
    )


def _sample(
    image: FloatImage, image_grid: Grid, grid: Grid, pull_back: Transform, workers: int
) -> FloatImage:
    from clemkit.warping import warp_array

    image = np.ascontiguousarray(image, dtype=np.float32)
    return warp_array(image, image_grid, grid, pull_back, fill=np.nan, workers=workers)


def _label_mask(
    labels: Volume, grid: Grid, pull_back: Transform, workers: int
) -> NDArray[np.uint8]:
    """Return where labels are on the overview grid, reading them box by box."""
    from clemkit.warping.execute import execute_plan
    from clemkit.warping.plan import plan_warp

    out = np.zeros(grid.shape_zyx, dtype=np.uint8)

    def write(box: Box, channel: int, values: NDArray[np.uint8]) -> None:
        out[box.slices] = values

    def read(box: Box, channel: int) -> NDArray[np.uint8]:
        return (labels.read(box, channel) != 0).astype(np.uint8)

    plan = plan_warp(pull_back, labels.grid, grid, write_unit_zyx=(64, 64, 64))
    execute_plan(plan, read, write, dtype=np.dtype(np.uint8), order=0, workers=workers)
    return out
