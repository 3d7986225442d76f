"""Short forms that people write, and the long forms of the model.

``5 nm`` is a Quantity, ``FBbi:00000585`` a term, ``µm`` and ``Å`` are units, a term may be given
by its IRI. Expanding is lossless; what is no known short form stays as it is for the validator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from clemkit.metadata.model_map import contract_iri, model_map

__all__ = [
    "WrittenFloat",
    "WrittenInt",
    "closest",
    "concrete_class",
    "expanded",
    "shortened",
    "unit_named",
]

_NUMBER = r"[-+]?(?:[0-9]+(?:[.][0-9]*)?|[.][0-9]+)(?:[eE][-+]?[0-9]+)?"
_QUANTITY = re.compile(rf"({_NUMBER})\s*(\S.*)")
# the timestamp of YAML, which its writers make of times
_YAML_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2} +[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?"
    r"(Z|[-+][0-9]{2}:[0-9]{2})?"
)
_CURIE = re.compile(r"[A-Za-z_][\w.-]*:[^\s/]\S*")


class WrittenInt(int):
    """An integer that remembers how it was written, for fields that turn out to be text."""

    written: str

    @classmethod
    def read(cls, text: str) -> WrittenInt:
        """Return the number in *text*."""
        value = cls(text)
        value.written = text
        return value


class WrittenFloat(float):
    """A number that remembers how it was written: issue ``1.10`` is not issue ``1.1``."""

    written: str

    @classmethod
    def read(cls, text: str) -> WrittenFloat:
        """Return the number in *text*."""
        value = cls(text)
        value.written = text
        return value


def expanded(data: Any) -> Any:
    """Return *data*, an experiment, with short forms written out."""
    return _expand_object(data, model_map()["root"])


def shortened(data: Any) -> Any:
    """Return *data* with quantities and terms in their short forms where nothing is lost."""
    return _shorten_object(data, model_map()["root"])


def unit_named(text: str) -> str | None:
    """Return the model's name of a unit, also for other spellings; None when it is not known."""
    return _unit_names().get(text)


def closest(text: str, choices: Iterable[str]) -> str | None:
    """Return the choice that *text* probably means; case and punctuation count little."""
    # Nm and NM are nm; SBF-SEM is sbf_sem; AtumSem is AtumSemAcquisition
    plain: dict[str, str] = {}
    for choice in choices:
        plain.setdefault(_letters(choice), choice)
    letters = _letters(text)
    if not letters:
        return None
    # one wrong letter of two is half the word
    close = get_close_matches(letters, plain, 1, 0.5 if len(letters) <= 3 else 0.6)
    if not close and len(letters) > 3:
        close = [p for p in plain if p.startswith(letters)][:1]
    return plain[close[0]] if close else None


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9%]", "", text.lower()) or text


def concrete_class(declared: str, value: Any) -> str | None:
    """Return the class of *value* declared as *declared*; None when it cannot be told."""
    classes = model_map()["classes"]
    entry = classes[declared]
    named = value.get("type") if isinstance(value, Mapping) else None
    if "type" in entry["slots"] and isinstance(named, str):
        return named if named in entry["concrete"] else None
    return None if entry["abstract"] else declared


@cache
def _unit_names() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, entry in model_map()["enums"]["Unit"]["values"].items():
        for spelling in (name, entry.get("ucum", name), *entry.get("aliases", ())):
            found.setdefault(spelling, name)
    # names win over another unit's other spelling
    found |= {name: name for name in model_map()["enums"]["Unit"]["values"]}
    return found


@cache
def _aliases(enum: str) -> dict[str, str]:
    if enum == "Unit":
        return _unit_names()
    values = model_map()["enums"][enum]["values"]
    found = {a: name for name, entry in values.items() for a in entry.get("aliases", ())}
    return found | {name: name for name in values}


def _expand_object(value: Any, declared: str) -> Any:
    if isinstance(value, str):
        value = _expand_text(value, declared)
    if not isinstance(value, Mapping):
        return value
    slots = model_map()["slots"]
    name = concrete_class(declared, value) or declared
    known = model_map()["classes"][name]["slots"]
    return {
        key: _expand_slot(item, slots[key]) if key in known else item
        for key, item in value.items()
        if item is not None or key not in known  # an unknown field is for the validator
    }


def _expand_text(text: str, declared: str) -> Any:
    form = model_map()["classes"][declared]["shorthand"]
    if form == "quantity" and (found := _QUANTITY.fullmatch(text.strip())):
        unit = unit_named(found[2].strip())
        return {"value": float(found[1]), "unit": unit} if unit else text
    if form == "term" and (_CURIE.fullmatch(text) or text.startswith(("http:", "https:"))):
        return {"term": text}
    return text


def _expand_slot(value: Any, slot: Mapping[str, Any]) -> Any:
    if isinstance(value, list) and slot.get("multivalued"):
        return [_expand_item(item, slot) for item in value]
    return _expand_item(value, slot)


def _expand_item(value: Any, slot: Mapping[str, Any]) -> Any:
    if slot["kind"] == "class":
        return _expand_object(value, slot["range"]) if slot["inlined"] else value
    if slot["kind"] == "enum" and isinstance(value, str):
        return _aliases(slot["range"]).get(value, value)
    if slot["range"] == "datetime" and isinstance(value, str) and _YAML_TIME.fullmatch(value):
        return "T".join(value.split(maxsplit=1))
    if slot["range"] == "uriorcurie" and isinstance(value, str):
        return contract_iri(value)
    if slot["range"] == "double" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if slot["range"] == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return getattr(value, "written", str(value))  # an unquoted volume or grant number
    if isinstance(value, WrittenInt):
        return int(value)
    return float(value) if isinstance(value, WrittenFloat) else value


def _shorten_object(value: Any, declared: str) -> Any:
    if not isinstance(value, Mapping):
        return value
    name = concrete_class(declared, value) or declared
    form = model_map()["classes"][name]["shorthand"]
    if form == "quantity" and set(value) == {"value", "unit"}:
        text = f"{value['value']:.15g} {value['unit']}"
        if _expand_text(text, name) == dict(value):
            return text
    if form == "term" and set(value) == {"term"} and _CURIE.fullmatch(str(value["term"])):
        return value["term"]
    slots = model_map()["slots"]
    return {key: _shorten_slot(item, slots.get(key)) for key, item in value.items()}


def _shorten_slot(value: Any, slot: Mapping[str, Any] | None) -> Any:
    if slot is None or slot["kind"] != "class" or not slot["inlined"]:
        return value
    if isinstance(value, list):
        return [_shorten_object(item, slot["range"]) for item in value]
    return _shorten_object(value, slot["range"])
