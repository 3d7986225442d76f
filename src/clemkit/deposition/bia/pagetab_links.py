"""Associations of study components as references of the model."""

from __future__ import annotations

from typing import Any

from clemkit.deposition.bia.pagetab_document import (
    Location,
    Section,
    attributes,
    first_value,
    sections,
)
from clemkit.deposition.kept import keep, kept

__all__ = ["link_components"]

_TARGETS = {
    "Biosample": ("biosample", "component_biosamples"),
    "Specimen": ("specimen", "component_specimens"),
    "Image acquisition": ("imageacquisition", "component_acquisitions"),
    "Image analysis": ("imageanalysis", "component_analyses"),
}
# PageTab does not say which images; so these are kept
CORRELATION = "Image correlation"
Pair = tuple[Section, dict[str, Any]]


def link_components(things: list[Pair], out: dict[str, Any]) -> list[tuple[Location, str]]:
    """Turn associations by title into references by id, in place.

    Each acquisition of a component gives one image, which stands for all images in its list of
    files: so acquisition, specimen and biosample hang together. An association that names what is
    not described stays in ``archive_settings`` of its component.

    Returns
    -------
    list of (location, str)
        Associations that stay, and the ids of their components.
    """
    named: dict[tuple[str, str], dict[str, Any]] = {}
    for section, thing in things:
        named.setdefault((section.kind, first_value(section.data, "Title")), thing)
    left: list[tuple[Location, str]] = []
    for section, component in things:
        if section.kind == "studycomponent":
            left += _component(section, component, named, out)
    return left


def _component(
    section: Section,
    component: dict[str, Any],
    named: dict[tuple[str, str], dict[str, Any]],
    out: dict[str, Any],
) -> list[tuple[Location, str]]:
    left: list[tuple[Location, str]] = []
    imaged: dict[str, list[str]] = {}
    whole: list[Any] = []
    further: list[Any] = []
    for child in sections({"section": section.data}):
        if child.kind != "associations" or child.parent is None:
            continue
        found = _targets(child, named)
        if found is None:
            left.append(((*section.location, *child.location[1:]), str(component["id"])))
            continue
        whole.append(child.data)
        further += [item for _, item in attributes(child.data, CORRELATION)]
        for name, (_, slot) in _TARGETS.items():
            for thing in found.get(name, ()):
                _add(component, slot, thing["id"])
        for specimen in found.get("Specimen", ()):
            for biosample in found.get("Biosample", ()):
                _add(specimen, "biosamples", biosample["id"])
        for acquisition in found.get("Image acquisition", ()):
            targets = imaged.setdefault(acquisition["id"], [])
            for specimen in found.get("Specimen", ()):
                _add(acquisition, "imaged_specimens", specimen["id"])
                targets.append(specimen["id"])
    _forget(component, whole)
    for item in further:
        keep(component, "pagetab", "association", item)
    by_id = {t["id"]: t for t in out.get("acquisitions", ())}
    for name, specimens in imaged.items():
        image: dict[str, Any] = {
            "id": f"{component['id']}-{name}",
            "name": f"{component.get('name', component['id'])}: {by_id[name].get('name', name)}",
            "acquired_by": name,
        }
        if specimens:
            image["image_of"] = list(dict.fromkeys(specimens))
        out.setdefault("images", []).append(image)
        _add(component, "component_images", image["id"])
    return left


def _targets(
    child: Section, named: dict[tuple[str, str], dict[str, Any]]
) -> dict[str, list[dict[str, Any]]] | None:
    """Return what an association names; None when it names what is not described."""
    found: dict[str, list[dict[str, Any]]] = {}
    for _, item in attributes(child.data):
        given = str(item.get("name", "")).lower()
        if given == CORRELATION.lower():
            continue
        name = next((n for n in _TARGETS if n.lower() == given), None)
        thing = named.get((_TARGETS[name][0], str(item.get("value")))) if name else None
        if name is None or thing is None:
            return None
        found.setdefault(name, []).append(thing)
    return found


def _add(thing: dict[str, Any], slot: str, name: str) -> None:
    names = thing.setdefault(slot, [])
    if name not in names:
        names.append(name)


def _forget(component: dict[str, Any], whole: list[Any]) -> None:
    """Take associations that are references now out of what was kept."""
    others = [e for e in kept(component, "pagetab") if not (e[0] == "section" and e[1] in whole)]
    component.pop("archive_settings", None)
    for name, value in others:
        keep(component, "pagetab", name, value)
