"""EMPIAR's code tables, and the quoted pairs in which its documents hold them.

Four fields of an image set hold a code and a free text, ``('T3', '')`` or ``('OT', 'OME ZARR')``.
The header and data lists look alike and differ: ``T8`` is XML in the one and BigDataViewer HDF5 in
the other.

References
----------
.. [1] EMPIAR deposition JSON schema of 2023-08-16, descriptions of its fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = [
    "EXPERIMENT_TYPES",
    "OTHER",
    "PAIRED_FIELDS",
    "RELEASE_OPTIONS",
    "SCALES",
    "code_of",
    "experiment_type_of",
    "label_of",
    "pair",
    "pair_of_label",
    "parse_pair",
    "scale_of",
    "spelled_out",
]

OTHER: Final = "OT"

EXPERIMENT_TYPES: Final[Mapping[int, str]] = {
    1: "SXT",
    2: "INSILICO",
    3: "EMDB",
    4: "SBF-SEM",
    5: "FIB-SEM",
    6: "IHM",
    7: "CLEM",
    8: "CLXM",
    9: "MicroED",
    11: "ATUM-SEM",
    12: "Hard X-ray/X-ray microCT",
    13: "ssET",
}
"""Label of each type of experiment in the public API; 10 is not used."""

SCALES: Final[Mapping[str, str]] = {
    "1": "molecule",
    "2": "virus",
    "3": "cell",
    "4": "tissue",
    "5": "organism",
}
"""Biological scales; the code is text, although the schema's own default is a number."""

RELEASE_OPTIONS: Final[Mapping[str, str]] = {
    "RE": "directly after the submission has been processed",
    "EP": "after the related EMDB entry has been released",
    "HP": "after the related primary citation has been published",
    "HO": "one year after the deposition",
}

_TYPE_NAMES: Final[Mapping[str, int]] = {
    "soft x-ray tomography": 1, "simulated": 2, "in silico": 2, "sbem": 4,
    "serial block-face scanning electron microscopy": 4, "serial block-face sem": 4,
    "focused ion beam scanning electron microscopy": 5, "fibsem": 5, "integrative hybrid": 6,
    "correlative light-electron microscopy": 7, "correlative light x-ray microscopy": 8,
    "microed": 9, "atum sem": 11, "micro-ct": 12, "x-ray microct": 12,
    "serial section electron tomography": 13,
}  # fmt: skip

_FORMATS = {
    "T1": "MRC", "T2": "MRCS", "T3": "TIFF", "T4": "IMAGIC", "T5": "DM3", "T6": "DM4",
    "T7": "SPIDER", "T9": "EER", "T10": "PNG", "T11": "JPEG", "T12": "SMV", "T13": "EM",
    "T14": "TPX3",
}  # fmt: skip

PAIRED_FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "category": {
        "T1": "micrographs - single frame",
        "T2": "micrographs - multiframe",
        "T3": "micrographs - focal pairs - unprocessed",
        "T4": "micrographs - focal pairs - contrast inverted",
        "T5": "picked particles - single frame - unprocessed",
        "T6": "picked particles - multiframe - unprocessed",
        "T7": "picked particles - single frame - processed",
        "T8": "picked particles - multiframe - processed",
        "T9": "tilt series",
        "T10": "class averages",
        "T11": "stitched maps",
        "T12": "diffraction images",
        "T13": "reconstructed volumes",
        "T14": "subtomograms",
    },
    "header_format": {**_FORMATS, "T8": "XML"},
    "data_format": {**_FORMATS, "T8": "BIG DATA VIEWER HDF5"},
    "voxel_type": {
        "T1": "UNSIGNED BYTE",
        "T2": "SIGNED BYTE",
        "T3": "UNSIGNED 16 BIT INTEGER",
        "T4": "SIGNED 16 BIT INTEGER",
        "T5": "UNSIGNED 32 BIT INTEGER",
        "T6": "SIGNED 32 BIT INTEGER",
        "T7": "32 BIT FLOAT",
        "T8": "BIT",
        "T9": "4 BIT INTEGER",
    },
}
"""Code and label of the four fields that are quoted pairs."""

_PAIR = re.compile(r"\('(T[1-9][0-9]?|OT)', '([^\x00]*)'\)")
_FREE_TEXT = re.compile(r"[A-Z0-9 ]+")


def pair(code: str, text: str = "") -> str:
    """Return the quoted pair of a code and a free text."""
    return f"('{code}', '{text}')"


def parse_pair(value: object) -> tuple[str, str] | None:
    """Return the code and free text of a quoted pair; None when *value* is not one, as a whole.

    The official schema anchors only one side of each alternative, so that it takes text before and
    after a pair.
    """
    found = _PAIR.fullmatch(value) if isinstance(value, str) else None
    return (found[1], found[2]) if found else None


def spelled_out(text: str) -> str:
    """Return *text* as the free text of a format or voxel type: capitals, digits and spaces."""
    words = re.sub(r"[^A-Z0-9]+", " ", text.upper()).strip()
    return words if _FREE_TEXT.fullmatch(words) else "OTHER"


def label_of(field: str, value: object) -> str | None:
    """Return the label of a quoted pair, its free text for ``OT``; None for an unknown one."""
    parsed = parse_pair(value)
    if parsed is None:
        return None
    code, text = parsed
    return text if code == OTHER else PAIRED_FIELDS[field].get(code)


def code_of(field: str, label: str) -> str | None:
    """Return the code whose label is *label*, whatever its case; None when there is none."""
    wanted = " ".join(label.lower().split())
    return next((c for c, known in PAIRED_FIELDS[field].items() if known.lower() == wanted), None)


def pair_of_label(field: str, label: str) -> str:
    """Return the quoted pair for a label of the public API; ``OT`` where no code has it."""
    code = code_of(field, label)
    if code is not None:
        return pair(code)
    return pair(OTHER, " ".join(label.split()) if field == "category" else spelled_out(label))


def experiment_type_of(label: str) -> int | None:
    """Return the code of a type of experiment by its label in the public API, or by its name."""
    wanted = label.strip().lower()
    found = next((c for c, known in EXPERIMENT_TYPES.items() if known.lower() == wanted), None)
    return _TYPE_NAMES.get(wanted) if found is None else found


def scale_of(label: str) -> str | None:
    """Return the code of a scale by its label."""
    wanted = label.strip().lower()
    return next((c for c, known in SCALES.items() if known == wanted), None)
