"""What two steps are compared by: named fields, each with a value that equals its equals.

60 min and 1 h are the same value, so are two ids that name the same substance. Words of the
source, spans and notes are no fields.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clemkit.metadata.protocols.amounts import interval, kind_of_quantity
from clemkit.metadata.protocols.step_words import quantity_words

__all__ = ["Field", "Names", "names_of", "step_fields"]

_SILENT = frozenset(
    {
        "type", "spans", "verbatim", "name", "description", "notes", "step_label", "safety",
        "process_terms", "follows", "equipment", "is_critical", "is_pause_point",
    }
)  # fmt: skip
_USES = ("materials", "cryogens", "resin_recipe")
_USE = ("from_material", "to_material", "filler", "carrier_coating")
_STAGES = ("ladder", "temperature_program")
_WORDS = {
    "step_ph": "pH",
    "target_thickness": "thickness",
    "temperature_program": "programme",
    "to_material": "solvent",
    "from_material": "replaced",
    "stage_concentration": "concentration",
    "stage_ratio": "ratio",
    "instrument_description": "instrument",
    "unparsed_text": "words",
}
Names = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Field:
    """A value of a step, and how people read it."""

    value: Any
    words: str

    def same(self, other: Field | None) -> bool:
        """Return whether both say the same; numbers to nine digits."""
        return other is not None and _same(self.value, other.value)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)


def names_of(reagents: Mapping[str, Any] | Sequence[Any]) -> dict[str, Mapping[str, Any]]:
    """Return materials by their ids, however they were listed."""
    listed = reagents.values() if isinstance(reagents, Mapping) else reagents
    return {str(r["id"]): r for r in listed if isinstance(r, Mapping) and "id" in r}


def step_fields(step: Mapping[str, Any], names: Names) -> dict[str, Field]:
    """Return the fields of a step.

    Parameters
    ----------
    step : mapping
        A step in long form.
    names : mapping
        Materials by their ids.
    """
    found: dict[str, Field] = {}
    for key, value in step.items():
        once = key == "repeats" and value == 1
        if key not in _SILENT and not once and _is_given(value):
            for name, field in _fields(key, value, names):
                found.setdefault(name, field)
    return found


def _is_given(value: Any) -> bool:
    return value is not None and value is not False and value != [] and value != {}


def _fields(key: str, value: Any, names: Names) -> Iterator[tuple[str, Field]]:
    shown = _WORDS.get(key, key.replace("_", " "))
    if key in _USES:
        for use in value:
            yield from _use(use, names, "")
    elif key in _USE:
        yield shown, _substance(value, names)
    elif key == "resin":
        yield shown, _substance({"material": value}, names)
    elif key in _STAGES:
        stages = [dict(_stage(s, names)) for s in value if isinstance(s, Mapping)]
        heads = [_head(s) for s in stages]
        yield shown, Field(tuple(h.replace("+", ":") for h in heads), ", ".join(heads))
        for number, (head, stage) in enumerate(zip(heads, stages, strict=True)):
            # stages go by what they are, so that one more does not rename the others
            again = heads[:number].count(head)
            called = f"{shown} {head}" + (f" ({again + 1})" if again else "")
            for name, field in stage.items():
                if name not in ("concentration", "ratio"):
                    yield f"{called} {name}", field
    elif key == "parameters":
        for item in value:
            name = str(item.get("parameter_name"))
            yield name, _value(item.get("parameter_quantity") or item.get("parameter_json"))
    elif isinstance(value, Mapping) and "unit" not in value:
        for inner, item in value.items():
            if inner not in _SILENT:
                yield from _fields(inner, item, names)
    elif isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
        for number, item in enumerate(value, 1):
            if isinstance(item, Mapping):
                for inner, part in item.items():
                    if inner not in _SILENT:
                        yield f"{shown} {number} {inner.replace('_', ' ')}", _value(part)
    else:
        yield shown, _value(value)


def _stage(stage: Mapping[str, Any], names: Names) -> Iterator[tuple[str, Field]]:
    for key, value in stage.items():
        if key not in _SILENT and not (key == "repeats" and value == 1) and _is_given(value):
            yield from _fields(key, value, names)


def _head(stage: Mapping[str, Field]) -> str:
    """Return what a stage is called: its concentration, or its temperatures."""
    for key in ("concentration", "ratio"):
        if key in stage:
            return stage[key].words
    ends = [stage[k].words for k in ("start temperature", "end temperature") if k in stage]
    return " to ".join(ends) or "stage"


def _value(value: Any) -> Field:
    if isinstance(value, Mapping) and "unit" in value:
        kind, found = kind_of_quantity(value), interval(value)
        if found is not None:
            return Field((kind, *found), quantity_words(value))
        return Field(quantity_words(value), quantity_words(value))
    if isinstance(value, bool):
        return Field(value, "yes" if value else "no")
    if isinstance(value, int | float):
        return Field(float(value), f"{value:.12g}")
    if isinstance(value, str):
        return Field(" ".join(value.casefold().split()), value)
    return Field(str(value), str(value))


def _substance(use: Mapping[str, Any], names: Names) -> Field:
    key, shown = _identity(use, names)
    return Field(key, shown)


def _identity(use: Mapping[str, Any], names: Names, slot: str = "material") -> tuple[str, str]:
    """Return what makes a material the same, and its name."""
    material = names.get(str(use.get(slot)), {})
    shown = str(material.get("name") or use.get(f"{slot}_name") or use.get(slot) or "")
    term = material.get("substance_term")
    term = term.get("term") if isinstance(term, Mapping) else term
    return str(term or " ".join(shown.casefold().split())), shown


def _use(use: Mapping[str, Any], names: Names, owner: str) -> Iterator[tuple[str, Field]]:
    key, shown = _identity(use, names)
    yield f"{owner}{shown}", Field(key, shown)
    for name in ("concentration", "amount", "parts"):
        if use.get(name) is not None:
            yield f"{name} of {owner}{shown}", _value(use[name])
    if use.get("solvent") or use.get("solvent_name"):
        inner, words = _identity(use, names, "solvent")
        yield f"solvent of {owner}{shown}", Field(inner, words)
    material = names.get(str(use.get("material")), {})
    for part in material.get("components") or ():
        if isinstance(part, Mapping) and part.get("material") != use.get("material"):
            rest = {k: v for k, v in names.items() if k != use.get("material")}
            yield from _use(part, rest, f"{owner}{shown}: ")
