"""Each step of a protocol as a clause in the passive: who, what was done, with what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clemkit.metadata.protocols.grounding import ground
from clemkit.metadata.protocols.prose_series import from_to, programme, series
from clemkit.metadata.protocols.prose_words import (
    Namer,
    duration,
    in_plural,
    joined,
    noted,
    number_of_times,
    quantity,
    spaced,
    temperature,
    with_article,
    worded,
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
        Part of the preparation; that of the step before for what belongs to any part, like rinses.
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
_LEADING = re.compile(
    r"^(?:(?:glued|mounted|attached|placed|put|picked up|collected)\s+)?"
    r"(?:(?:on|onto|to|with|in)\s+)?"
)
_WARMED = ("FreezeSubstitution", "UvPolymerization", "OvenCuring")
_DARK = ("dark", "dunkel", "im dunkeln", "darkness", "the dark", "protected from light")
_GELS = ("agarose", "agar", "gelatin", "bovine serum albumin")
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
    if kind == "OtherStep" and uses and _canonical(uses[0]) in _GELS:
        verb, preposition = "enclosed", "in"
    if kind == "Perfusion" and (route := step.get("perfusion_route")):
        verb = f"{verb} transcardially" if "cardi" in str(route).lower() else f"{verb} ({route})"
    mixture = names.mixture(uses, step.get("step_ph")) if uses else ""
    if uses and kind != "Perfusion" and _all_carriers(mixture):
        preposition = "in"
    if kind not in _VERBS and not mixture:
        return _told(step)
    if kind == "Storage" and not mixture:
        preposition = ""
    rest = [f"{preposition} {mixture}" if mixture else "", *_place(step, kind)]
    return verb, spaced([*rest, *_conditions(step), _settings(step, names)]), ""


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
    return "rinsed", spaced(parts), ""


def _freezing(step: Step, kind: str, names: Namer) -> _Words | None:
    bore = joined(
        [
            worded(quantity(step.get("carrier_bore_diameter")), after=" diameter"),
            worded(quantity(step.get("carrier_bore_depth")), after=" depth"),
        ]
    )
    filler = [step["filler"]] if step.get("filler") else step.get("materials") or []
    coating = [step["carrier_coating"]] if step.get("carrier_coating") else []
    carrier = [
        worded(names.mixture(filler), "filled with "),
        worded(names.mixture(coating), "coated with "),
    ]
    inside = spaced([worded(bore, "of "), joined(carrier)])
    parts = [
        worded(quantity(step.get("pressure")), "at "),
        worded(inside, "in carriers "),
        _settings(step, names),
    ]
    return "high-pressure frozen", spaced(parts), ""


def _plunging(step: Step, kind: str, names: Namer) -> _Words | None:
    cryogen = names.mixture(step.get("cryogens") or step.get("materials") or [])
    chamber = [
        quantity(step.get("chamber_temperature")),
        worded(quantity(step.get("chamber_humidity")), after=" humidity"),
    ]
    blot = spaced([str(step.get("blot_type") or ""), duration(step.get("blot_duration"))])
    parts = [
        worded(cryogen, "in "),
        temperature(step.get("cryogen_temperature")) or temperature(step.get("temperature")),
        noted(
            [
                worded(joined(chamber), "chamber at "),
                worded(blot, "blotted "),
                names.instruments(names.without_general(step.get("equipment") or ())),
            ]
        ),
    ]
    return "plunge-frozen", spaced(parts), ""


def _ladder(step: Step, kind: str, names: Namer) -> _Words | None:
    uses = list(step.get("materials") or ())
    incoming = step.get("to_material") or (
        {"material": step["resin"]} if step.get("resin") else None
    )
    outgoing = step.get("from_material")
    in_order: list[Mapping[str, Any]]
    if incoming is None and uses:
        solvents = [u for u in uses if _role_of(u, names) == "solvent"]
        resins = [u for u in uses if _role_of(u, names) == "resin"]
        incoming = (resins or uses)[0] if kind == "Infiltration" else uses[0]
        outgoing = outgoing or next((u for u in solvents if u is not incoming), None)
        in_order = [u for u in uses if u in (incoming, outgoing)]
    else:
        in_order = [u for u in (incoming, outgoing) if u is not None]
    what = names.material(incoming) if incoming else ""
    if recipe := list(step.get("resin_recipe") or ()):
        what = f"{what or 'resin'} ({names.mixture(recipe)})"
    if kind == "Infiltration":
        names.last_resin = what.split(" (")[0]
    verb, preposition = ("infiltrated", "with") if kind == "Infiltration" else ("dehydrated", "in")
    stages = list(step.get("ladder") or ())
    if not stages:
        words = names.mixture(uses, step.get("step_ph")) if uses else what
        repeats = int(step.get("repeats") or 1)
        times = number_of_times(repeats) if repeats > 1 else ""
        parts = [f"{preposition} {words}" if words else "", times, *_conditions(step, repeats > 1)]
        return verb, spaced([*parts, _settings(step, names)]), ""
    pair = joined(names.material(u) for u in in_order)
    mixed = f"mixtures of {pair}" if len(in_order) > 1 else f"mixtures with {what}"
    told = {"repeats"} | ({"temperature"} if any(s.get("temperature") for s in stages) else set())
    rest = [series(stages, what, mixed, preposition)]
    rest += _conditions({k: v for k, v in step.items() if k not in told})
    return verb, spaced([*rest, _settings(step, names)]), ""


def _curing(step: Step, kind: str, names: Namer) -> _Words | None:
    resin = names.material_of(step.get("resin"))
    uses = list(step.get("materials") or ())
    if not resin and uses:
        resin = names.mixture(uses)
    known = resin.split(" (")[0] == names.last_resin
    verb = f"embedded in {resin} and cured" if resin and not known else "cured"
    light = ""
    if kind == "UvPolymerization":
        wave = quantity(step.get("wavelength"))
        light = f"under ultraviolet light ({wave})" if wave else "under ultraviolet light"
    parts = [light, *_conditions(step), _settings(step, names)]
    return verb, spaced(parts), ""


def _sectioning(step: Step, kind: str, names: Namer) -> _Words | None:
    thickness = quantity(step.get("target_thickness"))
    knife = _knife(step)
    devices = names.without_general(step.get("equipment") or ())
    device = names.instruments(devices)
    if device and not knife and not any(names.is_model(d) for d in devices):
        knife, device = with_article(device), ""
    medium = str(step.get("section_medium") or "")
    parts = [
        f"Sections of {thickness} were cut" if thickness else "Sections were cut",
        f"with {knife}" if knife else "",
        f"on {medium}" if medium and "water" in medium else f"({medium})" if medium else "",
        temperature(step.get("temperature")),
        f"({device})" if device else "",
    ]
    return "", "", spaced(parts)


def _collecting(step: Step, kind: str, names: Namer) -> _Words | None:
    support = str(step.get("support") or "").strip()
    support = _LEADING.sub("", support)
    uses = list(step.get("materials") or ())
    mixture = names.mixture(uses) if uses else str(step.get("section_medium") or "")
    verb = "mounted" if kind == "Mounting" else "collected"
    parts = [f"on {in_plural(support)}" if support else "", f"with {mixture}" if mixture else ""]
    return verb, spaced([*parts, *_conditions(step), _settings(step, names)]), ""


def _coating(step: Step, kind: str, names: Namer) -> _Words | None:
    thickness = quantity(step.get("target_thickness"))
    metal = names.mixture(step.get("materials") or [])
    coat = f"{thickness} of {metal}" if thickness and metal else thickness or metal
    parts = [f"with {coat}" if coat else "", *_conditions(step), noted(_parameters(step))]
    return "coated", spaced([*parts, _settings(step, names)]), ""


def _parameters(step: Step) -> list[str]:
    """Return the quantities that have no field of their own: voltages and currents of a device."""
    return [quantity(p.get("parameter_quantity")) for p in step.get("parameters") or ()]


def _trimming(step: Step, kind: str, names: Namer) -> _Words | None:
    knife = _knife(step)
    return "trimmed", spaced([f"with {knife}" if knife else "", _settings(step, names)]), ""


def _knife(step: Step) -> str:
    knife = re.sub(r"^(?:with|using|by)\s+", "", str(step.get("knife") or ""))
    if knife and not re.search(
        r"knife|knives|blade|razor|(?:micro|vibra)tome|saw|laser|messer", knife.lower()
    ):
        knife += " knife"
    return with_article(knife)


def _milling(step: Step, kind: str, names: Namer) -> _Words | None:
    details = [
        quantity(step.get("beam_current")),
        *_parameters(step),
        worded(quantity(step.get("milling_angle")), after=" to the surface"),
        names.instruments(step.get("equipment") or ()),
    ]
    parts = [
        "Lamellae",
        worded(quantity(step.get("target_thickness")), "of "),
        "were milled",
        f"with {step['ion_species']} ions" if step.get("ion_species") else "with an ion beam",
        noted(details),
    ]
    return "", "", spaced(parts)


def _dissecting(step: Step, kind: str, names: Namer) -> _Words | None:
    uses = names.mixture(step.get("materials") or [])
    parts = [f"in {uses}" if uses else "", *_conditions(step), _settings(step, names)]
    return "dissected", spaced(parts), ""


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
    yield temperature(step.get("temperature")) or from_to(step)
    if stages := list(step.get("temperature_program") or ()):
        words = programme(stages, warming=step.get("type") in _WARMED)
        yield f"while {words}" if words.startswith(("warmed", "cooled")) else words
    yield from _surroundings(step)


def _surroundings(step: Step) -> Iterator[str]:
    if step.get("vacuum"):
        yield "under vacuum"
    for key in ("light_conditions", "agitation"):
        if words := str(step.get(key) or ""):
            if words.lower() in _DARK:
                words = "in the dark"
            on_device = re.match(r"on\b", words) is None
            if on_device and words.lower().split()[-1] in (
                "rotator",
                "shaker",
                "rocker",
                "mixer",
                "wheel",
            ):
                words = f"on {with_article(words)}"
            leads = re.match(r"(?:in|on|under|with|at|by|while)\b", words, re.IGNORECASE)
            yield words if leads else f"with {words}" if key == "agitation" else f"({words})"


def _place(step: Step, kind: str) -> Iterator[str]:
    container = str(step.get("container") or "")
    if container:
        yield f"(in {with_article(container)})"


def _settings(step: Step, names: Namer) -> str:
    """Return settings and instruments in parentheses."""
    wave = step.get("microwave") or {}
    microwave = [
        worded(quantity(wave.get("microwave_power")), "microwave at "),
        worded(quantity(wave.get("microwave_on_time")), after=" on"),
        worded(quantity(wave.get("microwave_off_time")), after=" off"),
        worded(str(wave.get("microwave_cycles") or ""), after="\u00a0cycles"),
    ]
    return noted(
        [
            ", ".join(p for p in microwave if p),
            worded(quantity(step.get("flow_rate")), "at "),
            quantity(step.get("perfused_volume")),
            quantity(step.get("wattage")),
            str(step.get("instrument_description") or ""),
            names.instruments(names.without_general(step.get("equipment") or ())),
        ]
    )


def _is_mordant(use: Mapping[str, Any]) -> bool:
    return _canonical(use) in _MORDANTS


def _canonical(use: Mapping[str, Any]) -> str:
    return ground(str(use.get("material_name") or use.get("material") or "")).canonical


def _role_of(use: Mapping[str, Any], names: Namer) -> str | None:
    name = str(use.get("material_name") or names.entry(use).get("name") or "")
    return use.get("reagent_role") or (ground(name).role if name else None)


def _all_carriers(mixture: str) -> bool:
    """Whether the mixture is a buffer or medium only, in which things are done."""
    plain = mixture.split(" (")[0]
    return ground(re.sub(r"^[0-9.,–]+\s?(?:mM|M|%)\s", "", plain)).role in ("buffer", "solvent")
