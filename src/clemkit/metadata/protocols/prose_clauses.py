"""Each step of a protocol as a clause in the passive: who, what was done, with what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clemkit.metadata.protocols.grounding import ground
from clemkit.metadata.protocols.prose_words import (
    Namer,
    duration,
    in_plural,
    joined,
    number_of_times,
    quantity,
    temperature,
    with_article,
)

__all__ = ["Clause", "clauses"]

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One step: ``<subject> were <verb> <rest>``.

    Attributes
    ----------
    subject : str
        Plural noun, lower case: samples, sections, animals.
    verb : str
        Participle with what belongs to it, such as *stained en bloc*.
    rest : str
        Materials, time, temperature.
    phase : int
        Part of the preparation; None-like 0 for steps that belong to any part, such as rinses.
    sentence : str
        A sentence of its own, in place of subject and verb.
    """

    subject: str
    verb: str
    rest: str
    phase: int
    kind: str
    sentence: str = ""

    @property
    def words(self) -> str:
        """Verb and rest."""
        return f"{self.verb} {self.rest}".strip()


_PHASES = {
    1: ("Anaesthesia", "Perfusion", "Dissection", "CellCulture", "ChemicalFixation", "Quenching"),
    2: ("ImmunoLabelling", "FluorescentLabelling", "DabReaction", "FiducialApplication"),
    3: ("PlungeFreezing", "HighPressureFreezing", "FreezeSubstitution", "CryoFibMilling"),
    4: ("PostFixation", "EnBlocStaining", "Staining"),
    5: ("Dehydration", "Infiltration", "OvenCuring", "UvPolymerization", "CriticalPointDrying"),
    6: ("Mounting", "Trimming", "SectionCollection", "PostStaining", "Coating"),
}
_PHASE_OF = {name: phase for phase, names in _PHASES.items() for name in names}
# verb and preposition before the materials
_VERBS = {
    "Anaesthesia": ("anaesthetised", "with"),
    "Perfusion": ("perfused", "with"),
    "CellCulture": ("grown", "in"),
    "ChemicalFixation": ("fixed", "in"),
    "PostFixation": ("post-fixed", "in"),
    "Rinsing": ("rinsed", "in"),
    "Incubation": ("incubated", "in"),
    "Quenching": ("quenched", "with"),
    "Staining": ("stained", "with"),
    "EnBlocStaining": ("stained en bloc", "with"),
    "PostStaining": ("stained", "with"),
    "ImmunoLabelling": ("incubated", "with"),
    "FluorescentLabelling": ("labelled", "with"),
    "DabReaction": ("reacted", "with"),
    "MicrowaveProcessing": ("processed in a microwave", "with"),
    "FreezeSubstitution": ("freeze-substituted", "in"),
    "CriticalPointDrying": ("critical-point dried", "from"),
    "Mounting": ("mounted", "with"),
    "Trimming": ("trimmed", "with"),
    "FiducialApplication": ("marked", "with"),
    "Storage": ("stored", "in"),
}
_MORDANTS = ("thiocarbohydrazide", "tannic acid", "pyrogallol", "gallic acid")


def clauses(steps: Sequence[Step], names: Namer) -> Iterator[Clause]:
    """Yield a clause for each step that prose can tell; UnparsedStep is left out."""
    subject, phase, embedded = "samples", 1, False
    for step in steps:
        kind = str(step.get("type"))
        if kind == "UnparsedStep":
            continue
        if kind == "Sectioning":
            phase = 6 if embedded else phase
        else:
            phase = _PHASE_OF.get(kind, phase)
        if kind in ("Anaesthesia", "Perfusion"):
            subject = "animals"
        elif kind == "CellCulture":
            subject = "cells"
        elif subject == "animals" or kind in ("Infiltration", "OvenCuring", "UvPolymerization"):
            subject = "samples"
        elif kind in ("Mounting", "Trimming") and embedded and subject == "samples":
            subject = "blocks"
        words = _BUILDERS.get(kind, _general)(step, kind, names)
        if words is None:
            continue
        verb, rest, sentence = words
        if step.get("is_optional") and verb:
            verb = f"optionally {verb}"
        if kind in ("Sectioning", "CryoFibMilling") and sentence:
            subject = "sections" if kind == "Sectioning" else "lamellae"
        yield Clause(
            subject=subject, verb=verb, rest=rest, phase=phase, kind=kind, sentence=sentence
        )
        embedded = embedded or kind in ("Infiltration", "OvenCuring", "UvPolymerization")


