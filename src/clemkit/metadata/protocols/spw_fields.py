"""How one field of the widget's form is read and written: numbers, quantities, words, rows.

Each codec turns a JSON value into a value of the model and back. What cannot be read is `UNREAD`;
what cannot be written comes back as words for the notes, never as a changed number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from clemkit.metadata.model_map import model_map
from clemkit.metadata.protocols.step_words import material_words, source_words

__all__ = [
    "UNREAD",
    "Codec",
    "Count",
    "FixedQuantity",
    "Flag",
    "MaterialName",
    "Number",
    "NumberWord",
    "QuantityObject",
    "Text",
    "Written",
    "as_json_number",
    "sayable",
]

UNREAD: Final = object()
_NUMBER = re.compile(r"\s*[-+]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][-+]?[0-9]+)?\s*")
# what neither XML nor every RDF syntax can hold
_UNSAYABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def sayable(value: Any) -> bool:
    """Return whether *value* is a text that has something in it and fits into every syntax."""
    return isinstance(value, str) and value != "" and not _UNSAYABLE.search(value)


@dataclass(frozen=True, slots=True)
class Written:
    """What a codec wrote.

    Attributes
    ----------
    value : object
        JSON value, or `UNREAD` for none.
    lost : str
        Words that the field cannot hold; they belong in the notes.
    converted : str
        How the value was changed to fit, such as ``30 s as 0.5 Min``.
    """

    value: Any = UNREAD
    lost: str = ""
    converted: str = ""


class Codec(Protocol):
    """Reads and writes the value of one field."""

    def read(self, value: Any) -> Any:
        """Return the model's value, or `UNREAD`."""

    def write(self, value: Any) -> Written:
        """Return the form's value of a model's value."""


def as_json_number(value: float) -> int | float:
    """Return a whole number without its point, as the form writes it."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _number(value: Any) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value.replace(",", "."))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    def read(self, value: Any) -> Any:
        """Return the words; a number becomes its digits."""
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = json.dumps(value)
        return value if sayable(value) else UNREAD

    def write(self, value: Any) -> Written:
        """Return the words."""
        return Written(str(value))


@dataclass(frozen=True, slots=True)
class MaterialName:
    """The name of a material, where the model has a whole use of it."""

    def read(self, value: Any) -> Any:
        """Return a use with nothing but its name."""
        words = Text().read(value)
        return UNREAD if words is UNREAD else {"material_name": words}

    def write(self, value: Any) -> Written:
        """Return the name; concentration, amount and solvent do not fit."""
        name = str(value.get("material_name", ""))
        words = material_words(value)
        return Written(name or UNREAD, lost="" if words == name else words)


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    def read(self, value: Any) -> Any:
        """Return the truth value."""
        return value if isinstance(value, bool) else UNREAD

    def write(self, value: Any) -> Written:
        """Return the truth value."""
        return Written(bool(value))


@dataclass(frozen=True, slots=True)
class Number:
    """A number between two limits; *step* is the finest that the form takes."""

    low: float
    high: float
    step: float

    def read(self, value: Any) -> Any:
        """Return the number."""
        found = _number(value)
        return found if found is not None and self.low <= found <= self.high else UNREAD

    def write(self, value: Any) -> Written:
        """Return the number, and say so when it is finer than the form takes."""
        steps = value / self.step
        fits = abs(steps - round(steps)) < 1e-6
        return Written(as_json_number(float(value))) if fits else Written(lost=f"{value:.12g}")


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number from 1."""

    def read(self, value: Any) -> Any:
        """Return the count."""
        found = _number(value)
        whole = found is not None and found.is_integer() and 1 <= found < 2**53
        return int(found) if found is not None and whole else UNREAD

    def write(self, value: Any) -> Written:
        """Return the count."""
        return Written(int(value))


