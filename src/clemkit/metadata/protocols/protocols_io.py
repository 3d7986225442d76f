"""Protocols exported from protocols.io: older files with typed components, newer with rich text.

The words of all steps become one text, which the reader of prose reads with its context; then the
typed components say what they know: times, temperatures, reagents, safety. What a component says
and the model has no slot for is kept word for word as a parameter ``protocols.io:<kind>``. Written
against the documented shapes: no complete public export was found to test with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clemkit.errors import ArgumentError, Problem
from clemkit.metadata.model_map import model_map
from clemkit.metadata.protocols.protocols_io_parts import Part, parts_of, plain_text, quantity_of
from clemkit.metadata.protocols.reading import ProtocolReading
from clemkit.metadata.protocols.step_words import quantity_words
from clemkit.metadata.protocols.text import read_text

__all__ = ["is_protocols_io", "read_protocols_io"]

PREFIX = "protocols.io:"
_CRITICAL = re.compile(r"\bCRITICAL\b|(?im:^\W*critical(?: step)?\s*[:!])|▲")
_PAUSE = re.compile(r"(?i:\b(?:pause|stopping) point\b|\bsafe stop(?:ping point)?\b)|■")
_READ = {
    "title", "title_html", "description", "warning", "guidelines", "before_start", "authors", "doi",
    "url", "uri", "id", "guid", "version_id", "steps", "materials", "materials_text",
    "manuscript_citation",
}  # fmt: skip
_QUANTITIES = ("duration", "temperature", "concentration", "amount")


@dataclass(slots=True)
class _Card:
    """One step of the file: its parts and its words, with their place in the whole text."""

    number: str
    raw: Mapping[str, Any]
    parts: list[Part]
    text: str
    start: int = 0
    steps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def begin(self) -> int:
        """Where the number before the words begins."""
        return self.start - len(f"{self.number}. ")

    @property
    def main(self) -> dict[str, Any]:
        """The first step of the card that was understood, or its first."""
        understood = (s for s in self.steps if s["type"] != "UnparsedStep")
        return next(understood, self.steps[0])

    def step_at(self, offset: int) -> dict[str, Any]:
        """Return the step that the words at *offset* of the card speak about."""
        begun = [
            s
            for s in self.steps
            if s["type"] != "UnparsedStep" and _begin(s) <= self.start + offset
        ]
        return begun[-1] if begun else self.main


def is_protocols_io(document: Any) -> bool:
    """Return whether parsed JSON looks like a protocol of protocols.io."""
    found = _inner(document)
    steps = found.get("steps") if found else None
    return isinstance(steps, list) and any(
        isinstance(s, Mapping) and ("components" in s or "step" in s or "previous_guid" in s)
        for s in steps
    )


def read_protocols_io(document: Any, *, name: str, source_file: str = "") -> ProtocolReading:
    """Return the description that a file of protocols.io makes.

    Parameters
    ----------
    document : object
        Parsed JSON: the protocol, or what holds it as ``protocol`` or ``payload``.
    name : str
        Name where the file has no title; ids are made of it.
    source_file : str
        File that the document is from.

    Raises
    ------
    ArgumentError
        There are no steps in it.
    """
    protocol = _inner(document)
    if protocol is None or not isinstance(protocol.get("steps"), list):
        raise ArgumentError("protocols.io: expected a JSON object with steps; found none")
    findings: list[Problem] = []
    cards = _cards(_ordered(protocol["steps"], findings))
    text = _whole_text(cards)
    title = plain_text(protocol.get("title")) or plain_text(protocol.get("title_html")) or name
    reading = read_text(text, name=title, source_file=source_file or None)
    data = dict(reading.data)
    read = dict(data["protocols"][0])
    _shared_out(read.get("steps", ()), cards)
    steps: list[dict[str, Any]] = []
    moved: dict[int, int] = {}
    for card in cards:
        if not card.steps and (card.parts or card.raw):
            card.steps = [{"type": "OtherStep"}]
        for step in card.steps:
            if "_was" in step:
                moved[step.pop("_was")] = len(steps)
            step["step_label"] = card.number
            steps.append(step)
    findings += (_moved(f, moved) for f in reading.findings)
    positions = {id(step): i for i, step in enumerate(steps)}
    for card in cards:
        if card.steps:
            findings += _apply(card, data, positions[id(card.main)])
    read["steps"] = steps
    read |= _about(protocol, data, findings)
    data["name"] = read["name"]
    data["protocols"] = [read]
    _list_materials(protocol, data, findings)
    left = sorted(k for k, v in protocol.items() if k not in _READ and v not in (None, "", [], {}))
    if left:
        message = f"not read, since the model has no place for it: {', '.join(left)}"
        findings.append(Problem(("protocols", 0), "protocols-io-left-out", "warning", message))
    return ProtocolReading(data=_pruned(data), findings=tuple(findings))


def _inner(document: Any) -> Mapping[str, Any] | None:
    while isinstance(document, Mapping) and "steps" not in document:
        document = next(
            (document[k] for k in ("protocol", "payload", "item") if k in document), None
        )
    return document if isinstance(document, Mapping) else None


def _ordered(steps: Sequence[Any], findings: list[Problem]) -> list[Mapping[str, Any]]:
    """Return the steps along their links to the previous one; in file order where these break."""
    known = [s for s in steps if isinstance(s, Mapping)]
    place = ("protocols", 0, "steps")
    if len(known) != len(steps):
        message = f"expected objects; found {len(steps) - len(known)} other values"
        findings.append(Problem(place, "protocols-io-step", "warning", message))
    by_guid = {s["guid"]: s for s in known if isinstance(s.get("guid"), str)}
    after: dict[Any, list[Mapping[str, Any]]] = {}
    for step in known:
        before = step.get("previous_guid")
        after.setdefault(before if before in by_guid else None, []).append(step)
    if len(by_guid) != len(known) or not any(s.get("previous_guid") for s in known):
        return known
    if any(len(following) > 1 for following in after.values()):
        message = "expected one step after each; found several, as cases have: they follow in turn"
        hint = "check the order of the steps"
        findings.append(Problem(place, "protocols-io-order", "warning", message, hint))
    chain: list[Mapping[str, Any]] = []
    waiting = list(reversed(after.get(None, [])))
    while waiting:
        step = waiting.pop()
        chain.append(step)
        waiting += reversed(after.get(step["guid"], []))
    if len(chain) != len(known):
        message = "expected a chain of steps; found a ring, so the order of the file was kept"
        findings.append(Problem(place, "protocols-io-order", "warning", message))
        return known
    return chain


def _cards(steps: Sequence[Mapping[str, Any]]) -> list[_Card]:
    cards = []
    for position, raw in enumerate(steps, 1):
        parts = list(parts_of(raw))
        text = "\n".join(w for p in parts if p.kind == "description" and (w := p.text))
        number = str(raw.get("number") or "")
        cards.append(_Card(number if number.isdecimal() else str(position), raw, parts, text))
    return cards


def _whole_text(cards: Sequence[_Card]) -> str:
    """Return the words of all cards as a numbered list, which the reader of prose knows best."""
    whole = ""
    for card in cards:
        if card.text:
            whole += ("\n" if whole else "") + f"{card.number}. "
            card.start = len(whole)
            whole += card.text
    return whole


def _shared_out(steps: Sequence[Mapping[str, Any]], cards: Sequence[_Card]) -> None:
    """Give each step that was read to the card in whose words it begins."""
    worded = [c for c in cards if c.text]
    for i, step in enumerate(steps if worded else ()):
        owner = next((c for c in reversed(worded) if c.begin <= _begin(step)), worded[0])
        owner.steps.append({**step, "_was": i})


def _begin(step: Mapping[str, Any]) -> int:
    return min((s["span_start"] for s in step.get("spans", ()) if "span_start" in s), default=0)


def _moved(problem: Problem, moved: Mapping[int, int]) -> Problem:
    where = problem.location
    if where[:1] == ("protocols",) and len(where) > 3 and where[2] == "steps":
        place = (*where[:3], moved.get(int(where[3]), int(where[3])), *where[4:])
        return Problem(place, problem.rule, problem.severity, problem.message, problem.hint)
    return problem


def _apply(card: _Card, data: dict[str, Any], position: int) -> Iterator[Problem]:
    """Say what the flags and the typed components know."""
    step = card.main
    where = ("protocols", 0, "steps", position)
    if card.raw.get("critical") or card.raw.get("is_critical"):
        step["is_critical"] = True
    if card.raw.get("is_pause_point"):
        step["is_pause_point"] = True
    for found in _CRITICAL.finditer(card.text):
        card.step_at(found.start())["is_critical"] = True
    for found in _PAUSE.finditer(card.text):
        card.step_at(found.start())["is_pause_point"] = True
    titles = [plain_text(card.raw.get("section"))]
    titles += [p.text for p in card.parts if p.kind == "title"]
    if title := next((t for t in titles if t), ""):
        step["name"] = title
    for part in card.parts:
        if part.kind in ("description", "title"):
            continue
        if part.kind in _QUANTITIES:
            yield from _quantity(part, card, where)
        elif part.kind == "reagent" and (label := _name(part.source)):
            _use(step, label, _material(part.source, label, data))
        elif part.kind == "safety" and part.text:
            step["safety"] = _joined(step.get("safety"), part.text)
        elif part.kind in ("note", "comment", "result") and part.text:
            head = "Expected result: " if part.kind == "result" else ""
            step["notes"] = _joined(step.get("notes"), head + part.text)
        else:
            yield _keep(part, step, where)


def _quantity(part: Part, card: _Card, where: tuple[str | int, ...]) -> Iterator[Problem]:
    step, found = card.main, quantity_of(part)
    if found is None:
        yield _keep(part, step, where)
        return
    if part.kind in ("duration", "temperature"):
        said = [s[part.kind] for s in card.steps if part.kind in s]
        said += [
            stage[part.kind]
            for s in card.steps
            for slot in ("ladder", "temperature_program")
            for stage in s.get(slot, ())
            if part.kind in stage
        ]
        if not said:
            step[part.kind] = found
        elif not any(_alike(found, other) for other in said):
            message = (
                f"the component says {quantity_words(found)}, the words of the step say "
                f"{', '.join(quantity_words(s) for s in said)}; the words were taken"
            )
            yield Problem((*where, part.kind), "protocols-io-differs", "warning", message)
            yield _keep(part, step, where)
        return
    uses = [u for s in card.steps for u in s.get("materials", ())]
    if any(_alike(found, u[part.kind]) for u in uses if part.kind in u):
        return
    if len(uses) == 1 and part.kind not in uses[0]:
        uses[0][part.kind] = found
    else:
        yield _keep(part, step, where)


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    units = model_map()["enums"]["Unit"]["values"]
    first, second = units[one["unit"]], units[other["unit"]]
    if first["dimension"] != second["dimension"]:
        return False
    low, high = (other.get(k, other.get("value")) for k in ("minimum", "maximum"))
    value = one["value"] * first["factor"] + first.get("offset", 0)
    ends = [x * second["factor"] + second.get("offset", 0) for x in (low, high) if x is not None]
    slack = 1e-9 * max(abs(value), 1)
    return bool(ends) and min(ends) - slack <= value <= max(ends) + slack


def _keep(part: Part, step: dict[str, Any], where: tuple[str | int, ...]) -> Problem:
    content = {
        "parameter_name": f"{PREFIX}{part.kind}",
        "parameter_json": json.dumps(part.whole, sort_keys=True),
    }
    step.setdefault("parameters", []).append(content)
    known = "of a kind that is not known" if part.kind == "unknown" else f"“{part.kind}”"
    message = f"a component {known} has no place in the model"
    hint = "kept word for word in the parameters"
    return Problem((*where, "parameters"), "protocols-io-kept", "warning", message, hint)


def _name(source: Mapping[str, Any]) -> str:
    return plain_text(source.get("name") or source.get("title"))


def _use(step: dict[str, Any], label: str, material: Mapping[str, Any]) -> None:
    uses = step.setdefault("materials", [])
    names = {u.get("material") for u in uses}
    if material["id"] not in names:
        uses.append({"material": material["id"], "material_name": label})


def _material(source: Mapping[str, Any], label: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of a material, a new one where there is none of that name."""
    from clemkit.metadata.protocols.grounded import material_of

    entry = material_of(label, data)
    vendor = source.get("vendor")
    more = {
        "vendor": plain_text(vendor.get("name") if isinstance(vendor, Mapping) else vendor),
        "catalogue_number": str(source.get("sku") or source.get("catalog_number") or ""),
        "cas_number": str(source.get("cas_number") or source.get("cas") or ""),
        "formula": plain_text(source.get("linfor") or source.get("linear_formula")),
        "rrid": str(source.get("rrid") or ""),
    }
    slots = model_map()["classes"][entry["type"]]["slots"]
    for slot, value in more.items():
        pattern = model_map()["slots"][slot].get("pattern")
        fits = value and slot in slots and (not pattern or re.search(pattern, value))
        if fits and slot not in entry:
            entry[slot] = value
    return entry