_Words = tuple[str, str, str]


def _general(step: Step, kind: str, names: Namer) -> _Words | None:
    uses = list(step.get("materials") or ())
    verb, preposition = _VERBS.get(kind, ("treated", "with"))
    if kind == "EnBlocStaining" and uses and all(_is_mordant(u) for u in uses[:1]):
        verb = "treated"
    if kind == "Perfusion" and (route := step.get("perfusion_route")):
        verb = f"{verb} transcardially" if "cardi" in str(route).lower() else f"{verb} ({route})"
    mixture = names.mixture(uses, step.get("step_ph")) if uses else ""
    if uses and _all_carriers(mixture):
        preposition = "in"
    if kind not in _VERBS and not mixture:
        return _told(step)
    if kind == "Storage" and not mixture:
        preposition = ""
    rest = [f"{preposition} {mixture}" if mixture else "", *_place(step, kind)]
    return verb, _sentence_part([*rest, *_conditions(step), _settings(step, names)]), ""


def _rinsing(step: Step, kind: str, names: Namer) -> _Words | None:
    uses = list(step.get("materials") or ())
    mixture = names.mixture(uses, step.get("step_ph")) if uses else ""
    repeats = int(step.get("repeats") or 1)
    time = duration(step.get("duration"), each=repeats > 1)
    parts = [
        number_of_times(repeats) if repeats > 1 else "",
        time,
        f"in {mixture}" if mixture else "",
        temperature(step.get("temperature")),
        *_surroundings(step),
        _settings(step, names),
    ]
    return "rinsed", _sentence_part(parts), ""


def _freezing(step: Step, kind: str, names: Namer) -> _Words | None:
    pressure = quantity(step.get("pressure"))
    bore = joined(
        [
            f"{quantity(step.get('carrier_bore_diameter'))} diameter" if step.get("carrier_bore_diameter") else "",
            f"{quantity(step.get('carrier_bore_depth'))} depth" if step.get("carrier_bore_depth") else "",
        ]
    )  # fmt: skip
    filled = (
        names.use(step["filler"])
        if step.get("filler")
        else names.mixture(step.get("materials") or [])
    )
    coated = names.use(step["carrier_coating"]) if step.get("carrier_coating") else ""
    carrier = " and ".join(
        p
        for p in (
            f"filled with {filled}" if filled else "",
            f"coated with {coated}" if coated else "",
        )
        if p
    )
    inside = " ".join(p for p in (f"of {bore}" if bore else "", carrier) if p)
    parts = [f"at {pressure}" if pressure else "", f"in carriers {inside}" if inside else ""]
    return "high-pressure frozen", _sentence_part([*parts, _settings(step, names)]), ""


def _plunging(step: Step, kind: str, names: Namer) -> _Words | None:
    cryogen = names.mixture(step.get("cryogens") or step.get("materials") or [])
    cold = temperature(step.get("cryogen_temperature")) or temperature(step.get("temperature"))
    chamber = joined(
        [
            quantity(step.get("chamber_temperature")),
            f"{quantity(step.get('chamber_humidity'))} humidity"
            if step.get("chamber_humidity")
            else "",
        ]
    )
    blot = duration(step.get("blot_duration"))
    details = "; ".join(
        p
        for p in (
            f"chamber at {chamber}" if chamber else "",
            " ".join(p for p in ("blotted", str(step.get("blot_type") or ""), blot) if p)
            if blot or step.get("blot_type")
            else "",
            names.instruments(step.get("equipment") or ()),
        )
        if p
    )
    parts = [f"in {cryogen}" if cryogen else "", cold, f"({details})" if details else ""]
    return "plunge-frozen", _sentence_part(parts), ""


