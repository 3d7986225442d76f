"""Single PNG pictures, and the decoding of PNG planes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import FormatError
from clemkit.volumes.readers.info import Found, Selection, VolumeInfo
from clemkit.volumes.readers.plane_source import PlaneSource
from clemkit.volumes.readers.voxel_size import complete

__all__ = ["PngHeader", "decode_png", "png_header", "read_png"]

_SAMPLES = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type; palettes are looked up


@dataclass(frozen=True, slots=True)
class PngHeader:
    """Extent and sample layout of a PNG picture."""

    height: int
    width: int
    samples: int
    dtype: str

    @property
    def is_rgb(self) -> bool:
        """Whether a voxel has several samples."""
        return self.samples > 1


def png_header(name: str, head: bytes) -> PngHeader:
    """Read the header from the first 33 bytes of a PNG file [1]_.

    Raises
    ------
    FormatError
        These bytes do not begin a PNG file.

    References
    ----------
    .. [1] ISO/IEC 15948, clause 11.2.2 (IHDR).
    """
    if len(head) < 29 or head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR":
        raise FormatError(name, "expected a PNG picture; found other bytes; copy the file again")
    width, height, bits, colour = struct.unpack(">IIBB", head[16:26])
    if colour not in _SAMPLES:
        raise FormatError(name, f"expected a PNG colour type of {set(_SAMPLES)}; found {colour}")
    return PngHeader(height, width, _SAMPLES[colour], "uint16" if bits == 16 else "uint8")


def decode_png(name: str, data: bytes, header: PngHeader) -> np.ndarray[Any, Any]:
    """Decode a picture to (y, x, sample).

    Raises
    ------
    FormatError
        The picture is damaged or its shape is not that of *header*.
    """
    import imagecodecs

    try:
        picture = np.asarray(imagecodecs.png_decode(data))
    except Exception as error:  # imagecodecs has its own kinds
        raise FormatError(name, f"the PNG picture cannot be decoded: {error}") from error
    if picture.ndim == 2:
        picture = picture[:, :, None]
    if picture.shape[:2] != (header.height, header.width):
        raise FormatError(
            name, f"expected {(header.height, header.width)} pixels; found {picture.shape[:2]}"
        )
    return picture


def read_png(path: Path, selection: Selection) -> Found:
    """Read the header of a PNG picture; PNG has no pixel size for a specimen."""
    with path.open("rb") as stream:
        header = png_header(str(path), stream.read(33))
    names = ("red", "green", "blue", "alpha") if header.samples > 2 else ("grey", "alpha")
    lead = (header.samples,) if header.is_rgb else ()
    info = VolumeInfo(
        path=path,
        format="png",
        shape=(*lead, 1, header.height, header.width),
        axes="czyx" if header.is_rgb else "zyx",
        dtype=header.dtype,
        voxel_size_zyx_nm=None,
        channels=names[: header.samples] if header.is_rgb else (),
        is_rgb=header.is_rgb,
        warnings=tuple(complete({}, 1)[1]),
    )

    def plane(z: int, channel: int) -> np.ndarray[Any, Any]:
        return decode_png(str(path), path.read_bytes(), header)[:, :, channel]

    return Found(info=info, source=lambda time: PlaneSource(info.shape, info.dtype, plane))
