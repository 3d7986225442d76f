"""The deposition document of EMPIAR, made from a description and from what its files say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from clemkit.deposition.empiar.citation import citations
from clemkit.deposition.empiar.codes import SCALES, scale_of
from clemkit.deposition.empiar.description import Described, Location, mappings, missing, note
from clemkit.deposition.empiar.details import DetailsInput, details_text
from clemkit.deposition.empiar.experiment_type import choose_experiment_type
from clemkit.deposition.empiar.formats import READABLE
from clemkit.deposition.empiar.image_sets import directories, image_set
from clemkit.deposition.empiar.people import authors, contact_persons
from clemkit.deposition.empiar.settings import apply_settings, settings_of
from clemkit.errors import IncompleteDepositionError, Problem
from clemkit.metadata.validate.files import ImageFacts, check_files

__all__ = ["EmpiarDeposition", "build_deposition"]

_RELEASE: Final = {
    "immediately": "RE",
    "with_emdb": "EP",
    "with_publication": "HP",
    "hold_one_year": "HO",
}
_REFERENCES: Final = {
    "emdb": ("cross_references", re.compile(r"EMD-[0-9]{4,}")),
    "biostudies": ("biostudies_references", re.compile(r"S-\S+")),
    "idr": ("idr_references", re.compile(r"idr\S+")),
    "empiar": ("empiar_references", re.compile(r"EMPIAR-[0-9]+")),
    "workflowhub": ("workflows", re.compile(r"https://\S+")),
}


@dataclass(frozen=True, slots=True)
class EmpiarDeposition:
    """A deposition document and what is to be said about it.

    Attributes
    ----------
    document : dict
        The JSON that EMPIAR takes.
    notes : tuple of Problem
        What is missing, with the place to fill in (errors), and what was chosen (warnings);
        locations are those of the description.
    images : tuple of mapping
        The described image behind each image set, in the order of ``document["imagesets"]``.
    """

    document: dict[str, Any]
    notes: tuple[Problem, ...]
    images: tuple[Mapping[str, Any], ...] = ()

    @property
    def image_ids(self) -> tuple[str, ...]:
        """Id of the image behind each image set."""
        return tuple(str(image.get("id")) for image in self.images)


def build_deposition(
    data: Mapping[str, Any],
    facts: Mapping[str, ImageFacts | None] | None = None,
    *,
    draft: bool = False,
) -> EmpiarDeposition:
    """Return the deposition of an experiment.

    Parameters
    ----------
    data : mapping
        The description as plain data in long form.
    facts : mapping of str to ImageFacts or None
        What the files of each image say, by the ids of the images. What they say comes before what
        is described; where they disagree, that is an error.
    draft : bool
        Return the document also when something is missing.

    Raises
    ------
    IncompleteDepositionError
        Something is missing or disagrees with the files, and *draft* is false.
    """
    described = Described(data)
    known = facts or {}
    images = [(p, i) for p, i in described.all("images") if isinstance(i.get("file_set"), Mapping)]
    notes = list(_without_files(described, images))
    document: dict[str, Any] = {}
    notes += _head(document, described, images)
    notes += _people(document, described)
    sets, problems = _image_sets(described, images, known)
    if sets:
        document["imagesets"] = sets
    notes += problems
    papers, problems = citations(described, document.get("authors", []))
    if papers:
        document["citation"] = papers
    notes += problems
    for index, paper in enumerate(mappings(described.study.get("publications"))):
        notes += apply_settings(papers[index], paper, ("study", "publications", index))
    notes += apply_settings(document, described.study, ("study",))
    result = EmpiarDeposition(document, tuple(notes), tuple(image for _, image in images))
    wrong = [n for n in notes if n.severity == "error"]
    if wrong and not draft:
        raise IncompleteDepositionError(
            "deposition for EMPIAR: expected a description that is complete and agrees with its "
            f"files; found {len(wrong)} problems, the first: {wrong[0]}",
            wrong,
        )
    return result


def _without_files(
    described: Described, images: list[tuple[Location, Mapping[str, Any]]]
) -> list[Problem]:
    if not images:
        hint = "describe images with file_set: {directory: …, file_pattern: …}"
        return [missing(("images",), "an image with files", hint)]
    kept = {place for place, _ in images}
    return [
        missing((*place, "file_set"), "file_set", "say where the files of the image are")
        for place, _ in described.all("images")
        if place not in kept
    ]


def _head(
    document: dict[str, Any],
    described: Described,
    images: list[tuple[Location, Mapping[str, Any]]],
) -> list[Problem]:
    study, notes = described.study, []
    if study.get("title"):
        document["title"] = study["title"]
    else:
        notes.append(missing(("study", "title"), "title", "10 to 255 characters"))
    settled = {path[0] for _, path, _ in settings_of(study) if len(path) == 1}
    released = _release(document, study)
    notes += [] if "release_date" in settled else released
    references, problems = _references(study)
    code, more = choose_experiment_type(
        described, [i for _, i in images], "cross_references" in references
    )
    if "experiment_type" not in settled:
        notes += more
    if code is not None:
        document["experiment_type"] = code
    scale = scale_of(str(study.get("biological_scale") or ""))
    if scale is not None:
        document["scale"] = scale
    else:
        message = f"expected biological_scale; found none of {', '.join(SCALES.values())}"
        notes.append(note(("study", "biological_scale"), "empiar-scale", message, "choose one"))
    document.update(references)
    return notes + problems


def _release(document: dict[str, Any], study: Mapping[str, Any]) -> list[Problem]:
    place = ("study", "release_policy")
    policy = study.get("release_policy")
    if policy is None:
        return [missing(place, "release_policy", f"one of {', '.join(_RELEASE)}")]
    if policy in _RELEASE:
        document["release_date"] = _RELEASE[policy]
        return []
    document["release_date"] = "HO"
    message = f"expected one of {', '.join(_RELEASE)}; found {policy}, for which EMPIAR has no code"
    hint = "HO (one year after deposition) is written; agree on the day with EMPIAR's curators"
    return [note(place, "empiar-release", message, hint)]


def _references(study: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    found: dict[str, list[dict[str, Any]]] = {}
    problems = []
    for index, entry in enumerate(mappings(study.get("related_entries"))):
        place = ("study", "related_entries", index)
        scheme, value = str(entry.get("identifier_scheme")), str(entry.get("identifier_value"))
        known = _REFERENCES.get(scheme.lower())
        if known is None:
            message = f"expected EMDB, BioStudies, IDR, EMPIAR or WorkflowHub; found {scheme}"
            hint = "EMPIAR has no field for it, so it is not written"
            problems.append(note((*place, "identifier_scheme"), "empiar-reference", message, hint))
            continue
        key, form = known
        if not form.fullmatch(value):
            message = f"expected the form {form.pattern} for {scheme}; found {value!r}"
            where = (*place, "identifier_value")
            problems.append(
                Problem(where, "empiar-reference", "error", message, "correct the identifier")
            )
            continue
        line = {"url": value, "type": 1} if key == "workflows" else {"name": value}
        found.setdefault(key, []).append(line)
    ordered = {key: found[key] for key, _ in _REFERENCES.values() if key in found}
    return ordered, problems


def _people(document: dict[str, Any], described: Described) -> list[Problem]:
    people, notes = authors(described)
    if people:
        document["authors"] = people
    persons, problems = contact_persons(described, "corresponding_author")
    notes += problems
    if persons:
        document["corresponding_author"] = persons[0]
    if len(persons) > 1:
        message = f"expected one corresponding_author; found {len(persons)}, the first is written"
        notes.append(note(("study", "contributions"), "empiar-correspondence", message))
    leaders, problems = contact_persons(described, "principal_investigator")
    if leaders:
        document["principal_investigator"] = leaders
    return notes + problems


def _image_sets(
    described: Described,
    images: list[tuple[Location, Mapping[str, Any]]],
    facts: Mapping[str, ImageFacts | None],
) -> tuple[list[dict[str, Any]], list[Problem]]:
    entries: list[dict[str, Any]] = []
    notes: list[Problem] = []
    folders = directories(images)
    unopened = []
    for (place, image), folder in zip(images, folders, strict=True):
        found = facts.get(str(image.get("id")))
        step = described.thing(image.get("generated_by_processing"))
        entry, problems = image_set(
            place, image, folder, found, str(step.get("processing_kind") or "")
        )
        entries.append(entry)
        notes += problems
        if found is None:
            unopened.append(str(image.get("id")))
        else:
            notes += _disagreements(place, image, found)
    if unopened:
        message = f"expected the files of each image; not opened: {', '.join(unopened)}"
        hint = "their numbers are those of the description"
        notes.append(note(("images",), "empiar-unopened", message, hint))
    sets = {
        str(image.get("id")): f"“{entry['name']}” ({entry['directory']})"
        for (_, image), entry in zip(images, entries, strict=True)
    }
    notes += _annotations(described)
    for (place, image), entry in zip(images, entries, strict=True):
        found = facts.get(str(image.get("id")))
        entry["details"] = details_text(described, DetailsInput(image, entry, sets, found)) or None
        notes += apply_settings(entry, image, place)
    return entries, notes


def _annotations(described: Described) -> Iterator[Problem]:
    for place, annotation in described.all("annotation_sets"):
        if annotation.get("annotation_files") and not annotation.get("annotation_images"):
            message = "expected an image of the annotation; found files only, which are left out"
            hint = "describe them as an image of the kind segmentation, named in annotation_images"
            yield note((*place, "annotation_files"), "empiar-annotation", message, hint)


def _measured(image: Mapping[str, Any]) -> bool:
    return image.get("voxel_size_source") == "measured"


def _disagreements(place: Location, image: Mapping[str, Any], facts: ImageFacts) -> list[Problem]:
    """Return where files and description differ; a warning where neither has to be wrong."""
    opaque = not facts.formats and image.get("file_format") not in (None, *READABLE)
    return [
        replace(p, severity="warning")
        if (p.rule == "L4-unreadable" and opaque)
        or (p.rule == "L4-voxel-size" and _measured(image))
        else p
        for p in check_files(image, place, facts)
    ]
