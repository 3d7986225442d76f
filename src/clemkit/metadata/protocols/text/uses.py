"""What a step uses: each material once, with its concentration, amount or ratio."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from clemkit.metadata.protocols.text.materials import NamedMaterial
from clemkit.metadata.protocols.text.quantities import FoundQuantity
from clemkit.metadata.protocols.text.registry import Registry
from clemkit.metadata.protocols.text.spans import span

__all__ = ["material_uses"]

# what may stand between a concentration and the material it belongs to
_AHEAD = re.compile(
    r"\s*(?:\|\s*)?(?:\(?(?:w/v|v/v|w/w|wt/vol|final|each|vol|EM[-\s]grade|aq\.?|wäss\w*)\)?\s*)?(?:of\s+)?(?:(?![+/&]|in\b|with\b|and\b|plus\b|at\b|for\b|to\b|from\b|or\b|by\b)[^\s,;()]+\s+){0,5}\(?\s*\Z",
    re.I,
)
_BEHIND = re.compile(
    r"\s*(?:solution\s*|resin\s*)?(?:\([^()]{0,60}\)\s*)?[(,:=|]?\s*(?:\([^()]*[;,]\s*|at\s+|to\s+|of\s+|final\s+(?:concentration\s+)?)?(?:(?:diluted|used|a\sdilution\sof)\s)?(?:[^()\d]{0,40}[;,]\s)?\Z",
    re.I,
)
_AMOUNT_AHEAD = re.compile(r"\s*(?:of\s+)?(?:(?!in\b|and\b|for\b)\w+\s+){0,3}\Z", re.I)
_CONCENTRATION = ("concentration", "dilution", "ratio")


def material_uses(
    text: str, materials: Sequence[NamedMaterial], quantities: Sequence[FoundQuantity],
    registry: Registry, place: tuple[str | int, ...], source: str | None, *, ladder: bool,
) -> tuple[list[dict[str, Any]], set[FoundQuantity]]:  # fmt: skip
    """Return the uses of *materials* in the model's plain form, and the quantities they took.

    Parameters
    ----------
    text : str
        The whole text.
    materials, quantities : sequences
        What was found in the step.
    registry : Registry
        Where the materials get their ids.
    place : tuple
        Path of the step, for findings.
    source : str or None
        Name of the text.
    ladder : bool
        Whether concentrations of solvents and resins and ratios are stages of a ladder.
    """
    owner = _owners(text, materials, quantities, ladder=ladder)
    uses: dict[str, dict[str, Any]] = {}
    taken: set[FoundQuantity] = set()
    for index, named in enumerate(materials):
        use = uses.get(named.canonical)
        if use is None:
            use = uses[named.canonical] = _use(text, named, registry, place, source)
        else:
            use["spans"].append(span(text, named.start, named.end, "lexicon", 0.9, source=source))
        for quantity in quantities:
            if owner.get(quantity) == index and _attach(text, use, quantity, source):
                taken.add(quantity)
    return list(uses.values()), taken


def _use(
    text: str, named: NamedMaterial, registry: Registry, place: tuple[str | int, ...],
    source: str | None,
) -> dict[str, Any]:  # fmt: skip
    use: dict[str, Any] = {}
    known = registry.material(named)
    if known is None:
        registry.unknown(named.verbatim, place)
        use["material_name"] = named.canonical if named.group == "immuno" else named.verbatim
    else:
        use["material"] = known
        use["material_name"] = named.verbatim
    carried = named.rule == "carry-over"
    rule, confidence = (
        ("carry-over", 0.7) if carried else ("lexicon", 0.6 if named.is_ambiguous else 0.95)
    )
    use["verbatim"] = named.verbatim
    use["spans"] = [
        span(
            text,
            named.start,
            named.end,
            rule,
            confidence,
            interpreted=carried or named.is_ambiguous,
            source=source,
        )
    ]
    return use


def _attach(text: str, use: dict[str, Any], quantity: FoundQuantity, source: str | None) -> bool:
    field = {
        "concentration": "concentration",
        "ratio": "stage_ratio",
        "dilution": "stage_ratio",
    }.get(quantity.kind, "amount")
    if field in use:
        return False
    use[field] = ratio_words(quantity.verbatim) if field == "stage_ratio" else quantity.plain()
    use["spans"].append(
        span(text, quantity.start, quantity.end, quantity.rule, quantity.confidence, field=field,
             interpreted=quantity.interpreted, source=source)
    )  # fmt: skip
    return True


def ratio_words(words: str) -> str:
    """Return a ratio with colons: ``1+1`` and ``1/1`` are ``1:1``."""
    return re.sub(r"\s*[:+/∶]\s*", ":", words)


def _owners(
    text: str,
    materials: Sequence[NamedMaterial],
    quantities: Sequence[FoundQuantity],
    *,
    ladder: bool,
) -> dict[FoundQuantity, int]:
    """Return for each quantity the material that it belongs to, as an index."""
    owner: dict[FoundQuantity, int] = {}
    ahead: dict[int, FoundQuantity] = {}
    rungs = {"dehydrant", "transition", "resin", "solvent"} if ladder else set()
    for quantity in quantities:
        if quantity.kind not in (*_CONCENTRATION, "volume", "mass", "amount"):
            continue
        if ladder and quantity.kind == "ratio":
            continue
        if quantity.rule == "column" and quantity.kind == "concentration":
            solutes = [i for i, m in enumerate(materials) if m.group not in ("buffer", "water")]
            if not ladder and solutes and solutes[0] not in ahead:
                owner[quantity] = solutes[0]
                ahead[solutes[0]] = quantity
            continue
        found = _next_material(text, materials, quantities, quantity)
        if found is not None and materials[found].group not in rungs and found not in ahead:
            owner[quantity] = found
            ahead[found] = quantity
            continue
        if found is not None and materials[found].group in rungs:
            continue
        before = _last_material(text, materials, quantities, quantity)
        if before is not None and before not in ahead and materials[before].group not in rungs:
            owner[quantity] = before
            ahead[before] = quantity
    return owner


def _next_material(
    text: str, materials: Sequence[NamedMaterial], quantities: Sequence[FoundQuantity],
    quantity: FoundQuantity,
) -> int | None:  # fmt: skip
    pattern = _AHEAD if quantity.kind in _CONCENTRATION else _AMOUNT_AHEAD
    for index, named in enumerate(materials):
        if named.start <= quantity.start < named.end:
            return index
        if named.start < quantity.end:
            continue
        if re.match(r"[-–]buffered\b", text[named.end : named.end + 12]):
            continue
        gap = text[quantity.end : named.start]
        between = any(quantity.end <= q.start < named.start for q in quantities)
        if quantity.kind in ("ratio", "dilution") and not re.fullmatch(r"\s*(?:\w+\s){0,3}", gap):
            return None
        return index if len(gap) < 70 and not between and pattern.fullmatch(gap) else None
    return None


def _last_material(
    text: str, materials: Sequence[NamedMaterial], quantities: Sequence[FoundQuantity],
    quantity: FoundQuantity,
) -> int | None:  # fmt: skip
    for index in range(len(materials) - 1, -1, -1):
        named = materials[index]
        if named.end > quantity.start:
            continue
        gap = text[named.end : quantity.start]
        between = any(named.end <= q.start < quantity.start for q in quantities)
        return index if len(gap) < 70 and not between and _BEHIND.fullmatch(gap) else None
    return None
