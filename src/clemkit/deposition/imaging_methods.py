"""Imaging methods of the model as terms of FBbi, which BIA and GIDE ask for, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from clemkit.metadata.model_map import contract_iri, model_map
from clemkit.metadata.validate.terms import pinned_terms

__all__ = [
    "BROADER_TERMS",
    "acquisition_class",
    "method_named",
    "method_terms",
    "method_words",
    "own_term",
]

# closest FBbi term above the clemkit terms; a test compares it with ontology/acquisition.yaml
BROADER_TERMS: Final[Mapping[str, str]] = {
    "array_tomography": "FBbi:00000257",
    "atum_sem": "FBbi:00000257",
    "cryo_fib_sem": "FBbi:00050000",
    "cryo_fluorescence": "FBbi:00000246",
    "electron_tomography": "FBbi:00001004",
    "micro_ct": "FBbi:00001002",
    "multibeam_sem": "FBbi:00000257",
    "nano_ct": "FBbi:00001002",
    "plasma_fib_sem": "FBbi:00050000",
    "soft_xray_tomography": "FBbi:00001003",
    "ss_et": "FBbi:00001004",
    "ss_tem": "FBbi:00000258",
    "stem_tomography": "FBbi:00000380",
    "volume_em": "FBbi:00000256",
    "widefield_fluorescence": "FBbi:00000246",
    "xray_holographic_nanotomography": "FBbi:00001003",
}
_CLASSES: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("SbfSemAcquisition", frozenset({"sbf_sem"})),
    ("FibSemAcquisition", frozenset({"fib_sem", "plasma_fib_sem", "cryo_fib_sem"})),
    ("ArrayTomographyAcquisition", frozenset({"array_tomography"})),
    ("AtumSemAcquisition", frozenset({"atum_sem"})),
    ("MultibeamSemAcquisition", frozenset({"multibeam_sem"})),
    (
        "ElectronTomographyAcquisition",
        frozenset({"electron_tomography", "ss_et", "stem_tomography"}),
    ),
    ("StemAcquisition", frozenset({"stem"})),
    ("TransmissionElectronAcquisition", frozenset({"tem", "ss_tem"})),
    ("ScanningElectronAcquisition", frozenset({"sem"})),
)  # fmt: skip
_ALIASES: Final[Mapping[str, str]] = {
    "fibsem": "fib_sem", "focusedionbeamscanningelectronmicroscopy": "fib_sem",
    "sbfsem": "sbf_sem", "sbem": "sbf_sem", "serialblockfacesem": "sbf_sem",
    "serialblockfacescanningelectronmicroscopy": "sbf_sem", "serialblockfacesemsbfsem": "sbf_sem",
    "focussedionbeamscanningelectronmicroscopyfibsem": "fib_sem",
    "scanningelectronmicroscopy": "sem", "transmissionelectronmicroscopy": "tem",
    "confocalmicroscopy": "confocal", "laserscanningconfocalmicroscopy": "confocal",
    "fluorescencemicroscopy": "fluorescence", "brightfieldmicroscopy": "bright_field",
    "spinningdiskconfocalmicroscopy": "spinning_disk", "spim": "light_sheet",
    "lightsheetfluorescencemicroscopy": "light_sheet", "lightsheetmicroscopy": "light_sheet",
    "structuredilluminationmicroscopy": "sim", "twophotonmicroscopy": "two_photon",
    "widefieldfluorescencemicroscopy": "widefield_fluorescence", "microct": "micro_ct",
    "xraymicrotomography": "micro_ct", "phasecontrastmicroscopy": "phase_contrast",
    "electrontomography": "electron_tomography", "xraytomography": "xray_tomography",
    "cryoelectrontomography": "electron_tomography",
}  # fmt: skip


def method_terms(acquisition: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return label and FBbi identifier of the methods of an acquisition or study component.

    A method that FBbi lacks is given by the term above it; ``other_method`` by none.
    """
    given: dict[str, str] = {}
    for term in acquisition.get("imaging_method_terms") or ():
        curie = str(term.get("term", "")) if isinstance(term, Mapping) else str(term)
        label = term.get("term_label") if isinstance(term, Mapping) else None
        if curie.startswith("FBbi:"):
            given.setdefault(curie, str(label or _label(curie)))
    names = [acquisition.get("imaging_method"), *(acquisition.get("imaging_methods") or ())]
    found: dict[str, str] = {}
    for name in dict.fromkeys(n for n in names if n):
        if meant := own_term(str(name)) or BROADER_TERMS.get(str(name)):
            found[meant] = given.get(meant, _label(meant))
    return [(label, curie) for curie, label in (found | given).items()]


def method_words(name: str) -> str:
    """Return a method in words, such as ``FIB-SEM`` for ``fib_sem``."""
    curie = own_term(name)
    if curie:
        return _label(curie)
    iri = str(model_map()["enums"]["ImagingMethod"]["values"][name]["iri"])
    return iri.rsplit("/", 1)[-1].replace("_", " ")


@cache
def own_term(name: str) -> str | None:
    """Return the FBbi identifier that a method of the model means; None when FBbi lacks it."""
    value = model_map()["enums"]["ImagingMethod"]["values"].get(name)
    curie = contract_iri(str(value["iri"])) if value else ""
    return curie if curie.startswith("FBbi:") else None


def _label(curie: str) -> str:
    entry = pinned_terms().get(curie)
    return str(entry["label"]) if entry else curie


@cache
def _by_words() -> Mapping[str, str]:
    values = model_map()["enums"]["ImagingMethod"]["values"]
    words = {_letters(method_words(name)): name for name in values}
    words |= {_letters(name): name for name in values}
    return words | dict(_ALIASES)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def method_named(text: str) -> str | None:
    """Return the model's name of a method given by term, address or words; None when unknown."""
    curie = contract_iri(re.sub(r"^FBbi[_:]", "http://purl.obolibrary.org/obo/FBbi_", text.strip()))
    for name in model_map()["enums"]["ImagingMethod"]["values"]:
        if curie == own_term(name):
            return str(name)
    letters = _letters(re.sub(r"\(.*\)$", "", text))
    return _by_words().get(_letters(text)) or _by_words().get(letters)


def acquisition_class(method: str) -> str:
    """Return the class of the model for acquisitions with *method*."""
    for name, methods in _CLASSES:
        if method in methods:
            return name
    family = model_map()["enums"]["ImagingMethod"]["values"].get(method, {}).get("family")
    return {"lm": "LightAcquisition", "xray_ct": "XrayAcquisition"}.get(
        str(family), "OtherAcquisition"
    )
