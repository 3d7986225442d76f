"""The model as plain data: classes, slots, enums, prefixes. Loads no pydantic and no rdflib."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["GENERATED", "contract_iri", "expand_curie", "model_map", "profile", "profile_names"]

GENERATED: Final = Path(__file__).parent / "_generated"


@cache
def model_map() -> Mapping[str, Any]:
    """Return the content of ``rdfmap.json``: prefixes, classes, slots and enums of the model."""
    content: dict[str, Any] = json.loads((GENERATED / "rdfmap.json").read_text(encoding="utf-8"))
    return content


@cache
def profile_names() -> tuple[str, ...]:
    """Return the names of the profiles that are shipped, sorted."""
    return tuple(sorted(p.stem.removeprefix("profile-") for p in GENERATED.glob("profile-*.json")))


@cache
def profile(name: str) -> Mapping[str, Any]:
    """Return the requirements of the profile *name*, one of :func:`profile_names`."""
    path = GENERATED / f"profile-{name}.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def expand_curie(curie: str) -> str | None:
    """Return the IRI of a compact identifier; None when its prefix is not known."""
    prefix, colon, local = curie.partition(":")
    space = model_map()["prefixes"].get(prefix)
    return f"{space}{local}" if colon and space and not local.startswith("//") else None


def contract_iri(iri: str) -> str:
    """Return the compact form of *iri*; *iri* itself when no prefix fits."""
    for space, prefix in _spaces():
        if iri.startswith(space) and len(iri) > len(space):
            local = iri[len(space) :]
            if "/" not in local and "#" not in local:
                return f"{prefix}:{local}"
    return iri


@cache
def _spaces() -> tuple[tuple[str, str], ...]:
    found = ((space, prefix) for prefix, space in model_map()["prefixes"].items())
    return tuple(sorted(found, reverse=True))  # the longer of two nested spaces comes first
