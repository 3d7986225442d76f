"""Authors and contact persons, from the contributions of a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clemkit.deposition.empiar.description import Described, Location, missing, note, texts
from clemkit.deposition.empiar.names import initials_of, tuple_name
from clemkit.errors import Problem

__all__ = ["author_entry", "authors", "contact_persons", "contributors"]

_ADDRESS = {
    "street": "street",
    "town_or_city": "town",
    "state_or_province": "state_or_province",
    "post_or_zip": "postal_code",
}


def contributors(
    described: Described, role: str
) -> Iterator[tuple[Location, str, Mapping[str, Any]]]:
    """Yield place, id and person of each contributor with a role, in their order."""
    lines = described.study.get("contributions")
    for index, line in enumerate(lines if isinstance(lines, list) else ()):
        if isinstance(line, Mapping) and role in texts(line.get("roles")):
            name = str(line.get("contributor"))
            place = described.place(name) or ("study", "contributions", index)
            yield place, name, described.thing(name)


def authors(described: Described) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return the author list and what it lacks."""
    entries: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for place, _, person in contributors(described, "author"):
        family = str(person.get("family_name") or "")
        initials = _initials(person)
        if not family or not initials:
            what = "family_name" if not family else "initials or given_name"
            hint = "an author is a person with surname and initials; a group cannot be one"
            problems.append(missing((*place, what.split()[0]), f"{what} of an author", hint))
            continue
        if "'" in family:
            message = f"expected no apostrophe in {family}; it is written as ’"
            problems.append(note((*place, "family_name"), "empiar-apostrophe", message))
        entries.append(author_entry(family, initials, len(entries), person.get("orcid")))
    if not entries and not problems:
        place = ("study", "contributions")
        problems.append(missing(place, "an author", "give somebody the role author"))
    return entries, problems


def author_entry(family: str, initials: str, order: int, orcid: object) -> dict[str, Any]:
    """Return one line of an author list."""
    name = tuple_name(family, initials)
    return {"name": name, "order_id": order, "author_orcid": orcid if orcid else None}


def _initials(person: Mapping[str, Any]) -> str:
    given = str(person.get("initials") or "")
    return initials_of(given or str(person.get("given_name") or ""))


def contact_persons(described: Described, role: str) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return everybody with *role* in the form of a contact person, and what is lacking."""
    found: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for place, name, person in contributors(described, role):
        if person.get("type") == "Organization" or not person:
            message = f"a person as {role}, such as {{type: Person, …}}"
            problems.append(missing(place, message, f"{name} is none"))
            continue
        entry, lacking = _contact(described, place, person)
        found.append(entry)
        problems += lacking
    if not found and not problems:
        place = ("study", "contributions")
        problems.append(missing(place, f"a {role}", f"give somebody the role {role}"))
    return found, problems


def _contact(
    described: Described, place: Location, person: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    first, _, middle = str(person.get("given_name") or "").strip().partition(" ")
    houses = texts(person.get("affiliations"))
    house = described.thing(houses[0]) if houses else {}
    house_place = described.place(houses[0]) if houses else (*place, "affiliations")
    if len(houses) > 1:
        message = f"expected one affiliation; found {len(houses)}, the first is written"
        problems.append(note((*place, "affiliations"), "empiar-affiliation", message))
    entry: dict[str, Any] = {
        "author_orcid": person.get("orcid"),
        "middle_name": middle.strip() or None,
    }
    wanted: dict[str, tuple[Location, object, str]] = {
        "first_name": ((*place, "given_name"), first, "given_name"),
        "last_name": ((*place, "family_name"), person.get("family_name"), "family_name"),
        "organization": ((*house_place, "name"), house.get("name"), "name of the affiliation"),
        "email": ((*place, "email"), person.get("email"), "email"),
        "country": ((*house_place, "country_code"), house.get("country_code"), "country_code"),
    }
    for key, (where, value, what) in wanted.items():
        if value:
            entry[key] = value
        elif not houses and key in ("organization", "country"):
            if key == "organization":
                message = "affiliations of a contact person, with name and country_code"
                problems.append(missing(house_place, message, "name an Organization of agents"))
        else:
            hint = "EMPIAR requires it of contact persons"
            problems.append(missing(where, f"{what} of a contact person", hint))
    for key, slot in _ADDRESS.items():
        if house.get(slot):
            entry[key] = house[slot]
        elif key in ("street", "state_or_province"):
            entry[key] = None
    entry["telephone"] = person.get("telephone")
    entry["fax"] = None
    return entry, problems
