"""The typed components of a protocols.io step, and what each of them says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clemkit.metadata.protocols.draft_js import draft_entities, draft_text, parsed_draft
from clemkit.metadata.protocols.html_text import html_to_text
from clemkit.metadata.protocols.step_words import quantity_words
from clemkit.metadata.shorthand import unit_named

__all__ = ["Part", "parts_of", "plain_text", "quantity_of"]

# the numbers of older files, and the words of newer ones
_KINDS: Final[Mapping[int, str]] = {
    1: "description", 3: "amount", 4: "duration", 6: "title", 7: "link", 8: "software",
    9: "dataset", 13: "comment", 15: "command", 17: "result", 18: "protocol", 19: "safety",
    20: "reagent", 21: "cases", 22: "goto", 24: "temperature", 25: "concentration", 26: "note",
}  # fmt: skip
_WORDS: Final[Mapping[str, str]] = {
    "reagents": "reagent", "materials": "reagent", "notes": "note", "expected_result": "result",
    "goto_step": "goto", "go_to": "goto", "protocols": "protocol", "sub_protocol": "protocol",
    "safety_information": "safety", "warning": "safety", "section": "title",
}  # fmt: skip
_QUANTITIES: Final = ("amount", "duration", "temperature", "concentration")
_TEXT_KEYS: Final = ("description", "body", "text", "note", "message", "content", "html")


_MARKUP = re.compile(r"<[A-Za-z!/][^>]*>?|&(?:#\w+|\w+);")


@dataclass(frozen=True, slots=True)
class Part:
    """One component: its kind in words, what it holds, and the component word for word."""

    kind: str
    source: Mapping[str, Any]
    whole: Any

    @property
    def text(self) -> str:
        """Words of a component that is nothing but text."""
        if "plain" in self.source:
            return str(self.source["plain"])
        for key in (*_TEXT_KEYS, "title", "name"):
            if words := plain_text(self.source.get(key)):
                return words
        return ""


def parts_of(step: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the components of a step in their order; the rich text of newer files comes first."""
    rich = parsed_draft(step.get("step"))
    if rich is not None:
        yield Part("description", {"plain": draft_text(rich, _entity_words)}, step["step"])
        for kind, data in draft_entities(rich):
            known = _WORDS.get(kind.lower(), kind.lower())
            yield Part(known or "unknown", data, {"type": kind, "data": data})
    elif isinstance(step.get("step"), str) and step["step"].strip():
        yield Part("description", {"text": step["step"]}, step["step"])
    components = step.get("components")
    if isinstance(components, list):
        ordered = sorted(components, key=_order)
        yield from (_part(c) for c in ordered)


def plain_text(value: Any) -> str:
    """Return HTML, Draft.js or plain words as text."""
    draft = parsed_draft(value)
    if draft is not None:
        return draft_text(draft, _entity_words)
    if not isinstance(value, str):
        return ""
    return html_to_text(value) if _MARKUP.search(value) else value.strip()


def quantity_of(part: Part) -> dict[str, Any] | None:
    """Return the quantity of a component; None when it has no number or no known unit."""
    value = part.source.get(part.kind, part.source.get("value"))
    unit = part.source.get("unit", part.source.get("units"))
    if isinstance(value, Mapping):
        unit, value = value.get("unit", unit), value.get("value", value.get(part.kind))
    if isinstance(unit, Mapping):
        unit = unit.get("name")
    try:
        number = float(str(value).replace(",", "."))
    except ValueError:
        return None
    if part.kind == "duration":
        return _time(number, unit)
    named = unit_named(str(unit or "").strip())
    if named is None or number != number or abs(number) == float("inf"):
        return None
    return {"value": number, "unit": named, "verbatim": f"{value} {unit}".strip()}


def _part(component: Any) -> Part:
    if not isinstance(component, Mapping):
        return Part("unknown", {}, component)
    number = component.get("type_id", component.get("type"))
    kind = _KINDS.get(int(number)) if str(number).isdecimal() else None
    if kind is None and isinstance(number, str):
        lower = number.lower()
        known = _WORDS.get(lower, lower)
        kind = known if known in _KINDS.values() else None
    source = component.get("source", component.get("data"))
    if isinstance(source, str):
        source = {"text": source}
    return Part(kind or "unknown", source if isinstance(source, Mapping) else {}, component)


def _order(component: Any) -> int:
    found = component.get("order_id", 0) if isinstance(component, Mapping) else 0
    return int(found) if str(found).isdecimal() else 0


def _time(number: float, unit: Any) -> dict[str, Any] | None:
    """Return a time; without a unit it is in seconds, as protocols.io counts it."""
    named = unit_named(str(unit).strip()) if unit else "s"
    if named is None or not number >= 0 or number == float("inf"):
        return None
    quantity = {"value": number, "unit": named}
    if named == "s":
        for name, seconds in (("h", 3600), ("min", 60)):
            if number and number % seconds == 0:
                quantity = {"value": number / seconds, "unit": name}
                break
    return quantity


def _entity_words(kind: str, data: Mapping[str, Any]) -> str:
    known = _WORDS.get(kind.lower(), kind.lower())
    part = Part(known, data, data)
    if known in _QUANTITIES and (quantity := quantity_of(part)):
        return quantity_words(quantity).replace("−", "-")
    if known in _QUANTITIES:
        shown = (data.get(k) for k in (known, "value", "unit", "units"))
        return " ".join(dict.fromkeys(str(w) for w in shown if isinstance(w, str | int | float)))
    if known == "reagent":
        return str(data.get("name") or data.get("title") or "")
    if known == "link":
        words = [str(data.get(k) or "") for k in ("title", "url", "href", "link")]
        return " ".join(dict.fromkeys(w for w in words if w))
    return "" if known in ("note", "safety", "result", "comment") else _other_words(data)


def _other_words(data: Mapping[str, Any]) -> str:
    """Return the name or title of anything else that stands in a line."""
    found = data.get("name") or data.get("title") or ""
    return found if isinstance(found, str) else json.dumps(found)
