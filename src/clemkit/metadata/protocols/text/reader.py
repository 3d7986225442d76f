"""Text to protocol: segments, clauses, steps, with the place of every value."""
# ruff: noqa: E501  a pattern is read in one piece

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.protocols.reading import ProtocolReading
from clemkit.metadata.protocols.text.actions import describes, find_cues
from clemkit.metadata.protocols.text.classify import classify
from clemkit.metadata.protocols.text.clauses import Clause, split_segment, unknown_name
from clemkit.metadata.protocols.text.columns import (
    Column,
    column_quantities,
    columns_of,
    label_of,
)
from clemkit.metadata.protocols.text.fields import step_fields
from clemkit.metadata.protocols.text.history import Evidence, History
from clemkit.metadata.protocols.text.materials import NamedMaterial, find_named_materials
from clemkit.metadata.protocols.text.quantities import FoundQuantity, find_quantities
from clemkit.metadata.protocols.text.registry import Registry
from clemkit.metadata.protocols.text.segments import Segment, find_segments
from clemkit.metadata.protocols.text.spans import span

__all__ = ["read_prose"]


@dataclass(slots=True)
class Draft:
    """A step in the making: its class and the clauses it was read from."""

    name: str
    clauses: list[Clause]
    materials: list[NamedMaterial] = field(default_factory=list)
    quantities: list[FoundQuantity] = field(default_factory=list)
    rule: str = ""
    confidence: float = 0.9
    label: str = ""
    note: str = ""


_SERIES = frozenset(
    (
        "HighPressureFreezing",
        "PlungeFreezing",
        "Infiltration",
        "Dehydration",
        "FreezeSubstitution",
        "UvPolymerization",
        "CryoFibMilling",
        "CellCulture",
        "OvenCuring",
    )
)
_PROGRAMMES = frozenset(("FreezeSubstitution", "UvPolymerization", "OvenCuring", "Infiltration"))
_APART = frozenset(
    (
        "Storage",
        "Sectioning",
        "SectionCollection",
        "Mounting",
        "Trimming",
        "Dissection",
        "CellCulture",
        "Anaesthesia",
        "UnparsedStep",
    )
)
_SAME = re.compile(
    r"\bsame\s(?:\w+\s){0,2}(?:solution|fixative|buffer|stain|medium|mix\w*|resin|cocktail)", re.I
)
_STRONG = frozenset(("osmium", "uranyl", "lead", "mordant", "immuno", "aldehyde", "section-dye"))
_RESIN = re.compile(
    r"\b(?:resin|embedding\smedium|epoxy\smixture|Harz)\b(?![-\s](?:blocks?|sections?|embedded))",
    re.I,
)
_INTO_COCKTAIL = re.compile(
    r"cocktail|substitution\s(?:medium|mix\w*|solution)|cryo-?vial|\bAFS\d?\b|Leica\sEM\sAFS", re.I
)
_NEGATED = re.compile(
    r"\b(?:no|without|omit(?:ted|ting)?|neither)\b(?=.{0,40}\b(?:stain|fix|osmi|coat|contrast|applied|used|added|performed|needed)\w*)|"
    r"\b(?:was|were|is|are)\s(?:not|never)\b",
    re.I,
)
# what a solution was made of, and why something is done
_ASIDE = re.compile(
    r"\bfrom\s(?:an?|the)\s[^,;)]{0,40}\bstock\b[^,;)]*|\bstock\s(?:solution\s)?in\s[^,;)]*"
    r"|\((?:this\s|to\s|it\s|which\s)?(?:melts?|removes?|dissolves?|stops?|quenche?s?|prevents?|reduces?|keeps?|helps?|avoids?|improves?)\b[^)]*\)",
    re.I,
)
# parts of a text that are no procedure
_NO_PROCEDURE = re.compile(
    r"[\W\d]*(?:materials?|reagents?|solutions?|recipes?|equipment|chemicals|consumables|supplies|"
    r"stocks?|buffers?|troubleshooting|notes?|references?|literature|hints|tips|safety|waste|"
    r"introduction|background|scope|abstract|results?|materialien|lösungen|geräte|literatur|"
    r"hinweise|chemikalien|before\syou\sstart|imaging|image\sacquisition|data\sanalysis|image\sanalysis)"
    r"(?:\s(?:and|&|to|und)\s\w+|\sneeded|\srequired|\slist|\ssolutions|\spreparation)*\W*",
    re.I,
)
# BB = 3% BSA in PBS
_DEFINITION = re.compile(r"\W*(?:\w+:\s)?[A-Z][A-Za-z0-9]{0,7}\s=\s")
_REMARK = re.compile(
    r"\A\W*(?:(?:all|every|each|these|the\s(?:above|following|whole))\s(?:of\sthe\s)?(?:\w+\s)?(?:steps?|washes|incubations?|solutions?|procedures?|protocol|processing)\b|"
    r"if\b[^.;]*:\s*\Z|(?:troubleshooting|note|nb|tip|caution|warning|attention|achtung|hinweis|important|scope|background|materials|reagents|equipment|recipe)\b\s?[:!]|based\son|adapted\sfrom|"
    r"(?:staining|embedding|processing|fixation|protocol)?\s?(?:followed|follows)\s(?:published|the\s\w+\sprotocol|a\s))",
    re.I,
)


