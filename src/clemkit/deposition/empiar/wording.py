"""Quantities, lists and sentences in the words of the generated text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["described_by", "joined", "plain_words", "quantity_text", "sentence"]

_UNITS: Final = {
    "um": "µm", "us": "µs", "uA": "µA", "uM": "µM", "degC": "°C", "angstrom": "Å", "percent": "%",
    "deg": "°",
}  # fmt: skip


def quantity_text(quantity: object) -> str:
    """Return a quantity for people, such as ``8 nm`` or ``20 to 25 °C``; empty for none."""
    if not isinstance(quantity, Mapping):
        return ""
    unit = _UNITS.get(str(quantity.get("unit")), str(quantity.get("unit") or "").replace("_", " "))
    numbers = [quantity.get(k) for k in ("value", "minimum", "maximum")]
    value, low, high = (f"{n:.6g}" if isinstance(n, int | float) else "" for n in numbers)
    text = value or (f"{low} to {high}" if low and high else "")
    return f"{text} {unit}".strip() if text else str(quantity.get("verbatim") or "")


def plain_words(name: object) -> str:
    """Return a value of a list of the model in words."""
    return str(name or "").replace("_", " ")


def joined(words: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def sentence(text: object) -> str:
    """Return *text* on one line with a full stop; empty for nothing."""
    words = " ".join(str(text or "").split())
    if not words:
        return ""
    first = words[0].upper() + words[1:]
    return first if first[-1] in ".!?" else f"{first}."


def described_by(pairs: Mapping[str, Any]) -> str:
    """Return the values that are given with their names, as one list."""
    given = ((name, value) for name, value in pairs.items() if value)
    return ", ".join(f"{name} {value}" for name, value in given)
