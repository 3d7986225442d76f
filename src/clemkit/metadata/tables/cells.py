"""One value in one cell, and back.

Writing is lossless: what a plain cell would change (outer spaces, control characters, a text that
looks like a list) is written as JSON. Reading is tolerant, and says what it changed.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from clemkit.metadata.model_map import contract_iri, model_map
from clemkit.metadata.shorthand import unit_named
from clemkit.metadata.tables.table import Cell

__all__ = ["Report", "cell_from_value", "clean", "value_from_cell"]

Report = Callable[[str, str, str], None]  # rule, message, hint: a repair that was made
_SPACE = " \t\n\r\u00a0"
# what XML cannot hold, and Excel's own escape
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]|_x[0-9A-Fa-f]{4}_"
)
_INTEGER = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?")
_COMMA = re.compile(r"([-+]?[0-9]+),([0-9]+)")
_QUANTITY = re.compile(rf"({_COMMA.pattern}|{_NUMBER.pattern})\s*(\D.*)?", re.DOTALL)
_TRUE = {"true", "yes", "y", "1", "wahr", "ja", "vrai", "oui", "x"}
_FALSE = {"false", "no", "n", "0", "falsch", "nein", "faux", "non"}


def clean(text: str) -> str:
    """Return *text* without outer spaces, also unbreakable ones."""
    return text.strip(_SPACE)


def cell_from_value(value: Any, slot: Mapping[str, Any]) -> Cell:
    """Return the cell of *value*; None when one cell cannot hold it.

    Parameters
    ----------
    value : plain data
        Value of the slot in long form; not None.
    slot : mapping
        Entry of the slot in the model map.
    """
    if slot.get("multivalued") and isinstance(value, list):
        return _list_cell(value, slot)
    if slot["kind"] == "class" and slot["inlined"]:
        return _object_cell(value, slot)
    if isinstance(value, str):
        return _text_cell(value)
    if isinstance(value, float):
        return _number_cell(value)
    return str(value) if type(value) is int and abs(value) > 2**53 else value


def _text_cell(text: str) -> str:
    plain = text and text == clean(text) and text[0] not in '"[{' and not _UNSAFE.search(text)
    return text if plain else json.dumps(text).replace("_x", "\\u005fx")


def _number_cell(value: float) -> Cell:
    kept = float(f"{value:.16g}") == value  # what a workbook keeps of a number
    usual = 1e-300 < abs(value) < 1e300 or (value == 0 and math.copysign(1, value) > 0)
    return value if kept and usual else repr(value)


def _short_number(value: float) -> str:
    short = f"{value:.15g}"
    return short if float(short) == value and not (value == 0 and short != "0") else repr(value)


def _object_cell(value: Any, slot: Mapping[str, Any]) -> Cell:
    form = model_map()["classes"][slot["range"]]["shorthand"]
    if value == {}:
        return "{}"
    if form == "quantity" and set(value) == {"value", "unit"} and isinstance(value["value"], float):
        return f"{_short_number(value['value'])} {value['unit']}"
    if form == "term" and set(value) <= {"term", "term_label"}:
        return _term_text(value) if "term_label" not in value else None
    return None


def _term_text(value: Mapping[str, Any]) -> str | None:
    """Return ``term label``; None when that cannot be read back."""
    term, label = value["term"], value.get("term_label")
    text = f"{term} {label}" if label is not None else str(term)
    return text if _term(text) == value and _text_cell(text) == text else None


def _list_cell(value: list[Any], slot: Mapping[str, Any]) -> str | None:
    if slot["kind"] == "class" and slot["inlined"]:
        terms = model_map()["classes"][slot["range"]]["shorthand"] == "term"
        known = terms and all(set(item) <= {"term", "term_label"} for item in value)
        parts = [_term_text(item) for item in value] if known else [None]
        texts = [p for p in parts if p is not None and ";" not in p]
        return "; ".join(texts) if value and len(texts) == len(value) else None
    items = [repr(v) if isinstance(v, float) else str(v) for v in value]
    plain = all(_text_cell(i) == i and not set(i) & set(";,\n") for i in items)
    return "; ".join(items) if plain and items else json.dumps(value).replace("_x", "\\u005fx")


def value_from_cell(cell: Cell, slot: Mapping[str, Any], unit: str | None, report: Report) -> Any:
    """Return the value of a cell in long form; what cannot be read stays as it is.

    Parameters
    ----------
    cell : Cell
        Content, not None.
    slot : mapping
        Entry of the slot in the model map.
    unit : str or None
        Unit of a number without one, from the header.
    report : callable
        Is told of every change that is more than a space.
    """
    if isinstance(cell, str):
        cell = clean(cell)
    if slot.get("multivalued"):
        return _list(cell, slot, unit, report)
    return _one(_unquoted(cell), slot, unit, report)


def _unquoted(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell[:1] == '"' == cell[-1:]:
        try:
            return str(json.loads(cell))
        except json.JSONDecodeError:
            return cell
    return cell


def _list(cell: Cell, slot: Mapping[str, Any], unit: str | None, report: Report) -> Any:
    if isinstance(cell, str) and cell.startswith("["):
        try:
            found = json.loads(cell)
        except json.JSONDecodeError:
            found = None
        if isinstance(found, list):
            return found
    if not isinstance(cell, str):
        return [_one(cell, slot, unit, report)]
    simple = slot["kind"] == "enum" or slot["range"] == "integer" or not slot.get("inlined", True)
    parts = re.split(r"[;,\n]" if simple else r"[;\n]", cell)
    items = [_unquoted(clean(p)) for p in parts if clean(p)]
    return [_one(item, slot, unit, report) for item in items]


def _one(cell: Cell, slot: Mapping[str, Any], unit: str | None, report: Report) -> Any:
    if slot["kind"] == "enum":
        return _enum(cell, slot["range"])
    if slot["kind"] == "class":
        if not slot["inlined"]:
            return _text(cell, report)
        form = model_map()["classes"][slot["range"]]["shorthand"]
        if cell == "{}":
            return {}
        if form == "quantity":
            return _quantity(cell, unit, report)
        return _term(cell) if form == "term" and isinstance(cell, str) else cell
    return _literal(cell, str(slot["range"]), report)


def _literal(cell: Cell, kind: str, report: Report) -> Any:
    if kind == "double":
        return _number(cell, report)
    if kind == "integer":
        return _integer(cell, report)
    if kind == "boolean":
        word = str(cell).lower()
        return True if word in _TRUE else False if word in _FALSE else cell
    if kind == "date" and isinstance(cell, date):
        return (cell.date() if isinstance(cell, datetime) else cell).isoformat()
    if kind == "datetime" and isinstance(cell, date):
        message = f"expected a time with its zone; found {cell}"
        report("L0-cell", message, "a cell of a spreadsheet has no zone: write text, such as "
               "2026-01-31T09:00:00+01:00")  # fmt: skip
        return cell.isoformat()
    if kind == "uriorcurie" and isinstance(cell, str):
        return contract_iri(cell)
    return _text(cell, report)


def _text(cell: Cell, report: Report) -> Any:
    if isinstance(cell, date):
        message = f"expected text; found the date {cell}"
        report("L0-cell", message, "did the spreadsheet change it? write it as text")
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return cell if isinstance(cell, str) else str(cell)


def _point(text: str, report: Report) -> str:
    """Return *text* with a decimal point for a decimal comma."""
    found = _COMMA.fullmatch(text)
    if not found or len(found[2]) == 3:  # 1,234 may be one thousand
        return text
    new = f"{found[1]}.{found[2]}"
    report("L0-decimal-comma", f"expected a decimal point; found {text!r}", f"read as {new}")
    return new


def _number(cell: Cell, report: Report) -> Any:
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        return cell
    if isinstance(cell, str):
        text = _point(cell, report)
        return float(text) if _NUMBER.fullmatch(text) else cell
    return float(cell)


def _integer(cell: Cell, report: Report) -> Any:
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    if isinstance(cell, str) and _INTEGER.fullmatch(cell):
        return int(cell)
    return cell


def _quantity(cell: Cell, unit: str | None, report: Report) -> Any:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return {"value": float(cell), "unit": unit} if unit else str(cell)
    if not isinstance(cell, str) or not (found := _QUANTITY.fullmatch(cell)):
        return cell
    number = _number(found[1], report)
    own = unit_named(clean(found[6] or "")) if found[6] else unit
    if own is None or not isinstance(number, float):
        return cell
    return {"value": number, "unit": own}


def _term(text: Any) -> Any:
    term, _, label = str(text).partition(" ")
    if ":" not in term:
        return text
    found = {"term": contract_iri(term)}
    return found | {"term_label": clean(label)} if clean(label) else found


def _enum(cell: Cell, enum: str) -> Any:
    if isinstance(cell, bool) or not isinstance(cell, str):
        return str(cell)
    if enum == "Unit":
        return unit_named(cell) or cell
    values = model_map()["enums"][enum]["values"]
    if cell in values:
        return cell
    found = [
        name
        for name, entry in values.items()
        if _letters(cell) in {_letters(x) for x in (name, *entry.get("aliases", ()))}
    ]
    return found[0] if len(found) == 1 else cell


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", text.lower())
