"""A PageTab submission as a description; what has no field is kept and reported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clemkit.deposition.bia.identifiers import taxon_curie
from clemkit.deposition.bia.pagetab_document import Section, attributes, first_value, sections
from clemkit.deposition.bia.pagetab_fields import FIELDS, MODEL_LISTS
from clemkit.deposition.bia.pagetab_links import link_components
from clemkit.deposition.bia.pagetab_people import NUMBERED
from clemkit.deposition.bia.pagetab_study_import import import_people, import_study
from clemkit.deposition.bia.pagetab_taken import Taken
from clemkit.deposition.bia.pagetab_words import parsed_organism
from clemkit.deposition.imaging_methods import (
    acquisition_class,
    method_named,
    method_terms,
    method_words,
)
from clemkit.deposition.kept import keep, not_in_model
from clemkit.errors import Problem

__all__ = ["import_pagetab"]

_KINDS = {"organization": "organisation"}
_VARIABLES = {
    "Intrinsic variable": "intrinsic_variables",
    "Extrinsic variable": "extrinsic_variables",
    "Experimental variable": "experimental_variables",
}


def import_pagetab(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Return a submission as a description in long form, and what it could not hold.

    Parameters
    ----------
    data : mapping
        A submission in the form of PageTab JSON.

    Returns
    -------
    dict
        The experiment. What has no field is in ``archive_settings`` under ``pagetab:…``, from
        where :func:`clemkit.deposition.bia.pagetab_export.export_pagetab` writes it back.
    tuple of Problem
        Where that happened, and where a class had to be assumed.
    """
    return _Import(data).experiment()


