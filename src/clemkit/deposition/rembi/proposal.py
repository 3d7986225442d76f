"""REMBI proposals for EMPIAR entries, as the BioImage Archive keeps them in YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clemkit.deposition.bia.identifiers import bare_doi
from clemkit.deposition.imaging_methods import acquisition_class, method_named, method_terms
from clemkit.deposition.kept import keep, not_in_model
from clemkit.deposition.rembi.reading import Fields, Reading, organism
from clemkit.errors import Problem
from clemkit.metadata.model_map import model_map

__all__ = ["import_proposal", "is_proposal"]

_HOLE = re.compile(r"\{[^{}]*\}")
_SECTIONS = (
    ("BioSample", "biological_samples", "biosample"),
    ("SpecimenImagingPreparationProtocol", "protocols", "preparation"),
    ("Specimen", "specimens", "specimen"),
    ("ImageAcquisitionProtocol", "acquisitions", "acquisition"),
    ("AnnotationMethod", "annotation_sets", "annotation"),
    ("Protocol", "processing_steps", "processing"),
)
_TITLES = {
    "biosample_title": "BioSample",
    "specimen_imaging_preparation_protocol_title": "SpecimenImagingPreparationProtocol",
    "specimen_title": "Specimen",
    "image_acquisition_protocol_title": "ImageAcquisitionProtocol",
    "annotation_method_title": "AnnotationMethod",
    "protocol_title": "Protocol",
}


def is_proposal(content: Any) -> bool:
    """Whether *content* is such a proposal."""
    return (
        isinstance(content, Mapping)
        and isinstance(content.get("rembis"), Mapping)
        and "datasets" in content
    )


def import_proposal(content: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Return a proposal as a description, and what it could not hold.

    Parameters
    ----------
    content : mapping
        Content of the YAML file.
    """
    return _Proposal(content).experiment()


