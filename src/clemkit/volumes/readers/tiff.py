"""TIFF and OME-TIFF files: header to :class:`Found`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clemkit.errors import AxisError, FormatError, NotFoundError
from clemkit.volumes.readers.info import Found, Selection, VolumeInfo, json_ready
from clemkit.volumes.readers.tiff_metadata import calibration
from clemkit.volumes.readers.tiff_source import TiffSource, next_directory, opened_tiff
from clemkit.volumes.readers.voxel_size import complete
from clemkit.volumes.source import RawSource, arrange

__all__ = ["read_tiff"]

_RGB = ("red", "green", "blue", "alpha")


def read_tiff(path: Path, selection: Selection) -> Found:
    """Read the header of a TIFF or OME-TIFF file.

    Raises
    ------
    FormatError
        The file is truncated, damaged or no TIFF.
    NotFoundError
        There is no such series or level.
    AxisError
        The axes cannot be brought to t, c, z, y, x.
    """
    with opened_tiff(path) as tiff:
        try:
            all_series = list(tiff.series)
            number = _series_number(path, all_series, selection.series)
            levels = list(all_series[number].levels)
        except (ValueError, IndexError, KeyError, TypeError) as error:
            if isinstance(error, NotFoundError | FormatError):
                raise
            raise FormatError(path, f"expected a readable image; found: {error}") from error
        if not 0 <= selection.level < len(levels):
            raise NotFoundError(f"{path}: level {selection.level}: expected 0 to {len(levels) - 1}")
        series = levels[selection.level]
        _require_whole(path, tiff, series)
        page = series.keyframe
        axes, shape, notes = _normal_axes(path, series.axes, tuple(series.shape))
        found = calibration(tiff, all_series[number].keyframe, number)
        fine_axes, fine_shape, _ = _normal_axes(path, levels[0].axes, tuple(levels[0].shape))
        fine = dict(zip(fine_axes, fine_shape, strict=True))
        here = dict(zip(axes, shape, strict=True))
        depth = fine.get("z", 1)
        voxel, more = complete(found.size_nm, depth)
        origin = found.origin_zyx_nm
        if voxel is not None and selection.level:
            factor = [fine.get(a, 1) / here.get(a, 1) for a in "zyx"]
            shift = [(f - 1) / 2 * v for f, v in zip(factor, voxel, strict=True)]
            z, y, x = (v * f for v, f in zip(voxel, factor, strict=True))
            voxel = (z, y, x)
            origin = (origin[0] + shift[0], origin[1] + shift[1], origin[2] + shift[2])
        samples = "S" in series.axes
        rgb = samples and page.photometric in (2, 3, 6)
        channels = _RGB[: here["c"]] if rgb else found.channels
        dtype = series.dtype
        offset = None if samples else series.dataoffset
        byteorder = tiff.byteorder
        metadata = dict(found.metadata)
        if found.size_nm and voxel is None:
            metadata["stated_size_nm"] = dict(found.size_nm)
        info = VolumeInfo(
            path=path,
            format="ome-tiff" if tiff.is_ome else "tiff",
            shape=_full(axes, shape)[1],
            axes=_full(axes, shape)[0],
            dtype=str(dtype.newbyteorder("=")),
            voxel_size_zyx_nm=voxel,
            origin_zyx_nm=origin,
            unit=found.unit,
            channels=channels if len(channels) == here.get("c", 1) else (),
            series=_names(all_series) if len(all_series) > 1 else (),
            levels=tuple(
                _full(*_normal_axes(path, one.axes, tuple(one.shape))[:2])[1] for one in levels
            )
            if len(levels) > 1
            else (),
            is_rgb=bool(rgb),
            metadata=json_ready(metadata),
            warnings=(*found.warnings, *notes, *more),
        )

    def source(time: int) -> Any:
        if offset is not None and dtype.kind != "b":
            raw = RawSource(path, shape, dtype.newbyteorder(byteorder), offset)
            raw.check()
            return arrange(raw, axes, time)
        return TiffSource(path, number, selection.level, axes, shape, dtype, samples, time)

    return Found(info=info, source=source)


def _series_number(path: Path, all_series: list[Any], wanted: int | str | None) -> int:
    if not all_series:
        raise FormatError(path, "expected at least one image; found none")
    names = _names(all_series)
    if wanted is None:
        return 0
    if wanted in names:
        return names.index(str(wanted))
    if isinstance(wanted, int) or wanted.isdecimal():
        number = int(wanted)
        if 0 <= number < len(all_series):
            return number
    raise NotFoundError(
        f"{path}: series {wanted!r}: expected 0 to {len(all_series) - 1} or one of: "
        f"{', '.join(names)}"
    )


def _names(all_series: list[Any]) -> tuple[str, ...]:
    return tuple(str(one.name or f"image {i}") for i, one in enumerate(all_series))


def _require_whole(path: Path, tiff: Any, series: Any) -> None:
    """Raise where planes are absent or the last one ends after the file does."""
    size = path.stat().st_size
    following = next_directory(tiff)
    if following >= size:
        raise FormatError(
            path,
            f"the file is truncated: expected a plane at byte {following}; found {size} bytes; "
            "copy it again",
        )
    pages = series.pages
    missing = sum(1 for page in pages if page is None)
    if missing:
        raise FormatError(
            path,
            f"the file is truncated or lacks sibling files: expected {len(pages)} planes; "
            f"found {len(pages) - missing}",
        )
    last = pages[len(pages) - 1]
    if last.parent.filehandle.size != size:  # planes of a sibling file are checked when read
        return
    pairs = zip(last.dataoffsets, last.databytecounts, strict=False)
    end = max((a + n for a, n in pairs), default=0)
    if end > size:
        raise FormatError(
            path,
            f"the file is truncated: expected at least {end} bytes; found {size}; copy it again",
        )


def _normal_axes(
    path: Path, axes: str, shape: tuple[int, ...]
) -> tuple[str, tuple[int, ...], list[str]]:
    """Name the axes of a series with letters of ``tczyx``; axes of extent 1 may be dropped."""
    notes: list[str] = []
    kept = [(a, n) for a, n in zip(axes, shape, strict=True) if n > 1 or a in "YX"]
    names = [a for a, _ in kept]
    if names.count("C") and names.count("S"):
        raise AxisError(
            f"{path}: expected channels or colour samples; found both (axes {axes}, {shape}); "
            "split the colours first"
        )
    result = []
    for a in names:
        if a in "TCZYX":
            result.append(a.lower())
        elif a == "S":
            result.append("c")
        elif a in "QI" and "Z" not in names and result.count("z") == 0:
            result.append("z")
            notes.append("the file does not name its first axis; it is taken as z")
        else:
            raise AxisError(
                f"{path}: expected axes t, c, z, y, x; found {axes} with shape {shape}; "
                "save the volume with named axes"
            )
    return "".join(result), tuple(n for _, n in kept), notes


def _full(axes: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Return axes and shape in the order t, c, z, y, x, with z added where absent."""
    extent = dict(zip(axes, shape, strict=True))
    extent.setdefault("z", 1)
    order = [a for a in "tczyx" if a in extent]
    return "".join(order), tuple(extent[a] for a in order)
