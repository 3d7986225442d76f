"""MIFA documents (metadata of annotated images): study, annotations, version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clemkit.deposition.bia.identifiers import bare_doi, is_email, licence_code, orcid_problem
from clemkit.deposition.rembi.reading import Fields, Reading
from clemkit.errors import Problem
from clemkit.metadata.validate.check_digits import CHECK_DIGITS

__all__ = ["import_mifa", "is_mifa"]

_ROLES = {
    "data acquisition": "image_acquisition",
    "data analysis": "image_analysis",
    "data annotation": "image_analysis",
    "data curation": "data_curation",
    "sample preparation": "sample_preparation",
    "supervision": "supervision",
    "funding acquisition": "funding_acquisition",
}
_KINDS = (
    "class_labels", "bounding_boxes", "counts", "derived_annotations", "geometrical_annotations",
    "graphs", "point_annotations", "segmentation_mask", "tracks", "weak_annotations",
)  # fmt: skip


def is_mifa(content: Any) -> bool:
    """Whether *content* is a MIFA document, by its fields."""
    if not isinstance(content, Mapping):
        return False
    if "annotation_overview" in content or "annotation_method" in content:
        return True
    authors = content.get("authors")
    first = authors[0] if isinstance(authors, list) and authors else None
    if isinstance(first, Mapping) and "author_last_name" in first:
        return True
    return {"version", "timestamp", "changes"} <= set(content) <= {
        "version", "timestamp", "changes", "previous_version",
    }  # fmt: skip


def import_mifa(content: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Return a MIFA document as a description, and what it could not hold.

    Parameters
    ----------
    content : mapping
        Content of the YAML file.
    """
    reading = Reading("mifa")
    fields = Fields(content, ())
    out: dict[str, Any] = {"id": "experiment", "model_version": "0.1.0"}
    agents: list[dict[str, Any]] = []
    lines = _people(fields, agents, reading)
    study: dict[str, Any] = {"id": "study", "title": fields.text("title") or "untitled"}
    annotated = "annotation_overview" in content or "annotation_method" in content
    if lines:
        study["contributions"] = lines
    if not annotated:
        _study(fields, study, agents, reading)
        reading.keep_rest(fields, study)
    out["study"] = study
    if agents:
        out["agents"] = agents
    if annotated:
        out["annotation_sets"] = [_annotations(fields, [a["id"] for a in agents], reading)]
    return out, tuple(reading.found)


def _people(fields: Fields, agents: list[dict[str, Any]], reading: Reading) -> list[dict[str, Any]]:
    places: dict[str, dict[str, Any]] = {}
    people: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for data, location in fields.items("authors"):
        person = Fields(data, location)
        given, family = person.text("author_first_name"), person.text("author_last_name")
        entry: dict[str, Any] = {
            "id": reading.new_id(f"{given}-{family}", "person"),
            "type": "Person",
            "family_name": family or given or "unnamed",
        }
        if given and family:
            entry["given_name"] = given
        mail = person.text("email")
        if is_email(mail):
            entry["email"] = mail
        elif mail:
            person.put_back("email", mail)
        orcid = person.text("orcid_id")
        if orcid and not orcid_problem(orcid):
            entry["orcid"] = orcid.rsplit("/", 1)[-1]
        elif orcid:
            person.put_back("orcid_id", orcid)
        homes = [_place(d, w, places, reading) for d, w in person.items("organisation")]
        if homes:
            entry["affiliations"] = list(dict.fromkeys(homes))
        words = person.texts("role")
        roles = list(dict.fromkeys(_ROLES[w] for w in words if w in _ROLES))
        if words and (len(roles) < len(words) or any(w == "data annotation" for w in words)):
            person.put_back("role", words)  # roles of the model say less
        reading.keep_rest(person, entry)
        people.append(entry)
        lines.append({"contributor": entry["id"], "roles": ["author", *roles]})
    agents += [*places.values(), *people]
    return lines


