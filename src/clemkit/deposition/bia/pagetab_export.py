"""A description as a PageTab submission of the BioImage Archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from clemkit.deposition.bia.associations import associations
from clemkit.deposition.bia.pagetab_fields import FIELDS, MODEL_LISTS, SECTION_NAMES
from clemkit.deposition.bia.pagetab_parts import again, attribute, with_kept
from clemkit.deposition.bia.pagetab_people import author_sections, organisation_sections
from clemkit.deposition.bia.pagetab_study import study_attributes, study_links, study_sections
from clemkit.deposition.bia.pagetab_words import TEMPLATE, organism_text
from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.empiar.wording import quantity_text
from clemkit.deposition.imaging_methods import BROADER_TERMS, method_terms, method_words
from clemkit.deposition.kept import kept
from clemkit.deposition.prose import acquisition_prose, preparation_prose

__all__ = ["export_pagetab"]

Item = dict[str, Any]


def export_pagetab(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description as a submission in the form of PageTab JSON.

    Parameters
    ----------
    data : mapping
        An experiment in long form.

    Notes
    -----
    Prose of the description is taken as it stands; where there is none, sentences are made of the
    fields. What PageTab has no place for (settings as numbers, processing, files) is not carried;
    the crate carries more.
    """
    return _Export(data).submission()


