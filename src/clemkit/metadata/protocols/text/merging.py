"""Which clauses go on with the step before: series, programmes, what follows at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from clemkit.metadata.protocols.text.clauses import Clause
from clemkit.metadata.protocols.text.history import History
from clemkit.metadata.protocols.text.materials import NamedMaterial
from clemkit.metadata.protocols.text.quantities import FoundQuantity

__all__ = ["Draft", "append_draft"]

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
        "Perfusion",
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
# Fixation was for 2 h: what was just named
_DETAILS = re.compile(
    r"\W*(?:the\s|this\s)?(?:fixation|incubation|infiltration|dehydration|polymeri[sz]ation|curing|staining|substitution)\s(?:step\s)?(?:was|took|lasted|continued|proceeded)\b(?!\s(?:repeated|followed|then))",
    re.I,
)
_SAME = re.compile(
    r"\bsame\s(?:\w+\s){0,2}(?:solution|fixative|buffer|stain|medium|mix\w*|resin|cocktail)", re.I
)
_THIN = re.compile(
    r"\b(?:ultra|semi)-?\s?thin\b|\bthin\ssections|sections?\s(?:\S+\s){0,4}(?:grids?|wafers?)\b|\w*dünnschnitt",
    re.I,
)
_INTO_COCKTAIL = re.compile(
    r"cocktail|substitution\s(?:medium|mix\w*|solution)|cryo-?vial|\bAFS\d?\b|Leica\sEM\sAFS", re.I
)


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


def append_draft(
    text: str, drafts: list[Draft], draft: Draft, history: History, first: bool
) -> None:
    """Add *draft* to *drafts*, or to the last of them where it goes on with it."""
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
        words = text[draft.clauses[0].start : draft.clauses[-1].end]
        if _THIN.search(words):
            thin = True
            history.sectioned |= draft.name not in ("Dissection", "CellCulture", "PlungeFreezing")
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
    if draft.name == last.name and not draft.materials and _DETAILS.match(words):
        return True
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
        and (draft.name == last.name or not groups - {"buffer"})
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
    if draft.rule == "thaw" and last.name == "Rinsing":
        return False  # rinsed and dried
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
