"""Which biosample, specimen and acquisition of a study component belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clemkit.deposition.empiar.description import Described, texts

__all__ = ["associations", "biosamples_of"]


def biosamples_of(described: Described, specimen: str) -> list[str]:
    """Return the biosamples of a specimen: its own, or those of what it was cut from."""
    todo, seen = [specimen], set()
    while todo:
        name = todo.pop(0)
        if name in seen:
            continue
        seen.add(name)
        thing = described.thing(name)
        if own := texts(thing.get("biosamples")):
            return own
        todo += texts(thing.get("derived_from"))
    return []


def associations(described: Described, component: Mapping[str, Any]) -> list[dict[str, list[str]]]:
    """Return groups of ids by list of the experiment; each thing of the component is in one.

    Parameters
    ----------
    described : Described
        The description.
    component : mapping
        One of its study components.
    """
    biosamples = texts(component.get("component_biosamples"))
    specimens = texts(component.get("component_specimens"))
    acquisitions = texts(component.get("component_acquisitions"))
    groups: list[dict[str, list[str]]] = []
    for acquisition in acquisitions:
        imaged = texts(described.thing(acquisition).get("imaged_specimens"))
        for specimen in [s for s in specimens if s in imaged] or specimens or [""]:
            own = [b for b in biosamples_of(described, specimen) if b in biosamples]
            groups += [_group(b, specimen, acquisition) for b in own or biosamples or [""]]
    if not groups and (biosamples or specimens):
        groups.append({})
    for key, wanted in (
        ("biological_samples", biosamples),
        ("specimens", specimens),
    ):
        named = {name for group in groups for name in group.get(key, ())}
        for name in wanted:
            if name not in named:
                groups[0].setdefault(key, []).append(name)
    for key, slot in (
        ("analysis_results", "component_analyses"),
        ("correlations", "component_correlations"),
    ):
        if (further := texts(component.get(slot))) and groups:
            groups[0][key] = further
    return groups


def _group(biosample: str, specimen: str, acquisition: str) -> dict[str, list[str]]:
    group = {
        "biological_samples": [biosample],
        "specimens": [specimen],
        "acquisitions": [acquisition],
    }
    return {key: names for key, names in group.items() if names[0]}
