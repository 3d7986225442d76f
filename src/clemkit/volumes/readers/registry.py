"""Which reader for which file: by suffix, by folder content, then by the first bytes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

from clemkit.errors import FormatError
from clemkit.volumes.readers.info import Found, Selection

__all__ = ["find_reader"]

Reader: TypeAlias = Callable[[Path, Selection], Found]

_SUFFIXES: dict[str, str] = {
    ".dm3": "dm",
    ".dm4": "dm",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".map": "mrc",
    ".mha": "metaimage",
    ".mhd": "metaimage",
    ".mrc": "mrc",
    ".mrcs": "mrc",
    ".rec": "mrc",
    ".st": "mrc",
    ".ali": "mrc",
    ".n5": "n5",
    ".nhdr": "nrrd",
    ".nii": "nifti",
    ".nii.gz": "nifti",
    ".nrrd": "nrrd",
    ".png": "png",
    ".tf2": "tiff",
    ".tf8": "tiff",
    ".btf": "tiff",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".xml": "bdv",
    ".zarr": "ome_zarr",
    ".zip": "zip_series",
}
_ELSEWHERE: dict[str, str] = {
    ".czi": "Zeiss CZI",
    ".lif": "Leica LIF",
    ".nd2": "Nikon ND2",
    ".dm5": "Gatan dm5",
    ".oir": "Olympus OIR",
}
_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"II*\0", 0, "tiff"),
    (b"MM\0*", 0, "tiff"),
    (b"II+\0", 0, "tiff"),
    (b"MM\0+", 0, "tiff"),
    (b"\x89PNG", 0, "png"),
    (b"\x89HDF", 0, "hdf5"),
    (b"NRRD000", 0, "nrrd"),
    (b"PK\x03\x04", 0, "zip_series"),
    (b"MAP ", 208, "mrc"),
    (b"n+1\0", 344, "nifti"),
)


def find_reader(path: Path) -> Reader:
    """Return the reader for a file or folder.

    Raises
    ------
    FormatError
        No reader knows the format.
    """
    name = _of_folder(path) if path.is_dir() else _of_file(path)
    module = import_module(f"clemkit.volumes.readers.{name}")
    reader: Reader = getattr(module, f"read_{name}")
    return reader


def _of_folder(path: Path) -> str:
    if any((path / n).exists() for n in (".zattrs", ".zgroup", "zarr.json", ".zarray")):
        return "ome_zarr"
    if (path / "attributes.json").exists():
        return "n5"
    return "plane_series"


def _of_file(path: Path) -> str:
    lower = path.name.lower()
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        if lower.endswith(suffix):
            return _SUFFIXES[suffix]
    for suffix, title in _ELSEWHERE.items():
        if lower.endswith(suffix):
            raise FormatError(path, f"{title} is not read; export it as OME-TIFF (Bio-Formats)")
    with path.open("rb") as stream:
        head = stream.read(352)
    for magic, offset, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    known = ", ".join(sorted(_SUFFIXES))
    raise FormatError(path, f"expected a known image format ({known}); found none of them")
