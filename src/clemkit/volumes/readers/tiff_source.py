"""Voxels of a TIFF series: only the strips or tiles that a box touches are decoded."""

from __future__ import annotations

import io
import logging
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import FormatError
from clemkit.volumes.source import AnyArray, BlockCache, BlockSource

__all__ = ["TiffSource", "next_directory", "opened_tiff", "quiet_tifffile"]


@contextmanager
def quiet_tifffile() -> Iterator[None]:
    """Keep tifffile's log off the terminal; what matters is raised as an error here."""
    logger = logging.getLogger("tifffile")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


@contextmanager
def opened_tiff(path: Path, data: bytes | None = None) -> Iterator[Any]:
    """Open a TIFF file (or its bytes), turning every parser failure into one line.

    Raises
    ------
    FormatError
        The file is no TIFF, or it is truncated or damaged.
    """
    import tifffile

    with quiet_tifffile():
        try:
            tiff = tifffile.TiffFile(path if data is None else io.BytesIO(data))
        except Exception as error:  # damaged headers fail in many ways inside the parser
            raise FormatError(path, f"expected a readable TIFF file; found: {error}") from error
        try:
            yield tiff
        finally:
            tiff.close()


def next_directory(tiff: Any) -> int:
    """Return where the last readable directory says that another one follows, 0 for nowhere."""
    layout, handle = tiff.tiff, tiff.filehandle
    last = tiff.pages[len(tiff.pages) - 1]
    handle.seek(last.offset)
    (count,) = struct.unpack(layout.tagnoformat, handle.read(layout.tagnosize))
    handle.seek(last.offset + layout.tagnosize + count * layout.tagsize)
    data = handle.read(layout.offsetsize)
    if len(data) < layout.offsetsize:
        return int(handle.size)
    return int(struct.unpack(layout.offsetformat, data)[0])


