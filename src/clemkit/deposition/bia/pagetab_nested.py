"""Sections that lie inside a study component and belong beside it.

Associations refer to biosamples, specimens, acquisitions and analyses by title, so these are
described beside the study components; older submissions and converters put them inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from clemkit.deposition.bia.pagetab_document import Section, attributes, first_value, listed
from clemkit.deposition.bia.pagetab_rules import Edit, Finding, finding

__all__ = ["check_nested"]

# in the order in which an association names them
_NAMES: Final[Mapping[str, str]] = {
    "biosample": "Biosample",
    "specimen": "Specimen",
    "imageacquisition": "Image acquisition",
    "imageanalysis": "Image analysis",
    "imagecorrelation": "Image correlation",
}


def check_nested(every: Sequence[Section]) -> Iterator[Finding]:
    """Yield sections inside study components, and sections without content."""
    beside = [s for s in every if s.parent is not None and s.parent.parent is None]
    for component in (s for s in beside if s.kind == "studycomponent"):
        inside = [
            s for s in every if s.parent is not None and s.parent.location == component.location
        ]
        full = [s for s in inside if s.kind in _NAMES and _content(s)]
        held = [s for s in inside if s.kind == "associations"]
        for section in inside:
            if section.kind in _NAMES and not _content(section):
                yield _empty(section, held, beside, every)
        edits = [] if held else _moved(component, full, beside)
        for number, section in enumerate(full):
            kind = _NAMES[section.kind]
            message = f"expected {kind!r} beside the study component; found it inside, unreferenced"
            hint = f"describe it beside, with a title, and name the title in `Associations`: {kind}"
            yield finding(section.location, "PT-nested", message, hint, *([] if number else edits))
    for section in beside:
        if section.kind in _NAMES and not _content(section):
            message = f"expected the content of {section.data.get('type')!r}; found none"
            edit = Edit("delete", section.location)
            yield finding(section.location, "PT-section-empty", message, "leave it out", edit)


def _content(section: Section) -> bool:
    data = section.data
    told = any(a.get("value") not in (None, "") for _, a in attributes(data))
    return told or any(data.get(k) for k in ("subsections", "links", "files"))


def _empty(
    section: Section, held: Sequence[Section], beside: Sequence[Section], every: Sequence[Section]
) -> Finding:
    """Return the finding of a section without content; it may stand for the one beside."""
    name = _NAMES[section.kind]
    titles = [first_value(s.data, "Title") for s in beside if s.kind == section.kind]
    edits = [Edit("delete", section.location)]
    meant = titles[0] if len(titles) == 1 and titles[0] else ""
    if meant and len(held) == 1 and not first_value(held[0].data, name):
        end = len(listed(held[0].data, "attributes"))
        place = (*held[0].location, "attributes", end)
        edits.append(Edit("insert", place, {"name": name, "value": meant}))
    message = f"expected the content of {name!r}; found none"
    hint = f"name {meant!r} in `Associations` instead" if meant else "leave it out"
    return finding(section.location, "PT-section-empty", message, hint, *edits)


def _moved(component: Section, full: Sequence[Section], beside: Sequence[Section]) -> list[Edit]:
    """Return the edits that put the sections beside the component and refer to them by title."""
    taken = {first_value(s.data, "Title") for s in beside}
    references: list[dict[str, Any]] = []
    moved: list[Edit] = []
    for section in full:
        given = str(section.data.get("type"))
        title = first_value(section.data, "Title")
        content = dict(section.data)
        if not title:
            title, number = given, 1
            while title in taken:
                number += 1
                title = f"{given} {number}"
            first = {"name": "Title", "value": title}
            content["attributes"] = [first, *listed(content, "attributes")]
        taken.add(title)
        references.append({"name": _NAMES[section.kind], "value": title})
        moved += [Edit("insert", component.location, content), Edit("delete", section.location)]
    if not moved:
        return []
    order = list(_NAMES.values())
    references.sort(key=lambda r: order.index(r["name"]))
    section_data = {"type": "Associations", "attributes": references}
    end = len(listed(component.data, "subsections"))
    return [*moved, Edit("insert", (*component.location, "subsections", end), section_data)]