def read_prose(
    text: str, *, name: str, source_file: str | None = None, span_source: str | None = None
) -> ProtocolReading:
    """Return the protocol in *text*; see :func:`clemkit.metadata.protocols.text.read_text`."""
    materials = find_named_materials(text)
    quantities = find_quantities(text)
    drafts = _drafts(text, materials, quantities)
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


def _drafts(
    text: str, materials: Sequence[NamedMaterial], quantities: Sequence[FoundQuantity]
) -> list[Draft]:
    history = History()
    drafts: list[Draft] = []
    columns: list[Column] | None = None
    aside = False
    for segment in find_segments(text):
        own_line = segment.kind == "sentence" and _is_own_line(text, segment)
        titled = _NO_PROCEDURE.fullmatch(text[segment.start : segment.end])
        if segment.kind == "heading" or (own_line and titled):
            aside = titled is not None
        inside_m = [m for m in materials if segment.start <= m.start < segment.end]
        inside_q = [q for q in quantities if segment.start <= q.start < segment.end]
        if segment.kind == "row":
            columns = (None if inside_q else columns_of(text, segment)) or columns
            if columns is not None:
                inside_q += column_quantities(text, segment, columns, inside_q)
                inside_q.sort(key=lambda q: q.start)
        elif segment.kind != "layout":
            columns = None
        action, first = "", True
        for clause in split_segment(text, segment, inside_m, inside_q):
            if clause.inherits and not clause.action and _fits(action, clause, inside_m):
                clause = Clause(
                    clause.start, clause.end, action, clause.cues, True, clause.context, segment
                )
            action = clause.action or action
            if aside:
                drafts.append(Draft("UnparsedStep", [clause], rule="no-procedure", confidence=0.8))
                continue
            draft = _draft(text, clause, inside_m, inside_q, history)
            if first:
                draft.label = segment.label or (
                    label_of(text, segment, columns) if columns and segment.kind == "row" else ""
                )
            _append(text, drafts, draft, history, first)
            first = False
    return drafts


def _fits(action: str, clause: Clause, materials: Sequence[NamedMaterial]) -> bool:
    """Whether what *clause* names can be used for the action of the clause before."""
    groups = {m.group for m in materials if clause.start <= m.start < clause.end}
    wanted = _TAKEN_BY.get(action)
    return wanted is None or bool(groups & wanted)


_TAKEN_BY = {
    "fix": {"aldehyde", "osmium"}, "postfix": {"aldehyde", "osmium", "reducer"},
    "wash": {"buffer", "water", "dehydrant", "solvent", "medium"},
    "stain": {"osmium", "uranyl", "lead", "mordant", "section-dye", "dye", "stain", "immuno", "reducer"},
    "dehydrate": {"dehydrant", "transition", "resin"}, "label": {"immuno", "dye", "label"},
    "quench": {"quencher"}, "polymerise": {"resin"}, "freeze": {"cryogen"},
    "section": set(), "collect": set(), "trim": set(), "mount": {"adhesive"}, "store": set(),
    "coat": {"metal"}, "culture": {"medium", "protein"},
}  # fmt: skip