class TiffSource(BlockSource):
    """One series of a TIFF file as ``(z, y, x)`` or ``(c, z, y, x)``.

    Parameters
    ----------
    path : Path
        The file.
    series, level : int
        Which image and which resolution of it.
    axes : str
        Letters of ``tczyx`` for the axes of the series.
    shape : tuple of int
        Extent along *axes*.
    samples_in_page : bool
        Whether the channel axis is inside a page (RGB, planar or interleaved).
    """

    def __init__(
        self,
        path: Path,
        series: int,
        level: int,
        axes: str,
        shape: tuple[int, ...],
        dtype: Any,
        samples_in_page: bool = False,
        time: int = 0,
    ) -> None:
        extent = dict(zip(axes, shape, strict=True))
        zyx = (extent.get("z", 1), extent["y"], extent["x"])
        super().__init__((extent["c"], *zyx) if "c" in extent else zyx, dtype)
        self._args = (path, series, level, axes, shape, dtype, samples_in_page, time)
        self._path, self._series, self._level = path, series, level
        self._samples_in_page = samples_in_page
        self._leading = "".join(a for a in axes if a not in ("cyx" if samples_in_page else "yx"))
        self._leading_shape = tuple(extent[a] for a in self._leading)
        self._time = time
        self._cache = BlockCache()
        self._lock = threading.RLock()
        self._pages: Any = None
        self._tiff: Any = None

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), self._args

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        with self._lock:
            if self._tiff is not None:
                self._tiff.close()
            self._tiff = self._pages = None

    def __del__(self) -> None:
        if getattr(self, "_tiff", None) is not None:
            self._tiff.close()

    def read_block(
        self, channel: int, start: tuple[int, int, int], stop: tuple[int, int, int]
    ) -> AnyArray:
        """Read one channel inside a box."""
        out = np.empty(tuple(b - a for a, b in zip(start, stop, strict=True)), self.dtype)
        for z in range(start[0], stop[0]):
            self._fill(out[z - start[0]], channel, z, start[1:], stop[1:])
        return out

    def _open(self) -> None:
        import tifffile

        if self._tiff is None:
            with quiet_tifffile():
                self._tiff = tifffile.TiffFile(self._path)
                self._pages = self._tiff.series[self._series].levels[self._level].pages

    def _page(self, channel: int, z: int) -> tuple[Any, int]:
        at = {"z": z, "c": channel, "t": self._time}
        number = 0
        for axis, n in zip(self._leading, self._leading_shape, strict=True):
            number = number * n + at[axis]
        with self._lock:
            self._open()
            page = self._pages[number]
        if page is None:
            raise FormatError(self._path, f"plane {number} is missing; the file is truncated")
        return page, number

    def _fill(
        self, out: AnyArray, channel: int, z: int, start: tuple[int, ...], stop: tuple[int, ...]
    ) -> None:
        page, number = self._page(channel, z)
        frame = page.keyframe
        height, width = frame.imagelength, frame.imagewidth
        tile = (
            (frame.tilelength, frame.tilewidth)
            if frame.is_tiled
            else (min(frame.rowsperstrip, height), width)
        )
        across, down = -(-width // tile[1]), -(-height // tile[0])
        sample = channel if self._samples_in_page else 0
        planar = self._samples_in_page and frame.planarconfig == 2
        first = sample * across * down if planar else 0
        for row in range(start[0] // tile[0], -(-stop[0] // tile[0])):
            for column in range(start[1] // tile[1], -(-stop[1] // tile[1])):
                y, x = row * tile[0], column * tile[1]
                index = first + row * across + column
                y0, y1 = max(start[0], y), min(stop[0], y + tile[0])
                x0, x1 = max(start[1], x), min(stop[1], x + tile[1])
                rows = (y0 - y, y1 - y) if _rows_apart(frame) else None
                block = self._segment(page, number, index, rows)
                top = 0 if rows else y0 - y
                part = block[top : top + y1 - y0, x0 - x : x1 - x, 0 if planar else sample]
                out[y0 - start[0] : y1 - start[0], x0 - start[1] : x1 - start[1]] = part

    def _segment(
        self, page: Any, number: int, index: int, rows: tuple[int, int] | None
    ) -> AnyArray:
        """Decode strip or tile *index*, or only some *rows* of a plain strip: (y, x, sample)."""
        if rows is not None:
            return self._decode(page, index, rows)
        return self._cache.get((number, index), lambda: self._decode(page, index, None))

    def _decode(self, page: Any, index: int, rows: tuple[int, int] | None) -> AnyArray:
        frame = page.keyframe
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if rows is not None:
            stride = frame.imagewidth * frame.dtype.itemsize
            offset, count = offset + rows[0] * stride, (rows[1] - rows[0]) * stride
        with self._lock:
            self._open()
            handle = page.parent.filehandle
            was_closed = handle.closed
            if was_closed:  # a sibling file of a multi-file set
                handle.open()
            handle.seek(offset)
            data = handle.read(count)
            if was_closed:
                handle.close()
        if len(data) < count:
            raise FormatError(
                self._path,
                f"plane {number_of(page)} is truncated: expected {count} bytes at {offset}; "
                f"found {len(data)}; copy the file again",
            )
        if rows is not None:
            native = np.frombuffer(data, frame.parent.byteorder + frame.dtype.char)
            return native.reshape(rows[1] - rows[0], frame.imagewidth, 1).astype(self.dtype)
        try:
            tables, header = page.jpegtables, frame.jpegheader
            block, _, shape = frame.decode(data, index, jpegtables=tables, jpegheader=header)
        except Exception as error:  # codecs raise their own kinds
            raise FormatError(
                self._path, f"plane {number_of(page)} cannot be decoded: {error}"
            ) from error
        if block is None:  # an empty tile of a sparse file
            return np.full(shape[1:], frame.nodata, self.dtype)
        return np.asarray(block)[0].astype(self.dtype, copy=False)


def number_of(page: Any) -> Any:
    """Return a page's number for a message."""
    return getattr(page, "index", "?")


def _rows_apart(frame: Any) -> bool:
    """Whether rows of a strip can be read singly: no compression, whole bytes, one sample."""
    return (
        not frame.is_tiled
        and frame.compression == 1
        and frame.predictor == 1
        and frame.fillorder == 1
        and frame.samplesperpixel == 1
        and frame.bitspersample == 8 * frame.dtype.itemsize
    )
