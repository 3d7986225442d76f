"""Quantities, lists and sentences in the words of the generated text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = [
    "described_by",
    "format_name",
    "joined",
    "method_name",
    "plain_number",
    "plain_words",
    "quantity_text",
    "sentence",
]

_UNITS: Final = {
    "um": "µm", "us": "µs", "uA": "µA", "uM": "µM", "degC": "°C", "angstrom": "Å", "percent": "%",
    "deg": "°",
}  # fmt: skip
_METHODS: Final = {
    "sim": "SIM", "sted": "STED", "palm": "PALM", "storm": "STORM", "micro_ct": "micro-CT",
    "nano_ct": "nano-CT", "xray_tomography": "X-ray tomography",
    "xray_holographic_nanotomography": "X-ray holographic nanotomography",
    "soft_xray_tomography": "soft X-ray tomography", "sem": "SEM", "sbf_sem": "SBF-SEM",
    "fib_sem": "FIB-SEM", "plasma_fib_sem": "plasma FIB-SEM", "cryo_fib_sem": "cryo-FIB-SEM",
    "atum_sem": "ATUM-SEM", "multibeam_sem": "multi-beam SEM", "tem": "TEM",
    "ss_tem": "serial-section TEM", "ss_et": "serial-section electron tomography", "stem": "STEM",
    "stem_tomography": "STEM tomography", "volume_em": "volume EM", "two_photon": "two-photon",
}  # fmt: skip
_FORMATS: Final = {
    "ome_zarr": "OME-Zarr", "ome_tiff": "OME-TIFF", "bdv_hdf5": "BigDataViewer HDF5 with XML",
    "bdv_n5": "BigDataViewer N5 with XML", "nifti": "NIfTI", "metaimage": "MetaImage",
    "raw_binary": "raw binary", "ims": "Imaris",
}  # fmt: skip


def method_name(method: object) -> str:
    """Return an imaging method as papers write it."""
    return _METHODS.get(str(method), plain_words(method))


def format_name(file_format: object) -> str:
    """Return a file format as people write it."""
    name = str(file_format or "")
    return _FORMATS.get(name, name.upper())


def plain_number(number: float) -> str:
    """Return three digits of a number without an exponent."""
    return f"{float(f'{number:.3g}'):.12g}"


def quantity_text(quantity: object) -> str:
    """Return a quantity for people, such as ``8 nm`` or ``20 to 25 °C``; empty for none."""
    if not isinstance(quantity, Mapping):
        return ""
    unit = _UNITS.get(str(quantity.get("unit")), str(quantity.get("unit") or "").replace("_", " "))
    numbers = [quantity.get(k) for k in ("value", "minimum", "maximum")]
    value, low, high = (f"{n:.6g}" if isinstance(n, int | float) else "" for n in numbers)
    text = value or (f"{low} to {high}" if low and high else "")
    space = "" if unit == "°" else " "
    return f"{text}{space}{unit}".strip() if text else str(quantity.get("verbatim") or "")


def plain_words(name: object) -> str:
    """Return a value of a list of the model in words."""
    return str(name or "").replace("_", " ")


def joined(words: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def sentence(text: object) -> str:
    """Return *text* on one line with a full stop; empty for nothing."""
    words = " ".join(str(text or "").split())
    if not words:
        return ""
    first = words[0].upper() + words[1:]
    return first if first[-1] in ".!?" else f"{first}."


def described_by(pairs: Mapping[str, Any]) -> str:
    """Return the values that are given with their names, as one list."""
    given = ((name, value) for name, value in pairs.items() if value)
    return ", ".join(f"{name} {value}" for name, value in given)
