"""Steps that were not made in the widget, put into the shape that its form has room for.

Nothing is dropped here: what finds no field stays in its slot and ends in the notes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from clemkit.metadata.protocols.step_words import (
    class_words,
    material_words,
    quantity_words,
    source_words,
    stage_words,
)

__all__ = ["NEAREST", "USES", "prepared", "unsaid_words"]

# the widget's step that does most nearly the same; everything else is an incubation with notes
NEAREST: Final[Mapping[str, str]] = {
    "CriticalPointDrying": "Dehydration",
    "DabReaction": "Staining",
    "EnBlocStaining": "Staining",
    "FluorescentLabelling": "Staining",
    "ImmunoLabelling": "Staining",
    "Perfusion": "ChemicalFixation",
    "PostFixation": "ChemicalFixation",
    "PostStaining": "Staining",
}
_LABELS = {"step_ph": "pH", "step_label": "label", "other_materials": "materials"}
_MOST_ROWS = 20
_LONGEST = 120  # characters of a setting that a reader of the notes can take in
_LISTS = ("materials", "cryogens", "resin_recipe")
_ONE_USE = ("filler", "carrier_coating", "from_material", "to_material")
USES: Final = (*_LISTS, *_ONE_USE)
_END_SLOTS = ("start_temperature", "end_temperature")


def prepared(
    step: Mapping[str, Any],
    form: str,
    names: Mapping[str, str],
    older: frozenset[str],
    recipes: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, Any]:
    """Return *step* with its values in the slots that the widget's *form* has fields for.

    Parameters
    ----------
    step : mapping
        A step in long form.
    form : str
        Class whose form is filled in.
    names : mapping of str to str
        Names of materials and instruments.
    older : frozenset of str
        Older fields that the document had; rows keep their count there.
    recipes : mapping of str to sequence of mapping
        Components of the solutions that have any.
    """
    step = _with_components(step, recipes, names)
    ready = {k: _named(k, v, names) for k, v in step.items()}
    if ready.get("equipment") and "instrument_description" not in ready:
        devices = [names.get(str(i), str(i)) for i in ready.pop("equipment")]
        ready["instrument_description"] = ", ".join(devices)
    if form == "Dehydration":
        _dehydrate(ready)
    elif form == "Infiltration":
        _infiltrate(ready, names)
    elif form in ("OvenCuring", "UvPolymerization", "FreezeSubstitution"):
        _warm(ready)
    elif form == "HighPressureFreezing":
        _freeze(ready)
    if "ladder" in ready and not any(p.endswith(("/count", "/repeats")) for p in older):
        ready["ladder"] = [row for stage in ready["ladder"] for row in _repeated(stage)]
    return {k: v for k, v in ready.items() if v != []}


def unsaid_words(slot: str, value: Any, names: Mapping[str, str]) -> str:
    """Return a value that no field holds as words for the notes."""
    if slot in ("description", "unparsed_text"):
        return str(value)
    label = _LABELS.get(slot, slot.replace("_", " ").removeprefix("is "))
    if slot == "type":
        return f"Step: {'not understood' if value == 'UnparsedStep' else class_words(value)}"
    if slot in ("ladder", "temperature_program"):
        return f"{label}: {', then '.join(filter(None, map(stage_words, value)))}"
    if value is True:
        return label
    return f"{label}: {_words(slot, value, names)}"


def _words(slot: str, value: Any, names: Mapping[str, str]) -> str:
    if isinstance(value, list):
        return ", ".join(_words(slot, item, names) for item in value)
    if not isinstance(value, Mapping):
        known = names.get(str(value)) if slot in ("resin", "equipment") else None
        return known or (f"{value:.12g}" if isinstance(value, float) else str(value))
    if "unit" in value:
        return source_words(value)
    if "parameter_name" in value:
        quantity = quantity_words(value.get("parameter_quantity"))
        said = quantity or str(value.get("parameter_json", ""))
        said = said if len(said) <= _LONGEST else "(in the description)"
        return f"{value['parameter_name']} {said}".strip()
    if "material_name" in value or "material" in value:
        return material_words(value, names)
    parts = (unsaid_words(k, v, names) for k, v in value.items() if k not in ("spans", "verbatim"))
    return " ".join(parts) or str(value.get("verbatim", ""))


def _named(slot: str, value: Any, names: Mapping[str, str]) -> Any:
    """Return uses of materials with the names of what they refer to."""
    if slot in _ONE_USE:
        return _with_name(value, names)
    return [_with_name(v, names) for v in value] if slot in _LISTS else value


def _with_components(
    step: Mapping[str, Any],
    recipes: Mapping[str, Sequence[Mapping[str, Any]]],
    names: Mapping[str, str],
) -> dict[str, Any]:
    """Return a step that lists what a solution is made of, since the form knows no solutions."""
    uses: list[Mapping[str, Any]] = []
    mixtures: list[str] = []
    for use in step.get("materials", ()):
        parts = recipes.get(str(use.get("material")), ())
        if parts and not use.get("concentration"):
            uses += parts
            rest = {k: v for k, v in use.items() if k not in ("spans", "verbatim", "reagent_role")}
            mixtures.append(material_words(rest, names))
        else:
            uses.append(use)
    return {**step, "materials": uses, "solution": ", ".join(mixtures)} if mixtures else dict(step)


def _with_name(use: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    found = dict(use)
    for key in ("material", "solvent"):
        if use.get(key) and not use.get(f"{key}_name"):
            found[f"{key}_name"] = names.get(str(use[key]), str(use[key]))
    return found


def _freeze(step: dict[str, Any]) -> None:
    """Part the materials: the form has a list for each of two roles, and none for others."""
    uses = step.pop("materials", [])
    of_role = {r: [u for u in uses if u.get("reagent_role") == r] for r in ("filler", "coating")}
    for role, slot in (("filler", "filler"), ("coating", "carrier_coating")):
        if slot not in step and of_role[role]:
            step[slot] = of_role[role].pop(0)
    step["materials"] = [*of_role["filler"], *of_role["coating"]]
    step["other_materials"] = [u for u in uses if u.get("reagent_role") not in of_role]


def _dehydrate(step: dict[str, Any]) -> None:
    uses = step.get("materials", [])
    if "to_material" not in step and len({u.get("material_name") for u in uses}) == 1:
        step["to_material"] = {"material_name": uses[0].get("material_name")}
        step["materials"] = []
        stages = [u.get("concentration") for u in uses]
        if not step.get("ladder"):
            step["ladder"] = [{"stage_concentration": c} for c in stages if c]
        elif any(stages):
            step["materials"] = uses
    _programme_as_rows(step)
    _into_rows(step, "duration", "repeats")


def _infiltrate(step: dict[str, Any], names: Mapping[str, str]) -> None:
    uses = [dict(use) for use in step.pop("materials", ())]
    if len(uses) == 1 and uses[0].get("concentration") and not step.get("ladder"):
        step["ladder"] = [{"stage_concentration": uses[0].pop("concentration")}]
    if step.get("resin") and not uses and not step.get("resin_recipe"):
        name = step.pop("resin")
        uses.append({"material_name": names.get(str(name), str(name))})
    known = [use.get("material_name") for use in (*step.get("resin_recipe", ()), *uses)]
    if set(step.get("to_material", {"": ""})) <= {"material", "material_name"}:
        target = step.pop("to_material")
        if target.get("material_name") not in known:
            uses.append(target)
    if uses:
        step["resin_recipe"] = [*step.get("resin_recipe", ()), *uses]
    _programme_as_rows(step)
    _into_rows(step, "duration", "repeats", "temperature", *_END_SLOTS)
    for stage in step.get("ladder", ()):
        if "temperature" in stage and not set(_END_SLOTS) & set(stage):
            stage.update(dict.fromkeys(_END_SLOTS, stage.pop("temperature")))


def _programme_as_rows(step: dict[str, Any]) -> None:
    """Make a row of each stage of a programme that holds its temperature, if there are no rows."""
    stages = [dict(stage) for stage in step.get("temperature_program", ())]
    held = all(s.get("start_temperature") == s.get("end_temperature") for s in stages)
    if step.get("ladder") or not stages or not held or any("ramp_rate" in s for s in stages):
        return
    for stage in stages:
        if "start_temperature" in stage:
            stage["temperature"] = stage.pop("start_temperature")
            del stage["end_temperature"]
    del step["temperature_program"]
    step["ladder"] = stages


def _into_rows(step: dict[str, Any], *slots: str) -> None:
    """Move what the form has only in its rows into them; a time needs a single row."""
    rows = [dict(stage) for stage in step.get("ladder", ())]
    if not rows and any(slot in step for slot in slots):
        rows = [{}]
    for slot in slots:
        timed = slot in ("duration", "repeats")
        free = rows and not any(slot in row for row in rows) and not (timed and len(rows) > 1)
        if slot in step and free:
            value = step.pop(slot)
            rows = [row | {slot: value} for row in rows]
    if rows:
        step["ladder"] = rows


def _warm(step: dict[str, Any]) -> None:
    if step.get("temperature_program"):
        return
    row = {slot: step.pop(slot) for slot in (*_END_SLOTS, "ramp_rate", "duration") if slot in step}
    if "temperature" in step and not set(_END_SLOTS) & set(row):
        row |= dict.fromkeys(_END_SLOTS, step.pop("temperature"))
    if row:
        step["temperature_program"] = [row]


def _repeated(stage: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a stage that is done three times as three rows, as one would fill in the form."""
    times = int(stage.get("repeats", 1))
    if times > _MOST_ROWS:
        return [dict(stage)]
    return [{k: v for k, v in stage.items() if k != "repeats"}] * times
