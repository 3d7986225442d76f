"""A deposition document against EMPIAR's rules: stricter than the official schema, which runs too.

The official schema takes much that EMPIAR cannot use: text around a coded value (it anchors only
one end of each alternative), counts below zero, folders outside ``data``, keys that it does not
know, ORCID iDs with a wrong check digit, entries without the reference that their type demands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from clemkit.deposition.empiar.check_consistency import consistency
from clemkit.deposition.empiar.check_values import check_value
from clemkit.deposition.empiar.description import Location
from clemkit.deposition.empiar.fields import (
    AUTHOR,
    CITATION,
    CONTACT,
    IMAGE_SET,
    MISNAMED,
    TOP,
    Field,
)
from clemkit.deposition.empiar.schema_check import schema_problems
from clemkit.errors import Problem

__all__ = ["check_document"]

_REFERENCE = {"name": Field("text")}  # that it is there is a rule on references
_WORKFLOW = {"url": Field("text", required=True), "type": Field("integer", required=True)}
_WORKFLOW_FILE = {"path": Field("text", longest=200)}
_OBJECTS: Mapping[str, Mapping[str, Field]] = {
    "cross_references": _REFERENCE,
    "biostudies_references": _REFERENCE,
    "idr_references": _REFERENCE,
    "empiar_references": _REFERENCE,
    "workflows": _WORKFLOW,
    "workflow_file": _WORKFLOW_FILE,
    "authors": AUTHOR,
    "editors": AUTHOR,
    "corresponding_author": CONTACT,
    "principal_investigator": CONTACT,
    "imagesets": IMAGE_SET,
    "citation": CITATION,
}
# the schema gives null as the default of two of these, and rejects it
_NEVER_NULL = ("scale", "town_or_city", "post_or_zip")
# control, zero-width and direction marks; line ends are allowed inside a text
_HIDDEN = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff]"
    r"|^\s|\s$"
)
_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "text": ((str,), "text in quotes"),
    "integer": ((int,), "a whole number without quotes"),
    "number": ((int, float), "a number without quotes"),
    "boolean": ((bool,), "true or false"),
    "list": ((list,), "a list, [ … ]"),
    "object": ((Mapping,), "an object, { … }"),
}


def check_document(document: Any) -> list[Problem]:
    """Return what is wrong with a deposition document, in its order.

    Parameters
    ----------
    document : object
        The content of the JSON file.

    Returns
    -------
    list of Problem
        Locations are paths into the document.

    Raises
    ------
    MissingExtraError
        ``jsonschema`` is not installed.
    """
    if not isinstance(document, Mapping):
        message = f"expected an object {{ … }} at the top; found {type(document).__name__}"
        return [Problem((), "empiar-type", "error", message, "see EMPIAR's deposition manual")]
    found = [*_object(document, TOP, ()), *consistency(document)]
    wrong = [p.location for p in found if p.severity == "error"]
    return found + [
        problem
        for problem in schema_problems(document)
        if not any(_inside(problem.location, known) for known in wrong)
    ]


def _inside(place: Location, other: Location) -> bool:
    shorter = min(len(place), len(other))
    return place[:shorter] == other[:shorter] and len(other) >= len(place)


def _object(entry: Any, fields: Mapping[str, Field], place: Location) -> Iterator[Problem]:
    for key in entry:
        if key not in fields:
            yield _unknown(key, entry, fields, place)
    for key, field in fields.items():
        where = (*place, key)
        if key not in entry:
            if field.required:
                message = f"expected {key}, which EMPIAR requires; found none"
                yield Problem(where, "empiar-missing-field", "error", message, "add it")
            continue
        yield from _field(entry[key], key, field, where)


def _unknown(
    key: str, entry: Mapping[str, Any], fields: Mapping[str, Field], place: Location
) -> Problem:
    wanted = MISNAMED.get(key.lower().replace("-", "_").replace(" ", "_"))
    if wanted not in fields:
        close = get_close_matches(key, [f for f in fields if f not in entry], 1, 0.6)
        close = close or get_close_matches(key, list(fields), 1, 0.6)
        wanted = close[0] if close else None
    message = f"expected a key that EMPIAR knows; found {key!r}, which EMPIAR would not see"
    hint = f"did you mean {wanted!r}?" if wanted else "remove it"
    return Problem((*place, key), "empiar-unknown-key", "error", message, hint)


def _field(value: Any, key: str, field: Field, place: Location) -> Iterator[Problem]:
    if value is None:
        if field.required:
            message = f"expected {key}, which EMPIAR requires; found null"
            yield Problem(place, "empiar-missing-field", "error", message, "fill it in")
        elif key in _NEVER_NULL or field.kind in ("list", "object"):
            message = f"expected {_KINDS[field.kind][1]}; found null"
            yield Problem(place, "empiar-type", "error", message, "leave the key out instead")
        return
    types, words = _KINDS[field.kind]
    content: Any = value  # its type is known from here on, to the table and not to mypy
    if not isinstance(value, types) or (isinstance(value, bool) and field.kind != "boolean"):
        message = f"expected {words}; found {_shown(value)}"
        yield Problem(place, "empiar-type", "error", message, "correct the type")
    elif field.kind == "list":
        yield from _list(content, key, field, place)
    elif field.kind == "object":
        yield from _object(value, _OBJECTS[key], place)
    elif field.kind == "text":
        yield from _text(content, key, field, place)
    elif field.kind in ("integer", "number"):
        yield from _number(content, field, place)
        yield from check_value(key, value, place)


def _list(value: list[Any], key: str, field: Field, place: Location) -> Iterator[Problem]:
    if len(value) < field.items:
        message = f"expected at least {field.items} item; found none"
        yield Problem(place, "empiar-missing-field", "error", message, "fill the list")
    for index, item in enumerate(value):
        where = (*place, index)
        if isinstance(item, Mapping):
            yield from _object(item, _OBJECTS[key], where)
        else:
            message = f"expected an object, {{ … }}; found {_shown(item)}"
            yield Problem(where, "empiar-type", "error", message, "correct the type")


def _text(value: str, key: str, field: Field, place: Location) -> Iterator[Problem]:
    if not value.strip():
        told = "expected a text" if field.required else "expected a text or null"
        yield Problem(
            place,
            "empiar-empty",
            "error",
            f"{told}; found an empty one",
            "fill it in" if field.required else "write null",
        )
        return
    if found := _HIDDEN.search(value):
        shown = f"U+{ord(found[0][0]):04X}" if found[0].strip() else "a space at an end"
        message = f"expected visible characters; found {shown} in {_shown(value)}"
        yield Problem(place, "empiar-hidden-character", "warning", message, "remove it")
    low, high = field.shortest, field.longest
    if len(value) < low or (high is not None and len(value) > high):
        bounds = f"{low} to {high}" if low > 1 else f"at most {high}"
        message = f"expected {bounds} characters; found {len(value)}"
        hint = "write more" if len(value) < low else "shorten it"
        yield Problem(place, "empiar-length", "error", message, hint)
        return
    yield from check_value(key, value, place)


def _number(value: float, field: Field, place: Location) -> Iterator[Problem]:
    finite = value == value and abs(value) != float("inf")
    low = field.lowest
    if finite and (low is None or value > low or (value == low and not field.above)):
        return
    bounds = (
        "a finite number"
        if low is None
        else f"{'more than' if field.above else 'at least'} {low:g}"
    )
    message = f"expected {bounds}; found {value}"
    yield Problem(place, "empiar-range", "error", message, "correct the number, or write null")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
