"""Citations, from the publications of a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clemkit.deposition.empiar.description import Described, Location, mappings, missing, note
from clemkit.deposition.empiar.description import texts as text_list
from clemkit.deposition.empiar.names import initials_of, parse_printed
from clemkit.deposition.empiar.people import author_entry
from clemkit.deposition.empiar.settings import settings_of
from clemkit.errors import Problem

__all__ = ["citations"]

_PUBLIC = ("published", "preprint")
_FIELDS = {
    "volume": "volume",
    "country": "country_code",
    "first_page": "first_page",
    "last_page": "last_page",
    "year": "year",
    "doi": "doi",
    "pubmedid": "pubmed_id",
    "details": "notes",
    "journal": "journal",
    "journal_abbreviation": "journal_abbreviation",
    "issue": "issue",
}


def citations(
    described: Described, authors: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the citations and what they lack.

    Parameters
    ----------
    described : Described
        The description.
    authors : list of dict
        Authors of the entry; they stand in where a publication names none.
    """
    problems: list[Problem] = []
    entries = []
    for index, paper in enumerate(mappings(described.study.get("publications"))):
        place = ("study", "publications", index)
        entry, lacking = _citation(described, place, paper, authors)
        entries.append(entry)
        problems += lacking
    if not entries:
        hint = "a paper in preparation is enough: publication_title, author_names and its status"
        problems.append(missing(("study", "publications"), "a publication", hint))
    return entries, problems


def _citation(
    described: Described, place: Location, paper: Mapping[str, Any], authors: list[dict[str, Any]]
) -> tuple[dict[str, Any], list[Problem]]:
    people, problems = _names(described, place, paper)
    if not people and not problems:
        message = "expected author_names of the publication; found none, so authors of the entry"
        hint = "list author_names, such as Example A"
        problems.append(note((*place, "author_names"), "empiar-citation-authors", message, hint))
        people = [dict(author) for author in authors]
    status = paper.get("publication_status")
    if status is None:
        hint = "one of published, preprint, in_review, in_preparation"
        problems.append(missing((*place, "publication_status"), "publication_status", hint))
    settled = any(path == ("published",) for _, path, _ in settings_of(paper))
    if status in _PUBLIC and not settled:
        problems.append(_published_is_ambiguous(place, str(status)))
    title = paper.get("publication_title")
    if not title:
        hint = "EMPIAR requires it"
        problems.append(missing((*place, "publication_title"), "publication_title", hint))
    entry: dict[str, Any] = {
        "authors": people,
        "editors": [],
        "published": status in _PUBLIC,
        "j_or_nj_citation": status != "preprint",
        "language": None,
        "book_chapter_title": None,
        "publisher": None,
        "publication_location": None,
    }
    if title:
        entry["title"] = title
    for key, slot in _FIELDS.items():
        entry[key] = paper.get(slot)
    if status == "preprint":
        server = entry["journal"] or entry["journal_abbreviation"]
        told = [f"Preprint on {server}." if server else "Preprint.", str(entry["details"] or "")]
        entry |= dict.fromkeys(("journal", "journal_abbreviation", "issue"))
        entry["details"] = " ".join(t for t in told if t)
    return entry, problems


def _published_is_ambiguous(place: Location, status: str) -> Problem:
    message = (
        f"`published` is written as true for a {status} paper; the schema names it published and "
        "explains it as being a preprint"
    )
    hint = (
        "look at it in EMPIAR's form or ask EMPIAR's curators, then give the publication "
        "archive_settings {parameter_name: 'empiar:published', parameter_json: 'true or false'}"
    )
    return note((*place, "publication_status"), "empiar-published", message, hint)


def _names(
    described: Described, place: Location, paper: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[Problem]]:
    people: list[dict[str, Any]] = []
    problems: list[Problem] = []
    known = [p for _, p in described.all("agents") if p.get("family_name")]
    for index, name in enumerate(text_list(paper.get("author_names"))):
        split = parse_printed(name) or _known(name, known)
        if split is None:
            family, initials = _guessed(name)
            message = f"expected an author as `Surname AB` or `Surname, Ada B`; found {name!r}"
            hint = f"written as {family!r}, {initials!r}; correct author_names if that is wrong"
            where = (*place, "author_names", index)
            if not initials:
                problems.append(missing(where, f"initials of {name!r}", "write `Surname AB`"))
                continue
            problems.append(note(where, "empiar-name", message, hint))
            split = (family, initials)
        family, initials = split
        people.append(author_entry(family, initials, len(people), _orcid(split, known)))
    return people, problems


def _given(person: Mapping[str, Any]) -> str:
    return initials_of(str(person.get("initials") or person.get("given_name") or ""))


def _known(name: str, known: list[Mapping[str, Any]]) -> tuple[str, str] | None:
    for person in known:
        family, given = str(person["family_name"]), str(person.get("given_name") or "")
        if name in (f"{given} {family}", f"{family} {given}") and _given(person):
            return family, _given(person)
    return None


def _guessed(name: str) -> tuple[str, str]:
    given, _, family = name.strip().rpartition(" ")
    return family, initials_of(given)


def _orcid(split: tuple[str, str], known: list[Mapping[str, Any]]) -> object:
    same = [p for p in known if (p["family_name"], _given(p)) == split and p.get("orcid")]
    return same[0]["orcid"] if len(same) == 1 else None
