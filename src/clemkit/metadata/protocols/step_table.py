"""A protocol as rows of a table, for Markdown and for printing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clemkit.errors import ArgumentError
from clemkit.metadata.protocols.prose_series import programme
from clemkit.metadata.protocols.prose_words import (
    Namer,
    duration,
    quantity,
    temperature,
    worded,
)
from clemkit.metadata.protocols.step_words import class_words

__all__ = ["ReagentRow", "StepRow", "chosen_protocols", "reagent_rows", "step_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One step of a table; empty words where nothing is said.

    Attributes
    ----------
    number, label : str
        Position from 1, and the number or letter of the source where it differs.
    title : str
        Kind of step, and its own name.
    materials, details, notes, safety : tuple of str
        Lines of a cell.
    time, heat, repeats : str
        Duration, temperature, number of times.
    flags : tuple of str
        critical, pause point, optional, ambiguous, not understood.
    unparsed : str
        The words that were not understood.
    """

    number: str
    label: str
    title: str
    materials: tuple[str, ...] = ()
    time: str = ""
    heat: str = ""
    repeats: str = ""
    details: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    safety: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    unparsed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReagentRow:
    """One reagent or solution of a table."""

    name: str
    made_of: str = ""
    identity: tuple[str, ...] = ()
    source: str = ""
    hazards: str = ""
    notes: str = ""


def chosen_protocols(data: Mapping[str, Any], protocol_id: str | None) -> list[Mapping[str, Any]]:
    """Return the protocol with this id, or all of the description.

    Raises
    ------
    ArgumentError
        If the description has no such protocol, or none at all.
    """
    every = list(data.get("protocols") or ())
    found = [p for p in every if protocol_id is None or p.get("id") == protocol_id]
    if not found:
        wanted = "a protocol" if protocol_id is None else f"protocol {protocol_id!r}"
        there = ", ".join(str(p.get("id")) for p in every) or "none"
        raise ArgumentError(f"description: expected {wanted}; found {there}; name one of those")
    return found


