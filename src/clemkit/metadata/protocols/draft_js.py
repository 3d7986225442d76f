"""Rich text as Draft.js keeps it: blocks of text, and entities that stand in ranges of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["draft_entities", "draft_text", "parsed_draft"]

Entity = tuple[str, Mapping[str, Any]]


def parsed_draft(value: Any) -> Mapping[str, Any] | None:
    """Return *value* as a Draft.js document, also from its JSON text; None when it is none."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if isinstance(value, Mapping) and isinstance(value.get("blocks"), list):
        return value
    return None


def draft_text(draft: Mapping[str, Any], words: Callable[[str, Mapping[str, Any]], str]) -> str:
    """Return the text, with the words of an entity where its range holds nothing but blanks.

    Parameters
    ----------
    draft : mapping
        A Draft.js document.
    words : callable
        Gives the words of an entity of a type with its data.
    """
    numbers: dict[int, int] = {}
    lines = []
    for block in _blocks(draft):
        depth = int(block.get("depth") or 0)
        kind = block.get("type")
        bullet = ""
        if kind == "ordered-list-item":
            numbers[depth] = numbers.get(depth, 0) + 1
            bullet = f"{numbers[depth]}. "
        else:
            numbers.clear()
            bullet = "- " if kind == "unordered-list-item" else ""
        lines.append("  " * depth + bullet + _line(block, draft, words))
    return "\n".join(line.rstrip() for line in lines if line.strip()).strip()


def draft_entities(draft: Mapping[str, Any]) -> Iterator[Entity]:
    """Yield type and data of the entities, in the order of the text, then those outside it."""
    held = draft.get("entityMap") or {}
    seen: dict[str, None] = {}
    for block in _blocks(draft):
        for span in sorted(block.get("entityRanges") or (), key=lambda r: int(r.get("offset", 0))):
            seen.setdefault(str(span.get("key")))
    keys = [str(k) for k in (held if isinstance(held, Mapping) else range(len(held)))]
    for key in (*seen, *(k for k in keys if k not in seen)):
        if (entity := _entity(draft, key)) is not None:
            yield entity


def _blocks(draft: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (b for b in draft["blocks"] if isinstance(b, Mapping))


def _entity(draft: Mapping[str, Any], key: str) -> Entity | None:
    held = draft.get("entityMap") or {}
    if isinstance(held, list):
        found = held[int(key)] if key.isdecimal() and int(key) < len(held) else None
    else:
        found = held.get(key)
    if not isinstance(found, Mapping):
        return None
    data = found.get("data")
    return str(found.get("type", "")), data if isinstance(data, Mapping) else {"value": data}


def _line(
    block: Mapping[str, Any],
    draft: Mapping[str, Any],
    words: Callable[[str, Mapping[str, Any]], str],
) -> str:
    # offsets count UTF-16 units, as JavaScript does
    units = str(block.get("text") or "").encode("utf-16-le")
    parts, at = [], 0
    for span in sorted(block.get("entityRanges") or (), key=lambda r: int(r.get("offset", 0))):
        start, length = int(span.get("offset", 0)) * 2, int(span.get("length", 0)) * 2
        entity = _entity(draft, str(span.get("key")))
        covered = units[start : start + length].decode("utf-16-le", "replace")
        if entity is None or covered.strip() or start < at:
            continue
        parts += [units[at:start].decode("utf-16-le", "replace"), f" {words(*entity)} "]
        at = start + length
    parts.append(units[at:].decode("utf-16-le", "replace"))
    return " ".join("".join(parts).split())