def _place(
    data: Any,
    location: tuple[str | int, ...],
    places: dict[str, dict[str, Any]],
    reading: Reading,
) -> str:
    fields = Fields(data, location)
    name, address, ror = (fields.text(k) for k in ("organisation_name", "address", "ror_id"))
    key = f"{name}|{address}|{ror}"
    if key in places:
        return str(places[key]["id"])
    entry: dict[str, Any] = {"id": reading.new_id(name, "organisation"), "type": "Organization"}
    entry["name"] = name or "unnamed"
    bare = ror.rsplit("/", 1)[-1]
    if re.fullmatch(r"0[a-z0-9]{6}[0-9]{2}", bare) and not CHECK_DIGITS["ror"](bare):
        entry["ror"] = bare
    elif ror:
        fields.put_back("ror_id", ror)
    if address:
        fields.put_back("address", address)
    reading.keep_rest(fields, entry)
    places[key] = entry
    return str(entry["id"])


def _study(
    fields: Fields, study: dict[str, Any], agents: list[dict[str, Any]], reading: Reading
) -> None:
    for name, slot in (("description", "description"), ("acknowledgements", "acknowledgements")):
        if text := fields.text(name):
            study[slot] = text
    if words := fields.texts("keywords"):
        study["keywords"] = list(dict.fromkeys(words))
    licence = fields.text("license")
    if known := licence_code(licence):
        study["licence"] = known[1]
    elif licence:
        fields.put_back("license", licence)
    funding: list[dict[str, Any]] = []
    if text := fields.text("funding_statement"):
        funding.append({"description": text})
    for data, location in fields.items("grants"):
        grant = Fields(data, location)
        entry: dict[str, Any] = {}
        if funder := grant.text("funder"):
            name = reading.new_id(funder, "funder")
            agents.append({"id": name, "type": "Organization", "name": funder})
            entry["funder"] = name
        if number := grant.text("grant_id"):
            entry["grant_number"] = number
        reading.keep_rest(grant, entry)
        funding.append(entry)
    papers = [_paper(Fields(d, w), reading) for d, w in fields.items("publications")]
    study |= {"funding": funding} if funding else {}
    study |= {"publications": papers} if papers else {}
    url = fields.text("link_url")
    if re.fullmatch(r"https?://\S+", url):
        study["web_pages"] = [url]
    elif url:
        fields.put_back("link_url", url)


def _paper(fields: Fields, reading: Reading) -> dict[str, Any]:
    paper: dict[str, Any] = {"publication_title": fields.text("publication_title") or "untitled"}
    if authors := fields.text("publication_authors"):
        paper["author_names"] = [authors]
    doi = fields.text("publication_doi")
    if bare := bare_doi(doi):
        paper["doi"] = bare
    elif doi:
        fields.put_back("publication_doi", doi)
    year = fields.text("publication_year")
    if re.fullmatch(r"(19|20|21)[0-9]{2}", year):
        paper["year"] = int(year)
    elif year:
        fields.put_back("publication_year", year)
    number = fields.text("pubmed_id")
    if re.fullmatch(r"[1-9][0-9]*", number):
        paper["pubmed_id"] = number
    elif number:
        fields.put_back("pubmed_id", number)
    reading.keep_rest(fields, paper)
    return paper


def _annotations(fields: Fields, annotators: list[str], reading: Reading) -> dict[str, Any]:
    overview = fields.text("annotation_overview")
    entry: dict[str, Any] = {"id": reading.new_id("annotations", "annotations")}
    if overview:
        entry["name"] = overview
    for name, slot in (
        ("annotation_method", "annotation_method"),
        ("annotation_criteria", "annotation_criteria"),
        ("annotation_coverage", "annotation_coverage"),
        ("annotation_confidence_level", "annotation_confidence"),
    ):
        if text := fields.text(name):
            entry[slot] = text
    if annotators:
        entry["annotators"] = annotators
    listed = fields.items("file_metadata")
    kinds: list[str] = []
    for item, _ in listed:
        given = item.get("annotation_type")
        kinds += [str(k) for k in (given if isinstance(given, list) else [given]) if k in _KINDS]
    if kinds:
        entry["annotation_kinds"] = list(dict.fromkeys(kinds))
    if listed:
        fields.put_back("file_metadata", [item for item, _ in listed])
    reading.keep_rest(fields, entry)
    return entry
