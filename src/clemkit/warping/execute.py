"""Carry out a plan on a pool of threads: read, pull, write, block by block.

Each block is a whole number of write units and is written once, by one worker, so that no two
workers touch the same chunk file; voxels do not depend on the block they fall in.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import Box
from clemkit.provenance import Progress, no_progress
from clemkit.warping.plan import Block, WarpPlan, meet

__all__ = ["BoxReader", "WarpReport", "check_voxels", "execute_plan", "warp_block"]

_Array = np.ndarray[Any, Any]


class BoxReader(Protocol):
    """Reads a box of one channel of the input."""

    def __call__(self, box: Box, channel: int, /) -> _Array:
        """Return the voxels of *box*, z-y-x."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WarpReport:
    """What a warp did.

    Attributes
    ----------
    blocks, blocks_empty : int
        Blocks of the output, and how many saw no input.
    voxels_read, bytes_read : int
        Input voxels asked for, over all channels.
    bytes_written : int
        Output bytes before compression.
    map_error_voxels : float
        Upper estimate of the map's interpolation error, input voxels.
    order : int
        1 for linear interpolation, 0 for the nearest voxel.
    """

    blocks: int
    blocks_empty: int
    voxels_read: int
    bytes_read: int
    bytes_written: int
    map_error_voxels: float
    order: int


def execute_plan(
    plan: WarpPlan,
    read: BoxReader,
    write: Callable[[Box, int, _Array], None],
    *,
    dtype: np.dtype[Any],
    channels: int = 1,
    order: Literal[0, 1] = 1,
    fill: float = 0,
    workers: int = 1,
    write_empty: bool = True,
    progress: Progress = no_progress,
) -> WarpReport:
    """Carry out a plan.

    Parameters
    ----------
    plan : WarpPlan
        What to read and write.
    read : callable
        ``read(box, channel)`` returns input voxels.
    write : callable
        ``write(box, channel, values)`` stores a block of output; called once per block and
        channel, from several threads.
    dtype : numpy dtype
        Voxel type of input and output.
    channels : int
        Number of channels, all warped alike.
    order : {1, 0}
        Linear, or nearest for labels.
    fill : number
        Value of voxels that see no input.
    workers : int
        Threads; never changes the result.
    write_empty : bool
        Whether blocks without input are written (as fill) or left to the store's own fill.
    progress : Progress
        Told after each block.

    Raises
    ------
    ArgumentError
        The voxel type cannot be interpolated, *fill* does not fit it, or *workers* < 1.
    """
    if workers < 1:
        raise ArgumentError(f"workers: expected at least 1; found {workers}")
    kernel_dtype, fill_value = check_voxels(np.dtype(dtype), order, fill)

    def work(block: Block) -> None:
        if not block.parts and not write_empty:
            return
        for channel in range(channels):
            values = np.full(block.output.shape, fill_value, dtype=kernel_dtype)
            for part in block.parts:
                source = read(part.input, channel)
                warp_block(plan, part.output, source, part.input.start, block.output, values, order)
            write(block.output, channel, values.astype(dtype, copy=False))

    total = plan.block_count
    done = 0
    pending: set[Future[None]] = set()
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            for block in plan.blocks():
                pending.add(pool.submit(work, block))
                if len(pending) > workers:
                    finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                    done += _collect(finished)
                    progress("warp", done / total, f"block {done} of {total}")
            while pending:
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                done += _collect(finished)
                progress("warp", done / total, f"block {done} of {total}")
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    itemsize = np.dtype(dtype).itemsize
    return WarpReport(
        blocks=total,
        blocks_empty=plan.empty_count,
        voxels_read=plan.voxels_read * channels,
        bytes_read=plan.voxels_read * channels * itemsize,
        bytes_written=plan.output_grid.size * channels * itemsize,
        map_error_voxels=plan.map_error_voxels,
        order=order,
    )


def _collect(finished: set[Future[None]]) -> int:
    for future in finished:
        future.result()
    return len(finished)


def warp_block(
    plan: WarpPlan,
    output: Box,
    source: _Array,
    source_start: tuple[int, int, int],
    block: Box,
    values: _Array,
    order: int,
) -> None:
    """Fill the voxels of *output* in *values*, which holds *block*, from a box of the input.

    Parameters
    ----------
    plan : WarpPlan
        Gives the map.
    output : Box
        What to fill; inside *block*.
    source : (Z, Y, X) array
        Input voxels, those of ``Part.input`` at least.
    source_start : tuple of int
        Place of ``source[0, 0, 0]`` in the input.
    block : Box
        Place of *values* in the output.
    values : (z, y, x) array
        Written in place.
    order : {1, 0}
        Linear or nearest.
    """
    from clemkit.warping.kernels import pull_linear, pull_nearest

    pull = pull_linear if order else pull_nearest
    source = np.ascontiguousarray(source, dtype=values.dtype)
    last_voxel = np.array(plan.input_grid.shape_zyx) - 1
    for tile in plan.tiled_map.tiles(output):
        box = meet(tile.box, output)
        inside = tuple(
            slice(a - o, b - o) for a, b, o in zip(box.start, box.stop, block.start, strict=True)
        )
        tables = tile.tables
        pull(
            source,
            tile.base_zyx - np.array(source_start),
            (-tile.base_zyx).astype(np.float32),
            (last_voxel - tile.base_zyx).astype(np.float32),
            tile.nodes,
            tables.lower,
            tables.weight,
            np.array(box.start) - np.array(tile.box.start),
            values[inside],
        )


def check_voxels(dtype: np.dtype[Any], order: int, fill: float) -> tuple[np.dtype[Any], Any]:
    """Return the type that the kernel works on, and the fill value in it.

    Raises
    ------
    ArgumentError
        The voxel type cannot be interpolated, or *fill* does not fit it.
    """
    if order not in (0, 1):
        raise ArgumentError(f"order: expected 1 (linear) or 0 (nearest, for labels); found {order}")
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise ArgumentError(f"warp: expected whole or real numbers; found voxel type {dtype}")
    if order == 1 and (dtype.kind == "b" or (dtype.kind in "ui" and dtype.itemsize == 8)):
        raise ArgumentError(
            f"warp: voxel type {dtype} cannot be interpolated without loss; "
            "use order 0 (labels), or convert the input to a smaller type"
        )
    with np.errstate(all="ignore"):
        converted = np.asarray(fill).astype(dtype)
    same = converted == fill or (fill != fill and dtype.kind == "f")
    if not same and dtype.kind != "f":
        raise ArgumentError(f"fill: expected a value of voxel type {dtype}; found {fill}")
    kernel = dtype.newbyteorder("=")
    if dtype.kind == "b":
        kernel = np.dtype(np.uint8)
    elif dtype == np.float16:
        kernel = np.dtype(np.float32)
    return kernel, converted.astype(kernel)
