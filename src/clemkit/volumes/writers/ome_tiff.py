"""OME-TIFF: planes streamed in bounded memory, voxel sizes in the OME-XML, atomic."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from clemkit.errors import ArgumentError, DataError
from clemkit.geometry import Box
from clemkit.provenance import Progress, no_progress
from clemkit.volumes.readers.tiff_metadata import ORIGIN_NAMESPACE
from clemkit.volumes.volume import Volume
from clemkit.volumes.writers.atomic import REFUSED_BY_DISK, atomic_output

__all__ = ["write_ome_tiff"]

_TYPES = {
    "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "int8": "int8", "int16": "int16",
    "int32": "int32", "float32": "float", "float64": "double",
}  # fmt: skip
_CLASSIC = (1 << 32) - (1 << 25)  # bytes up to which 32-bit offsets do, tags included
_SLAB_BYTES = 64 << 20
_NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def write_ome_tiff(
    path: str | Path,
    volume: Volume,
    *,
    overwrite: bool = False,
    compress: bool = True,
    progress: Progress = no_progress,
) -> Path:
    """Write a volume as one OME-TIFF file, plane by plane.

    Voxel sizes are written in nanometres. OME-TIFF has no place for a grid's origin, so that
    is kept in a map annotation which clemkit reads back and others ignore.

    Parameters
    ----------
    path : path
        File to make, usually ``NAME.ome.tif``.
    volume : Volume
        May be larger than memory. Booleans are stored as uint8; 64-bit labels as uint32 where
        they fit.
    overwrite : bool
        Replace an existing output, once the new one is complete.
    compress : bool
        Deflate the planes.
    progress : Progress
        Told about the stage ``"write"``.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ArgumentError
        The output exists or OME-TIFF has no such voxel type.
    DataError
        The disk is full, or 64-bit labels do not fit 32 bits.
    """
    import tifffile

    target = Path(path)
    stored = _stored_type(target, volume)
    count = volume.channel_count
    depth, height, width = volume.grid.shape_zyx
    total = count * depth * height * width * stored.itemsize
    with atomic_output(target, overwrite) as temporary:
        try:
            with tifffile.TiffWriter(temporary, bigtiff=total > _CLASSIC, ome=False) as tiff:
                tiff.write(
                    _planes(volume, stored, progress),
                    shape=(count * depth, height, width),
                    dtype=stored,
                    photometric="minisblack",
                    compression="zlib" if compress else None,
                    description=_ome_xml(volume, stored),
                    metadata=None,
                )
        except OSError as error:
            if error.errno not in REFUSED_BY_DISK:
                raise
            raise DataError(
                f"{target}: cannot be written: {error.strerror or error}; nothing was left behind; "
                "free some space or choose another place"
            ) from error
    return target


def _stored_type(path: Path, volume: Volume) -> np.dtype[Any]:
    dtype = volume.dtype
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind in "iu" and dtype.itemsize == 8 and volume.role != "intensity":
        return np.dtype(np.uint32)
    if dtype.name in _TYPES:
        return dtype.newbyteorder("=")
    raise ArgumentError(
        f"{path}: expected a voxel type of OME-TIFF ({', '.join(_TYPES)}); found {dtype}; "
        "write OME-Zarr instead"
    )


def _planes(
    volume: Volume, stored: np.dtype[Any], progress: Progress
) -> Iterator[np.ndarray[Any, Any]]:
    """Yield every plane, z fastest, then channels; read in slabs so that chunks are read once."""
    depth, height, width = volume.grid.shape_zyx
    step = max(_SLAB_BYTES // (height * width * max(volume.dtype.itemsize, stored.itemsize)), 1)
    for channel in range(volume.channel_count):
        for z in range(0, depth, step):
            stop = min(z + step, depth)
            slab = volume.read(Box((z, 0, 0), (stop, height, width)), channel)
            narrow = slab.astype(stored, copy=False)
            if narrow.dtype != slab.dtype and not np.array_equal(narrow, slab):
                raise DataError(
                    f"plane {z}: expected labels below 2**32; found {slab.max()}; "
                    "write OME-Zarr instead"
                )
            yield from np.ascontiguousarray(narrow)
            progress("write", (channel * depth + stop) / (volume.channel_count * depth))


def _ome_xml(volume: Volume, stored: np.dtype[Any]) -> str:
    depth, height, width = volume.grid.shape_zyx
    count = volume.channel_count
    names = volume.channels or (None,) * count
    sizes = " ".join(
        f'PhysicalSize{axis}="{size!r}" PhysicalSize{axis}Unit="nm"'
        for axis, size in zip("ZYX", volume.grid.voxel_size_zyx_nm, strict=True)
    )
    channels = "".join(
        f'<Channel ID="Channel:0:{i}" SamplesPerPixel="1"'
        f"{'' if name is None else f' Name={quoteattr(name)}'}/>"
        for i, name in enumerate(names)
    )
    origin = "".join(
        f'<M K="Origin{axis}Nanometres">{value!r}</M>'
        for axis, value in zip("ZYX", volume.grid.origin_zyx_nm, strict=True)
    )
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{_NAMESPACE}" Creator="clemkit">'
        f'<Image ID="Image:0" Name={quoteattr(volume.grid.space.name)}>'
        f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="{_TYPES[stored.name]}" '
        f'SizeX="{width}" SizeY="{height}" SizeZ="{depth}" SizeC="{count}" SizeT="1" {sizes}>'
        f'{channels}<TiffData IFD="0" PlaneCount="{count * depth}"/></Pixels>'
        '<AnnotationRef ID="Annotation:0"/></Image>'
        f'<StructuredAnnotations><MapAnnotation ID="Annotation:0" Namespace="{ORIGIN_NAMESPACE}">'
        f'<Value><M K="Image">0</M>{origin}</Value></MapAnnotation></StructuredAnnotations></OME>'
    )
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")  # TIFF texts are ASCII