def _ladder(step: Step, kind: str, names: Namer) -> _Words | None:
    uses = list(step.get("materials") or ())
    incoming = step.get("to_material") or (
        {"material": step["resin"]} if step.get("resin") else None
    )
    outgoing = step.get("from_material")
    if incoming is None and uses:
        solvents = [u for u in uses if _role_of(u, names) == "solvent"]
        resins = [u for u in uses if _role_of(u, names) == "resin"]
        incoming = (resins or uses)[0] if kind == "Infiltration" else uses[0]
        outgoing = outgoing or next((u for u in solvents if u is not incoming), None)
        in_order = [u for u in uses if u is incoming or u is outgoing]
    else:
        in_order = [u for u in (incoming, outgoing) if u]
    what = names.material(incoming) if incoming else ""
    verb, preposition = ("infiltrated", "with") if kind == "Infiltration" else ("dehydrated", "in")
    stages = list(step.get("ladder") or ())
    if not stages:
        words = names.mixture(uses, step.get("step_ph")) if uses else what
        repeats = int(step.get("repeats") or 1)
        times = number_of_times(repeats) if repeats > 1 else ""
        parts = [f"{preposition} {words}" if words else "", times, *_conditions(step, repeats > 1)]
        return verb, _sentence_part([*parts, _settings(step, names)]), ""
    pair = joined(names.material(u) for u in in_order)
    mixed = f"mixtures of {pair}" if len(in_order) > 1 else f"mixtures with {what}"
    series = joined(_series(stages, what, mixed, preposition))
    rest = [series, *_conditions({k: v for k, v in step.items() if k != "repeats"})]
    return verb, _sentence_part([*rest, _settings(step, names)]), ""


def _series(stages: Sequence[Step], what: str, mixed: str, preposition: str) -> Iterator[str]:
    """Yield runs of a ladder: stages by concentration, by mixing ratio, and the rest."""
    runs: list[tuple[str, list[Step]]] = []
    for stage in stages:
        form = (
            "ratio"
            if stage.get("stage_ratio")
            else "part"
            if stage.get("stage_concentration")
            else "pure"
        )
        if runs and runs[-1][0] == form:
            runs[-1][1].append(stage)
        else:
            runs.append((form, [stage]))
    for form, run in runs:
        if form == "ratio":
            ratios = joined(str(s["stage_ratio"]) for s in run)
            times = _common(run)
            if times is None:
                ratios = joined(f"{s['stage_ratio']} {_stage_time(s)}".strip() for s in run)
            yield f"{preposition} {mixed} ({ratios}{f'; {times}' if times else ''})"
        elif form == "pure":
            each = joined(_stage_time(s) for s in run)
            yield f"{preposition} pure {what or 'resin'} {each}".strip()
        else:
            yield _concentrations(run, what, preposition)


def _concentrations(run: Sequence[Step], what: str, preposition: str) -> str:
    units = {s["stage_concentration"].get("unit") for s in run}
    values = [quantity(s["stage_concentration"]) for s in run]
    times = _common(run)
    if times is None:
        return f"{preposition} " + joined(
            f"{v} {what if i == 0 else ''}".strip() + f" {_stage_time(s)}"
            for i, (v, s) in enumerate(zip(values, run, strict=True))
        )
    if len(units) == 1 and len(values) > 1:  # the unit is written once
        unit = re.sub(r"^[0-9.,–−±  ]+", "", values[-1])
        values = [v.removesuffix(unit).rstrip("\u00a0 ") for v in values[:-1]] + [values[-1]]
    text = f"{preposition} {joined(values)} {what}".rstrip()
    return f"{text} ({times})" if times else text


def _common(run: Sequence[Step]) -> str | None:
    """Return the time that all stages share, with exceptions in number; None when they differ."""
    shown = {(duration(s.get("duration")), temperature(s.get("temperature"))) for s in run}
    if len(shown) > 1:
        return None
    time, heat = next(iter(shown))
    several = [s for s in run if int(s.get("repeats") or 1) > 1]
    each = " each" if time.startswith("for ") and (len(run) > 1 or several) else ""
    words = " ".join(p for p in (f"{time.removeprefix('for ')}{each}" if time else "", heat) if p)
    if not several:
        return words
    if len(several) == len(run) and len({s["repeats"] for s in run}) == 1:
        return "; ".join(p for p in (number_of_times(int(run[0]["repeats"])), words) if p)
    which = joined(
        f"{s.get('stage_ratio') or quantity(s.get('stage_concentration'))} {number_of_times(int(s['repeats']))}"
        for s in several
    )
    return "; ".join(p for p in (words, which) if p)


