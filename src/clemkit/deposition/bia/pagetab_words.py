"""Words of PageTab for values of the model: roles, and the names of attributes and sections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["ROLES", "TEMPLATE", "organism_text", "parsed_organism", "role_text", "roles_in"]

TEMPLATE: Final = "BioImages.v4"
# roles of the model as PageTab submissions write them
ROLES: Final[Mapping[str, str]] = {
    "corresponding_author": "corresponding author",
    "principal_investigator": "principal investigator",
    "sample_preparation": "sample preparation",
    "image_acquisition": "data acquisition",
    "image_analysis": "data analysis",
    "data_curation": "data curation",
    "supervision": "supervision",
    "funding_acquisition": "funding acquisition",
}
_BINOMIAL = re.compile(r"[A-Z][a-z]+ +[a-z][a-z.-]+.*")


def role_text(roles: list[str]) -> str:
    """Return the roles of a contributor in the words of PageTab; authorship goes without saying."""
    return ", ".join(ROLES[r] for r in ROLES if r in roles)


def roles_in(text: str) -> list[str] | None:
    """Return the roles that *text* names; None when it names any other, or in another order."""
    words = {spoken: role for role, spoken in ROLES.items()}
    parts = [p.strip() for p in text.split(",")]
    roles = [words[p] for p in parts if p in words]
    return roles if role_text(roles) == text else None


def organism_text(scientific: str, common: str) -> str:
    """Return the two names of an organism as one attribute."""
    return f"{scientific} ({common})" if common else scientific


def parsed_organism(text: str) -> tuple[str, str]:
    """Return scientific and common name in *text*, `Homo sapiens (human)` or the reverse."""
    found = re.fullmatch(r"([^()]+?)\s*\(([^()]+)\)\s*", text)
    if not found:
        return text.strip(), ""
    first, second = found[1].strip(), found[2].strip()
    if _BINOMIAL.fullmatch(second) and not _BINOMIAL.fullmatch(first):
        return second, first
    return first, second