class _Proposal:
    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.reading = Reading("rembi")
        self.by_title: dict[tuple[str, str], dict[str, Any]] = {}
        self.out: dict[str, Any] = {"id": "experiment", "model_version": "0.1.0"}
        self.instruments: dict[str, str] = {}
        self.labels: dict[str, str] = {}

    def experiment(self) -> tuple[dict[str, Any], tuple[Problem, ...]]:
        fields = Fields(self.content, ())
        accession = fields.text("accession_id")
        study: dict[str, Any] = {"id": "study", "title": accession or "untitled"}
        if accession:
            scheme = "EMPIAR" if accession.startswith("EMPIAR") else "accession"
            study["identifiers"] = [{"identifier_scheme": scheme, "identifier_value": accession}]
        doi = fields.text("paper_doi")
        if bare := bare_doi(doi):
            entry = {"identifier_scheme": "DOI", "identifier_value": bare}
            study["related_entries"] = [entry]
        elif doi:
            fields.put_back("paper_doi", doi)
        self.out["study"] = study
        sections = Fields(self.content.get("rembis"), ("rembis",))
        for section, slot, fallback in _SECTIONS:
            made = [
                self._thing(section, Fields(data, place), fallback)
                for data, place in sections.items(section)
            ]
            if made:
                self.out[slot] = made
        if self.instruments:
            self.out["instruments"] = [
                {"id": name, "name": text} for text, name in self.instruments.items()
            ]
        for name, value in sections.rest().items():
            keep(study, "rembi", name, value)
            self.reading.found.append(not_in_model(("rembis", name), repr(name), "the study"))
        fields.rest().pop("rembis", None)
        components = [self._dataset(Fields(d, w)) for d, w in fields.items("datasets")]
        if components:
            self.out["study_components"] = components
        self.reading.keep_rest(fields, study)
        return self.out, tuple(self.reading.found)

    def _thing(self, section: str, fields: Fields, fallback: str) -> dict[str, Any]:
        title = fields.text("title")
        thing: dict[str, Any] = {"id": self.reading.new_id(title, fallback)}
        if title:
            thing["name"] = title
            self.by_title.setdefault((section, title), thing)
        if section == "BioSample":
            self._sample(fields, thing)
        elif section == "Specimen":
            thing["type"] = "OtherSpecimen"
            self._link(fields, thing, "biosample_title", "biosamples")
            title_field = "specimen_imaging_preparation_protocol_title"
            self._link(fields, thing, title_field, "preparation_protocols")
        elif section == "ImageAcquisitionProtocol":
            self._acquisition(fields, thing)
        elif section == "AnnotationMethod":
            if text := fields.text("protocol_description"):
                thing["annotation_method"] = text
            self._kinds(fields, thing)
        elif section == "Protocol":
            thing["processing_kind"] = "other_processing"
            if text := fields.text("protocol_description"):
                thing["processing_summary_text"] = text
        elif text := fields.text("protocol_description"):
            thing["description"] = text
        self.reading.keep_rest(fields, thing)
        return thing

    def _link(self, fields: Fields, thing: dict[str, Any], field: str, slot: str) -> None:
        titles = fields.texts(field)
        found = [self.by_title.get((_TITLES[field], t)) for t in titles]
        names = [t["id"] for t in found if t is not None]
        if names:
            thing[slot] = names
        if lost := [t for t, f in zip(titles, found, strict=True) if f is None]:
            fields.put_back(field, lost)

    def _sample(self, fields: Fields, thing: dict[str, Any]) -> None:
        if text := fields.text("biological_entity_description"):
            thing["biological_entity_description"] = text
        organisms: list[dict[str, str]] = []
        for data, place in fields.items("organism_classification"):
            taxon = Fields(data, place)
            scientific, common = taxon.text("scientific_name"), taxon.text("common_name")
            entry, left = organism(scientific, common, taxon.text("ncbi_id"))
            organisms.append(entry)
            if left:
                taxon.put_back("ncbi_id", left)
            self.reading.keep_rest(taxon, thing)
        if organisms:
            thing["organisms"] = organisms
        for field, slot in (
            ("intrinsic_variable_description", "intrinsic_variables"),
            ("extrinsic_variable_description", "extrinsic_variables"),
            ("experimental_variable_description", "experimental_variables"),
        ):
            if texts := fields.texts(field):
                thing[slot] = [{"variable_name": t} for t in texts]

    def _acquisition(self, fields: Fields, thing: dict[str, Any]) -> None:
        if text := fields.text("protocol_description"):
            thing["acquisition_summary"] = text
        if text := fields.text("imaging_instrument_description"):
            if text not in self.instruments:
                self.instruments[text] = self.reading.new_id(
                    f"instrument-{len(self.instruments) + 1}", "instrument"
                )
            thing["instrument"] = self.instruments[text]
        words, codes = fields.texts("imaging_method_name"), fields.texts("fbbi_id")
        terms = [re.sub(r"^(obo:)?FBbi[_:]", "FBbi:", c) for c in codes]
        methods = [m for t in (*words, *terms) if (m := method_named(t))]
        thing["imaging_method"] = methods[0] if methods else "other_method"
        thing["type"] = acquisition_class(thing["imaging_method"])
        own = {c for _, c in method_terms({"imaging_method": thing["imaging_method"]})}
        further = [t for t in terms if re.fullmatch(r"FBbi:[0-9]{8}", t) and t not in own]
        if further:
            thing["imaging_method_terms"] = [{"term": t} for t in further]
        if words:
            fields.put_back("imaging_method_name", words)
        if lost := [t for t in terms if not re.fullmatch(r"FBbi:[0-9]{8}", t)]:
            fields.put_back("fbbi_id", lost)

    def _kinds(self, fields: Fields, thing: dict[str, Any]) -> None:
        known = model_map()["enums"]["AnnotationKind"]["values"]
        kinds = fields.texts("method_type")
        if named := [k for k in kinds if k in known]:
            thing["annotation_kinds"] = named
        if lost := [k for k in kinds if k not in known]:
            fields.put_back("method_type", lost)

    def _dataset(self, fields: Fields) -> dict[str, Any]:
        title = fields.text("title")
        component: dict[str, Any] = {"id": self.reading.new_id(title, "dataset")}
        if title:
            component["name"] = title
        shared: dict[str, Any] = {}
        for data, place in fields.items("assigned_dataset_rembis"):
            common = Fields(data, place)
            for field, slot in (
                ("biosample_title", "component_biosamples"),
                ("specimen_title", "component_specimens"),
                ("image_acquisition_protocol_title", "component_acquisitions"),
            ):
                self._link(common, shared, field, slot)
            self.reading.keep_rest(common, component)
        component |= shared
        images = [self._image(Fields(d, w), shared) for d, w in fields.items("assigned_images")]
        self.out.setdefault("images", []).extend(images)
        if images:
            component["component_images"] = [i["id"] for i in images]
        for image in images:
            for slot, target in (
                ("image_of", "component_specimens"),
                ("acquired_by", "component_acquisitions"),
            ):
                value = image.get(slot)
                for name in value if isinstance(value, list) else [value] if value else []:
                    if name not in component.setdefault(target, []):
                        component[target].append(name)
        self.reading.keep_rest(fields, component)
        return component

    def _image(self, fields: Fields, shared: Mapping[str, Any]) -> dict[str, Any]:
        label = fields.text("label") or fields.text("label_prefix")
        image: dict[str, Any] = {"id": self.reading.new_id(f"image-{label}", "image")}
        if label:
            image["name"] = label
            self.labels.setdefault(label, image["id"])
        if pattern := fields.text("file_pattern"):
            folder, _, last = pattern.rpartition("/")
            image["file_set"] = {"directory": folder} if folder else {}
            image["file_set"]["file_pattern"] = _HOLE.sub("*", last)
            if _HOLE.search(pattern):
                fields.put_back("file_pattern", pattern)
        for field, slot in (
            ("specimen_title", "image_of"),
            ("image_acquisition_protocol_title", "acquired_by"),
            ("protocol_title", "generated_by_processing"),
        ):
            found: dict[str, Any] = {}
            self._link(fields, found, field, slot)
            if found:
                image[slot] = found[slot] if slot == "image_of" else found[slot][0]
        if "acquired_by" not in image and "generated_by_processing" not in image:
            common = shared.get("component_acquisitions") or []
            if len(common) == 1:
                image["acquired_by"] = common[0]
        for field in ("input_label", "input_label_prefix"):
            source = fields.text(field)
            if source in self.labels:
                image["derived_from_images"] = [self.labels[source]]
            elif source:
                fields.put_back(field, source)
        self.reading.keep_rest(fields, image)
        return image