def _stage_time(stage: Step) -> str:
    repeats = int(stage.get("repeats") or 1)
    parts = [
        number_of_times(repeats) if repeats > 1 else "",
        duration(stage.get("duration"), each=repeats > 1),
        temperature(stage.get("temperature")) or _from_to(stage),
    ]
    return " ".join(p for p in parts if p)


def _curing(step: Step, kind: str, names: Namer) -> _Words | None:
    resin = names.material_of(step.get("resin"))
    uses = list(step.get("materials") or ())
    if not resin and uses:
        resin = names.mixture(uses)
    verb = f"embedded in {resin} and cured" if resin else "cured"
    light = ""
    if kind == "UvPolymerization":
        wave = quantity(step.get("wavelength"))
        light = f"under ultraviolet light ({wave})" if wave else "under ultraviolet light"
    parts = [light, *_conditions(step), _settings(step, names)]
    return verb, _sentence_part(parts), ""


def _sectioning(step: Step, kind: str, names: Namer) -> _Words | None:
    thickness = quantity(step.get("target_thickness"))
    knife = with_article(str(step.get("knife") or ""))
    device = names.instruments(_specific(step.get("equipment") or (), names))
    medium = str(step.get("section_medium") or "")
    parts = [
        f"Sections of {thickness} were cut" if thickness else "Sections were cut",
        f"with {knife}" if knife else "",
        f"on {medium}" if medium and "water" in medium else f"({medium})" if medium else "",
        temperature(step.get("temperature")),
        f"({device})" if device else "",
    ]
    return "", "", _sentence_part(parts)


def _collecting(step: Step, kind: str, names: Namer) -> _Words | None:
    support = str(step.get("support") or "").strip()
    support = re.sub(r"^(?:on|onto|to|with)\s+", "", support)
    uses = list(step.get("materials") or ())
    mixture = names.mixture(uses) if uses else str(step.get("section_medium") or "")
    verb = "mounted" if kind == "Mounting" else "collected"
    parts = [f"on {in_plural(support)}" if support else "", f"with {mixture}" if mixture else ""]
    return verb, _sentence_part([*parts, *_conditions(step), _settings(step, names)]), ""


def _coating(step: Step, kind: str, names: Namer) -> _Words | None:
    thickness = quantity(step.get("target_thickness"))
    metal = names.mixture(step.get("materials") or [])
    coat = f"{thickness} of {metal}" if thickness and metal else thickness or metal
    return "coated", _sentence_part([f"with {coat}" if coat else "", _settings(step, names)]), ""


def _trimming(step: Step, kind: str, names: Namer) -> _Words | None:
    knife = with_article(str(step.get("knife") or ""))
    return "trimmed", _sentence_part([f"with {knife}" if knife else "", _settings(step, names)]), ""


def _milling(step: Step, kind: str, names: Namer) -> _Words | None:
    thickness = quantity(step.get("target_thickness"))
    ions = str(step.get("ion_species") or "")
    angle = quantity(step.get("milling_angle"))
    current = quantity(step.get("beam_current"))
    device = names.instruments(step.get("equipment") or ())
    details = "; ".join(
        p for p in (current, f"{angle} to the surface" if angle else "", device) if p
    )
    parts = [
        f"Lamellae of {thickness} were milled" if thickness else "Lamellae were milled",
        f"with {ions} ions" if ions else "with a focused ion beam",
        f"({details})" if details else "",
    ]
    return "", "", _sentence_part(parts)


def _dissecting(step: Step, kind: str, names: Namer) -> _Words | None:
    uses = names.mixture(step.get("materials") or [])
    parts = [f"in {uses}" if uses else "", *_conditions(step), _settings(step, names)]
    return "dissected", _sentence_part(parts), ""


