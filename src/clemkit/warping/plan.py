"""Plan a warp: which input box each output block needs. Pure; reads no voxel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import Box, Grid, IntArray
from clemkit.provenance import Progress, no_progress
from clemkit.transforms import Transform
from clemkit.warping.lattice import TILE, TiledMap

__all__ = ["Block", "Part", "WarpPlan", "plan_warp"]

_BLOCK_VOXELS = 1 << 24  # 256³: larger blocks read fewer voxels twice
_INPUT_VOXELS = 1 << 26  # input of one part; a block that needs more is computed in parts


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of work: fill ``output`` from the input voxels in ``input``."""

    output: Box
    input: Box


@dataclass(frozen=True, slots=True)
class Block:
    """What one worker writes at once: whole write units, made of zero or more parts.

    Attributes
    ----------
    output : Box
        The block in the output.
    parts : tuple of Part
        Disjoint pieces that see input; what they leave out is fill.
    """

    output: Box
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WarpPlan:
    """Everything that will be read and written, before anything is.

    Attributes
    ----------
    output_grid, input_grid : Grid
        Where the voxels are.
    write_unit_zyx : tuple of int
        Chunk or shard of the output.
    block_shape_zyx : tuple of int
        Whole write units that one worker handles at once.
    part_block, part_boxes : (P,) and (P, 12) int arrays
        Block number of each part; its output start and stop, input start and stop.
    map_error_voxels : float
        Upper estimate of the map's interpolation error, input voxels.
    smallest_cell_voxels : float
        Smallest distance of the map's nodes, output voxels.
    tiled_map : TiledMap
        The map that the boxes were found with, and that the voxels will be sampled with.
    """

    output_grid: Grid
    input_grid: Grid
    write_unit_zyx: tuple[int, int, int]
    block_shape_zyx: tuple[int, int, int]
    part_block: IntArray
    part_boxes: IntArray
    map_error_voxels: float
    smallest_cell_voxels: float
    tiled_map: TiledMap = field(repr=False)

    @property
    def blocks_zyx(self) -> tuple[int, int, int]:
        """Number of blocks per axis."""
        z, y, x = (
            -(-n // b)
            for n, b in zip(self.output_grid.shape_zyx, self.block_shape_zyx, strict=True)
        )
        return z, y, x

    @property
    def block_count(self) -> int:
        """Number of blocks, empty ones included."""
        z, y, x = self.blocks_zyx
        return z * y * x

    @property
    def empty_count(self) -> int:
        """Number of blocks that see no input and are not computed."""
        return self.block_count - len(np.unique(self.part_block))

    @property
    def voxels_read(self) -> int:
        """Input voxels read, those read twice counted twice; per channel."""
        return int(np.prod(self.part_boxes[:, 9:12] - self.part_boxes[:, 6:9], axis=1).sum())

    def block(self, number: int) -> Block:
        """Return one block by its number in C order."""
        where = np.unravel_index(number, self.blocks_zyx)
        z, y, x = (int(i) * b for i, b in zip(where, self.block_shape_zyx, strict=True))
        bz, by, bx = self.block_shape_zyx
        output = Box((z, y, x), (z + bz, y + by, x + bx)).clip(self.output_grid.shape_zyx)
        first, stop = np.searchsorted(self.part_block, [number, number + 1])
        rows = self.part_boxes[first:stop].tolist()
        parts = tuple(
            Part(Box(tuple(r[0:3]), tuple(r[3:6])), Box(tuple(r[6:9]), tuple(r[9:12])))
            for r in rows
        )
        return Block(output, parts)

    def blocks(self) -> Iterator[Block]:
        """Iterate over all blocks in canonical (C) order."""
        return (self.block(number) for number in range(self.block_count))

    def peak_bytes(self, itemsize: int, workers: int = 1) -> int:
        """Estimate the memory that the work needs beyond what the process already holds, bytes.

        Per worker one block of output and the input of its largest part, twice (a reader decodes
        chunks before it copies them), plus the map (at most 64 MiB of it is kept).
        """
        shape = zip(self.block_shape_zyx, self.output_grid.shape_zyx, strict=True)
        out = int(np.prod([min(b, n) for b, n in shape]))
        read = np.prod(self.part_boxes[:, 9:12] - self.part_boxes[:, 6:9], axis=1)
        largest = int(read.max()) if len(read) else 0
        tile = [min(n, TILE) / self.smallest_cell_voxels + 2 for n in self.output_grid.shape_zyx]
        lattice = 144 * int(np.prod(tile))
        tiles = int(np.prod([-(-n // TILE) for n in self.output_grid.shape_zyx]))
        kept = min(64 << 20, tiles * lattice)
        return workers * ((out + 2 * largest) * itemsize + lattice) + kept

    def summary(self, itemsize: int = 1, workers: int = 1, channels: int = 1) -> dict[str, str]:
        """Return the plan in words, for ``--dry-run``: a line of text by subject."""
        voxels = self.output_grid.size
        read = self.voxels_read
        ratio = np.array(self.output_grid.voxel_size_zyx_nm) / self.input_grid.voxel_size_zyx_nm
        lines: dict[str, str] = {
            "output": f"{_grid(self.output_grid)}, {channels} channel(s), "
            f"{_bytes(voxels * channels * itemsize)}",
            "input": _grid(self.input_grid),
            "blocks": f"{self.block_count} of {_times(self.block_shape_zyx)} "
            f"(write unit {_times(self.write_unit_zyx)}), {self.empty_count} empty",
            "reads": f"{_bytes(read * channels * itemsize)}, {read / voxels:.2f} voxels per "
            f"output voxel, {len(self.part_boxes)} reads per channel",
            "map": f"nodes {self.smallest_cell_voxels:.3g} voxels apart or more, "
            f"measured error up to {self.map_error_voxels:.2g} input voxels",
            "memory": f"about {_bytes(self.peak_bytes(itemsize, workers))} "
            f"with {workers} worker(s)",
        }
        if float(ratio.max()) > 2:
            lines["note"] = (
                f"output voxels are {ratio.max():.1f} times as large as input voxels: "
                "single positions are sampled, not averaged"
            )
        return lines

    def describe(self, itemsize: int = 1, workers: int = 1, channels: int = 1) -> str:
        """Return :meth:`summary` as text."""
        lines = self.summary(itemsize, workers, channels)
        return "\n".join(f"{subject:<8} {text}" for subject, text in lines.items())

    def __str__(self) -> str:
        return self.describe()


def plan_warp(
    pull_back: Transform,
    input_grid: Grid,
    output_grid: Grid,
    *,
    write_unit_zyx: tuple[int, int, int] = (128, 128, 128),
    block_voxels: int = _BLOCK_VOXELS,
    input_voxels: int = _INPUT_VOXELS,
    tolerance_voxels: float = 0.05,
    progress: Progress = no_progress,
) -> WarpPlan:
    """Plan the pull-back of an image.

    Parameters
    ----------
    pull_back : Transform
        Maps points of the output's space to the input's (fixed → moving, to bring a moving image
        onto the fixed grid).
    input_grid, output_grid : Grid
        Where the voxels are.
    write_unit_zyx : tuple of int
        Chunk or, if sharded, shard of the output; blocks are whole units.
    block_voxels : int
        Blocks grow by whole write units up to about this many voxels.
    input_voxels : int
        Most input voxels held at once by a worker; a block that needs more is computed in parts.
    tolerance_voxels : float
        Bound of the map's interpolation error, input voxels.
    progress : Progress
        Told how far the plan is.

    Returns
    -------
    WarpPlan

    Raises
    ------
    SpaceMismatchError
        The transform does not go from the output's space to the input's.
    ArgumentError
        A size is not positive.
    """
    unit = tuple(int(n) for n in write_unit_zyx)
    if len(unit) != 3 or min(unit) < 1 or min(block_voxels, input_voxels) < 1:
        raise ArgumentError(
            "plan_warp: expected positive sizes; found write unit "
            f"{write_unit_zyx}, block_voxels {block_voxels}, input_voxels {input_voxels}"
        )
    tiled_map = TiledMap(pull_back, output_grid, input_grid, tolerance_voxels)
    unit_zyx = (unit[0], unit[1], unit[2])
    block_shape = _block_shape(unit_zyx, output_grid.shape_zyx, block_voxels)
    counts = [-(-n // b) for n, b in zip(output_grid.shape_zyx, block_shape, strict=True)]
    total = int(np.prod(counts))
    numbers: list[int] = []
    rows: list[tuple[int, ...]] = []
    error, cell = 0.0, float(TILE)
    for number in range(total):
        where = np.unravel_index(number, counts)
        start = tuple(int(i) * b for i, b in zip(where, block_shape, strict=True))
        stop = tuple(a + b for a, b in zip(start, block_shape, strict=True))
        box = Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))
        box = box.clip(output_grid.shape_zyx)
        for tile in tiled_map.tiles(box):
            error = max(error, tile.error_voxels)
            cell = min(cell, tile.cell_voxels)
        for part in _parts(tiled_map, box, input_voxels):
            numbers.append(number)
            rows.append(
                (*part.output.start, *part.output.stop, *part.input.start, *part.input.stop)
            )
        progress("plan", (number + 1) / total)
    return WarpPlan(
        output_grid=output_grid,
        input_grid=input_grid,
        write_unit_zyx=unit_zyx,
        block_shape_zyx=block_shape,
        part_block=np.array(numbers, dtype=np.int64),
        part_boxes=np.array(rows, dtype=np.int64).reshape(-1, 12),
        map_error_voxels=error,
        smallest_cell_voxels=cell,
        tiled_map=tiled_map,
    )


def _parts(tiled_map: TiledMap, box: Box, input_voxels: int) -> Iterator[Part]:
    """Cut a box until the input of each piece is small enough; leave out what sees no input."""
    needed = _input_box(tiled_map, box)
    if needed.is_empty:
        return
    if int(np.prod(needed.shape)) <= input_voxels or max(box.shape) == 1:
        yield Part(box, needed)
        return
    axis = int(np.argmax(box.shape))
    middle = box.start[axis] + box.shape[axis] // 2
    if box.shape[axis] > TILE:
        middle = -(-middle // TILE) * TILE  # tiles stay whole: fewer kernel calls
        middle = middle if middle < box.stop[axis] else box.start[axis] + box.shape[axis] // 2
    stop, start = list(box.stop), list(box.start)
    stop[axis] = start[axis] = middle
    yield from _parts(tiled_map, Box(box.start, (stop[0], stop[1], stop[2])), input_voxels)
    yield from _parts(tiled_map, Box((start[0], start[1], start[2]), box.stop), input_voxels)


def _input_box(tiled_map: TiledMap, box: Box) -> Box:
    shape = tiled_map.input_grid.shape_zyx
    needed = [tile.input_box(meet(tile.box, box), shape) for tile in tiled_map.tiles(box)]
    needed = [b for b in needed if not b.is_empty]
    if not needed:
        return Box((0, 0, 0), (0, 0, 0))
    low = np.min([b.start for b in needed], axis=0).tolist()
    high = np.max([b.stop for b in needed], axis=0).tolist()
    return Box(tuple(low), tuple(high))


def meet(a: Box, b: Box) -> Box:
    """Return the part of *a* inside *b*; the boxes must overlap."""
    low = [max(p, q) for p, q in zip(a.start, b.start, strict=True)]
    high = [min(p, q) for p, q in zip(a.stop, b.stop, strict=True)]
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def _block_shape(
    unit: tuple[int, int, int], shape: tuple[int, int, int], voxels: int
) -> tuple[int, int, int]:
    """Double the write unit along its shortest axis until the block is large enough."""
    block = list(unit)
    while True:
        open_axes = [a for a in range(3) if block[a] < shape[a]]
        if not open_axes:
            break
        axis = min(open_axes, key=lambda a: block[a])
        if 2 * int(np.prod(block)) > voxels:
            break
        block[axis] *= 2
    return block[0], block[1], block[2]


def _grid(grid: Grid) -> str:
    return f"{_times(grid.shape_zyx)} voxels of {_times(grid.voxel_size_zyx_nm)} nm in {grid.space}"


def _times(values: tuple[float, ...]) -> str:
    return " x ".join(f"{v:g}" for v in values)


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} TiB"
