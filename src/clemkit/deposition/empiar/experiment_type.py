"""Which of EMPIAR's types of experiment a description is; an honest choice where none fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clemkit.deposition.empiar.codes import EXPERIMENT_TYPES
from clemkit.deposition.empiar.description import Described, missing, note, texts
from clemkit.errors import Problem
from clemkit.metadata.model_map import model_map

__all__ = ["choose_experiment_type", "family_of", "image_family", "image_methods"]

_SBF, _FIB, _CLEM, _CLXM, _ATUM, _XRAY, _SSET, _SXT, _EMDB = 4, 5, 7, 8, 11, 12, 13, 1, 3

# methods that have a code of their own
_CODED: Final[Mapping[str, int]] = {
    "sbf_sem": _SBF,
    "fib_sem": _FIB,
    "plasma_fib_sem": _FIB,
    "cryo_fib_sem": _FIB,
    "atum_sem": _ATUM,
    "ss_et": _SSET,
    "soft_xray_tomography": _SXT,
    "micro_ct": _XRAY,
    "nano_ct": _XRAY,
    "xray_holographic_nanotomography": _XRAY,
    "xray_tomography": _XRAY,
}


@dataclass(frozen=True, slots=True)
class _Nearest:
    """A code that stands in for a method without one."""

    code: int
    shared: str
    different: str


_NEAREST: Final[Mapping[str, _Nearest]] = {
    "array_tomography": _Nearest(
        _ATUM, "serial sections in a scanning microscope", "sections are on a wafer, not on tape"
    ),
    "multibeam_sem": _Nearest(
        _ATUM, "serial sections in a scanning microscope", "many beams; support as described"
    ),
    "ss_tem": _Nearest(
        _SSET, "serial sections in a transmission microscope", "there are no tilt series"
    ),
    "stem_tomography": _Nearest(
        _SSET, "tilt series of resin sections", "scanning transmission, and perhaps one section"
    ),
    "electron_tomography": _Nearest(
        _SSET, "tilt series of resin sections", "the tomograms are not said to be serial"
    ),
}
_EMDB_METHODS = {"tem", "stem", "electron_tomography"}
_ASK = (
    "tell EMPIAR's curators about it before submitting; to choose another code, give the study "
    "archive_settings {parameter_name: 'empiar:experiment_type', parameter_json: 'CODE'}"
)


def family_of(method: object) -> str | None:
    """Return ``lm``, ``xray_ct`` or ``em`` for an imaging method; None when it has no family."""
    entry = model_map()["enums"]["ImagingMethod"]["values"].get(str(method), {})
    return entry.get("family")


def image_methods(described: Described, image: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the imaging methods behind an image, through the images it was made from."""
    return tuple(dict.fromkeys(_methods(described, image, set())))


def _methods(described: Described, image: Mapping[str, Any], seen: set[str]) -> Iterator[str]:
    acquisition = described.thing(image.get("acquired_by"))
    if acquisition.get("imaging_method"):
        yield str(acquisition["imaging_method"])
        return
    for name in texts(image.get("derived_from_images")):
        if name not in seen:
            seen.add(name)
            yield from _methods(described, described.thing(name), seen)


def image_family(described: Described, image: Mapping[str, Any]) -> str | None:
    """Return ``lm``, ``xray_ct`` or ``em`` for an image; None when it is not told."""
    if image.get("modality"):
        return str(image["modality"])
    families = {family_of(m) for m in image_methods(described, image)} - {None}
    return families.pop() if len(families) == 1 else None


