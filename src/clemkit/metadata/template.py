"""A commented description to fill in, for a chain of imaging methods.

What can be known is written; the rest stands as comments with what each field means, so that the
file is valid from the first minute and says what is still missing when a profile is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from clemkit.errors import ArgumentError
from clemkit.metadata.model_map import model_map
from clemkit.metadata.shorthand import closest
from clemkit.metadata.validate.dimensions import DIMENSION_OF_SLOT

__all__ = ["acquisition_class", "imaging_methods", "template"]

_CLASSES: Final = {
    "sbf_sem": "SbfSemAcquisition", "fib_sem": "FibSemAcquisition",
    "plasma_fib_sem": "FibSemAcquisition", "cryo_fib_sem": "FibSemAcquisition",
    "array_tomography": "ArrayTomographyAcquisition", "atum_sem": "AtumSemAcquisition",
    "multibeam_sem": "MultibeamSemAcquisition", "tem": "TransmissionElectronAcquisition",
    "ss_tem": "TransmissionElectronAcquisition", "stem": "StemAcquisition",
    "electron_tomography": "ElectronTomographyAcquisition",
    "ss_et": "ElectronTomographyAcquisition", "stem_tomography": "ElectronTomographyAcquisition",
}  # fmt: skip
_OF_FAMILY: Final = {
    "lm": "LightAcquisition",
    "xray_ct": "XrayAcquisition",
    "em": "ScanningElectronAcquisition",
}
_EXAMPLES: Final = {
    "double": "0.0", "integer": "0", "boolean": "false", "date": "2026-01-31",
    "datetime": "2026-01-31T09:00:00+01:00", "uri": "https://…", "uriorcurie": "…", "string": "…",
}  # fmt: skip
_UNITS: Final = {
    "length": "nm", "time": "s", "voltage": "kV", "current": "nA", "temperature": "degC",
    "temperature_rate": "degC_per_h", "angle": "deg", "pressure": "Pa", "energy": "keV",
    "dose": "electrons_per_nm2", "speed": "mm_per_s", "power": "W", "osmolarity": "mOsm",
}  # fmt: skip
_UNIT_OF: Final = {
    "dwell_time": "us", "working_distance": "mm", "duration": "min", "age": "d",
    "tile_overlap": "percent", "laser_power": "mW", "depletion_power": "mW",
    "propagation_distance": "mm", "source_distance": "mm",
}  # fmt: skip
# asked of every experiment, beside what an archive wants
_STUDY = (
    "description", "study_types", "keywords", "licence", "release_policy", "release_date",
    "biological_scale", "contributions", "funding", "publications", "related_entries",
)  # fmt: skip
_BIOSAMPLE = (
    "name", "organisms", "biological_entities", "biological_entity_description", "strain",
    "genotype", "sex", "age", "cell_line", "intrinsic_variables", "extrinsic_variables",
    "experimental_variables",
)  # fmt: skip
_SPECIMEN = (
    "name", "derived_from", "preparations", "preparation_summary", "experimental_status",
    "location_in_biosample", "specimen_states", "contrast_mechanisms", "labels",
    "embedding_medium", "linear_shrinkage", "fiducials",
)  # fmt: skip
_IMAGE = (
    "name", "file_set", "file_format", "compression", "data_type", "size_x", "size_y", "size_z",
    "size_c", "voxel_size_x", "voxel_size_y", "voxel_size_z", "voxel_size_source", "channels",
    "contrast_polarity", "contrast_inverted", "missing_slices",
)  # fmt: skip
_CORRELATION = (
    "image_relationship", "spatial_alignment", "temporal_alignment", "transforms",
    "landmark_file", "fiducials_used", "structures_used", "correlation_errors", "builds_on",
)  # fmt: skip
_SKIPPED = {"identifiers", "web_pages", "missing_values", "notes", "description", "parameters"}


def imaging_methods() -> dict[str, str]:
    """Return the methods that a chain may have, with their family: ``lm``, ``xray_ct``, ``em``."""
    values = model_map()["enums"]["ImagingMethod"]["values"]
    return {name: entry["family"] for name, entry in values.items() if "family" in entry}


def acquisition_class(method: str) -> str:
    """Return the class that describes an acquisition with *method*."""
    return _CLASSES.get(method) or _OF_FAMILY[imaging_methods()[method]]


def template(methods: Sequence[str], experiment_id: str = "experiment") -> str:
    """Return a description for a chain of methods, in the order in which they were used.

    Raises
    ------
    ArgumentError
        A method is not known, occurs twice, or there is none.
    """
    methods = [_method(given) for given in methods]
    if not methods or len(set(methods)) != len(methods):
        raise ArgumentError(f"method: expected each method once; found {list(methods)}")
    return "\n".join(_lines(methods, experiment_id)) + "\n"


def _method(given: str) -> str:
    """Return the name of a method, also for ``FIB-SEM`` or ``SBFSEM``."""
    known = imaging_methods()
    letters = _letters(given)
    for name in known:
        if _letters(name) == letters:
            return name
    if given in model_map()["enums"]["ImagingMethod"]["values"]:
        hint = "; name the methods that were joined" if given != "other_method" else ""
        message = f"method: expected a single method such as confocal or fib_sem; found {given!r}"
        raise ArgumentError(f"{message}{hint}")
    close = closest(given, known)
    hint = f"; did you mean {close!r}?" if close else ""
    raise ArgumentError(f"method: expected {', '.join(known)}; found {given!r}{hint}")


def _letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


def _lines(methods: Sequence[str], experiment_id: str) -> Iterator[str]:
    yield f"# {', then '.join(methods)}. Take away the # of what you know; leave the rest."
    yield "# `clemkit validate experiment.yaml --profile empiar` says what an archive still needs."
    yield f"id: {experiment_id}"
    yield f"model_version: {model_map()['version']}"
    yield "study:"
    yield from _thing("Study", {"id": "study", "title": "Title of the study"}, _STUDY, "  ")
    yield "agents:"
    yield "  - {id: me, type: Person, family_name: Surname}  # given_name, orcid, email"
    yield "biological_samples:"
    yield from _item("BioSample", {"id": "biosample"}, _BIOSAMPLE)
    yield "specimens:  # one for each form that the material had under a microscope"
    kind = "WholeMount" if imaging_methods()[methods[0]] == "lm" else "Block"
    given = {"id": "specimen", "type": kind, "biosamples": "[biosample]"}
    yield from _item(kind, given, _SPECIMEN)
    yield "instruments:"
    for method in methods:
        yield f"  - {{id: instrument-{_slug(method)}}}  # name, manufacturer, model_name"
    yield "acquisitions:"
    for method in methods:
        name = acquisition_class(method)
        given = {
            "id": f"acquisition-{_slug(method)}", "type": name, "imaging_method": method,
            "instrument": f"instrument-{_slug(method)}", "imaged_specimens": "[specimen]",
        }  # fmt: skip
        slots = [s for s in model_map()["classes"][name]["slots"] if s not in _SKIPPED]
        yield from _item(name, given, slots)
    yield "images:"
    for method in methods:
        given = {
            "id": f"image-{_slug(method)}", "image_kind": "raw",
            "modality": imaging_methods()[method],
            "acquired_by": f"acquisition-{_slug(method)}", "image_of": "[specimen]",
        }  # fmt: skip
        yield from _item("Image", given, _IMAGE)
    if len(methods) > 1:
        yield "correlations:"
    for moving, fixed in pairwise(methods):
        given = {
            "id": f"{_slug(moving)}-to-{_slug(fixed)}", "fixed_image": f"image-{_slug(fixed)}",
            "moving_image": f"image-{_slug(moving)}",
        }  # fmt: skip
        yield from _item("ImageCorrelation", given, _CORRELATION)


def _slug(method: str) -> str:
    return method.replace("_", "-")


def _item(name: str, given: dict[str, str], slots: Sequence[str]) -> Iterator[str]:
    lines = _thing(name, given, slots, "    ")
    yield "  - " + next(lines).strip()
    yield from lines


def _thing(name: str, given: dict[str, str], slots: Sequence[str], indent: str) -> Iterator[str]:
    for key, value in given.items():
        yield f"{indent}{key}: {value}"
    for key in slots:
        if key not in given:
            slot = model_map()["slots"][key]
            yield f"{indent}# {key}: {_example(key, slot, 1)}  # {_help(slot)}"


def _help(slot: dict[str, Any]) -> str:
    text = str(slot["description"]).replace("\n", " ")
    if slot["kind"] == "enum" and slot["range"] != "Unit":
        values = list(model_map()["enums"][slot["range"]]["values"])
        text += " " + ", ".join(values[:8]) + (", …" if len(values) > 8 else "")
    return text


def _example(key: str, slot: dict[str, Any], depth: int) -> str:
    """Return a value of the right form, quoted where YAML wants it."""
    one = _one_example(key, slot, depth)
    return f"[{one}]" if slot.get("multivalued") else one


def _one_example(key: str, slot: dict[str, Any], depth: int) -> str:
    if slot["kind"] == "enum":
        return next(iter(model_map()["enums"][slot["range"]]["values"]))
    if slot["kind"] == "type":
        return f'"{_EXAMPLES[slot["range"]]}"' if slot.get("pattern") else _EXAMPLES[slot["range"]]
    if not slot["inlined"]:
        return "id"
    entry = model_map()["classes"][slot["range"]]
    if entry["shorthand"] == "quantity":
        dimension = DIMENSION_OF_SLOT.get(key, "length")
        return f"0 {_UNIT_OF.get(key) or _UNITS.get(dimension, 'dimensionless')}"
    if entry["shorthand"] == "term":
        return '{term: "…", term_label: "…"}'
    shown = [s for s in entry["slots"] if s not in _SKIPPED][: 8 if depth else 0]
    slots = model_map()["slots"]
    return "{" + ", ".join(f"{s}: {_example(s, slots[s], depth - 1)}" for s in shown) + "}"