def _list_materials(
    protocol: Mapping[str, Any], data: dict[str, Any], findings: list[Problem]
) -> None:
    listed = protocol.get("materials")
    for item in listed if isinstance(listed, list) else ():
        label = _name(item) if isinstance(item, Mapping) else plain_text(item)
        if label:
            _material(item if isinstance(item, Mapping) else {}, label, data)
    words = plain_text(protocol.get("materials_text"))
    if words:
        read = data["protocols"][0]
        read["notes"] = _joined(read.get("notes"), f"Materials: {words}")


def _about(
    protocol: Mapping[str, Any], data: dict[str, Any], findings: list[Problem]
) -> dict[str, Any]:
    about: dict[str, Any] = {}
    for key, slot in (("description", "description"), ("warning", "safety")):
        if words := plain_text(protocol.get(key)):
            about[slot] = words
    for key, head in (("before_start", "Before start: "), ("guidelines", "Guidelines: ")):
        if words := plain_text(protocol.get(key)):
            about["notes"] = _joined(about.get("notes"), head + words)
    if words := plain_text(protocol.get("manuscript_citation")):
        about["references"] = [words]
    doi = re.search(r"10[.][0-9]{4,9}/[^\s\"<>]+", str(protocol.get("doi") or ""))
    if doi:
        about["doi"] = doi[0]
    identity = protocol.get("uri") or protocol.get("id") or protocol.get("guid")
    if identity:
        named = {"identifier_scheme": "protocols.io", "identifier_value": str(identity)}
        about["identifiers"] = [named]
    if str(protocol.get("url") or "").startswith(("http:", "https:")):
        about["web_pages"] = [str(protocol["url"])]
    if protocol.get("version_id") not in (None, ""):
        about["protocol_version"] = str(protocol["version_id"])
    people = list(_people(protocol.get("authors"), findings))
    if people:
        data["agents"] = [*data.get("agents", ()), *people]
        about["authors"] = [p["id"] for p in people]
    return about


def _people(authors: Any, findings: list[Problem]) -> Iterator[dict[str, Any]]:
    for number, author in enumerate(authors if isinstance(authors, list) else (), 1):
        name = _name(author) if isinstance(author, Mapping) else plain_text(author)
        given, _, family = name.strip().rpartition(" ")
        if not family:
            continue
        person = {"id": f"author-{number}", "type": "Person", "name": name, "family_name": family}
        if given:
            person["given_name"] = given
        orcid = str(author.get("orcid") or "") if isinstance(author, Mapping) else ""
        if found := re.search(r"[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]", orcid):
            person["orcid"] = found[0]
        message = f"one name {name!r} was split: {family!r} is the surname"
        findings.append(
            Problem(("agents", number - 1), "protocols-io-name", "warning", message, "check it")
        )
        yield person


def _joined(before: Any, words: str) -> str:
    return f"{before}\n{words}" if before else words


def _pruned(data: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in data.items() if v != []}
