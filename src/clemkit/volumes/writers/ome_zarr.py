"""OME-Zarr 0.5: multiscale, streamed by blocks in bounded memory, atomic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError, DataError
from clemkit.geometry import Box, Grid
from clemkit.provenance import Progress, no_progress
from clemkit.volumes.blocks import block_boxes, run_blocks
from clemkit.volumes.pyramid import downsample_block, level_factors
from clemkit.volumes.volume import Role, Volume
from clemkit.volumes.writers.atomic import REFUSED_BY_DISK, atomic_output
from clemkit.volumes.writers.ome_zarr_metadata import multiscale_attributes

__all__ = ["create_ome_zarr", "write_ome_zarr"]

_Triple = tuple[int, int, int]
_BLOCK_BYTES = 64 << 20  # voxels held per worker while streaming
_SHARD_FROM = 1 << 30  # voxels of a level from which chunks are gathered in shards
_SHARD: _Triple = (256, 256, 256)
_SHARD_CHUNK: _Triple = (64, 64, 64)
_TYPES = "iubf"


@dataclass(frozen=True, slots=True)
class _Layout:
    chunks: _Triple
    shards: _Triple | None

    @property
    def unit(self) -> _Triple:
        return self.shards or self.chunks


def _layout(shape: _Triple, chunks: _Triple | None, sharded: bool) -> _Layout:
    if sharded and chunks is None and shape[0] * shape[1] * shape[2] >= _SHARD_FROM:
        return _Layout(_SHARD_CHUNK, _SHARD)
    wanted = chunks or ((1, 1024, 1024) if shape[0] == 1 else (128, 128, 128))
    z, y, x = (min(c, n) for c, n in zip(wanted, shape, strict=True))
    return _Layout((z, y, x), None)


@contextmanager
def create_ome_zarr(
    path: str | Path,
    grid: Grid,
    dtype: Any,
    *,
    channels: Sequence[str] = (),
    channel_count: int | None = None,
    role: Role = "intensity",
    chunks: _Triple | None = None,
    sharded: bool = False,
    levels: int | None = None,
    overwrite: bool = False,
    workers: int = 1,
    progress: Progress = no_progress,
) -> Iterator[Any]:
    """Open a new OME-Zarr 0.5 image for writing its finest level.

    On leaving the ``with`` block the coarser levels are computed and the folder gets its name.
    When the block raises, nothing is left behind and an old output stays as it was.

    Parameters
    ----------
    path : path
        Folder to make, usually ``NAME.ome.zarr``.
    grid : Grid
        Shape, voxel size and origin of the finest level.
    dtype : numpy dtype
        Voxel type: boolean (stored as uint8), integer or floating point.
    channels : sequence of str
        Channel names; with any, the array is ``(c, z, y, x)``.
    channel_count : int, optional
        Number of unnamed channels; the array is then ``(c, z, y, x)`` too.
    role : {"intensity", "labels", "mask"}
        Decides how coarser levels are made.
    chunks : tuple of int, optional
        Chunk shape z, y, x; 128 voxels a side where absent.
    sharded : bool
        Gather chunks in shards of 256 voxels a side where a level has 2**30 voxels or more.
        Writers must then keep to whole shards (``array.shards``).
    levels : int, optional
        Number of levels; chosen after the size where absent.
    overwrite : bool
        Replace an existing output, once the new one is complete.
    workers : int
        Threads that make the coarser levels; never changes a byte.

    Yields
    ------
    zarr.Array
        The finest level. Threads may write to it at once if each keeps to whole chunks
        (``array.shards or array.chunks``).

    Raises
    ------
    ArgumentError
        The output exists, or a voxel type or a count cannot be stored.
    DataError
        The disk is full or the file system refuses to write.
    """
    import zarr

    target = Path(path)
    stored = np.dtype(np.uint8) if np.dtype(dtype).kind == "b" else np.dtype(dtype)
    if stored.kind not in _TYPES or stored.itemsize > 8:
        raise ArgumentError(f"dtype: expected integers or floats of 1 to 8 bytes; found {stored}")
    if channels and channel_count not in (None, len(channels)):
        raise ArgumentError(
            f"channels: expected {channel_count} names; found {len(channels)}: {tuple(channels)}"
        )
    count = len(channels) or channel_count
    grids = [grid]
    for factor in (factors := level_factors(grid, levels)):
        grids.append(grids[-1].downsample(factor))
    with atomic_output(target, overwrite) as temporary:
        try:
            group = zarr.create_group(temporary, zarr_format=3)
            arrays = [
                _create_array(
                    group, str(i), g, stored, count, _layout(g.shape_zyx, chunks, sharded)
                )
                for i, g in enumerate(grids)
            ]
            yield arrays[0]
            for i, factor in enumerate(factors):
                _halve(arrays[i], arrays[i + 1], factor, role, workers)
                progress("pyramid", (i + 1) / len(factors), f"level {i + 1}")
            group.attrs.update(
                multiscale_attributes(
                    target.name.removesuffix(".zarr").removesuffix(".ome"),
                    grids,
                    with_channels=count is not None,
                    channels=channels,
                    role=role,
                )
            )
        except OSError as error:
            if error.errno not in REFUSED_BY_DISK:
                raise
            raise DataError(
                f"{target}: cannot be written: {error.strerror or error}; nothing was left behind; "
                "free some space or choose another place"
            ) from error


def write_ome_zarr(
    path: str | Path,
    volume: Volume,
    *,
    chunks: _Triple | None = None,
    levels: int | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
    workers: int = 1,
) -> Path:
    """Write a volume as OME-Zarr 0.5, streaming it in bounded memory.

    Parameters
    ----------
    path : path
        Folder to make.
    volume : Volume
        May be larger than memory.
    chunks, levels, overwrite
        See :func:`create_ome_zarr`; large levels are sharded unless *chunks* are given.
    progress : Progress
        Told about the stages ``"write"`` and ``"pyramid"``.
    workers : int
        Threads; never changes a byte. Memory grows by about 0.2 GB for each.

    Returns
    -------
    Path
        The folder written.

    Raises
    ------
    ArgumentError
        The output exists or the voxel type cannot be stored.
    DataError
        The disk is full or the source cannot be read.
    """
    four = len(volume.data.shape) == 4
    with create_ome_zarr(
        path,
        volume.grid,
        volume.dtype,
        channels=volume.channels if four else (),
        channel_count=volume.channel_count if four else None,
        role=volume.role,
        chunks=chunks,
        sharded=True,
        levels=levels,
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    ) as array:
        unit = _unit(array)
        boxes = block_boxes(volume.grid.shape_zyx, unit, volume.dtype.itemsize, _BLOCK_BYTES)

        def copy(box: Box) -> None:
            for channel in range(volume.channel_count):
                where = (channel, *box.slices) if four else box.slices
                array[where] = volume.read(box, channel)

        run_blocks(copy, boxes, workers, lambda n: progress("write", n / len(boxes)))
    return Path(path)


def _create_array(
    group: Any, name: str, grid: Grid, dtype: np.dtype[Any], count: int | None, layout: _Layout
) -> Any:
    from zarr.codecs import BloscCodec

    lead = () if count is None else (count,)
    one = () if count is None else (1,)
    return group.create_array(
        name,
        shape=(*lead, *grid.shape_zyx),
        chunks=(*one, *layout.chunks),
        shards=None if layout.shards is None else (*one, *layout.shards),
        dtype=dtype,
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
        fill_value=0,
        dimension_names=("c", "z", "y", "x")[-len(lead) - 3 :],
    )


def _unit(array: Any) -> _Triple:
    z, y, x = (array.shards or array.chunks)[-3:]
    return z, y, x


def _halve(fine: Any, coarse: Any, factor: _Triple, role: Role, workers: int) -> None:
    """Fill one level from the next finer one, write unit by write unit."""
    shape: _Triple = coarse.shape[-3:]
    four = coarse.ndim == 4
    per_voxel = fine.dtype.itemsize * factor[0] * factor[1] * factor[2]
    boxes = block_boxes(shape, _unit(coarse), per_voxel, _BLOCK_BYTES)

    def fill(box: Box) -> None:
        lo, hi = box.start, box.stop
        source = Box(
            (lo[0] * factor[0], lo[1] * factor[1], lo[2] * factor[2]),
            (hi[0] * factor[0], hi[1] * factor[1], hi[2] * factor[2]),
        ).clip(fine.shape[-3:])
        for channel in range(coarse.shape[0] if four else 1):
            lead = (channel,) if four else ()
            block = np.asarray(fine[(*lead, *source.slices)])
            coarse[(*lead, *box.slices)] = downsample_block(block, factor, role)

    run_blocks(fill, boxes, workers, lambda n: None)
