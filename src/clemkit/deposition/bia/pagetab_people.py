"""People and organisations as sections of PageTab, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from clemkit.deposition.bia.pagetab_parts import attribute, with_kept
from clemkit.deposition.bia.pagetab_words import role_text
from clemkit.deposition.empiar.description import Described, mappings, texts

__all__ = ["NUMBERED", "author_sections", "full_name", "organisation_sections", "split_name"]

Item = dict[str, Any]
NUMBERED: Final = re.compile(r"author-[0-9]+")  # made by an import, not by people


def full_name(person: Mapping[str, Any]) -> str:
    """Return given name and family name; initials stand in for a given name."""
    if person.get("type") != "Person":
        return str(person.get("name") or person.get("id") or "")
    given = person.get("given_name") or person.get("initials")
    words = [w for w in (given, person.get("family_name")) if w]
    return " ".join(str(w) for w in words) or str(person.get("name") or "")


def split_name(name: str) -> dict[str, str]:
    """Return given and family name of a printed name; the last word is the family name."""
    given, space, family = name.strip().rpartition(" ")
    return {"given_name": given, "family_name": family} if space else {"family_name": family}


def author_sections(described: Described) -> list[Item]:
    """Return a section for each contributor, in the order of the author list."""
    found: list[Item] = []
    for line in mappings(described.study.get("contributions")):
        person = described.thing(line.get("contributor"))
        items = [
            *attribute("Name", full_name(person)),
            *attribute("E-mail", person.get("email")),
            *attribute("Role", role_text(texts(line.get("roles")))),
            *attribute("ORCID", person.get("orcid")),
        ]
        items += [
            {"name": "affiliation", "value": name, "reference": True}
            for name in texts(person.get("affiliations"))
        ]
        section: Item = {"type": "author", "attributes": items}
        name = str(person.get("id", ""))
        if name and not NUMBERED.fullmatch(name):
            section = {"accno": name, **section}
        found.append(with_kept(section, person))
    return found


def organisation_sections(described: Described) -> list[Item]:
    """Return a section for each organisation but those that only pay."""
    people = [t for _, t in described.all("agents") if t.get("type") == "Person"]
    wanted = {name for person in people for name in texts(person.get("affiliations"))}
    funders = {g.get("funder") for g in mappings(described.study.get("funding"))} - wanted
    found: list[Item] = []
    for _, thing in described.all("agents"):
        if thing.get("type") != "Organization" or thing.get("id") in funders:
            continue
        place = (thing.get(k) for k in ("street", "town", "state_or_province", "postal_code"))
        lines = [str(p) for p in (*place, thing.get("country_code")) if p]
        items = [*attribute("Name", thing.get("name")), *attribute("Address", ", ".join(lines))]
        items += attribute("RORID", thing.get("ror"))
        section = {"accno": str(thing["id"]), "type": "organisation", "attributes": items}
        found.append(with_kept(section, thing))
    return found