def step_rows(protocol: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[StepRow]:
    """Yield the rows of a protocol, UnparsedStep included, so that nothing is left out."""
    names = Namer(data, explain=False)
    for number, step in enumerate(protocol.get("steps") or (), 1):
        kind = _kind(str(step.get("type", "")))
        label = str(step.get("step_label") or "")
        flags = [
            word
            for key, word in (
                ("is_critical", "critical"),
                ("is_pause_point", "pause point"),
                ("is_optional", "optional"),
            )
            if step.get(key)
        ]
        if step.get("type") == "UnparsedStep":
            yield StepRow(
                number=str(number),
                label=label,
                title="",
                flags=("not understood",),
                unparsed=str(step.get("unparsed_text") or ""),
                notes=_lines(step.get("notes")),
            )
            continue
        name = str(step.get("name") or "")
        repeats = int(step.get("repeats") or 1)
        yield StepRow(
            number=str(number),
            label=label if label != str(number) else "",
            title=f"{kind}: {name}" if name and name.lower() != kind.lower() else kind,
            materials=tuple(_materials(step, names)),
            time=_time(step, repeats),
            heat=temperature(step.get("temperature")).removeprefix("at "),
            repeats=f"{repeats}\u00a0×" if repeats > 1 else "",
            details=tuple(d for d in _details(step, names) if d),
            notes=tuple(_notes(step)),
            safety=_lines(step.get("safety")),
            flags=tuple(flags),
        )


def _notes(step: Mapping[str, Any]) -> Iterator[str]:
    for key in ("description", "notes"):
        yield from _lines(step.get(key))
    said = {"type", "spans", "step_label"}
    if step.get("type") == "OtherStep" and not set(step) - said:
        # nothing but its words says what was done
        yield from (s["verbatim"] for s in step.get("spans") or () if not s.get("span_field"))


_KINDS = {
    "PostFixation": "Post-fixation", "PostStaining": "Post-staining", "DabReaction": "DAB reaction",
    "HighPressureFreezing": "High-pressure freezing", "UvPolymerization": "UV polymerisation",
    "CriticalPointDrying": "Critical-point drying", "CryoFibMilling": "Cryo-FIB milling",
    "OtherStep": "Other",
}  # fmt: skip


def _kind(step_class: str) -> str:
    return _KINDS.get(step_class) or class_words(step_class).capitalize()


def _lines(value: Any) -> tuple[str, ...]:
    return tuple(line.strip() for line in str(value or "").splitlines() if line.strip())


def _time(step: Mapping[str, Any], repeats: int) -> str:
    words = duration(step.get("duration") or step.get("storage_period")).removeprefix("for ")
    return f"{words} each" if words and repeats > 1 else words


def _materials(step: Mapping[str, Any], names: Namer) -> Iterator[str]:
    for use in step.get("materials") or ():
        yield _use(use, names)
    for key, word in (
        ("from_material", "from"), ("to_material", "to"), ("filler", "filler:"),
        ("carrier_coating", "coat:"),
    ):  # fmt: skip
        if step.get(key):
            yield f"{word} {_use(step[key], names)}"
    if step.get("resin"):
        yield names.material_of(step["resin"])
    for key in ("cryogens", "resin_recipe"):
        for use in step.get(key) or ():
            yield _use(use, names)


def _use(use: Mapping[str, Any], names: Namer) -> str:
    solvent = use.get("solvent") or use.get("solvent_name")
    into = {k: v for k, v in use.items() if k.startswith("solvent")}
    return names.use(use) + (f" in {names.material(into, 'solvent')}" if solvent else "")


_QUANTITIES = {
    "pressure": "pressure", "chamber_humidity": "humidity", "chamber_temperature": "chamber",
    "cryogen_temperature": "cryogen", "blot_duration": "blot time",
    "carrier_bore_diameter": "carrier diameter", "carrier_bore_depth": "carrier depth",
    "wavelength": "wavelength", "wattage": "power", "flow_rate": "flow rate",
    "perfused_volume": "volume", "target_thickness": "thickness", "cutting_speed": "speed",
    "knife_angle": "knife angle", "beam_current": "current", "milling_angle": "milling angle",
    "start_temperature": "start", "end_temperature": "end", "ramp_rate": "ramp",
}  # fmt: skip
_BOOKKEEPING = ("differences", "older")  # how the widget's document was spelt
_WORDS = {
    "perfusion_route": "route", "agitation": "agitation", "light_conditions": "light",
    "container": "container", "knife": "knife", "section_medium": "on", "support": "support",
    "blot_type": "blotting", "blot_force": "blot force", "ion_species": "ions",
    "freezing_speed": "speed", "freezing_ramp": "ramp", "instrument_description": "instrument",
}  # fmt: skip


def _details(step: Mapping[str, Any], names: Namer) -> Iterator[str]:
    for stage in step.get("ladder") or ():
        yield _stage(stage)
    if stages := list(step.get("temperature_program") or ()):
        yield programme(stages, warming=True)
    if step.get("step_ph") is not None:
        yield f"pH\u00a0{step['step_ph']:.12g}"
    for key, word in _QUANTITIES.items():
        yield worded(quantity(step.get(key)), f"{word} ")
    wave = step.get("microwave") or {}
    shown = [
        worded(quantity(wave.get("microwave_power"))),
        worded(quantity(wave.get("microwave_on_time")), after=" on"),
        worded(quantity(wave.get("microwave_off_time")), after=" off"),
        worded(str(wave.get("microwave_cycles") or ""), after=" cycles"),
    ]
    yield worded(", ".join(p for p in shown if p), "microwave ")
    if step.get("vacuum"):
        yield "under vacuum"
    for key, word in _WORDS.items():
        yield worded(str(step.get(key) or ""), f"{word}: ")
    yield worded(names.instruments(step.get("equipment") or ()), "instrument: ")
    for parameter in step.get("parameters") or ():
        name = str(parameter.get("parameter_name") or "").removeprefix("spw:")
        value = quantity(parameter.get("parameter_quantity")) or parameter.get("parameter_json")
        if name not in _BOOKKEEPING:
            yield f"{name}: {value}"
    if step.get("follows"):
        yield f"after step {', '.join(str(n) for n in step['follows'])}"


def _stage(stage: Mapping[str, Any]) -> str:
    repeats = int(stage.get("repeats") or 1)
    head = stage.get("stage_ratio") or quantity(stage.get("stage_concentration")) or "pure"
    time = duration(stage.get("duration")).removeprefix("for ")
    heat = temperature(stage.get("temperature"))
    return f"{head}: " + " ".join(
        p for p in (f"{repeats}\u00a0×" if repeats > 1 else "", time, heat) if p
    ) if time or heat or repeats > 1 else str(head)  # fmt: skip


def reagent_rows(protocol: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[ReagentRow]:
    """Yield the reagents and solutions that the protocol uses, in the order of the description."""
    used = set(_references(protocol.get("steps") or ()))
    known = {str(m.get("id")): m for m in data.get("reagents") or ()}
    found: set[str] = set()
    while used - found:  # what a used solution is made of is used too
        found |= used
        used |= {
            str(c["material"])
            for i in used & known.keys()
            for c in known[i].get("components") or ()
            if c.get("material")
        }
    names = Namer(data, explain=False)
    for entry_id, entry in known.items():
        if entry_id in used:
            yield _reagent(entry, names)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in ("material", "solvent", "resin") and isinstance(item, str):
                yield item
            else:
                yield from _references(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _references(item)


def _reagent(entry: Mapping[str, Any], names: Namer) -> ReagentRow:
    term = entry.get("substance_term") or {}
    ph = entry.get("solution_ph")
    parts = [
        names.use(c) + (" (after the reference)" if _interpreted(c) else "")
        for c in entry.get("components") or ()
    ]
    if ph is not None:
        parts.append(f"pH\u00a0{ph:.12g}")
    identity = [
        str(entry.get("formula") or ""),
        worded(str(entry.get("cas_number") or ""), "CAS "),
        str(term.get("term") or "") if isinstance(term, Mapping) else str(term),
    ]
    source = [str(entry.get(k) or "") for k in ("vendor", "catalogue_number", "lot", "rrid")]
    return ReagentRow(
        name=str(entry.get("name") or entry.get("id")),
        made_of=", ".join(parts),
        identity=tuple(i for i in identity if i),
        source=", ".join(s for s in source if s),
        hazards=str(entry.get("hazards") or ""),
        notes=str(entry.get("notes") or ""),
    )


def _interpreted(component: Mapping[str, Any]) -> bool:
    found = [component.get(k) for k in ("concentration", "amount")]
    return any(f and f.get("is_interpretation") for f in found)
