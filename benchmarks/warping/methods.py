"""The same warp by several programs: zarr in, zarr out, affine + displacement grid, linear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr

from clemkit.geometry import Box, Grid, Space
from clemkit.transforms import Affine, DisplacementField, compose
from clemkit.volumes import Volume
from clemkit.warping import plan_warp, warp_volume
from clemkit.warping.execute import execute_plan
from clemkit.warping.plan import Block, WarpPlan

EM, LM = Space("em"), Space("lm")
KNOTS = 33
CHUNK = 128


@dataclass(frozen=True)
class Case:
    """Where input and output are, and the map between them."""

    source: Path
    output: Path
    size: int
    input_grid: Grid
    output_grid: Grid
    field: DisplacementField  # affine and displacement in one, on the same knots
    pull_back: object


def make_case(folder: Path, size: int) -> Case:
    """Return the case; the input must have been written by :func:`write_input`."""
    shape = (size, size, size)
    input_grid = Grid(space=LM, shape_zyx=shape, voxel_size_zyx_nm=(10.0, 10.0, 10.0))
    output_grid = Grid(space=EM, shape_zyx=shape, voxel_size_zyx_nm=(10.0, 10.0, 10.0))
    extent = (size - 1) * 10.0
    spacing = extent / (KNOTS - 1)
    lattice = Grid(
        space=EM, shape_zyx=(KNOTS, KNOTS, KNOTS), voxel_size_zyx_nm=(spacing, spacing, spacing)
    )
    # three waves of about 60 nm (6 voxels) over the volume
    phase = lattice.points() / extent * 2 * np.pi
    waves = [np.sin(phase @ k + i) for i, k in enumerate(([1, 2, 0.5], [0.5, 1, 2], [2, 0.5, 1]))]
    displacement = 60.0 * np.stack(waves, axis=1).reshape(*lattice.shape_zyx, 3)
    field = DisplacementField(displacement, lattice, EM, EM)
    angle = np.deg2rad(4.0)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    centre = np.full(3, extent / 2)
    affine = Affine.from_parts(0.98 * turn, centre - 0.98 * turn @ centre, source=EM, target=LM)
    pull_back = compose(field, affine)
    whole = pull_back.apply_points(lattice.points()) - lattice.points()
    merged = DisplacementField(whole.reshape(*lattice.shape_zyx, 3), lattice, EM, LM)
    return Case(
        source=folder / "input.zarr",
        output=folder / "output.zarr",
        size=size,
        input_grid=input_grid,
        output_grid=output_grid,
        field=merged,
        pull_back=pull_back,
    )


def write_input(case: Case) -> None:
    """Write smooth structure with noise, as EM looks to a compressor."""
    array = _create(case.source, case.size)
    for z in range(0, case.size, CHUNK):
        noise = np.random.default_rng(z).normal(0, 12, (CHUNK, case.size, case.size))
        axis = np.arange(case.size, dtype=np.float32) / 23
        wave = np.sin(axis[z : z + CHUNK])[:, None, None] + np.cos(axis)[None, :, None]
        wave = wave * np.sin(1.3 * axis)[None, None, :]
        array[z : z + CHUNK] = np.clip(128 + 40 * wave + noise, 0, 255).astype(np.uint8)


def _create(path: Path, size: int) -> zarr.Array:
    return zarr.create_array(
        path,
        shape=(size, size, size),
        chunks=(CHUNK, CHUNK, CHUNK),
        dtype="uint8",
        overwrite=True,
    )


def _plan(case: Case, block: int) -> WarpPlan:
    unit = (CHUNK, CHUNK, CHUNK)
    return plan_warp(
        case.pull_back,
        case.input_grid,
        case.output_grid,
        write_unit_zyx=unit,
        block_voxels=block**3,
    )


def _clemkit(case: Case, block: int, workers: int) -> int:
    source, out = zarr.open_array(case.source, mode="r"), _create(case.output, case.size)

    def write(box: Box, channel: int, values: np.ndarray) -> None:
        out[box.slices] = values

    plan = _plan(case, block)
    execute_plan(
        plan,
        lambda box, channel: source[box.slices],
        write,
        dtype=source.dtype,
        workers=workers,
    )
    return case.output_grid.size


def clemkit_128(case: Case) -> int:
    """Our warp, blocks of one chunk."""
    return _clemkit(case, 128, workers=2)


def clemkit_256(case: Case) -> int:
    """Our warp, default blocks of eight chunks."""
    return _clemkit(case, 256, workers=2)


def clemkit_ome_zarr(case: Case) -> int:
    """``warp_volume``: the same with the OME-Zarr pyramid."""
    volume = Volume(data=zarr.open_array(case.source), grid=case.input_grid, modality="em")
    path = case.output.with_suffix(".ome.zarr")
    warp_volume(volume, case.output_grid, case.pull_back, path, workers=2, overwrite=True)
    return case.output_grid.size


def _blocks(case: Case) -> list[Block]:
    return [b for b in _plan(case, CHUNK).blocks() if b.parts]


def scipy_map_coordinates(case: Case) -> int:
    """Block by block; input boxes from our plan, positions from our compiled transform."""
    from scipy.ndimage import map_coordinates

    source, out = zarr.open_array(case.source), _create(case.output, case.size)
    blocks = _blocks(case)
    for block in blocks:
        grid = case.output_grid.crop(block.output)
        box = block.parts[0].input
        index = case.input_grid.to_index(case.pull_back.apply_points(grid.points()))
        index -= np.array(box.start)
        values = map_coordinates(
            source[box.slices], index.T, order=1, output=np.uint8, mode="constant", cval=0
        )
        out[block.output.slices] = values.reshape(grid.shape_zyx)
    return CHUNK**3 * len(blocks)


def simpleitk_resample(case: Case) -> int:
    """Block by block; input boxes from our plan, one displacement field."""
    import SimpleITK as sitk

    lattice = case.field.grid
    image = sitk.GetImageFromArray(
        np.ascontiguousarray(case.field.displacement_zyx_nm[..., ::-1]), isVector=True
    )
    image.SetSpacing(lattice.voxel_size_zyx_nm[::-1])
    transform = sitk.DisplacementFieldTransform(image)
    source, out = zarr.open_array(case.source), _create(case.output, case.size)
    blocks = _blocks(case)
    for block in blocks:
        grid = case.output_grid.crop(block.output)
        box = block.parts[0].input
        part = case.input_grid.crop(box)
        moving = sitk.GetImageFromArray(source[box.slices])
        moving.SetSpacing(part.voxel_size_zyx_nm[::-1])
        moving.SetOrigin(part.origin_zyx_nm[::-1])
        warped = sitk.Resample(
            moving,
            grid.shape_zyx[::-1],
            transform,
            sitk.sitkLinear,
            grid.origin_zyx_nm[::-1],
            grid.voxel_size_zyx_nm[::-1],
        )
        out[block.output.slices] = sitk.GetArrayViewFromImage(warped)
    return CHUNK**3 * len(blocks)


def ngff_zarr_resample(case: Case) -> int:
    """Its lazy resample through the displacement field, on a central part (it is slow)."""
    import dask.array as da
    import ngff_zarr as nz

    dims = ("z", "y", "x")

    def image(data: object, grid: Grid) -> nz.NgffImage:
        scale = dict(zip(dims, grid.voxel_size_zyx_nm, strict=True))
        return nz.NgffImage(
            data=data,
            dims=dims,
            scale=scale,
            translation=dict(zip(dims, grid.origin_zyx_nm, strict=True)),
        )

    part = min(case.size, 256)
    start = (case.size - part) // 2
    box = Box((start, start, start), (start + part, start + part, start + part))
    fixed_grid = case.output_grid.crop(box)
    lattice = case.field.grid
    # component axis first
    components = np.ascontiguousarray(np.moveaxis(case.field.displacement_zyx_nm, -1, 0))
    field = nz.NgffImage(
        data=da.from_array(components),
        dims=("c", *dims),
        scale={"c": 1.0, **dict(zip(dims, lattice.voxel_size_zyx_nm, strict=True))},
        translation=dict.fromkeys(("c", *dims), 0.0),
        axes_types={"c": "displacement"},
    )
    transform = nz.Displacements(path="field", interpolation="linear")
    moving = image(da.from_zarr(str(case.source)), case.input_grid)
    empty = da.zeros(fixed_grid.shape_zyx, chunks=CHUNK, dtype=np.uint8)
    warped = nz.resample(transform, image(empty, fixed_grid), moving, fields={"field": field})
    out = _create(case.output, case.size)
    values = np.asarray(warped.data.compute(scheduler="single-threaded"))
    out[box.slices] = values
    return int(np.prod(fixed_grid.shape_zyx))


def central_difference(case: Case, path: Path) -> tuple[float, float]:
    """Return mean and largest grey-level difference to scipy (float) in the central 64³."""
    from scipy.ndimage import map_coordinates

    start = (case.size - 64) // 2
    box = Box((start, start, start), (start + 64, start + 64, start + 64))
    grid = case.output_grid.crop(box)
    source = np.asarray(zarr.open_array(case.source, mode="r")[:])
    index = case.input_grid.to_index(case.pull_back.apply_points(grid.points()))
    exact = map_coordinates(source, index.T, order=1, output=np.float64).reshape(64, 64, 64)
    found = np.asarray(zarr.open_array(path, mode="r")[box.slices], dtype=np.float64)
    difference = np.abs(found - exact)
    return float(difference.mean()), float(difference.max())


METHODS: dict[str, Callable[[Case], int]] = {
    "scipy map_coordinates": scipy_map_coordinates,
    "SimpleITK Resample": simpleitk_resample,
    "ngff-zarr resample": ngff_zarr_resample,
    "clemkit, 128 blocks": clemkit_128,
    "clemkit, 256 blocks": clemkit_256,
    "clemkit warp_volume + pyramid": clemkit_ome_zarr,
}