class _Export:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.described = Described(data)
        self.titles = {key: _titles(data.get(key)) for key in MODEL_LISTS.values()}
        self.titles["correlations"] = _titles(data.get("correlations"))

    def submission(self) -> dict[str, Any]:
        study = self.described.study
        identifiers = {
            i.get("identifier_scheme"): i.get("identifier_value")
            for i in mappings(study.get("identifiers"))
        }
        own = list(kept(study, "pagetab-submission"))
        usual = {"Template": TEMPLATE, "AttachTo": "BioImages"} if not own else {}
        head = [
            *attribute("Template", usual.get("Template")),
            *attribute("ReleaseDate", study.get("release_date")),
            *attribute("AttachTo", usual.get("AttachTo")),
            *attribute("DOI", identifiers.get("DOI")),
        ]
        head += [again(name, value) for name, value in own]
        accession = identifiers.get("BioStudies")
        root: Item = {"type": "Study", "attributes": study_attributes(study)}
        root["links"] = study_links(study)
        root["subsections"] = list(self._sections())
        with_kept(root, study)
        return {
            **({"accno": str(accession)} if accession else {}),
            "attributes": head,
            "section": {key: value for key, value in root.items() if value or key == "attributes"},
            "type": "submission",
        }

    def _sections(self) -> Iterator[Item]:
        yield from author_sections(self.described)
        yield from organisation_sections(self.described)
        yield from study_sections(self.described)
        for kind in ("biosample", "specimen", "imageacquisition", "imageanalysis", "annotations"):
            for _, thing in self.described.all(MODEL_LISTS[kind]):
                yield self._plain(kind, thing)
        for _, thing in self.described.all("correlations"):
            yield self._correlation(thing)
        for _, thing in self.described.all("study_components"):
            section = self._plain("studycomponent", thing)
            inside = list(self._associations(thing))
            section["subsections"] = [*inside, *section.get("subsections", ())]
            yield section

    def _plain(self, kind: str, thing: Mapping[str, Any]) -> Item:
        made = {
            "biosample": self._biosample,
            "specimen": self._specimen,
            "imageacquisition": self._acquisition,
            "annotations": self._annotations,
        }
        titles = self.titles[MODEL_LISTS[kind]]
        values = {**thing, "name": titles[str(thing["id"])]}
        extra, children = made[kind](thing) if kind in made else ([], [])
        further = {a["name"]: a for a in extra}
        items: list[Item] = []
        for name, slot in FIELDS[kind]:
            items += attribute(name, values.get(slot)) or (
                [further.pop(name)] if name in further else []
            )
        items += [a for a in extra if a["name"] in further]
        section: Item = {
            "accno": str(thing["id"]),
            "type": SECTION_NAMES[kind],
            "attributes": items,
        }
        if children:
            section["subsections"] = children
        return with_kept(section, thing)

    def _biosample(self, thing: Mapping[str, Any]) -> tuple[list[Item], list[Item]]:
        items: list[Item] = []
        children: list[Item] = []
        for number, taxon in enumerate(mappings(thing.get("organisms")), 1):
            scientific, common = str(taxon.get("scientific_name", "")), taxon.get("common_name", "")
            if not taxon.get("taxon_id"):
                items += attribute("Organism", organism_text(scientific, common))
                continue
            names = attribute("Scientific name", scientific) + attribute("Common name", common)
            names += attribute("NCBI taxon ID", taxon["taxon_id"])
            accession = f"{thing['id']}-organism-{number}"
            children.append({"accno": accession, "type": "Organism", "attributes": names})
        for slot, name in (
            ("intrinsic_variables", "Intrinsic variable"),
            ("extrinsic_variables", "Extrinsic variable"),
            ("experimental_variables", "Experimental variable"),
        ):
            for variable in mappings(thing.get(slot)):
                items += attribute(name, _variable(variable))
        return items, children

    def _specimen(self, thing: Mapping[str, Any]) -> tuple[list[Item], list[Item]]:
        items: list[Item] = []
        if not thing.get("preparation_summary"):
            told = preparation_prose(self.described, thing["id"])
            items += attribute("Sample preparation protocol", told)
        for name in texts(thing.get("preparation_protocols")):
            protocol = self.described.thing(name)
            if protocol.get("name") == "Growth protocol":
                items += attribute("Growth protocol", protocol.get("description"))
        return items, []

    def _acquisition(self, thing: Mapping[str, Any]) -> tuple[list[Item], list[Item]]:
        instrument = self.described.thing(thing.get("instrument"))
        words = (instrument.get(k) for k in ("name", "manufacturer", "model_name"))
        items = attribute("Imaging instrument", ", ".join(str(w) for w in words if w))
        if not thing.get("acquisition_summary"):
            told = acquisition_prose(self.described, thing["id"])
            items += attribute("Image acquisition parameters", told)
        children = [
            {
                "accno": f"{thing['id']}-method-{number}",
                "type": "Imaging Method",
                "attributes": [
                    {"name": "Ontology Value", "value": label},
                    {
                        "name": "Ontology Name",
                        "value": "Biological Imaging Methods Ontology (FBbi)",
                    },
                    {"name": "Ontology Term ID", "value": curie},
                ],
            }
            for number, (label, curie) in enumerate(method_terms(thing), 1)
        ]
        method = str(thing.get("imaging_method", ""))
        if method in BROADER_TERMS:  # FBbi says less than the model
            items += attribute("Imaging method", method_words(method))
        return items, children

    def _annotations(self, thing: Mapping[str, Any]) -> tuple[list[Item], list[Item]]:
        items: list[Item] = []
        for name in texts(thing.get("annotation_kinds")):
            items += attribute("Annotation type", name)
        return items, []

    def _correlation(self, thing: Mapping[str, Any]) -> Item:
        aligned = (thing.get("spatial_alignment"), thing.get("temporal_alignment"))
        images = [self.described.named(thing.get(k)) for k in ("moving_image", "fixed_image")]
        relation = f"{images[0]} is brought onto {images[1]}."
        matrix = next(
            (t["matrix"] for t in mappings(thing.get("transforms")) if t.get("matrix")), None
        )
        items = [
            *attribute("Title", self.titles["correlations"][str(thing["id"])]),
            *attribute("Spatial and temporal alignment", " ".join(str(a) for a in aligned if a)),
            *attribute("Fiducials used", thing.get("fiducials_used")),
            *attribute("Transformation matrix", matrix and ", ".join(f"{v:g}" for v in matrix)),
            *attribute("Related images and relationship", relation),
        ]
        section = {"accno": str(thing["id"]), "type": "Image correlation", "attributes": items}
        return with_kept(section, thing)

    def _associations(self, component: Mapping[str, Any]) -> Iterator[Item]:
        further = [v for name, v in kept(component, "pagetab") if name == "association"]
        for group in associations(self.described, component):
            items: list[Item] = []
            for key, name in (
                ("biological_samples", "Biosample"),
                ("specimens", "Specimen"),
                ("acquisitions", "Image acquisition"),
                ("analysis_results", "Image analysis"),
                ("correlations", "Image correlation"),
            ):
                for target in group.get(key, ()):
                    items += attribute(name, self.titles[key].get(target, target))
            yield {"type": "Associations", "attributes": [*items, *further]}
            further = []


def _titles(things: Any) -> dict[str, str]:
    """Return a title for each id: its name, with the id where two have the same name."""
    names = {str(t.get("id")): str(t.get("name") or t.get("id")) for t in mappings(things)}
    count = Counter(names.values())
    return {key: name if count[name] == 1 else f"{name} ({key})" for key, name in names.items()}


def _variable(variable: Mapping[str, Any]) -> str:
    name = str(variable.get("variable_name", ""))
    term = variable.get("variable_term") or {}
    value = variable.get("variable_value") or quantity_text(variable.get("variable_quantity"))
    value = value or term.get("term_label") or term.get("term")
    return f"{name}: {value}" if value else name
