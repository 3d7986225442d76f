"""Which sheets there are and which columns they have; driven by the model map.

A list of things is a sheet of its own, whose rows name what they belong to in ``parent``; a thing
inside another is a group of columns with a dot; quantities, terms and lists of words are one cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from clemkit.metadata.model_map import model_map, profile, profile_names

__all__ = [
    "EXPERIMENT",
    "LONG_TEXTS",
    "column_slot",
    "columns_of",
    "home_of",
    "needed_by",
    "people_sheets",
    "root_sheets",
    "sheet_class",
    "suggested_columns",
]

EXPERIMENT: Final = "experiment"
LONG_TEXTS: Final = "long_texts"
# sheets below others that people fill in; the rest appear when a description has them
_BELOW: Final = {
    "study": ("contributions", "funding", "publications", "related_entries"),
    "biological_samples": (
        "organisms", "intrinsic_variables", "extrinsic_variables", "experimental_variables",
    ),
    "specimens": ("labels", "fiducials"),
    "reagents": ("components",),
    "protocols": ("steps", "materials", "ladder", "temperature_program"),
    "protocol_executions": ("step_executions", "deviations"),
    "acquisitions": ("light_channels", "detectors"),
    "images": ("channels",),
    "correlations": ("transforms", "landmark_pairs", "correlation_errors"),
    "analysis_results": ("parameters", "identifiers", "missing_values"),
}  # fmt: skip
_RARE: Final = {"spans", "missing_values", "verbatim", "environment", "source_text"}


@cache
def root_sheets() -> tuple[str, ...]:
    """Return the slots of the experiment that have a sheet, in the order of the model."""
    mapping = model_map()
    slots = mapping["classes"][mapping["root"]]["slots"]
    own = mapping["classes"]["NamedThing"]["slots"]
    return tuple(s for s in slots if _is_object(s) and s not in own)


def _is_object(slot_name: str) -> bool:
    slot = model_map()["slots"][slot_name]
    return slot["kind"] == "class" and slot["inlined"]


def people_sheets() -> tuple[str, ...]:
    """Return the sheets of the blank workbook, in order."""
    found = [EXPERIMENT]
    for name in root_sheets():
        found += [name, *_BELOW.get(name, ())]
    return tuple(found)


def sheet_class(sheet: str) -> str:
    """Return the class whose things are the rows of *sheet*."""
    if sheet == EXPERIMENT:
        return str(model_map()["root"])
    return str(model_map()["slots"][sheet]["range"])


@cache
def columns_of(declared: str) -> tuple[str, ...]:
    """Return every column that things of a class, and of the classes below it, can have."""
    root = declared == model_map()["root"]
    return tuple(c for c in _columns(declared, "") if not (root and c.split(".")[0] == "study"))


def _columns(declared: str, prefix: str) -> Iterator[str]:
    mapping = model_map()
    classes = mapping["classes"]
    seen: dict[str, None] = {}
    for name in classes[declared]["concrete"]:
        seen |= dict.fromkeys(classes[name]["slots"])
    first = [s for s in ("id", "type", "name") if s in seen]
    for name in [*first, *(s for s in seen if s not in first)]:
        slot = mapping["slots"][name]
        yield f"{prefix}{name}"
        if _is_object(name) and not slot.get("multivalued"):
            yield from _columns(slot["range"], f"{prefix}{name}.")


@cache
def suggested_columns(declared: str) -> tuple[str, ...]:
    """Return the columns that the blank workbook has for a class."""
    return tuple(c for c in columns_of(declared) if _is_suggested(c))


def _is_suggested(column: str) -> bool:
    parts = column.split(".")
    slot = model_map()["slots"][parts[-1]]
    if len(parts) > 2 or set(parts) & _RARE:
        return False
    form = _form(slot)
    if len(parts) == 2:
        owner = _form(model_map()["slots"][parts[0]])
        if owner == "quantity" or (owner == "term" and parts[1] != "term_label"):
            return False
    if slot["kind"] != "class" or not slot["inlined"]:
        return True
    if slot.get("multivalued"):
        return form == "term"
    return form is not None


def _form(slot: dict[str, Any]) -> str | None:
    if slot["kind"] != "class" or not slot["inlined"]:
        return None
    found = model_map()["classes"][slot["range"]]["shorthand"]
    return str(found) if found else None


def column_slot(column: str) -> dict[str, Any]:
    """Return the entry of the slot that a column holds, by the last part of its name."""
    found: dict[str, Any] = model_map()["slots"][column.rsplit(".", 1)[-1]]
    return found


@cache
def home_of(declared: str) -> str | None:
    """Return the sheet whose ``id`` column holds things of a class; None when there is none."""
    mapping = model_map()
    wanted = set(mapping["classes"][declared]["concrete"])
    for name in root_sheets():
        if wanted <= set(mapping["classes"][mapping["slots"][name]["range"]]["concrete"]):
            return name
    return None


def needed_by(declared: str, slot_name: str) -> tuple[str, ...]:
    """Return the profiles that require a slot of a class, or of a class above or below it."""
    classes = model_map()["classes"]
    found = []
    for name in profile_names():
        for rule in profile(name)["required"]:
            same = set(classes[rule["class"]]["concrete"]) & set(classes[declared]["concrete"])
            if rule["slot"] == slot_name and same and rule["severity"] == "error":
                found.append(name)
    return tuple(dict.fromkeys(found))
