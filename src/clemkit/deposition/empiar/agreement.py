"""Every number of a deposition document against what its files say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from clemkit.deposition.empiar.codes import OTHER, label_of, pair, parse_pair
from clemkit.deposition.empiar.description import Location
from clemkit.deposition.empiar.formats import (
    READABLE,
    format_of_pair,
    format_pairs,
    found_format,
    voxel_pair,
)
from clemkit.deposition.empiar.image_sets import expected_counts
from clemkit.errors import Problem
from clemkit.metadata.validate.files import ImageFacts, check_files

__all__ = ["check_against_files"]

_TOLERANCE: Final = 0.01  # headers round; the description is compared with the same tolerance
_RULES: Final = {
    "L4-absent": "empiar-files-absent",
    "L4-empty": "empiar-file-empty",
    "L4-gap": "empiar-file-gap",
    "L4-mixed": "empiar-file-mixed",
    "L4-unreadable": "empiar-file-unreadable",
}
_SLIPS: Final = (
    (10.0, "nanometres for ångström"),
    (1e4, "micrometres for ångström"),
    (1e3, "micrometres for nanometres"),
)


def check_against_files(
    document: Mapping[str, Any],
    facts: Sequence[ImageFacts | None],
    images: Sequence[Mapping[str, Any]] = (),
) -> list[Problem]:
    """Return where a deposition document differs from its files.

    Parameters
    ----------
    document : mapping
        A deposition document.
    facts : sequence of ImageFacts or None
        What the files of each image set say, in the order of the image sets; None for a set whose
        files were not opened.
    images : sequence of mapping
        The described images behind the sets, in the same order: their ``missing_slices`` are no
        gaps, and a ``voxel_size_source`` of ``measured`` may differ from the headers.
    """
    found: list[Problem] = []
    sets = document.get("imagesets")
    for index, entry in enumerate(sets if isinstance(sets, list) else ()):
        known = facts[index] if index < len(facts) else None
        if isinstance(entry, Mapping) and known is not None:
            image = images[index] if index < len(images) else {}
            found += _one(entry, ("imagesets", index), known, image)
    return found


def _one(
    entry: Mapping[str, Any], place: Location, facts: ImageFacts, image: Mapping[str, Any]
) -> Iterator[Problem]:
    folder = entry.get("directory")
    plain = {
        "file_set": {"directory": folder, "file_pattern": "*"},
        "missing_slices": image.get("missing_slices") or [],
    }
    told = format_of_pair(entry.get("header_format"), entry.get("data_format"))
    opaque = not facts.formats and told not in READABLE
    for problem in check_files(plain, place, facts):
        rule = _RULES[problem.rule]
        warned = opaque and rule == "empiar-file-unreadable"
        yield replace(
            problem,
            location=(*place, "directory"),
            rule=rule,
            severity="warning" if warned else problem.severity,
        )
    if not facts.names:
        return
    yield from _counts(entry, place, facts)
    yield from _formats(entry, place, facts)
    yield from _voxels(entry, place, facts)
    yield from _extent(entry, place, facts)
    yield from _pixels(entry, place, facts, image.get("voxel_size_source") == "measured")


def _differs(place: Location, rule: str, told: object, found: object) -> Problem:
    message = f"expected {found}, as the files have it; found {told}"
    return Problem(place, rule, "error", message, "correct the document, or build it again")


def _counts(entry: Mapping[str, Any], place: Location, facts: ImageFacts) -> Iterator[Problem]:
    parsed = parse_pair(entry.get("category"))
    counts = expected_counts(facts, series=parsed is not None and parsed[0] == "T9")
    if counts is None:
        return
    for key, number in zip(("num_images_or_tilt_series", "frames_per_image"), counts, strict=True):
        if entry.get(key) != number:
            yield _differs((*place, key), "empiar-file-count", entry.get(key), number)


def _formats(entry: Mapping[str, Any], place: Location, facts: ImageFacts) -> Iterator[Problem]:
    name = found_format(facts.formats[0]) if facts.formats else None
    pairs = format_pairs(name, facts.names) if name else None
    if name is None or pairs is None:
        return
    also = _also(name)
    for key, wanted in zip(("header_format", "data_format"), pairs, strict=True):
        told = entry.get(key)
        if told not in (wanted, *also):
            shown = label_of(key, told) or told
            yield _differs((*place, key), "empiar-file-format", shown, label_of(key, wanted))


def _also(name: str) -> tuple[str, ...]:
    """Return other codes that are right as well: an OME-TIFF is a TIFF, an MRC may be a stack."""
    if name in ("tiff", "ome_tiff"):
        return (pair("T3"), *((pair(OTHER, "OME TIFF"),) if name == "ome_tiff" else ()))
    return (pair("T1"), pair("T2")) if name == "mrc" else ()


def _voxels(entry: Mapping[str, Any], place: Location, facts: ImageFacts) -> Iterator[Problem]:
    if not facts.data_types:
        return
    wanted, told = voxel_pair(facts.data_types[0]), entry.get("voxel_type")
    if told != wanted:
        shown = label_of("voxel_type", told) or told
        where = (*place, "voxel_type")
        yield _differs(where, "empiar-file-voxel-type", shown, label_of("voxel_type", wanted))


def _extent(entry: Mapping[str, Any], place: Location, facts: ImageFacts) -> Iterator[Problem]:
    for key, axis in (("image_width", "x"), ("image_height", "y")):
        found = (facts.sizes or {}).get(axis)
        told = entry.get(key)
        if found is not None and told is not None and told != found:
            yield _differs((*place, key), "empiar-file-size", told, found)


def _pixels(
    entry: Mapping[str, Any], place: Location, facts: ImageFacts, measured: bool
) -> Iterator[Problem]:
    if facts.voxel_size_zyx_nm is None:
        return
    _, y, x = facts.voxel_size_zyx_nm
    for key, nanometres in (("pixel_width", x), ("pixel_height", y)):
        told = entry.get(key)
        if nanometres is None or (told is not None and not isinstance(told, int | float)):
            continue
        angstrom = nanometres * 10
        where = (*place, key)
        if told is None:
            message = f"expected {angstrom:g} Å, as the files have it; found none"
            yield Problem(where, "empiar-file-pixel-size", "warning", message, "fill it in")
        elif abs(told - angstrom) > _TOLERANCE * angstrom:
            message = (
                f"expected {angstrom:g} Å ({nanometres:g} nm), as the files have it; found {told:g}"
            )
            yield Problem(
                where,
                "empiar-file-pixel-size",
                "warning" if measured else "error",
                message,
                _slip(told / angstrom),
            )


def _slip(ratio: float) -> str:
    for factor, words in _SLIPS:
        if any(abs(ratio * f - 1) < 0.02 for f in (factor, 1 / factor)):
            return f"{words}? EMPIAR takes ångström: 1 nm is 10"
    return "correct one of them, or say voxel_size_source: measured"
