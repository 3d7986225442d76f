"""Sections of a PageTab submission and what refers to what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from typing import Any, Final

from clemkit.deposition.bia.pagetab_document import (
    Section,
    attributes,
    first_value,
    listed,
    sections,
)
from clemkit.deposition.bia.pagetab_nested import check_nested
from clemkit.deposition.bia.pagetab_rules import Edit, Finding, finding

__all__ = ["ASSOCIATED", "SECTION_TYPES", "check_sections"]

# kind: attribute of an association that names it
ASSOCIATED: Final[Mapping[str, str]] = {
    "biosample": "Biosample",
    "specimen": "Specimen",
    "imageacquisition": "Image acquisition",
    "imageanalysis": "Image analysis",
    "imagecorrelation": "Image correlation",
}
_NEEDED = ("biosample", "specimen", "imageacquisition")
SECTION_TYPES: Final[tuple[str, ...]] = (
    "Annotations", "Associations", "Author", "Biosample", "Experiment", "Funding", "Grant",
    "Image acquisition", "Image analysis", "Image correlation", "Imaging Method", "Organisation",
    "Organism", "Organization", "Protocol", "Publication", "Specimen", "Study", "Study Component",
    "Supplementary Data", "Version",
)  # fmt: skip


def check_sections(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with sections and the references between them."""
    every = list(sections(data))
    beside = [s for s in every if s.parent is not None and s.parent.parent is None]
    for section in every:
        yield from _form(section)
    yield from _accessions(every)
    yield from _types(every)
    yield from _affiliations(every)
    yield from _references(every)
    yield from _titles(beside)
    yield from check_nested(every)
    for section in beside:
        if section.kind == "studycomponent":
            yield from _component(section, beside)
    yield from _dangling(beside)
    yield from _unused(beside)


def _form(section: Section) -> Iterator[Finding]:
    for key in ("attributes", "links", "files", "subsections"):
        place = (*section.location, key)
        value = section.data.get(key)
        if value is not None and not isinstance(value, list):
            message = f"expected a list of {key}; found {value!r:.40}"
            yield finding(place, "PT-form", message, "write [ ] round it")
        for index, item in enumerate(listed(section.data, key)):
            # a table is a list in the list
            named = key != "attributes" or (isinstance(item, Mapping) and item.get("name"))
            if not isinstance(item, Mapping | list) or not named:
                message = f"expected fields of one of the {key}; found {item!r:.40}"
                yield finding((*place, index), "PT-form", message, "see the form of PageTab")


def _referred(every: Sequence[Section]) -> Iterator[tuple[Section, int, str]]:
    for section in every:
        for index, item in attributes(section.data):
            if item.get("reference") and item.get("value"):
                yield section, index, str(item["value"])


def _references(every: Sequence[Section]) -> Iterator[Finding]:
    known = {str(s.data["accno"]) for s in every if s.data.get("accno")}
    for section, index, target in _referred(every):
        name = str(section.data["attributes"][index].get("name", ""))
        if target not in known and not (section.kind == "author" and name == "affiliation"):
            place = (*section.location, "attributes", index)
            message = f"expected the accession of a section; found {target!r}, which is nowhere"
            yield finding(place, "PT-reference", message, "describe it, or take the reference out")


def _accessions(every: Sequence[Section]) -> Iterator[Finding]:
    seen: dict[str, Section] = {}
    used = {target for _, _, target in _referred(every)}
    for section in every:
        name = section.data.get("accno")
        if name and seen.setdefault(str(name), section) is not section:
            message = f"expected each accession once; found {name!r} again"
            # only what is referred to becomes ambiguous
            level: Any = "error" if name in used else "warning"
            place = section.location
            yield finding(place, "PT-accession-duplicate", message, "rename one", severity=level)


def _types(every: Sequence[Section]) -> Iterator[Finding]:
    known = {re.sub(r"[ -]", "", t.lower()): t for t in SECTION_TYPES}
    for section in every:
        if section.parent is None or section.kind in known:
            continue
        close = get_close_matches(section.kind, known, 1, 0.75)
        hint = f"did you mean {known[close[0]]!r}?" if close else "see the types of the archive"
        message = f"expected a type of section; found {section.data.get('type')!r}"
        yield finding(section.location, "PT-section-type", message, hint, severity="warning")


def _same(text: str) -> str:
    return " ".join(text.lower().replace("\u00a0", " ").split())


