"""Study, people, grants and publications of a PageTab submission as a description."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from clemkit.deposition.bia.identifiers import (
    bare_doi,
    is_doi,
    is_email,
    licence_code,
    orcid_problem,
)
from clemkit.deposition.bia.pagetab_document import Section, attributes, first_value
from clemkit.deposition.bia.pagetab_people import full_name, split_name
from clemkit.deposition.bia.pagetab_taken import Taken
from clemkit.deposition.bia.pagetab_words import roles_in
from clemkit.deposition.kept import keep, not_in_model
from clemkit.metadata.validate.check_digits import CHECK_DIGITS

if TYPE_CHECKING:
    from clemkit.deposition.bia.pagetab_import import _Import

__all__ = ["import_people", "import_study"]

_INITIALS = re.compile(r"([A-Z][.]?[ -]?)+")


def import_study(
    source: Mapping[str, Any], root: Section, beside: Sequence[Section], reading: _Import
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the study, and the kinds of sections that are in it."""
    study: dict[str, Any] = {"id": "study"}
    _accession(root, study)
    taken = Taken(root)
    top = Taken(Section(source, ()))
    study["title"] = taken.text("Title") or top.text("Title")
    if not study["title"]:
        study["title"] = str(source.get("accno") or "untitled")
    for index, text in list(top.peek("Title")):
        if text == study["title"]:
            top.take(index)
    if description := taken.text("Description"):
        study["description"] = description
    if words := taken.texts("Keyword", "Keywords"):
        study["keywords"] = list(dict.fromkeys(words))
    if thanks := taken.text("Acknowledgements"):
        study["acknowledgements"] = thanks
    for index, item in attributes(root.data, "License"):
        if meant := licence_code(str(item.get("value") or "")):
            study["licence"] = meant[1]
            taken.take(index)
            if further := {k: v for k, v in item.items() if k not in ("name", "value")}:
                keep(study, "pagetab-licence", "License", further)  # such as its address
            break
    _release(study, top, taken)
    _identifiers(study, source, top)
    funding = [{"description": text} for text in taken.texts("Funding statement")]
    papers: list[dict[str, Any]] = []
    consumed = ["publication", "funding"]
    for section in beside:
        if section.kind == "publication" and first_value(section.data, "Title"):
            papers.append(_publication(section, reading))
        elif section.kind == "funding" and first_value(section.data, "Agency"):
            funding.append(_grant(section, reading))
        elif section.kind in consumed:
            keep(study, "pagetab", "section", section.data)
            what = f"a half empty {section.data.get('type')!r}"
            reading.found.append(not_in_model(section.location, what, "the study"))
    if funding:
        study["funding"] = funding
    if papers:
        study["publications"] = papers
    _links(study, taken)
    _head(study, top, reading)
    for place, _ in list(taken.children("subsections")):
        taken.child(place)  # these are read one by one
    reading.rest(root, study, taken)
    return study, tuple(consumed)


def _head(study: dict[str, Any], top: Taken, reading: _Import) -> None:
    for index, name, value in top.rest():
        keep(study, "pagetab-submission", name, value)
        if name not in ("Template", "AttachTo", "RootPath"):
            place = ("attributes", index)
            reading.found.append(not_in_model(place, f"{name!r}", "the study"))


def _release(study: dict[str, Any], top: Taken, taken: Taken) -> None:
    for holder, name in ((top, "ReleaseDate"), (taken, "ReleaseDate"), (taken, "Release date")):
        for index, text in list(holder.peek(name)):
            try:
                date.fromisoformat(text)
            except ValueError:
                continue
            if study.setdefault("release_date", text) == text:
                holder.take(index)


def _identifiers(study: dict[str, Any], source: Mapping[str, Any], top: Taken) -> None:
    found: list[dict[str, str]] = []
    if source.get("accno"):
        found.append({"identifier_scheme": "BioStudies", "identifier_value": str(source["accno"])})
    for index, text in list(top.peek("DOI")):
        if re.fullmatch(r"10[.]\S+", text):
            found.append({"identifier_scheme": "DOI", "identifier_value": text})
            top.take(index)
            break
    if found:
        study["identifiers"] = found


def _links(study: dict[str, Any], taken: Taken) -> None:
    for place, link in list(taken.children("links")):
        items = list(attributes(link))
        url = str(link.get("url") or "")
        kind = first_value(link, "Type")
        if not items and re.fullmatch(r"https?://\S+", url):
            study.setdefault("web_pages", []).append(url)
        elif len(items) == 1 and kind and set(link) == {"url", "attributes"} and url:
            entry = {"identifier_scheme": kind, "identifier_value": url}
            study.setdefault("related_entries", []).append(entry)
        else:
            continue
        taken.child(place)


