"""One step in plain words, for tables and catalogues: numbers and names, no grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from clemkit.metadata.model_map import model_map

__all__ = [
    "class_words",
    "material_words",
    "quantity_words",
    "source_words",
    "stage_words",
    "step_words",
]

_UNIT_WORDS = {
    "degC": "°C", "um": "µm", "us": "µs", "ug": "µg", "uL": "µL", "uM": "µM", "nm": "nm",
    "percent": "%", "percent_wv": "% w/v", "percent_vv": "% v/v", "percent_ww": "% w/w",
    "mg_per_mL": "mg/mL", "g_per_L": "g/L", "ug_per_mL": "µg/mL", "mg_per_L": "mg/L",
    "ng_per_mL": "ng/mL",
    "degC_per_h": "°C/h", "K_per_h": "K/h", "degC_per_min": "°C/min", "K_per_min": "K/min",
    "angstrom": "Å", "dimensionless": "", "deg": "°", "times_g": "× g",
}  # fmt: skip
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


@cache
def class_words(name: str) -> str:
    """Return a class name as words: ``HighPressureFreezing`` is *high pressure freezing*."""
    return _WORD.sub(" ", name).lower()


def quantity_words(quantity: Mapping[str, Any] | None) -> str:
    """Return a quantity as people write it, such as ``48–72 h``; nothing for nothing."""
    if not quantity:
        return ""
    low, high, value = (quantity.get(k) for k in ("minimum", "maximum", "value"))
    unit = str(quantity.get("unit", ""))
    shown = _UNIT_WORDS.get(unit) or _own_word(unit)
    if value is not None:
        number = f"{value:.12g}"
        if quantity.get("uncertainty"):
            number += f" ± {quantity['uncertainty']:.12g}"
    elif low is not None and high is not None:
        dash = "–" if low >= 0 and high >= 0 else " to "
        number = f"{low:.12g}{dash}{high:.12g}"
    elif low is not None or high is not None:
        number = f"≥ {low:.12g}" if low is not None else f"≤ {high:.12g}"
    else:
        return str(quantity.get("verbatim", ""))
    return f"{number} {shown}".strip().replace("-", "−")


def source_words(quantity: Mapping[str, Any] | None) -> str:
    """Return a quantity in words; an interpretation stands behind the words that it interprets."""
    if not quantity:
        return ""
    words, said = quantity_words(quantity), str(quantity.get("verbatim", ""))
    if quantity.get("is_interpretation") and said and said != words:
        return f"{said} ({words})" if words else said
    return words or said


def material_words(use: Mapping[str, Any], names: Mapping[str, str] | None = None) -> str:
    """Return a use of a material, such as ``2.5 % glutaraldehyde in PHEM buffer``.

    Parameters
    ----------
    use : mapping
        A ReagentUse or SolutionComponent in long form.
    names : mapping, optional
        Names of the materials that are referred to.
    """
    known = names or {}
    name = use.get("material_name") or known.get(str(use.get("material")), use.get("material"))
    solvent = use.get("solvent_name") or known.get(str(use.get("solvent")), use.get("solvent"))
    head = quantity_words(use.get("concentration")) or quantity_words(use.get("amount"))
    if not head and use.get("parts") is not None:
        head = f"{use['parts']:.12g} parts"
    head = " ".join(p for p in (head, use.get("stage_ratio")) if p)
    words = f"{head} {name or ''}".strip()
    return f"{words} in {solvent}" if solvent else words


def step_words(step: Mapping[str, Any], names: Mapping[str, str] | None = None) -> str:
    """Return what a step says in one line: materials, time, repeats, temperature, settings."""
    return "; ".join(part for part in _parts(step, names or {}) if part)


def _parts(step: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[str]:
    yield ", ".join(material_words(m, names) for m in step.get("materials", ()))
    yield from (material_words(step[k], names) for k in ("filler", "carrier_coating") if k in step)
    if "from_material" in step or "to_material" in step:
        pair = [material_words(step.get(k, {}), names) for k in ("from_material", "to_material")]
        yield " → ".join(p for p in pair if p)
    for key in ("resin_recipe", "cryogens"):
        yield ", ".join(material_words(m, names) for m in step.get(key, ()))
    yield names.get(str(step.get("resin")), str(step.get("resin", "")))
    yield ", ".join(map(stage_words, step.get("ladder", ())))
    yield ", ".join(map(stage_words, step.get("temperature_program", ())))
    if "step_ph" in step:
        yield f"pH {step['step_ph']:.12g}"
    time = source_words(step.get("duration"))
    repeats = step.get("repeats", 1)
    yield f"{repeats} × {time}".rstrip(" ×") if repeats > 1 else time
    yield source_words(step.get("temperature"))
    yield from _span(step)
    for name in _QUANTITIES:
        if shown := source_words(step.get(name)):
            yield f"{name.replace('_', ' ')} {shown}"
    if step.get("vacuum"):
        yield "vacuum"
    yield from (str(step[k]) for k in _WORDS if step.get(k))
    if step["type"] == "UnparsedStep":
        yield f"“{step['unparsed_text']}”"


_QUANTITIES = (
    "pressure", "chamber_humidity", "chamber_temperature", "cryogen_temperature", "blot_duration",
    "carrier_bore_diameter", "carrier_bore_depth", "wavelength", "wattage", "flow_rate",
    "perfused_volume", "target_thickness", "cutting_speed", "knife_angle", "beam_current",
    "milling_angle", "storage_period",
)  # fmt: skip
_WORDS = (
    "perfusion_route", "agitation", "light_conditions", "container", "knife", "section_medium",
    "support", "blot_type", "instrument_description",
)  # fmt: skip


def stage_words(stage: Mapping[str, Any]) -> str:
    """Return one stage of a ladder or of a temperature programme, such as ``70 % 10 min``."""
    head = stage.get("stage_ratio") or quantity_words(stage.get("stage_concentration"))
    times = f"{stage['repeats']} ×" if stage.get("repeats", 1) > 1 else ""
    heat = source_words(stage.get("temperature"))
    time = source_words(stage.get("duration"))
    ends = _span(stage)
    parts = (head, times, time, heat, *ends) if head else (*ends, heat, times, time)
    words = " ".join(p for p in parts if p)
    ramp = quantity_words(stage.get("ramp_rate"))
    return f"{words} at {ramp}".strip() if ramp else words or str(stage.get("verbatim", ""))


def _span(stage: Mapping[str, Any]) -> Sequence[str]:
    ends = [source_words(stage.get(k)) for k in ("start_temperature", "end_temperature")]
    if ends[0] and ends[0] == ends[1]:
        return (ends[0],)
    return (" → ".join(e for e in ends if e),) if any(ends) else ()


def _own_word(unit: str) -> str:
    values = model_map()["enums"]["Unit"]["values"]
    aliases = values.get(unit, {}).get("aliases", ())
    return str(aliases[0]) if "_" in unit and aliases else unit if unit != "dimensionless" else ""