def _affiliations(every: Sequence[Section]) -> Iterator[Finding]:
    places = [s for s in every if s.kind in ("organisation", "organization")]
    named = {str(s.data["accno"]): s for s in places if s.data.get("accno")}
    nameless = [s for s in places if not s.data.get("accno")]
    by_name = {_same(first_value(s.data, "Name")): name for name, s in named.items()}
    lost = {
        str(item.get("value"))
        for s in every
        if s.kind == "author"
        for _, item in attributes(s.data, "affiliation")
        if item.get("value") not in (None, "", *named)
    }
    for section in every:
        if section.kind != "author":
            continue
        for index, item in attributes(section.data, "affiliation"):
            place = (*section.location, "attributes", index)
            target = str(item.get("value") or "")
            if target in named:
                if not item.get("reference"):
                    message = f"expected a reference to {target!r}; found a plain value"
                    edit = Edit("set", (*place, "reference"), True)
                    yield finding(place, "PT-affiliation", message, "mark it as one", edit)
                continue
            if not target:
                continue
            edits: list[Edit] = []
            parts = [p.strip() for p in re.split(r"[,;]", target)]
            close = [n for n in named if _same(n) == _same(target)]
            if _same(target) in by_name or len(close) == 1:
                accession = by_name.get(_same(target)) or close[0]
                edits = [Edit("set", (*place, "value"), accession)]
                edits += [] if item.get("reference") else [Edit("set", (*place, "reference"), True)]
            elif len(parts) > 1 and all(p in named for p in parts):
                # one reference each
                edits = [Edit("set", (*place, "value"), parts[0])]
                after = (*section.location, "attributes", index + 1)
                edits += [Edit("insert", after, {**item, "value": p}) for p in parts[1:]]
            elif item.get("reference") and len(lost) == len(nameless) == 1:
                edits = [Edit("set", (*nameless[0].location, "accno"), target)]
            message = (
                f"expected the accession of an organisation; found {target!r}, which is nowhere"
            )
            hint = "describe the organisation, with this accession"
            yield finding(place, "PT-affiliation", message, hint, *edits)


def _title(section: Section) -> str:
    return first_value(section.data, "Title")


def _titles(beside: Sequence[Section]) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    associated = any(s.kind == "studycomponent" for s in beside)
    for section in beside:
        if section.kind not in ASSOCIATED:
            continue
        title = _title(section)
        if not title and associated:
            message = f"expected a title of this {ASSOCIATED[section.kind]}; found none"
            hint = "study components refer to it by its title"
            yield finding(section.location, "PT-title-missing", message, hint)
        elif title and (section.kind, _same(title)) in seen:
            message = f"expected each title once; found {title!r} again"
            hint = "associations cannot tell the two apart"
            yield finding(section.location, "PT-title-repeated", message, hint)
        seen.add((section.kind, _same(title)))


def _associations(component: Section) -> Iterator[Section]:
    for child in sections({"section": component.data}):
        if child.kind == "associations":
            yield Section(child.data, (*component.location, *child.location[1:]), component)


def _component(component: Section, beside: Sequence[Section]) -> Iterator[Finding]:
    name = first_value(component.data, "Name", "Title") or str(component.data.get("accno", ""))
    if not first_value(component.data, "File List"):
        message = f"expected a `File List` in {name!r}; found none"
        yield finding(component.location, "PT-file-list", message, "name the list of its files")
    held = list(_associations(component))
    inside = {c.kind for c in sections({"section": component.data}) if c.data.get("attributes")}
    if not held and not inside & set(_NEEDED):
        message = f"expected `Associations` in {name!r}; found none"
        hint = "name its biosample, specimen and image acquisition by their titles"
        edits = _only_choice(component, beside)
        yield finding(component.location, "PT-association-missing", message, hint, *edits)
    for section in held:
        for kind in _NEEDED:
            if not first_value(section.data, ASSOCIATED[kind]):
                message = f"expected {ASSOCIATED[kind]!r} in an association of {name!r}; found none"
                hint = "name it by its title"
                edits = [
                    Edit("insert", (*section.location, "attributes", end), value)
                    for end, value in [_only(section, kind, beside)]
                    if value is not None
                ]
                yield finding(section.location, "PT-association-incomplete", message, hint, *edits)


def _only(
    section: Section, kind: str, beside: Sequence[Section]
) -> tuple[int, dict[str, Any] | None]:
    titles = [_title(s) for s in beside if s.kind == kind]
    end = len(listed(section.data, "attributes"))
    if len(titles) != 1 or not titles[0] or not end:
        return end, None
    return end, {"name": ASSOCIATED[kind], "value": titles[0]}


def _only_choice(component: Section, beside: Sequence[Section]) -> list[Edit]:
    """Return the association where one of each kind is described, and so no other can be meant."""
    values: list[dict[str, str]] = []
    for kind, name in ASSOCIATED.items():
        titles = [_title(s) for s in beside if s.kind == kind]
        if len(titles) == 1 and titles[0]:
            values.append({"name": name, "value": titles[0]})
        elif kind in _NEEDED or titles:
            return []
    section = {"type": "Associations", "attributes": values}
    children = listed(component.data, "subsections")
    if not children:
        return [Edit("set", (*component.location, "subsections"), [section])]
    return [Edit("insert", (*component.location, "subsections", len(children)), section)]