def _draft(
    text: str, clause: Clause, materials: Sequence[NamedMaterial],
    quantities: Sequence[FoundQuantity], history: History,
) -> Draft:  # fmt: skip
    words = text[clause.start : clause.end]
    aside = [
        *clause.context,
        *((clause.start + f.start(), clause.start + f.end()) for f in _ASIDE.finditer(words)),
    ]
    mine = [
        m for m in materials
        if clause.start <= m.start < clause.end and not any(a <= m.start < b for a, b in aside)
    ]  # fmt: skip
    numbers = [
        q for q in quantities
        if clause.start <= q.start < clause.end and not any(a <= q.start < b for a, b in aside)
    ]  # fmt: skip
    draft = Draft("UnparsedStep", [clause], mine, numbers, rule="unparsed", confidence=0.5)
    if clause.segment.kind in ("heading", "layout"):
        draft.rule, draft.materials, draft.quantities, draft.confidence = (
            clause.segment.kind,
            [],
            [],
            0.9,
        )
        return draft
    if (
        words.rstrip().endswith("?")
        or _DEFINITION.match(words)
        or _REMARK.match(words)
        or (_NEGATED.search(words) and not numbers)
    ):
        draft.rule, draft.materials, draft.quantities = "remark", [], []
        return draft
    hottest = max(
        (
            v
            for q in numbers
            if q.kind == "temperature"
            for v in (q.value, q.maximum)
            if v is not None
        ),
        default=None,
    )
    timed = any(q.kind in ("duration", "count") for q in numbers)
    repeated = any(q.kind == "count" for q in numbers)
    diluted = any(q.kind in ("dilution", "ratio") for q in numbers)
    groups = {m.group for m in mine}
    if clause.action == "wash" and groups & _STRONG and not any(c.is_verb for c in clause.cues):
        # gold for 20 min, with washes in between
        clause = Clause(clause.start, clause.end, "", (), False, clause.context, clause.segment)
    if _RESIN.search(words) and clause.action in (
        "apply",
        "incubate",
        "infiltrate",
        "embed",
        "hold",
        "",
    ):
        groups.add("resin")
    found = classify(
        Evidence(
            action=clause.action, groups=frozenset(groups), words=words, history=history,
            hottest=hottest, timed=timed, repeated=repeated, diluted=diluted,
        )
    )  # fmt: skip
    only_nouns = bool(clause.cues) and not any(c.is_verb for c in clause.cues)
    if not numbers and _is_title(text, clause):
        draft.materials = []
        return draft
    if only_nouns and not mine and not numbers:
        numbered = bool(clause.segment.label) and clause.segment.label[0].isdigit()
        title = _is_line(text, clause) and len(words.split()) <= 7 and not numbered
        if title or found == "ChemicalFixation":
            draft.rule = "heading" if title else "unparsed"
            return draft
    bare = not clause.action and not numbers and not _is_line(text, clause)
    if found is None or (bare and clause.start == clause.segment.start):
        if clause.segment.kind == "row" and not numbers:
            draft.rule, draft.materials = "layout", []
        if clause.action in ("image", "prepare"):
            draft.rule, draft.materials, draft.quantities = clause.action, [], []
        return draft
    if (
        found in ("Rinsing", "Incubation", "FluorescentLabelling")
        and not mine
        and (name := unknown_name(words))
    ):
        at = words.index(name) + clause.start
        draft.materials = [NamedMaterial(at, at + len(name), name, name, "unknown", is_known=False)]
    draft.name = found
    draft.rule = clause.action or "materials"
    draft.confidence = 0.9 if clause.action and not clause.inherits else 0.7
    return draft


def _is_own_line(text: str, segment: Segment) -> bool:
    before = text[: segment.start].rpartition("\n")[2].strip()
    return not before and not text[segment.end :].partition("\n")[0].strip()


def _is_title(text: str, clause: Clause) -> bool:
    """Whether a sentence has no verb: *Pre-embedding immunolabelling.*."""
    segment = clause.segment
    words = text[segment.start : segment.end]
    if segment.kind != "sentence" or clause.start != segment.start or not words[0].isupper():
        return False
    if re.search(r"\b(?:was|were|is|are|has|have|took|had)\b|:", words) or _is_line(text, clause):
        return False
    cues = find_cues(text, segment.body, segment.end)
    return not any(c.is_verb and not describes(text, c) for c in cues)


