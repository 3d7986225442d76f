"""Title, people, papers and references of a deposition document in terms of the description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from clemkit.deposition.empiar.codes import SCALES
from clemkit.deposition.empiar.description import mappings
from clemkit.deposition.empiar.names import initials_of, parse_name, printed_name
from clemkit.metadata.model_map import model_map

__all__ = ["people_of", "publications_of", "study_of"]

_RELEASE: Final = {
    "RE": "immediately",
    "EP": "with_emdb",
    "HP": "with_publication",
    "HO": "hold_one_year",
}
_SCHEMES: Final = {
    "cross_references": "EMDB",
    "biostudies_references": "BioStudies",
    "idr_references": "IDR",
    "empiar_references": "EMPIAR",
}
_PAPER: Final = {
    "publication_title": "title",
    "journal": "journal",
    "journal_abbreviation": "journal_abbreviation",
    "year": "year",
    "volume": "volume",
    "issue": "issue",
    "first_page": "first_page",
    "last_page": "last_page",
    "doi": "doi",
    "pubmed_id": "pubmedid",
    "country_code": "country",
    "notes": "details",
}
_HOUSE: Final = {
    "name": "organization",
    "street": "street",
    "town": "town_or_city",
    "state_or_province": "state_or_province",
    "postal_code": "post_or_zip",
    "country_code": "country",
}


def study_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the study: title, release, scale and related entries."""
    study: dict[str, Any] = {"id": "study"}
    if _fits("title", document.get("title")):
        study["title"] = document["title"]
    release = document.get("release_date")
    if isinstance(release, str) and release in _RELEASE:
        study["release_policy"] = _RELEASE[release]
    scale = document.get("scale")
    if isinstance(scale, str) and scale in SCALES:
        study["biological_scale"] = SCALES[scale]
    if related := _related(document):
        study["related_entries"] = related
    return study


def _related(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [
        {"identifier_scheme": scheme, "identifier_value": entry["name"]}
        for key, scheme in _SCHEMES.items()
        for entry in mappings(document.get(key))
        if isinstance(entry.get("name"), str) and entry["name"]
    ]
    found += [
        {"identifier_scheme": "WorkflowHub", "identifier_value": entry["url"]}
        for entry in mappings(document.get("workflows"))
        if isinstance(entry.get("url"), str) and entry.get("type") == 1
    ]
    return found


def _fits(slot: str, value: object) -> bool:
    """Whether a value has the type, the range and the form of a slot of the model."""
    entry = model_map()["slots"][slot]
    if entry["range"] == "integer":
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and entry.get("minimum", value) <= value <= entry.get("maximum", value)
    if not isinstance(value, str) or not value.strip():
        return False
    pattern = entry.get("pattern")
    return not pattern or re.search(pattern, value) is not None


def publications_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a publication for each citation."""
    papers = document.get("citation")
    if not isinstance(papers, list) or len(mappings(papers)) != len(papers):
        return []
    return [_publication(entry) for entry in papers]


def _publication(entry: Mapping[str, Any]) -> dict[str, Any]:
    paper: dict[str, Any] = {
        slot: entry[key] for slot, key in _PAPER.items() if _fits(slot, entry.get(key))
    }
    # a paper without a title cannot be described; the setting restores that there was none
    paper.setdefault("publication_title", "(no title)")
    names = [parse_name(a.get("name")) for a in mappings(entry.get("authors"))]
    if names and all(names):
        paper["author_names"] = [printed_name(*n) for n in names if n]
    out, journal = entry.get("published"), entry.get("j_or_nj_citation")
    if out is True:
        paper["publication_status"] = "published" if journal is not False else "preprint"
    else:
        paper["publication_status"] = "in_preparation"
    return paper


def people_of(
    document: Mapping[str, Any],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the agents and the contributions: authors and contact persons, each person once."""
    register = _Register()
    authors = [register.author(a) for a in mappings(document.get("authors"))]
    lines = [(name, "author") for name in authors if name]
    contact = document.get("corresponding_author")
    if isinstance(contact, Mapping) and (name := register.contact(contact)):
        lines.append((name, "corresponding_author"))
    leaders = [register.contact(p) for p in mappings(document.get("principal_investigator"))]
    lines += [(name, "principal_investigator") for name in leaders if name]
    return [*register.houses, *register.people], _contributions(lines)


def _contributions(lines: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return one line for each person, or one for each role where that would change an order."""
    merged: dict[str, list[str]] = {}
    for name, role in lines:
        merged.setdefault(name, []).append(role)
    leaders = [n for n, r in lines if r == "principal_investigator"]
    unmixed = len({*lines}) == len(lines)
    if unmixed and [n for n in merged if "principal_investigator" in merged[n]] == leaders:
        return [{"contributor": name, "roles": roles} for name, roles in merged.items()]
    return [{"contributor": name, "roles": [role]} for name, role in lines]


class _Register:
    """People and organisations by what makes them the same."""

    def __init__(self) -> None:
        self.people: list[dict[str, Any]] = []
        self.houses: list[dict[str, Any]] = []

    def author(self, entry: Mapping[str, Any]) -> str:
        text = entry.get("name")
        if not _fits("family_name", text):
            return ""
        # a name of another form is kept whole: its parts cannot be told apart
        family, initials = parse_name(text) or (str(text), "")
        return str(self._person(family, initials, entry.get("author_orcid"))["id"])

    def contact(self, entry: Mapping[str, Any]) -> str:
        family = entry.get("last_name")
        if not _fits("family_name", family):
            return ""
        parts = [entry.get(k) for k in ("first_name", "middle_name")]
        given = " ".join(p.strip() for p in parts if isinstance(p, str) and p.strip())
        person = self._person(str(family), initials_of(given), entry.get("author_orcid"))
        if given:
            person.setdefault("given_name", given)
        for slot in ("email", "telephone"):
            if _fits(slot, entry.get(slot)):
                person.setdefault(slot, entry[slot])
        house = {s: entry[k] for s, k in _HOUSE.items() if _fits(s, entry.get(k))}
        if house:
            person.setdefault("affiliations", [self._house(house)])
        return str(person["id"])

    def _person(self, family: str, initials: str, orcid: object) -> dict[str, Any]:
        known = orcid if _fits("orcid", orcid) else None
        for person in self.people:
            same_name = (person["family_name"], person.get("initials")) == (family, initials)
            other = person.get("orcid")
            if same_name and (known is None or other in (None, known)):
                if known:
                    person["orcid"] = known
                return person
        person = {"id": self._free(family, initials), "type": "Person", "family_name": family}
        if initials:
            person["initials"] = initials
        if known:
            person["orcid"] = known
        self.people.append(person)
        return person

    def _free(self, family: str, initials: str) -> str:
        stem = re.sub(r"[^A-Za-z0-9]+", "-", f"{family}-{initials}").strip("-").lower()
        stem = stem or "person"
        taken = {p["id"] for p in self.people}
        number, chosen = 1, f"person-{stem}"
        while chosen in taken:
            number += 1
            chosen = f"person-{stem}-{number}"
        return chosen

    def _house(self, house: dict[str, Any]) -> str:
        for known in self.houses:
            if {k: v for k, v in known.items() if k not in ("id", "type")} == house:
                return str(known["id"])
        name = f"organization-{len(self.houses) + 1}"
        self.houses.append({"id": name, "type": "Organization", **house})
        return name