def _dangling(beside: Sequence[Section]) -> Iterator[Finding]:
    named = {kind: [s for s in beside if s.kind == kind and _title(s)] for kind in ASSOCIATED}
    uses: Counter[tuple[str, str]] = Counter()
    places: list[tuple[Section, int, str, str]] = []
    for component in (s for s in beside if s.kind == "studycomponent"):
        for section in _associations(component):
            for kind, name in ASSOCIATED.items():
                for index, item in attributes(section.data, name):
                    target = str(item.get("value") or "")
                    if target:
                        uses[kind, target] += 1
                        places.append((section, index, kind, target))
    joined: set[tuple[str | int, ...]] = set()
    for section, index, kind, target in places:
        titles = [_title(s) for s in named[kind]]
        place = (*section.location, "attributes", index)
        if target in titles or place in joined:
            continue
        free = [s for s in named[kind] if not uses[kind, _title(s)]]
        meant = _meant(target, titles, [_title(s) for s in free])
        edits: list[Edit] = []
        if run := _torn_title(section, index, kind, titles):
            # a title with commas, one value for each of its parts
            meant, parts = run
            edits = [Edit("set", (*place, "value"), meant)]
            edits += [Edit("delete", p) for p in parts]
            joined.update(parts)
        elif meant and _longer(target, meant) and meant in [_title(s) for s in free]:
            # the longer of the two, so that no word is lost
            holder = next(s for s in free if _title(s) == meant)
            where = next(i for i, _ in attributes(holder.data, "Title"))
            edits = [Edit("set", (*holder.location, "attributes", where, "value"), target)]
        if meant and not edits:
            edits = [Edit("set", (*place, "value"), meant)]
        if not edits and (
            untitled := _untitled(beside, kind, {t for _, _, k, t in places if k == kind}, titles)
        ):
            edits = [_with_title(untitled, target)]
        message = f"expected the title of a {ASSOCIATED[kind]}; found {target!r}, which is nowhere"
        hint = f"did you mean {meant!r}?" if meant else f"titles are {titles[:4]}"
        yield finding(place, "PT-association-dangling", message, hint, *edits)


def _untitled(
    beside: Sequence[Section], kind: str, targets: set[str], titles: Sequence[str]
) -> Section | None:
    """Return the only section without a title where only one title is missing."""
    found = [s for s in beside if s.kind == kind and not _title(s)]
    return found[0] if len(found) == len(targets - set(titles)) == 1 else None


def _with_title(section: Section, title: str) -> Edit:
    for index, _ in attributes(section.data, "Title"):
        return Edit("set", (*section.location, "attributes", index, "value"), title)
    item = {"name": "Title", "value": title}
    if not section.data.get("attributes"):
        return Edit("set", (*section.location, "attributes"), [item])
    return Edit("insert", (*section.location, "attributes", 0), item)


def _torn_title(
    section: Section, index: int, kind: str, titles: Sequence[str]
) -> tuple[str, list[tuple[str | int, ...]]] | None:
    """Return the title whose parts begin at *index*, and the places of its further parts."""
    values = [(i, str(a.get("value") or "")) for i, a in attributes(section.data, ASSOCIATED[kind])]
    rest = [(i, text) for i, text in values if i >= index]
    for count in range(2, len(rest) + 1):
        text = _same(", ".join(t for _, t in rest[:count]))
        for title in titles:
            if "," in title and _same(re.sub(r"\s*,\s*", ", ", title)) == text:
                places = [(*section.location, "attributes", i) for i, _ in rest[1:count]]
                return title, places
    return None


def _meant(target: str, titles: Sequence[str], free: Sequence[str]) -> str | None:
    """Return the title that *target* can only mean; None when that cannot be told.

    It is the same but for case and spaces, or the only one that nobody names and that begins
    alike, or the only close one, or the only one at all.
    """
    same = [t for t in titles if _same(t) == _same(target)]
    if len(same) == 1:
        return same[0]
    begins = [t for t in free if _begins(t, target)]
    if len(begins) == 1:
        return begins[0]
    close = [t for t in titles if SequenceMatcher(None, _same(t), _same(target)).ratio() > 0.85]
    if len(close) == 1:
        return close[0]
    # described, named by nobody, and there is no other
    return titles[0] if len(titles) == 1 and free else None


def _longer(one: str, other: str) -> bool:
    return len(_same(one)) > len(_same(other)) and _begins(one, other)


def _begins(one: str, other: str) -> bool:
    short, long = sorted((_same(one), _same(other)), key=len)
    return len(short) >= 4 and long.startswith(short)


def _unused(beside: Sequence[Section]) -> Iterator[Finding]:
    components = [s for s in beside if s.kind == "studycomponent"]
    named = {
        (kind, str(item.get("value") or ""))
        for component in components
        for section in _associations(component)
        for kind, name in ASSOCIATED.items()
        for _, item in attributes(section.data, name)
    }
    for section in beside if components else ():
        if section.kind in ASSOCIATED and (section.kind, _title(section)) not in named:
            message = f"expected an association to name {_title(section)!r}; found none"
            hint = "name it in `Associations` of a study component"
            yield finding(section.location, "PT-unused", message, hint, severity="warning")