def choose_experiment_type(
    described: Described, images: Sequence[Mapping[str, Any]], emdb: bool
) -> tuple[int | None, list[Problem]]:
    """Return the code for the chain of methods behind *images*, and what is to be said about it.

    Parameters
    ----------
    described : Described
        The description.
    images : sequence of mapping
        Images that are deposited.
    emdb : bool
        Whether the entry names an EMDB entry.
    """
    methods = list(dict.fromkeys(m for i in images for m in image_methods(described, i)))
    if not methods:
        found = (a.get("imaging_method") for _, a in described.all("acquisitions"))
        methods = list(dict.fromkeys(str(m) for m in found if m))
    families = {f for i in images if (f := image_family(described, i))}
    families |= {f for m in methods if (f := family_of(m))}
    if not families:
        hint = "give the images acquired_by, and the acquisitions imaging_method"
        return None, [missing(("acquisitions",), "the imaging methods", hint)]
    if families == {"lm"}:
        message = "expected electron or X-ray images for EMPIAR; found light microscopy alone"
        hint = "deposit it in the BioImage Archive"
        return None, [Problem(("images",), "empiar-experiment-type", "error", message, hint)]
    if {"lm", "em"} <= families:
        return _CLEM, _three(families)
    if {"lm", "xray_ct"} <= families:
        return _CLXM, []
    return _one_family(methods, families, emdb)


def _three(families: set[str]) -> list[Problem]:
    if "xray_ct" not in families:
        return []
    message = (
        f"expected one code for light, X-ray and electron microscopy; EMPIAR has none, so {_CLEM} "
        f"({EXPERIMENT_TYPES[_CLEM]}) was chosen; the X-ray volumes are image sets of their own"
    )
    return [note(("acquisitions",), "empiar-no-code", message, _ASK)]


def _one_family(
    methods: Sequence[str], families: set[str], emdb: bool
) -> tuple[int | None, list[Problem]]:
    electron = [m for m in methods if family_of(m) == "em"]
    if "em" not in families:
        return _xray(methods)
    problems = []
    if "xray_ct" in families:
        message = "expected one code for X-ray and electron microscopy; EMPIAR has none"
        hint = f"the code is that of the electron microscopy; {_ASK}"
        problems.append(note(("acquisitions",), "empiar-no-code", message, hint))
    if emdb and electron and set(electron) <= _EMDB_METHODS:
        return _EMDB, problems
    coded = list(dict.fromkeys(_CODED[m] for m in electron if m in _CODED))
    if len(coded) > 1:
        listed = ", ".join(f"{c} ({EXPERIMENT_TYPES[c]})" for c in coded)
        message = f"expected one type of experiment; found {listed}; the first is written"
        hint = f"deposit them as several entries that refer to each other, or {_ASK}"
        problems.append(note(("acquisitions",), "empiar-several-types", message, hint))
    if coded:
        return coded[0], problems
    for method in electron:
        if (nearest := _NEAREST.get(method)) is not None:
            return nearest.code, [*problems, _stand_in(method, nearest)]
    listed = ", ".join(electron) or "electron microscopy of no named method"
    message = f"expected a method that EMPIAR has a code for; found {listed}"
    return None, [*problems, Problem(("acquisitions",), "empiar-no-code", "error", message, _ASK)]


def _stand_in(method: str, nearest: _Nearest) -> Problem:
    label = EXPERIMENT_TYPES[nearest.code]
    message = (
        f"expected a code for {method}; EMPIAR has none, so {nearest.code} ({label}) was chosen: "
        f"alike in {nearest.shared}; different in that {nearest.different}"
    )
    return note(("acquisitions",), "empiar-no-code", message, _ASK)


def _xray(methods: Sequence[str]) -> tuple[int | None, list[Problem]]:
    soft = "soft_xray_tomography" in methods
    hard = [m for m in methods if _CODED.get(m) == _XRAY]
    if soft and hard:
        message = f"expected soft or hard X-rays; found both; {_SXT} is written"
        return _SXT, [note(("acquisitions",), "empiar-several-types", message, _ASK)]
    if not soft and not hard:
        message = f"expected the method of the X-ray images; found none; {_XRAY} is written"
        hint = "give the acquisition imaging_method"
        return _XRAY, [note(("acquisitions",), "empiar-experiment-type", message, hint)]
    return (_SXT if soft else _XRAY), []