class _Import:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self.source = data
        self.found: list[Problem] = []
        self.ids: set[str] = {"study"}
        self.out: dict[str, Any] = {}
        self.instruments: dict[str, str] = {}

    def experiment(self) -> tuple[dict[str, Any], tuple[Problem, ...]]:
        every = list(sections(self.source))
        beside = [s for s in every if s.parent is not None and s.parent.parent is None]
        name = self._id(self.source.get("accno"), "experiment")
        self.out = {"id": name, "model_version": "0.1.0"}
        self.out["study"], consumed = import_study(self.source, every[0], beside, self)
        import_people(beside, self)
        things: list[tuple[Section, dict[str, Any]]] = []
        for section in beside:
            kind = _KINDS.get(section.kind, section.kind)
            if kind in MODEL_LISTS:
                thing = self._plain(kind, section)
                self.out.setdefault(MODEL_LISTS[kind], []).append(thing)
                things.append((section, thing))
            elif kind not in ("author", "organisation", *consumed):
                keep(self.out["study"], "pagetab", "section", section.data)
                what = f"a section {section.data.get('type')!r}"
                self.found.append(not_in_model(section.location, what, "the study"))
        for place, name in link_components(things, self.out):
            what = "an association with what is not described"
            self.found.append(not_in_model(place, what, name))
        order = (
            "id", "model_version", "study", "study_components", "agents", "instruments",
            "biological_samples", "specimens", "protocols", "acquisitions", "images",
            "annotation_sets", "analysis_results",
        )  # fmt: skip
        return {key: self.out[key] for key in order if key in self.out}, tuple(self.found)

    def _id(self, wanted: object, fallback: str) -> str:
        text = re.sub(r"[^A-Za-z0-9._-]+", "-", str(wanted or fallback)).strip("-._") or fallback
        name, number = text, 2
        while name in self.ids:
            name, number = f"{text}-{number}", number + 1
        self.ids.add(name)
        return name

    def new_id(self, section: Section, kind: str, thing: dict[str, Any]) -> str:
        """Return an id of the model for a section; an accession that is none is kept."""
        accession = section.data.get("accno")
        name = self._id(accession, f"{kind}-{1 + sum(i.startswith(f'{kind}-') for i in self.ids)}")
        if accession and (accession != name or NUMBERED.fullmatch(name)):
            keep(thing, "pagetab", "accno", accession)
        return name

    def _plain(self, kind: str, section: Section) -> dict[str, Any]:
        thing: dict[str, Any] = {}
        thing["id"] = self.new_id(section, kind, thing)
        taken = Taken(section)
        made = {
            "biosample": self._biosample,
            "specimen": self._specimen,
            "imageacquisition": self._acquisition,
            "annotations": self._annotations,
        }
        for name, slot in FIELDS[kind]:
            if value := taken.text(name):
                thing[slot] = value
        if kind in made:
            made[kind](section, thing, taken)
        self.rest(section, thing, taken)
        return thing

    def rest(self, section: Section, thing: dict[str, Any], taken: Taken) -> None:
        """Keep what nobody took of a section, and say so."""
        for index, name, value in taken.rest():
            keep(thing, "pagetab", name, value)
            if value is not None:
                place = (*section.location, "attributes", index)
                self.found.append(not_in_model(place, f"{name!r}", str(thing.get("id", "it"))))
        for key in ("subsections", "links", "files"):
            single = {"subsections": "section", "links": "link", "files": "file"}[key]
            for place, item in taken.children(key):
                keep(thing, "pagetab", single, item)
                if item.get("type") == "Associations":
                    continue  # most become references
                what = f"a {item.get('type') or single!r} inside"
                self.found.append(not_in_model(place, what, str(thing.get("id", "it"))))

    def _biosample(self, section: Section, thing: dict[str, Any], taken: Taken) -> None:
        organisms: list[dict[str, str]] = []
        for text in taken.texts("Organism"):
            scientific, common = parsed_organism(text)
            organisms.append(
                {"scientific_name": scientific} | ({"common_name": common} if common else {})
            )
        for place, child in list(taken.children("subsections")):
            inside = Section(child, place, section)
            if inside.kind == "organism" and (organism := _organism(child)):
                organisms.append(organism)
                taken.child(place)
        if organisms:
            thing["organisms"] = organisms
        for name, slot in _VARIABLES.items():
            variables = [_variable(text) for text in taken.texts(name)]
            if variables:
                thing[slot] = variables

    def _specimen(self, section: Section, thing: dict[str, Any], taken: Taken) -> None:
        thing["type"] = "OtherSpecimen"
        for text in taken.texts("Growth protocol"):
            name = self._id(f"{thing['id']}-growth", "growth")
            protocol = {"id": name, "name": "Growth protocol", "description": text}
            self.out.setdefault("protocols", []).append(protocol)
            thing.setdefault("preparation_protocols", []).append(name)

    def _acquisition(self, section: Section, thing: dict[str, Any], taken: Taken) -> None:
        if instrument := taken.text("Imaging instrument"):
            if instrument not in self.instruments:
                name = self._id(f"instrument-{len(self.instruments) + 1}", "instrument")
                self.instruments[instrument] = name
                entry = {"id": name, "name": instrument}
                self.out.setdefault("instruments", []).append(entry)
            thing["instrument"] = self.instruments[instrument]
        methods: list[str] = []
        terms: list[dict[str, str]] = []
        for index, text in taken.peek("Imaging method"):
            if not methods and (method := method_named(text)):
                methods.append(method)
                if text == method_words(method):
                    taken.take(index)  # other words are kept
        for _, item in attributes(section.data, "Imaging method"):
            # with an ontology beside it: read, and kept as it is
            qualifiers = [str(q.get("value")) for q in item.get("valqual") or ()]
            found = (method_named(w) for w in (str(item.get("value") or ""), *qualifiers))
            methods += [m for m in found if m][:1] if not methods else []
        for place, child in list(taken.children("subsections")):
            if Section(child, place, section).kind != "imagingmethod":
                continue
            label, curie = (
                first_value(child, "Ontology Value"),
                first_value(child, "Ontology Term ID"),
            )
            curie = re.sub(r"^\S*?FBbi[_:]([0-9]+)$", r"FBbi:\1", curie.strip())
            if re.fullmatch(r"FBbi:[0-9]{8}", curie):
                terms.append({"term": curie, **({"term_label": label} if label else {})})
                taken.child(place)
                if method := method_named(curie):
                    methods.append(method)
        thing["imaging_method"] = methods[0] if methods else "other_method"
        thing["type"] = acquisition_class(thing["imaging_method"])
        own = method_terms({"imaging_method": thing["imaging_method"]})
        if further := [t for t in terms if (t.get("term_label"), t["term"]) not in own]:
            thing["imaging_method_terms"] = further
        if not methods:
            message = "expected an imaging method of the model; found none"
            hint = "other_method is assumed; see clemkit's ImagingMethod"
            self.found.append(Problem(section.location, "IMPORT-assumed", "warning", message, hint))

    def _annotations(self, section: Section, thing: dict[str, Any], taken: Taken) -> None:
        known = {
            "class_labels", "bounding_boxes", "counts", "derived_annotations", "graphs",
            "geometrical_annotations", "point_annotations", "segmentation_mask", "tracks",
            "weak_annotations",
        }  # fmt: skip
        kinds: list[str] = []
        for index, text in taken.peek("Annotation type"):
            name = text.strip().lower().replace(" ", "_")
            if name in known and name not in kinds:
                kinds.append(name)
                taken.take(index)
        if kinds:
            thing["annotation_kinds"] = kinds


def _organism(child: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the organism of a subsection; None when it says more than the model holds."""
    names = {str(a.get("name", "")).lower() for _, a in attributes(child)}
    scientific = first_value(child, "Scientific name")
    taxon = first_value(child, "NCBI taxon ID")
    curie = taxon_curie(taxon) if taxon else None
    usual = {"scientific name", "common name", "ncbi taxon id"}
    if not scientific or names - usual or (taxon and curie is None) or child.get("subsections"):
        return None
    found = {"scientific_name": scientific}
    if common := first_value(child, "Common name"):
        found["common_name"] = common
    if curie:
        found["taxon_id"] = curie
    return found


def _variable(text: str) -> dict[str, str]:
    name, colon, value = text.partition(": ")
    if colon and len(name) <= 60 and value:
        return {"variable_name": name, "variable_value": value}
    return {"variable_name": text}
