"""Text to drafts of steps: each clause with its class, its materials and its numbers."""

# ruff: noqa: E501  a pattern is read in one piece

from __future__ import annotations

import re
from collections.abc import Sequence

from clemkit.metadata.protocols.text.classify import classify
from clemkit.metadata.protocols.text.clauses import Clause, split_segment, unknown_name
from clemkit.metadata.protocols.text.columns import (
    Column,
    column_quantities,
    columns_of,
    label_of,
)
from clemkit.metadata.protocols.text.history import Evidence, History
from clemkit.metadata.protocols.text.materials import NamedMaterial
from clemkit.metadata.protocols.text.merging import Draft, append_draft
from clemkit.metadata.protocols.text.quantities import FoundQuantity
from clemkit.metadata.protocols.text.remarks import (
    asides_in,
    is_line,
    is_no_procedure,
    is_own_line,
    is_remark,
    is_title,
)
from clemkit.metadata.protocols.text.segments import find_segments

__all__ = ["drafts_of"]

# what may stand beside an action without being one of its own
_PASSING = frozenset(("thaw", "hold", "remove", "warm"))
_STRONG = frozenset(("osmium", "uranyl", "lead", "mordant", "immuno", "aldehyde", "section-dye"))
_RESIN = re.compile(
    r"\b(?:resin|embedding\smedium|epoxy\smixture|Harz)\b(?![-\s](?:blocks?|sections?|embedded))",
    re.I,
)


def drafts_of(
    text: str, materials: Sequence[NamedMaterial], quantities: Sequence[FoundQuantity]
) -> list[Draft]:
    """Return the steps of *text* in the making, in order; together they hold all of it."""
    history = History()
    drafts: list[Draft] = []
    columns: list[Column] | None = None
    aside = False
    for segment in find_segments(text):
        own_line = segment.kind == "sentence" and is_own_line(text, segment)
        titled = is_no_procedure(text[segment.start : segment.end])
        if segment.kind == "heading" or (own_line and titled):
            aside = titled
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
            if clause.inherits and _says_little(clause) and _fits(action, clause, inside_m):
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
            append_draft(text, drafts, draft, history, first)
            first = False
    return drafts


def _says_little(clause: Clause) -> bool:
    """Whether a clause that inherits its action has no word of its own for one, or a late weak one."""
    late = bool(clause.cues) and clause.cues[0].start - clause.start > 15
    return clause.action == "" or (late and clause.action in _PASSING)


def _fits(action: str, clause: Clause, materials: Sequence[NamedMaterial]) -> bool:
    """Whether what *clause* names can be used for the action of the clause before."""
    groups = {m.group for m in materials if clause.start <= m.start < clause.end}
    wanted = _TAKEN_BY.get(action)
    if action == "dehydrate" and "resin" in groups:
        return False
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
    aside = asides_in(clause, words)
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
    if is_remark(words, has_numbers=bool(numbers)):
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
    if not numbers and is_title(text, clause):
        draft.materials = []
        return draft
    if only_nouns and not mine and not numbers:
        numbered = bool(clause.segment.label) and clause.segment.label[0].isdigit()
        title = is_line(text, clause) and len(words.split()) <= 7 and not numbered
        if title or found == "ChemicalFixation":
            draft.rule = "heading" if title else "unparsed"
            return draft
    bare = not clause.action and not numbers and not is_line(text, clause)
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