@dataclass(frozen=True, slots=True)
class NumberWord:
    """A number in the form, a word in the model: blot force, ramp and speed as instruments say."""

    def read(self, value: Any) -> Any:
        """Return the digits."""
        found = _number(value)
        return UNREAD if found is None else json.dumps(as_json_number(found))

    def write(self, value: Any) -> Written:
        """Return the number."""
        found = _number(value)
        return Written(lost=str(value)) if found is None else Written(as_json_number(found))


@dataclass(frozen=True, slots=True)
class FixedQuantity:
    """A bare number whose unit the form's title says; *assumed* where not even the title does."""

    unit: str
    assumed: bool = False

    def read(self, value: Any) -> Any:
        """Return a quantity."""
        found = _number(value)
        if found is None:
            return UNREAD
        quantity = {"value": found, "unit": self.unit}
        return quantity | ({"is_interpretation": True} if self.assumed else {})

    def write(self, value: Any) -> Written:
        """Return the number in the form's unit."""
        return _written_number(value, {self.unit: ""}, lambda number, _: number)


@dataclass(frozen=True, slots=True)
class QuantityObject:
    """A number and its unit under two keys.

    Attributes
    ----------
    numbers : tuple of str
        Keys of the number; the first is the form's, the others are older.
    unit : str
        Key of the unit.
    units : mapping of str to str
        Unit of the model to unit of the form.
    as_text : bool
        The form holds the number as text.
    """

    numbers: tuple[str, ...]
    unit: str
    units: Mapping[str, str]
    as_text: bool = False

    def read(self, value: Any) -> Any:
        """Return a quantity; a number without a unit, or the reverse, is not one."""
        if not isinstance(value, Mapping):
            return UNREAD
        key = next((k for k in self.numbers if k in value), None)
        found = _number(value.get(key)) if key else None
        spelt = value.get(self.unit)
        known = next((name for name, word in self.units.items() if word == spelt), None)
        if found is None or known is None:
            return UNREAD
        quantity = {"value": found, "unit": known}
        # the form offers NA where a number has no unit: a ratio, or parts
        return quantity | ({"is_interpretation": True} if spelt == "NA" else {})

    def write(self, value: Any) -> Written:
        """Return the two keys."""
        return _written_number(value, self.units, self._object)

    def _object(self, number: int | float, word: str) -> dict[str, Any]:
        shown = json.dumps(number) if self.as_text else number
        return {self.numbers[0]: shown, self.unit: word}


# same number, other name: not a conversion
_EQUAL = {"g_per_L": "mg_per_mL", "degC_per_h": "K_per_h", "degC_per_min": "K_per_min"}


def _written_number(quantity: Mapping[str, Any], units: Mapping[str, str], shape: Any) -> Written:
    words = source_words(quantity)
    value, unit = quantity.get("value"), str(quantity.get("unit"))
    if value is None:
        return Written(lost=words)
    tolerance = f"{words} (the tolerance)" if quantity.get("uncertainty") else ""
    unit = unit if unit in units else _EQUAL.get(unit, unit)
    if unit in units:
        return Written(shape(as_json_number(float(value)), units[unit]), lost=tolerance)
    entries = model_map()["enums"]["Unit"]["values"]
    dimension = entries.get(unit, {}).get("dimension")
    ratios = {
        name: float(entries[unit]["factor"]) / float(entries[name]["factor"])
        for name in units
        if dimension and entries[name]["dimension"] == dimension and "offset" not in entries[name]
    }
    if ratios:
        # by order of magnitude; the first of the form's units where two are alike
        nearest = min(ratios, key=lambda name: round(abs(math.log10(ratios[name]))))
        number = as_json_number(float(f"{value * ratios[nearest]:.12g}"))
        said = f"{words} as {number} {units[nearest]}".strip()
        return Written(shape(number, units[nearest]), lost=tolerance, converted=said)
    if unit == "percent_vv" and "percent" in units:  # the form has no % by volume
        return Written(shape(as_json_number(float(value)), "%"), lost=words)
    return Written(lost=words)
