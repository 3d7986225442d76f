"""Text to protocol: drafts to steps of the model, with the place of every value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.protocols.reading import ProtocolReading
from clemkit.metadata.protocols.text.clauses import Clause
from clemkit.metadata.protocols.text.drafts import drafts_of
from clemkit.metadata.protocols.text.fields import step_fields
from clemkit.metadata.protocols.text.materials import find_named_materials
from clemkit.metadata.protocols.text.merging import Draft
from clemkit.metadata.protocols.text.quantities import find_quantities
from clemkit.metadata.protocols.text.registry import Registry
from clemkit.metadata.protocols.text.spans import span

__all__ = ["read_prose"]


def read_prose(
    text: str, *, name: str, source_file: str | None = None, span_source: str | None = None
) -> ProtocolReading:
    """Return the protocol in *text*; see :func:`clemkit.metadata.protocols.text.read_text`."""
    materials = find_named_materials(text)
    quantities = find_quantities(text)
    drafts = drafts_of(text, materials, quantities)
    registry = Registry(name)
    findings: list[Problem] = []
    steps = [_step(text, d, i, registry, findings, span_source) for i, d in enumerate(drafts)]
    protocol: dict[str, Any] = {"id": registry.own_id, "name": name, "steps": steps}
    if source_file is not None:
        protocol["source_file"] = source_file
    protocol["source_text"] = text
    data = {
        "id": registry.experiment_id,
        "name": name,
        "protocols": [protocol],
        **registry.entries(),
    }
    return ProtocolReading(data=data, findings=(*findings, *registry.findings()))


def _step(
    text: str, draft: Draft, index: int, registry: Registry, findings: list[Problem],
    span_source: str | None,
) -> dict[str, Any]:  # fmt: skip
    step: dict[str, Any] = {"type": draft.name}
    if draft.label:
        step["step_label"] = draft.label
    place = ("protocols", 0, "steps", index)
    whole = [
        span(text, c.start, c.end, draft.rule, draft.confidence, source=span_source)
        for c in _joined(text, draft.clauses)
    ]
    if draft.name == "UnparsedStep":
        step["unparsed_text"] = "\n".join(s["verbatim"] for s in whole)
        step["spans"] = whole
        if draft.rule == "unparsed":
            message = f"expected a treatment; found {whole[0]['verbatim'][:60]!r}"
            findings.append(
                Problem(place, "protocol-unparsed", "warning", message, "kept word for word")
            )
        return step
    step |= step_fields(
        text,
        draft.name,
        draft.clauses,
        draft.materials,
        draft.quantities,
        registry,
        place,
        span_source,
    )
    step["spans"] = [*whole, *step.pop("spans", [])]
    return step


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int


def _joined(text: str, clauses: Sequence[Clause]) -> list[_Piece]:
    """Return the places of *clauses*; neighbours with nothing but white space between are one."""
    pieces: list[_Piece] = []
    for clause in sorted(clauses, key=lambda c: c.start):
        if pieces and not text[pieces[-1].end : clause.start].strip():
            pieces[-1] = _Piece(pieces[-1].start, clause.end)
        else:
            pieces.append(_Piece(clause.start, clause.end))
    return pieces
