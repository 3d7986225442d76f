"""A folder of TIFF or PNG planes as one stack, in the natural order of their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from clemkit.errors import FormatError
from clemkit.volumes.readers.info import Found, Selection, VolumeInfo, json_ready
from clemkit.volumes.readers.plane_source import PlaneSource
from clemkit.volumes.readers.png import decode_png, png_header
from clemkit.volumes.readers.tiff_metadata import calibration
from clemkit.volumes.readers.tiff_source import opened_tiff
from clemkit.volumes.readers.voxel_size import complete

__all__ = ["PlaneFiles", "is_plane", "read_plane_series", "stack_of"]

_KINDS = {".tif": "tiff", ".tiff": "tiff", ".png": "png"}
_RGB = ("red", "green", "blue", "alpha")


@dataclass(frozen=True, slots=True)
class PlaneFiles:
    """Named planes of one kind in order, and how to get the bytes of one."""

    where: Path
    kind: str
    names: tuple[str, ...]
    read: Callable[[str], bytes]


def is_plane(name: str) -> bool:
    """Whether a file name can be a plane: a TIFF or PNG that is not hidden."""
    pure = PurePosixPath(name)
    return (
        pure.suffix.lower() in _KINDS
        and not pure.name.startswith(".")
        and "__MACOSX" not in pure.parts
    )


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key in which ``z10`` follows ``z9``."""
    return [
        (1, int(part), "") if part.isdecimal() else (0, 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]


def read_plane_series(path: Path, selection: Selection) -> Found:
    """Read the header of a folder of planes.

    Raises
    ------
    FormatError
        The folder holds no planes, or planes of several kinds.
    """
    names = [p.name for p in path.iterdir() if p.is_file() and is_plane(p.name)]
    files = plane_files(path, names, lambda name: (path / name).read_bytes())
    return stack_of(files, "series")


def plane_files(path: Path, names: Sequence[str], read: Callable[[str], bytes]) -> PlaneFiles:
    """Sort plane names and make sure that they are of one kind.

    Raises
    ------
    FormatError
        There are none, or TIFF and PNG are mixed.
    """
    kinds = {_KINDS[PurePosixPath(name).suffix.lower()] for name in names}
    if not kinds:
        raise FormatError(path, "expected TIFF or PNG planes; found none")
    if len(kinds) > 1:
        raise FormatError(path, "expected planes of one kind; found TIFF and PNG; separate them")
    return PlaneFiles(path, kinds.pop(), tuple(sorted(names, key=natural_key)), read)


def stack_of(files: PlaneFiles, container: str) -> Found:
    """Read the header of the first plane and describe the stack."""
    first = files.names[0]
    if files.kind == "png":
        header = png_header(first, files.read(first)[:33])
        height, width, samples, dtype = header.height, header.width, header.samples, header.dtype
        sizes: dict[str, float] = {}
        unit, metadata, warnings = None, {}, []
    else:
        height, width, samples, dtype, found = _tiff_header(files, first)
        sizes, unit, metadata = found.size_nm, found.unit, found.metadata
        warnings = list(found.warnings)
    depth = len(files.names)
    voxel, remarks = complete(sizes, depth)
    if depth > 1 and voxel is None and "y" in sizes:
        metadata = {**metadata, "stated_size_nm": dict(sizes)}
    gap = _gap(files.names)
    lead = (samples,) if samples > 1 else ()
    info = VolumeInfo(
        path=files.where,
        format=f"{files.kind}-{container}",
        shape=(*lead, depth, height, width),
        axes="czyx" if lead else "zyx",
        dtype=dtype,
        voxel_size_zyx_nm=voxel,
        unit=unit,
        channels=_RGB[:samples] if samples > 2 else (("grey", "alpha") if samples == 2 else ()),
        is_rgb=samples > 1,
        metadata=json_ready({**metadata, "first": first, "last": files.names[-1]}),
        warnings=(*warnings, *([gap] if gap else []), *remarks),
    )

    def plane(z: int, channel: int) -> np.ndarray[Any, Any]:
        name = files.names[z]
        data = files.read(name)
        if files.kind == "png":
            now = png_header(name, data[:33])
            picture = decode_png(name, data, now)
        else:
            picture = _tiff_pixels(files.where / name, data)
        if picture.shape != (height, width, samples):
            raise FormatError(
                files.where / name,
                f"expected a plane of {(height, width, samples)} (y, x, samples) as {first} has; "
                f"found {picture.shape}; remove it or pad the planes to one size",
            )
        if str(picture.dtype.newbyteorder("=")) != dtype:
            raise FormatError(files.where / name, f"expected {dtype}; found {picture.dtype}")
        return picture[:, :, channel]

    return Found(info=info, source=lambda time: PlaneSource(info.shape, dtype, plane))


def _tiff_header(files: PlaneFiles, name: str) -> tuple[int, int, int, str, Any]:
    with opened_tiff(files.where / name, files.read(name)) as tiff:
        page = tiff.pages[0]
        count = len(tiff.pages)
        if count > 1:
            raise FormatError(
                files.where / name,
                f"expected one plane per file; found {count}; open a single file instead",
            )
        found = calibration(tiff, page, 0)
        return (
            page.imagelength,
            page.imagewidth,
            page.samplesperpixel,
            str(page.dtype.newbyteorder("=")),
            found,
        )


def _tiff_pixels(path: Path, data: bytes) -> np.ndarray[Any, Any]:
    with opened_tiff(path, data) as tiff:
        page = tiff.pages[0]
        try:
            pixels = np.asarray(page.asarray())
        except Exception as error:  # truncated strips and codecs fail in many ways
            raise FormatError(path, f"the plane cannot be decoded: {error}") from error
        if pixels.ndim == 3 and page.planarconfig == 2:
            pixels = np.moveaxis(pixels, 0, -1)
        return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _gap(names: Sequence[str]) -> str:
    """Return a remark where the last number in the names skips planes."""
    numbers = []
    for name in names:
        found = re.findall(r"\d+", PurePosixPath(name).stem)
        if not found:
            return ""
        numbers.append(int(found[-1]))
    steps = np.diff(numbers)
    usual = int(np.median(steps)) if steps.size else 1
    wide = np.flatnonzero(steps > max(usual, 1))
    if not wide.size:
        return ""
    at = int(wide[0])
    return (
        f"{wide.size} gap(s) in the numbering, the first between {names[at]} and {names[at + 1]}; "
        "the planes are taken as neighbours"
    )
