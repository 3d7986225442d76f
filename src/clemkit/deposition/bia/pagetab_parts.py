"""Attributes and sections of PageTab, as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clemkit.deposition.kept import kept

__all__ = ["again", "attribute", "with_kept"]

Item = dict[str, Any]


def attribute(name: str, value: object) -> list[Item]:
    """Return one attribute in a list; an empty list where there is no value."""
    return [] if value in (None, "", []) else [{"name": name, "value": str(value)}]


def again(name: str, value: Any) -> Item:
    """Return a kept attribute: its value, or all of it where it had more than a value."""
    if isinstance(value, Mapping):
        return {"name": name, **value}
    return {"name": name} if value is None else {"name": name, "value": value}


def with_kept(section: Item, thing: Mapping[str, Any]) -> Item:
    """Put back into a section what was kept of one when it was imported."""
    for name, value in kept(thing, "pagetab"):
        if name == "accno":
            section["accno"] = value
        elif name == "association":
            continue  # for an association inside, not for the section
        elif name in ("section", "link", "file"):
            key = {"section": "subsections", "link": "links", "file": "files"}[name]
            section.setdefault(key, []).append(value)
        else:
            section["attributes"].append(again(name, value))
    return section
