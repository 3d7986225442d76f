"""Codes of file formats and of pixel types, from what was found in files or what is described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from clemkit.deposition.empiar.codes import OTHER, pair, spelled_out

__all__ = [
    "FORMATS",
    "READABLE",
    "VOXEL_TYPES",
    "format_of_pair",
    "format_pairs",
    "found_format",
    "voxel_pair",
    "voxel_types_of_pair",
]

FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    "mrc": (pair("T1"), pair("T1")),
    "tiff": (pair("T3"), pair("T3")),
    "dm3": (pair("T5"), pair("T5")),
    "dm4": (pair("T6"), pair("T6")),
    "eer": (pair("T9"), pair("T9")),
    "png": (pair("T10"), pair("T10")),
    "jpeg": (pair("T11"), pair("T11")),
    # T8 in both lists, and not the same thing: XML in the one, BigDataViewer HDF5 in the other
    "bdv_hdf5": (pair("T8"), pair("T8")),
    "ome_tiff": (pair(OTHER, "OME TIFF"), pair(OTHER, "OME TIFF")),
    "ome_zarr": (pair(OTHER, "OME ZARR"), pair(OTHER, "OME ZARR")),
    "hdf5": (pair(OTHER, "HDF5"), pair(OTHER, "HDF5")),
    "n5": (pair(OTHER, "N5"), pair(OTHER, "N5")),
    "bdv_n5": (pair("T8"), pair(OTHER, "N5")),
    "nrrd": (pair(OTHER, "NRRD"), pair(OTHER, "NRRD")),
    "nifti": (pair(OTHER, "NIFTI"), pair(OTHER, "NIFTI")),
    "metaimage": (pair(OTHER, "METAIMAGE"), pair(OTHER, "METAIMAGE")),
    "czi": (pair(OTHER, "CZI"), pair(OTHER, "CZI")),
    "lif": (pair(OTHER, "LIF"), pair(OTHER, "LIF")),
    "nd2": (pair(OTHER, "ND2"), pair(OTHER, "ND2")),
    "ims": (pair(OTHER, "IMARIS"), pair(OTHER, "IMARIS")),
    "txm": (pair(OTHER, "TXM"), pair(OTHER, "TXM")),
    "raw_binary": (pair(OTHER, "RAW"), pair(OTHER, "RAW")),
}
"""Header and data format of each format of the model; ``bdv_n5`` only as found in files."""

_MRCS = (pair("T2"), pair("T2"))

READABLE: Final = frozenset(
    {"mrc", "tiff", "ome_tiff", "dm3", "dm4", "png", "bdv_hdf5", "bdv_n5", "hdf5", "n5", "nrrd",
     "nifti", "metaimage", "ome_zarr"}
)  # fmt: skip
"""Formats whose headers clemkit reads."""

VOXEL_TYPES: Final[Mapping[str, str]] = {
    "uint8": pair("T1"),
    "int8": pair("T2"),
    "uint16": pair("T3"),
    "int16": pair("T4"),
    "uint32": pair("T5"),
    "int32": pair("T6"),
    "float32": pair("T7"),
    "bit": pair("T8"),
    "bool": pair("T8"),
    "uint64": pair(OTHER, "UNSIGNED 64 BIT INTEGER"),
    "int64": pair(OTHER, "SIGNED 64 BIT INTEGER"),
    "float16": pair(OTHER, "16 BIT FLOAT"),
    "float64": pair(OTHER, "64 BIT FLOAT"),
    "complex64": pair(OTHER, "64 BIT COMPLEX"),
}
"""Voxel type of each data type of the model."""

# what `probe` calls formats, by their beginning; the longer ones first
_FOUND: Final = (
    ("bdv-hdf5", "bdv_hdf5"), ("bdv-n5", "bdv_n5"), ("ome-zarr", "ome_zarr"),
    ("ome-tiff", "ome_tiff"), ("imagej-tiff", "tiff"), ("tiff", "tiff"), ("png", "png"),
    ("mrc", "mrc"), ("dm3", "dm3"), ("dm4", "dm4"), ("hdf5", "hdf5"), ("n5", "n5"),
    ("nrrd", "nrrd"), ("nifti", "nifti"), ("metaimage", "metaimage"),
)  # fmt: skip


def found_format(name: str) -> str | None:
    """Return the format of the model for what was found in a file; None for an unknown one."""
    return next((known for start, known in _FOUND if name.startswith(start)), None)


def format_pairs(file_format: str, names: Sequence[str] = ()) -> tuple[str, str] | None:
    """Return header and data format; None where the format is not told.

    Parameters
    ----------
    file_format : str
        A format of the model.
    names : sequence of str
        Names of the files: an MRC stack is told by its ending.
    """
    if file_format == "mrc" and names and all(n.lower().endswith(".mrcs") for n in names):
        return _MRCS
    return FORMATS.get(file_format)


def format_of_pair(header: object, data: object) -> str | None:
    """Return the format of the model for a header and a data format; None where none has both."""
    if (header, data) == _MRCS:
        return "mrc"
    known = (name for name, pairs in FORMATS.items() if pairs == (header, data))
    return next((name for name in known if name != "bdv_n5"), None)


def voxel_pair(data_type: str) -> str:
    """Return the voxel type of a data type, spelled out where EMPIAR has no code."""
    return VOXEL_TYPES.get(data_type) or pair(OTHER, spelled_out(data_type))


def voxel_types_of_pair(value: object) -> tuple[str, ...]:
    """Return the data types of the model that a voxel type stands for."""
    return tuple(name for name, known in VOXEL_TYPES.items() if known == value)
