"""What no step holds: kept as an `UnparsedStep` where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clemkit.metadata.protocols.text.segments import trimmed
from clemkit.metadata.protocols.text.spans import span

__all__ = ["extents", "fill_gaps"]


def extents(step: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """Yield the offsets of the words of a step: its spans that are of no field."""
    for entry in step.get("spans", ()):
        if isinstance(entry, Mapping) and not entry.get("span_field"):
            yield int(entry.get("span_start", 0)), int(entry.get("span_end", 0))


def fill_gaps(protocol: dict[str, Any], text: str, rule: str, confidence: float) -> list[int]:
    """Add to the steps of *protocol* what they leave out of *text*; return where it was put."""
    steps = list(protocol.get("steps", ()))
    covered = sorted(place for step in steps for place in extents(step))
    added: list[dict[str, Any]] = []
    at = 0
    for start, end in [*covered, (len(text), len(text))]:
        if start > at and text[at:start].strip():
            first, last = trimmed(text, at, start)
            entry = span(text, first, last, rule, confidence)
            step = {"type": "UnparsedStep", "unparsed_text": text[first:last], "spans": [entry]}
            before = [i for i, s in enumerate(steps) if min(extents(s))[0] < first]
            steps.insert(max(before) + 1 if before else 0, step)
            added.append(step)
        at = max(at, end)
    protocol["steps"] = steps
    return [i for i, step in enumerate(steps) if any(step is a for a in added)]