def _publication(section: Section, reading: _Import) -> dict[str, Any]:
    taken = Taken(section)
    paper: dict[str, Any] = {"publication_title": taken.text("Title")}
    _accession(section, paper)
    for index, text in list(taken.peek("Authors")):
        paper["author_names"] = _names(text)
        taken.take(index)
        break
    for index, text in list(taken.peek("DOI")):
        if is_doi(text):
            paper["doi"] = bare_doi(text)
            taken.take(index)
            break
    for index, text in list(taken.peek("Pubmed ID")):
        if re.fullmatch(r"[1-9][0-9]*", text):
            paper["pubmed_id"] = text
            taken.take(index)
            break
    for index, text in list(taken.peek("Year")):
        if re.fullmatch(r"(19|20|21)[0-9]{2}", text):
            paper["year"] = int(text)
            taken.take(index)
            break
    reading.rest(section, paper, taken)
    return paper


def _accession(section: Section, thing: dict[str, Any]) -> None:
    if section.data.get("accno"):
        keep(thing, "pagetab", "accno", section.data["accno"])


def _names(text: str) -> list[str]:
    """Return the authors of a list; the whole where commas also part surnames from initials."""
    parts = text.split(", ")
    if ", ".join(parts) != text or any(_INITIALS.fullmatch(p) or not p.strip() for p in parts):
        return [text]
    return parts if len(set(parts)) == len(parts) else [text]


def _organisation(reading: _Import, name: str, fallback: str) -> str:
    for agent in reading.out.setdefault("agents", []):
        if agent["type"] == "Organization" and agent.get("name") == name:
            return str(agent["id"])
    entry = {"id": reading._id(fallback, "organisation"), "type": "Organization", "name": name}
    reading.out["agents"].append(entry)
    return str(entry["id"])


def _grant(section: Section, reading: _Import) -> dict[str, Any]:
    taken = Taken(section)
    count = sum(1 for i in reading.ids if i.startswith("funder-"))
    funder = _organisation(reading, taken.text("Agency"), f"funder-{count + 1}")
    grant: dict[str, Any] = {"funder": funder}
    _accession(section, grant)
    if number := taken.text("grant_id"):
        grant["grant_number"] = number
    if description := taken.text("Description"):
        grant["description"] = description
    reading.rest(section, grant, taken)
    return grant


def import_people(beside: Sequence[Section], reading: _Import) -> None:
    """Read authors and organisations into the agents, and authorship into the study."""
    agents = reading.out.setdefault("agents", [])
    places: dict[str, str] = {}
    for section in beside:
        if section.kind in ("organisation", "organization"):
            place: dict[str, Any] = {"type": "Organization"}
            place["id"] = reading.new_id(section, "organisation", place)
            taken = Taken(section)
            if name := taken.text("Name"):
                place["name"] = name
            for index, text in list(taken.peek("RORID")):
                bare = re.sub(r"^https?://ror[.]org/", "", text)
                if re.fullmatch(r"0[a-z0-9]{6}[0-9]{2}", bare) and not CHECK_DIGITS["ror"](bare):
                    place["ror"] = bare
                    taken.take(index)
            if accession := section.data.get("accno"):
                places[str(accession)] = place["id"]
            reading.rest(section, place, taken)
            agents.append(place)
    contributions: list[dict[str, Any]] = []
    for section in beside:
        if section.kind == "author" and not first_value(section.data, "Name").strip():
            keep(reading.out["study"], "pagetab", "section", section.data)
            what = "an author without a name"
            reading.found.append(not_in_model(section.location, what, "the study"))
        elif section.kind == "author":
            person = _person(section, places, reading)
            roles = person.pop("roles")
            agents.append(person)
            contributions.append({"contributor": person["id"], "roles": ["author", *roles]})
    if contributions:
        reading.out["study"]["contributions"] = contributions
    if not agents:
        del reading.out["agents"]


def _person(section: Section, places: Mapping[str, str], reading: _Import) -> dict[str, Any]:
    person: dict[str, Any] = {"type": "Person"}
    person["id"] = reading.new_id(section, "author", person)
    taken = Taken(section)
    name = taken.text("Name").strip()
    person |= split_name(name)
    if full_name(person) != name:  # more than one space between words
        person = {k: v for k, v in person.items() if k != "given_name"} | {"family_name": name}
    for index, text in (*taken.peek("E-mail"), *taken.peek("Email")):
        if is_email(text) and "email" not in person:
            person["email"] = text
            taken.take(index)
    for index, text in list(taken.peek("ORCID")):
        if not orcid_problem(text):
            person["orcid"] = text.rsplit("/", 1)[-1]
            taken.take(index)
            break
    person["roles"] = []
    for index, text in list(taken.peek("Role")):
        if (roles := roles_in(text)) is not None:
            person["roles"] = roles
            taken.take(index)
            break
    for index, item in attributes(section.data, "affiliation"):
        target = str(item.get("value") or "")
        plain = {k: v for k, v in item.items() if k not in ("name", "value")} == {"reference": True}
        if plain and target in places:
            person.setdefault("affiliations", []).append(places[target])
            taken.take(index)
    reading.rest(section, person, taken)
    return person
