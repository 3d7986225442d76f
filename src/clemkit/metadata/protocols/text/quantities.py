"""Quantities in prose: numbers with units, ranges, tolerances, lists that share a unit, ratios.

Numbers are found first, each with the unit behind it; what stands between two numbers says whether
they are a range, a list, a ratio, a number of repeats or a tolerance.
"""

from __future__ import annotations

import re

from clemkit.metadata.protocols.text.found_quantity import FoundQuantity
from clemkit.metadata.protocols.text.joined_numbers import join_numbers
from clemkit.metadata.protocols.text.number_tokens import number_tokens
from clemkit.metadata.protocols.text.phrases import find_phrases

__all__ = ["FoundQuantity", "find_quantities"]

_PH = re.compile(
    r"\bpH\s?(?:[=:~]|of|was|value)?\s?(\d{1,2}(?:[.,]\d+)?)(?:\s?(?:-|–|−|to)\s?(\d{1,2}(?:[.,]\d+)?)|\s?±\s?(\d[.,]\d+))?"
)
_HOURS_MINUTES = re.compile(r"(?<![\w.,])(\d{1,2})\s?h\s?([0-5]\d)(?!\s?(?:min\w*|['′%°\d.,]))\b")


def find_quantities(text: str) -> list[FoundQuantity]:
    """Return the quantities of *text*, in order and without overlap."""
    fixed = [*_phs(text), *_phrases(text), *_hours_minutes(text)]
    taken = [(q.start, q.end) for q in fixed]
    tokens = [
        t for t in number_tokens(text) if not any(t.start < e and s < t.end for s, e in taken)
    ]
    found = [*fixed, *join_numbers(text, tokens)]
    return sorted(found, key=lambda q: (q.start, q.end))


def _phs(text: str) -> list[FoundQuantity]:
    found = []
    for match in _PH.finditer(text):
        low, high, slack = (float(g.replace(",", ".")) if g else None for g in match.groups())
        if low is None or low > 14:
            continue
        found.append(
            FoundQuantity(
                start=match.start(), end=match.end(), verbatim=match[0], kind="ph", unit="pH",
                value=low if high is None else None, minimum=low if high else None,
                maximum=high, tolerance=slack, rule="ph",
            )
        )  # fmt: skip
    return found


def _hours_minutes(text: str) -> list[FoundQuantity]:
    """Read 1h30 and 1 h 05."""
    return [
        FoundQuantity(
            start=m.start(), end=m.end(), verbatim=m[0], kind="duration", unit="min",
            value=60.0 * int(m[1]) + int(m[2]), rule="compound-time",
        )
        for m in _HOURS_MINUTES.finditer(text)
    ]  # fmt: skip


def _phrases(text: str) -> list[FoundQuantity]:
    found: list[FoundQuantity] = []
    for phrase in sorted(find_phrases(text), key=lambda p: (p.start, -p.end)):
        if found and phrase.start < found[-1].end:
            continue
        found.append(
            FoundQuantity(
                start=phrase.start, end=phrase.end, verbatim=text[phrase.start : phrase.end],
                kind=phrase.kind, unit=phrase.unit, value=phrase.value, minimum=phrase.minimum,
                maximum=phrase.maximum, interpreted=phrase.interpreted, rule=phrase.rule,
                confidence=phrase.confidence,
            )
        )  # fmt: skip
    return found
