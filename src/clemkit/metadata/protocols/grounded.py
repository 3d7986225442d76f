"""Names of materials in a description that was read, turned into entries with terms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.protocols.grounding import ground, material_entry
from clemkit.metadata.protocols.reading import ProtocolReading

__all__ = ["grounded", "material_of"]

_LISTS = ("materials", "cryogens", "resin_recipe")
_SINGLE = ("filler", "carrier_coating", "from_material", "to_material")


def grounded(reading: ProtocolReading) -> ProtocolReading:
    """Return a reading whose named materials refer to entries, where the lexicon knows them.

    The words of the source stay in ``material_name``; an ambiguous name is a finding, an unknown
    one stays a name.
    """
    data = _copied(reading.data)
    findings: list[Problem] = []
    known: dict[str, str | None] = {}
    for place, use in _uses(data):
        for slot in ("material", "solvent"):
            name = use.get(f"{slot}_name")
            if not name or use.get(slot):
                continue
            if name not in known:
                known[name] = _entry(name, data, place, findings)
            if known[name]:
                use[slot] = known[name]
    return ProtocolReading(data=data, findings=(*reading.findings, *findings))


def material_of(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of *data* for a material, a new one where there is none of that name."""
    meaning = ground(name)
    label = name if meaning.match == "unknown" else meaning.canonical
    entries = data.setdefault("reagents", [])
    for entry in entries:
        if entry.get("name") in (label, name):
            found: dict[str, Any] = entry
            return found
    entry = material_entry(meaning, _new_id(label, data), recipe=False)
    entry.setdefault("name", name)
    entries.append(entry)
    return entry


def _entry(
    name: str, data: dict[str, Any], place: tuple[str | int, ...], findings: list[Problem]
) -> str | None:
    meaning = ground(name)
    if meaning.match == "unknown":
        return None
    if meaning.match == "ambiguous":
        listed = ", ".join(meaning.candidates) or "several things"
        message = f"expected a name with one meaning; found {name!r}, which can be {listed}"
        hint = "name it in full"
        findings.append(Problem(place, "protocol-ambiguous-material", "warning", message, hint))
        if not meaning.term_id:
            return None
    return str(material_of(name, data)["id"])


def _uses(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    for i, protocol in enumerate(data.get("protocols", ())):
        for j, step in enumerate(protocol.get("steps", ())):
            where = ("protocols", i, "steps", j)
            for slot in _LISTS:
                yield from (((*where, slot, k), u) for k, u in enumerate(step.get(slot, ())))
            yield from (((*where, slot), step[slot]) for slot in _SINGLE if slot in step)


def _new_id(words: str, data: Mapping[str, Any]) -> str:
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    base = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-").lower()[:60].strip("-") or "material"
    taken = {data.get("id")} | {
        item["id"]
        for slot in data.values()
        if isinstance(slot, list)
        for item in slot
        if isinstance(item, Mapping) and "id" in item
    }
    made, number = base, 2
    while made in taken:
        made, number = f"{base}-{number}", number + 1
    return made


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value
