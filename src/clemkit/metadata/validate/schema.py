"""Layer L1: fields, classes, types, ranges, patterns, check digits; driven by the model map."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.model_map import model_map
from clemkit.metadata.shorthand import closest, concrete_class, unit_named
from clemkit.metadata.validate.check_digits import CHECK_DIGITS
from clemkit.metadata.validate.dimensions import DIMENSION_OF_SLOT
from clemkit.metadata.validate.terms import term_named

__all__ = ["check_schema"]

Location = tuple[str | int, ...]
_NUMBER_AND_REST = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?\s*([^0-9\s±~-].*)")
_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+(\s.*)?")


def check_schema(data: Any) -> list[Problem]:
    """Return where *data*, an experiment in long form, does not fit the model."""
    return list(_object(data, model_map()["root"], ()))


def _error(location: Location, rule: str, message: str, hint: str = "") -> Problem:
    return Problem(location, rule, "error", message, hint)


def _meant(text: str, choices: Iterable[str], otherwise: str) -> str:
    close = closest(text, choices)
    return f"did you mean {close!r}?" if close else otherwise


def _elsewhere(key: str, name: str, known: Sequence[str]) -> str:
    """Return where a field that *name* does not have could belong."""
    classes = model_map()["classes"]
    holders = [c for c, e in classes.items() if key in e["slots"] and not e["abstract"]]
    if holders:
        listed = ", ".join(holders[:4]) + (", …" if len(holders) > 4 else "")
        return f"{key} is a field of {listed}"
    return _meant(key, known, f"{name} has {', '.join(known[:8])}, …")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _object(data: Any, declared: str, location: Location) -> Iterator[Problem]:
    classes, slots = model_map()["classes"], model_map()["slots"]
    entry = classes[declared]
    if not isinstance(data, Mapping):
        yield _not_an_object(data, declared, location)
        return
    name = concrete_class(declared, data)
    if name is None:
        yield _no_class(data, declared, location)
        return
    known = classes[name]["slots"]
    for key, value in data.items():
        if key not in known:
            place = (*location, key)
            if value is None and key.isdigit() and entry["shorthand"] == "quantity":
                message = f"expected a number with a decimal point; found a comma before {key}"
                yield _error(place, "L1-decimal-comma", message, "write 1.5 for one and a half")
                continue
            message = f"expected a field of {name}; found {key!r}"
            yield _error(place, "L1-unknown-field", message, _elsewhere(key, name, known))
        elif not slots[key].get("designator"):
            yield from _slot(value, slots[key], (*location, key))
    for key in known:
        if slots[key].get("required") and key not in data:
            message = f"expected {key} in {name}; found none"
            yield _error(location, "L1-missing-field", message, slots[key]["description"])
    if entry["shorthand"] == "quantity":
        yield from _quantity(data, location)


def _not_an_object(data: Any, declared: str, location: Location) -> Problem:
    form = model_map()["classes"][declared]["shorthand"]
    if form == "quantity":
        if isinstance(data, str) and _COMMA.fullmatch(data):
            message = f"expected a number with a decimal point; found {_shown(data)}"
            return _error(location, "L1-decimal-comma", message, "write 1.5 for one and a half")
        message = f"expected a number and a unit, such as `5 nm`; found {_shown(data)}"
        return _error(location, "L1-unit", message, _meant_quantity(data, location))
    if form == "term":
        message = f"expected an identifier such as FBbi:00000585; found {_shown(data)}"
        term = term_named(data) if isinstance(data, str) else None
        hint = f"did you mean {term!r}?" if term else "look the term up in its ontology"
        return _error(location, "L1-type", message, hint)
    message = f"expected fields of {declared}; found {_shown(data)}"
    return _error(location, "L1-type", message, "write `field: value` lines")


def _meant_quantity(data: Any, location: Location) -> str:
    """Return what to do about something that is no quantity."""
    found = _NUMBER_AND_REST.fullmatch(data.strip()) if isinstance(data, str) else None
    if found is None and isinstance(data, str) and data.split():
        unit = unit_named(data.split()[-1])
        if unit:
            example = f"{{minimum: 4, maximum: 5, unit: {unit}}}"
            return f"write one number before {unit}, or {example}, or verbatim: the text"
    written = found[1] if found else ""
    per_pixel = re.sub(r"\s*(/|per )\s*(px|pix|pixel|voxel|slice|plane)s?$", "", written.lower())
    wanted = DIMENSION_OF_SLOT.get(str(location[-1]) if location else "")
    units = model_map()["enums"]["Unit"]["values"]
    fitting = [u for u, entry in units.items() if wanted in (None, entry["dimension"])]
    meant = closest(per_pixel, fitting) or closest(per_pixel, units)
    return f"did you mean {meant!r}?" if meant else "give the unit"


def _no_class(data: Mapping[str, Any], declared: str, location: Location) -> Problem:
    choices = model_map()["classes"][declared]["concrete"]
    given = data.get("type")
    listed = ", ".join(choices[:6]) + (", …" if len(choices) > 6 else "")
    if given is None:
        message = f"expected `type:` with one of {listed}; found none"
        return _error(location, "L1-class", message, "say which kind of thing this is")
    message = f"expected one of {listed}; found {_shown(given)}"
    hint = _meant(str(given), choices, f"choose a class of {declared}")
    return _error((*location, "type"), "L1-class", message, hint)


def _quantity(data: Mapping[str, Any], location: Location) -> Iterator[Problem]:
    numbers = [data.get(k) for k in ("value", "minimum", "maximum")]
    if all(n is None for n in numbers) and "verbatim" not in data:
        message = "expected value, or minimum and maximum; found neither"
        yield _error(location, "L1-missing-field", message)
    low, high = data.get("minimum"), data.get("maximum")
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        message = f"expected minimum below maximum; found {low} and {high}"
        yield _error(location, "L1-range", message, "swap them")


def _slot(value: Any, slot: Mapping[str, Any], location: Location) -> Iterator[Problem]:
    many = bool(slot.get("multivalued"))
    if many != isinstance(value, list):
        wanted, hint = ("a list", "write [value]") if many else ("one value", "choose one")
        yield _error(location, "L1-list", f"expected {wanted}; found {_shown(value)}", hint)
        return
    if not many:
        yield from _item(value, slot, location)
        return
    for index, item in enumerate(value):
        yield from _item(item, slot, (*location, index))
    inlined = slot["kind"] == "class" and slot["inlined"]
    if not inlined and not slot.get("ordered"):
        seen: set[str] = set()
        for index, item in enumerate(value):
            if str(item) in seen:
                message = f"expected each value once; found {_shown(item)} again"
                yield _error((*location, index), "L1-repeated-value", message, "remove one")
            seen.add(str(item))


def _item(value: Any, slot: Mapping[str, Any], location: Location) -> Iterator[Problem]:
    if slot["kind"] == "class" and slot["inlined"]:
        yield from _object(value, slot["range"], location)
    elif slot["kind"] == "class":
        if not isinstance(value, str):
            message = f"expected the id of a {slot['range']}; found {_shown(value)}"
            yield _error(
                location, "L1-type", message, "describe it in its list, and name its id here"
            )
    elif slot["kind"] == "enum":
        yield from _enum(value, slot["range"], location)
    else:
        yield from _scalar(value, slot, location)


def _enum(value: Any, enum: str, location: Location) -> Iterator[Problem]:
    values = list(model_map()["enums"][enum]["values"])
    if value not in values:
        rule = "L1-unit" if enum == "Unit" else "L1-value"
        listed = ", ".join(values[:10]) + (", …" if len(values) > 10 else "")
        message = f"expected one of {listed}; found {_shown(value)}"
        yield _error(location, rule, message, _meant(str(value), values, f"see {enum}"))


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _is_datetime(value: Any) -> bool:
    try:
        return isinstance(value, str) and "T" in value and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "string": (lambda v: isinstance(v, str), "text; put quotes round it"),
    "double": (_is_number, "a number"),
    "integer": (lambda v: isinstance(v, int) and not isinstance(v, bool), "a whole number"),
    "boolean": (lambda v: isinstance(v, bool), "true or false"),
    "date": (_is_date, "a date such as 2026-11-21"),
    "datetime": (_is_datetime, "a time such as 2026-11-21T08:00:00+01:00"),
    "uri": (lambda v: isinstance(v, str) and ":" in v and " " not in v, "an address"),
    "uriorcurie": (lambda v: isinstance(v, str) and ":" in v and " " not in v, "an identifier"),
}


def _scalar(value: Any, slot: Mapping[str, Any], location: Location) -> Iterator[Problem]:
    fits, wanted = _TYPES[slot["range"]]
    if not fits(value):
        comma = isinstance(value, str) and _COMMA.fullmatch(value)
        rule = "L1-decimal-comma" if comma and slot["range"] == "double" else "L1-type"
        hint = "write 1.5 for one and a half" if rule == "L1-decimal-comma" else ""
        if slot["range"] == "integer" and isinstance(value, str | float):
            hint = "write digits only, such as 20000"
        yield _error(location, rule, f"expected {wanted}; found {_shown(value)}", hint)
        return
    low, high = slot.get("minimum"), slot.get("maximum")
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"{low if low is not None else '…'} to {high if high is not None else '…'}"
        yield _error(location, "L1-range", f"expected {bounds}; found {value}")
    pattern = slot.get("pattern")
    if pattern and not re.search(pattern, value):
        hint = slot["description"]
        message = f"expected the form {pattern}; found {_shown(value)}"
        yield _error(location, "L1-pattern", message, hint)
    elif (check := CHECK_DIGITS.get(str(location[-1]))) and (wrong := check(value)):
        yield _error(location, "L1-checksum", wrong, "compare it with its source")