def _is_line(text: str, clause: Clause) -> bool:
    """Whether a clause is an entry of a list: an item, a row or a short line of its own."""
    segment = clause.segment
    if segment.kind in ("item", "row"):
        return True
    line = (
        text[: segment.start].rpartition("\n")[2].strip()
        + text[segment.end :].partition("\n")[0].strip()
    )
    return not line and segment.end - segment.start < 60


def _append(text: str, drafts: list[Draft], draft: Draft, history: History, first: bool) -> None:
    last = next(
        (d for d in reversed(drafts) if d.rule not in ("heading", "layout", "remark")), None
    )
    if last is not None and _continues(text, last, draft, first):
        last.clauses += draft.clauses
        last.materials += draft.materials
        last.quantities += draft.quantities
        return
    drafts.append(draft)
    if draft.name not in ("UnparsedStep",):
        groups = {m.group for m in draft.materials}
        thin = any(
            q.kind == "length"
            and q.unit in ("nm", "um")
            and (q.value or q.maximum or 0) * (1 if q.unit == "nm" else 1000) <= 2000
            for q in draft.quantities
        )
        history.add(draft.name, groups, thin)


def _continues(text: str, last: Draft, draft: Draft, first: bool) -> bool:
    """Whether *draft* goes on with what *last* does."""
    same_sentence = not first
    if (
        same_sentence
        and draft.name == last.name
        and not draft.materials
        and draft.name != "Coating"
    ):
        return True
    groups = {m.group for m in draft.materials}
    clause = draft.clauses[0]
    if draft.name == last.name and draft.name in _SERIES:
        if draft.name == "Dehydration":
            return _solvents(draft) <= _solvents(last) or not _solvents(draft)
        if draft.name == "FreezeSubstitution":
            return (
                not draft.materials
                or not last.materials
                or {m.canonical for m in draft.materials} <= {m.canonical for m in last.materials}
            )
        return True
    if draft.rule == "warm" and draft.name == last.name and not draft.materials:
        return True
    if (
        draft.name == "OvenCuring"
        and last.name == "Infiltration"
        and last.rule == "embed"
        and clause.action == "polymerise"
        and len(last.clauses) == 1
        and not _has_series(last)
    ):
        last.name, last.rule = "OvenCuring", "polymerise"
        return True
    if (
        draft.name == "UvPolymerization"
        and last.name == "Infiltration"
        and last.rule == "embed"
        and len(last.clauses) == 1
        and not _has_series(last)
    ):
        last.name, last.rule = "UvPolymerization", "polymerise"
        return True
    if (
        draft.name == last.name
        and same_sentence
        and not draft.materials
        and draft.rule == last.rule
        and not draft.quantities
    ):
        return True
    words = text[clause.start : clause.end]
    if draft.name == last.name and re.match(r"\W*alternatively\b", words, re.I):
        return True
    if draft.rule in ("warm", "hold") and draft.name == last.name and not groups:
        return True
    if (
        last.name == "FreezeSubstitution"
        and draft.name == "OtherStep"
        and _INTO_COCKTAIL.search(words)
    ):
        return True
    if (
        draft.rule in ("warm", "hold", "incubate")
        and _SAME.search(words)
        and last.name not in _APART
    ):
        return True
    if draft.name not in ("OtherStep", "UnparsedStep") or draft.rule in (
        "image",
        "prepare",
        "remark",
        "handle",
    ):
        return False
    if (last.name in ("UnparsedStep", "OtherStep") and not same_sentence) or groups:
        return False
    if clause.segment.kind == "row" and last.name in _PROGRAMMES and draft.quantities:
        return any(q.kind == "temperature" for q in draft.quantities)
    if same_sentence:
        return draft.rule in (
            "incubate",
            "apply",
            "hold",
            "thaw",
            "warm",
            "unparsed",
            "remove",
            "materials",
        )
    if draft.rule == "hold" and last.name not in _APART:
        return True
    if draft.rule == "unparsed" and draft.quantities and last.name in _SERIES:
        return any(q.kind in ("ratio", "concentration", "ramp") for q in draft.quantities)
    return False


def _has_series(draft: Draft) -> bool:
    return any(q.kind in ("concentration", "ratio", "duration") for q in draft.quantities)


def _solvents(draft: Draft) -> set[str]:
    return {m.canonical for m in draft.materials if m.group in ("dehydrant", "transition")}


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