_BUILDERS: Mapping[str, Callable[[Step, str, Namer], _Words | None]] = {
    "Rinsing": _rinsing,
    "HighPressureFreezing": _freezing,
    "PlungeFreezing": _plunging,
    "Dehydration": _ladder,
    "Infiltration": _ladder,
    "OvenCuring": _curing,
    "UvPolymerization": _curing,
    "Sectioning": _sectioning,
    "SectionCollection": _collecting,
    "Mounting": _collecting,
    "Coating": _coating,
    "Trimming": _trimming,
    "CryoFibMilling": _milling,
    "Dissection": _dissecting,
}


def _told(step: Step) -> _Words | None:
    """Return the step in the words of its author, where no field holds it."""
    words = str(step.get("description") or step.get("name") or "").strip().rstrip(".")
    return ("", "", f"One further step was: {words}") if words else None


def _conditions(step: Step, each: bool = False) -> Iterator[str]:
    repeats = int(step.get("repeats") or 1)
    if repeats > 1 and not each:
        yield number_of_times(repeats)
        each = True
    yield duration(step.get("duration") or step.get("storage_period"), each)
    yield temperature(step.get("temperature")) or _from_to(step)
    if programme := list(step.get("temperature_program") or ()):
        yield f"({joined(_programme(s) for s in programme)})"
    yield from _surroundings(step)


def _surroundings(step: Step) -> Iterator[str]:
    if step.get("vacuum"):
        yield "under vacuum"
    for key in ("light_conditions", "agitation"):
        if words := str(step.get(key) or ""):
            leads = re.match(r"(?:in|on|under|with|at|by|while)\b", words, re.IGNORECASE)
            yield words if leads else f"with {words}" if key == "agitation" else f"({words})"


def _from_to(stage: Step) -> str:
    start, end = (quantity(stage.get(k)) for k in ("start_temperature", "end_temperature"))
    if start and end and start != end:
        return f"from {start} to {end}"
    return f"at {start or end}" if start or end else ""


def _programme(stage: Step) -> str:
    rate = quantity(stage.get("ramp_rate"))
    parts = [
        _from_to(stage).removeprefix("at "),
        f"at {rate}" if rate else "",
        duration(stage.get("duration")),
    ]
    return " ".join(p for p in parts if p) or str(stage.get("verbatim") or "")


def _place(step: Step, kind: str) -> Iterator[str]:
    container = str(step.get("container") or "")
    if container:
        yield f"({with_article(container)})"


def _settings(step: Step, names: Namer) -> str:
    """Return settings and instruments in parentheses."""
    wave = step.get("microwave") or {}
    cycles = wave.get("microwave_cycles")
    on, off = (quantity(wave.get(k)) for k in ("microwave_on_time", "microwave_off_time"))
    parts = [
        ", ".join(
            p
            for p in (
                f"microwave at {quantity(wave['microwave_power'])}" if wave.get("microwave_power") else "",
                f"{on} on" if on else "",
                f"{off} off" if off else "",
                f"{cycles}\u00a0cycles" if cycles else "",
            )
            if p
        ),
        f"at {quantity(step.get('flow_rate'))}" if step.get("flow_rate") else "",
        quantity(step.get("perfused_volume")),
        quantity(step.get("wattage")),
        names.instruments(_specific(step.get("equipment") or (), names)),
    ]  # fmt: skip
    inside = "; ".join(p for p in parts if p)
    return f"({inside})" if inside else ""


def _specific(ids: Sequence[Any], names: Namer) -> Sequence[Any]:
    """Return the instruments without those that only say of which kind another one is."""
    return names.without_general(ids)


def _is_mordant(use: Mapping[str, Any]) -> bool:
    name = str(use.get("material_name") or use.get("material") or "")
    return ground(name).canonical in _MORDANTS


def _role_of(use: Mapping[str, Any], names: Namer) -> str | None:
    name = str(use.get("material_name") or names.entry(use).get("name") or "")
    return use.get("reagent_role") or (ground(name).role if name else None)


def _all_carriers(mixture: str) -> bool:
    """Whether the mixture is a buffer or medium only, in which things are done."""
    plain = mixture.split(" (")[0]
    return ground(re.sub(r"^[0-9.,–]+\s?(?:mM|M|%)\s", "", plain)).role in ("buffer", "solvent")


def _sentence_part(parts: Sequence[str]) -> str:
    return " ".join(p for p in parts if p)
