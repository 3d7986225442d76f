"""A protocol as Markdown: what it is, reagents, a table of steps, safety."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from clemkit.metadata.protocols.step_table import (
    StepRow,
    chosen_protocols,
    reagent_rows,
    step_rows,
)

__all__ = ["to_markdown"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


def to_markdown(data: Mapping[str, Any], protocol_id: str | None = None) -> str:
    """Return protocols of a description as Markdown.

    Parameters
    ----------
    data : mapping
        A description in long form.
    protocol_id : str, optional
        The protocol to show; all of them by default.

    Returns
    -------
    str
        Also with the words that were not understood, marked as such.

    Raises
    ------
    ArgumentError
        If there is no such protocol.
    """
    chosen = chosen_protocols(data, protocol_id)
    return "\n".join(line for p in chosen for line in _protocol(p, data)).rstrip() + "\n"


def _protocol(protocol: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"# {_escaped(str(protocol.get('name') or protocol.get('id')))}", "")
    about = [
        ("Version", protocol.get("protocol_version")),
        ("For", protocol.get("target_material")),
        ("DOI", protocol.get("doi")),
        ("Source", protocol.get("source_file")),
    ]
    if any(value for _, value in about):
        yield from (f"- {word}: {_escaped(str(value))}" for word, value in about if value)
        yield ""
    if protocol.get("description"):
        yield from (_escaped(str(protocol["description"])), "")
    if reagents := list(reagent_rows(protocol, data)):
        yield from ("## Reagents and solutions", "")
        yield from _table(
            ["Name", "Made of", "Identity", "Source", "Hazards"],
            ([r.name, r.made_of, ", ".join(r.identity), r.source, r.hazards] for r in reagents),
        )
        yield ""
    rows = list(step_rows(protocol, data))
    yield from ("## Steps", "")
    yield from _table(
        ["No.", "Step", "Materials", "Time", "Temperature", "Repeats", "Details and notes"],
        (_cells(row) for row in rows),
    )
    yield ""
    safety = [
        str(protocol.get("safety") or ""),
        *(f"Step {r.number}: {s}" for r in rows for s in r.safety),
    ]
    if any(safety):
        yield from ("## Safety", "")
        yield from (f"- {_escaped(s)}" for s in safety if s)
        yield ""
    if references := list(protocol.get("references") or ()):
        yield from ("## References", "")
        yield from (f"- {_escaped(str(r))}" for r in references)
        yield ""


def _cells(row: StepRow) -> list[str]:
    number = f"{row.number} ({row.label})" if row.label else row.number
    if row.unparsed:
        return [number, "not understood", "", "", "", "", f"“{row.unparsed}”"]
    title = row.title + (f" ({', '.join(row.flags)})" if row.flags else "")
    notes = "; ".join((*row.details, *row.notes))
    return [number, title, "; ".join(row.materials), row.time, row.heat, row.repeats, notes]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a table without the columns that are empty in every row."""
    body = [[_escaped(cell) for cell in row] for row in rows]
    kept = [i for i in range(len(head)) if i < 2 or any(row[i] for row in body)]
    for line in ([head[i] for i in kept], ["---"] * len(kept)):
        yield f"| {' | '.join(line)} |"
    for row in body:
        yield f"| {' | '.join(row[i] for i in kept)} |"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", re.sub(r"\s*\n\s*", " ", text.strip()))
