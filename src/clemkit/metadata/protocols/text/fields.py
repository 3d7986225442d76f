"""Quantities and words of a step to its fields; what has no field of its own becomes a parameter."""
# ruff: noqa: E501  a pattern is read in one piece

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from clemkit.metadata.protocols.grounding import find_instruments
from clemkit.metadata.protocols.text.clauses import Clause
from clemkit.metadata.protocols.text.filled_step import FilledStep
from clemkit.metadata.protocols.text.materials import NamedMaterial
from clemkit.metadata.protocols.text.programmes import ladder_stages, temperature_stages
from clemkit.metadata.protocols.text.quantities import FoundQuantity
from clemkit.metadata.protocols.text.registry import Registry
from clemkit.metadata.protocols.text.spans import span
from clemkit.metadata.protocols.text.uses import material_uses, ratio_words

__all__ = ["step_fields"]

_LADDERS = frozenset(("Dehydration", "Infiltration"))
# not properties of a treatment
_IGNORED = frozenset(("other", "gauge"))
_WORDS = (
    ("agitation", "agitation", re.compile(
        r"(?:on\s(?:an?\s)?(?:\w+\s)?(?:rotat\w+(?:\s(?:wheel|mixer|shaker))?|shak\w+|rocker|orbital\s\w+|rotator|nutator)|with\s(?:gentle|constant|slow|continuous)\s(?:\w+\s)?"
        r"(?:agitation|rotation|shaking|stirring)|under\s(?:gentle\s|constant\s)?(?:agitation|rotation)|rotator|Rotator|Schüttler)", re.I)),
    ("light_conditions", "light", re.compile(
        r"(?:in\sthe\sdark|in\sdarkness|protected\sfrom\s(?:the\s)?light|under\sred\slight|\bdark\b|dunkel|im\sDunkeln|light[-\s]protected)", re.I)),
    ("knife", "knife", re.compile(
        r"(?:(?!a\b|the\b|with\b|using\b|by\b)\w+\s)?(?:(?:ultra|cryo|immuno|histo|trim\w*|jumbo|ATS|wet|dry|cryo[-\s]immuno)[-\s]?)?(?:(?:ultra|trim|histo)\s)?(?:(?:\d{2}°\s)?diamond|glass|steel|sapphire|trimming|ATS|jumbo)\s(?:trim(?:ming)?\s)?kni(?:fe|ves)|razor\sblade|Diatome[^,;)]{0,20}", re.I)),
    ("support", "support", re.compile(
        r"(?<![\w-])(?:(?!(?:on|onto|in|to|up|of|the|were|was|a|an|and|with|attached|mounted|collected|placed|water|using|from|between|into|frozen|for|at)\b)[\w/-]+[-\s]){0,4}(?:grids?|wafers?(?:\spieces?)?|coverslips?|Kapton\stape|tape|slides?|stubs?|pins?|holders?)\b", re.I)),
    ("container", "container", re.compile(
        r"(?:(?:flat|silicone|gelatine?|BEEM|embedding|PE|polypropylene)\s)?(?:moulds?|molds?|capsules?|vials?|dishes?\b|dish\b|tubes?)\b", re.I)),
)  # fmt: skip


def step_fields(
    text: str, name: str, clauses: Sequence[Clause], materials: Sequence[NamedMaterial],
    quantities: Sequence[FoundQuantity], registry: Registry, place: tuple[str | int, ...],
    source: str | None,
) -> dict[str, Any]:  # fmt: skip
    """Return the fields of a step in the model's plain form; ``spans`` holds where each was read."""
    step = FilledStep(text, name, source)
    ladder = name in _LADDERS
    uses, taken = material_uses(text, materials, quantities, registry, place, source, ladder=ladder)
    if uses:
        step.fields["materials"] = uses
    rest = [q for q in quantities if q not in taken and q.kind not in _IGNORED]
    rest = _microwave(step, rest, clauses)
    if ladder and any(q.kind in ("concentration", "ratio") for q in rest):
        rest = ladder_stages(step, rest)
    elif (
        name != "PlungeFreezing"
        and max(sum(q.kind == kind for q in rest) for kind in ("duration", "temperature")) > 1
    ):
        rest = temperature_stages(step, rest)
    if name == "CryoFibMilling":  # the last thickness is the one that is wanted
        rest.sort(key=lambda q: -q.start if q.kind == "length" else -(10**9))
    for quantity in rest:
        _place(step, quantity, uses)
    if step.parameters:
        step.fields["parameters"] = step.parameters
    _words(step, clauses, registry)
    return {**step.fields, "spans": step.spans}


def _place(step: FilledStep, quantity: FoundQuantity, uses: Sequence[dict[str, Any]]) -> None:
    if step.name == "CryoFibMilling" and _DEGREES.fullmatch(quantity.verbatim):
        quantity = replace(quantity, kind="angle", unit="deg")  # nobody mills at 8 °C
    kind = quantity.kind
    if kind == "ph":
        if quantity.value is not None and "step_ph" not in step.fields:
            step.fields["step_ph"] = quantity.value
            step.mark(quantity, "step_ph")
        return
    if kind == "count":
        if quantity.value is not None and "repeats" not in step.fields:
            step.fields["repeats"] = int(quantity.value)
            step.mark(quantity, "repeats")
        else:
            step.parameter(quantity)
        return
    if kind in ("ratio", "dilution"):
        free = next((u for u in uses if "stage_ratio" not in u), None)
        if free is not None:
            number = uses.index(free) + 1
            free["stage_ratio"] = ratio_words(quantity.verbatim)
            step.mark(quantity, f"materials/{number}/stage_ratio")
        else:
            step.parameter(quantity)
        return
    if (
        kind == "angle"
        and re.search(
            r"milling\sangle\W*(?:of\s)?\Z", step.text[max(0, quantity.start - 20) : quantity.start]
        )
        and "milling_angle" in step.slots
    ):
        step.fields.pop("milling_angle", None)
        step.spans = [s for s in step.spans if s.get("span_field") != "milling_angle"]
    if step.name == "PlungeFreezing" and _plunge(step, quantity):
        return
    options = {
        "duration": ("blot_duration",) if re.search(r"blot", step.text[max(0, quantity.start - 20) : quantity.start]) else
                    ("storage_period", "duration") if step.name == "Storage" else ("duration",),
        "temperature": ("temperature",), "ramp": ("ramp_rate",), "humidity": ("chamber_humidity",),
        "pressure": ("pressure",), "flow": ("flow_rate",), "volume": ("perfused_volume",),
        "length": ("wavelength",) if quantity.unit == "nm" and "wavelength" in step.slots else
                  ("target_thickness",) if step.name != "HighPressureFreezing" else ("carrier_bore_depth", "carrier_bore_diameter"),
        "speed": ("cutting_speed",), "angle": ("milling_angle", "knife_angle"),
        "power": ("wattage",), "current": ("beam_current",),
    }.get(kind, ())  # fmt: skip
    if not any(step.put(slot, quantity) for slot in options):
        step.parameter(quantity)


def _plunge(step: FilledStep, quantity: FoundQuantity) -> bool:
    """Place what only plunging has: blot time, temperature of cryogen and chamber."""
    if quantity.kind == "duration":
        return step.put("blot_duration", quantity)
    if quantity.kind != "temperature":
        return False
    value = quantity.value if quantity.value is not None else quantity.maximum
    cold = value is not None and value < (100 if quantity.unit == "K" else -80)
    return step.put("cryogen_temperature" if cold else "chamber_temperature", quantity)


def _microwave(
    step: FilledStep, quantities: list[FoundQuantity], clauses: Sequence[Clause]
) -> list[FoundQuantity]:
    """Take power and on and off times, where power is given or a microwave is named."""
    power = next((q for q in quantities if q.kind == "power"), None)
    if power is None or "wattage" in step.slots:
        return quantities
    words = step.text
    settings: dict[str, Any] = {}
    taken: set[FoundQuantity] = set()

    def take(slot: str, quantity: FoundQuantity) -> None:
        if slot not in settings:
            settings[slot] = quantity.plain()
            step.mark(quantity, f"microwave/{slot}")
            taken.add(quantity)

    take("microwave_power", power)
    for quantity in quantities:
        if quantity.kind != "duration":
            continue
        behind = words[quantity.end : quantity.end + 12]
        if re.match(r"[\s-]*on\s?/\s?off", behind, re.I):
            take("microwave_on_time", quantity)
            if "microwave_off_time" not in settings:
                settings["microwave_off_time"] = quantity.plain()
                step.mark(quantity, "microwave/microwave_off_time")
        elif re.match(r"[\s-]*on\b(?!\s(?:the|an?|ice|wet)\b)", behind, re.I):
            take("microwave_on_time", quantity)
        elif re.match(r"[\s-]*off\b", behind, re.I):
            take("microwave_off_time", quantity)
    if "microwave_on_time" in settings:
        count = next((q for q in quantities if q.kind == "count" and q.value), None)
        if count is not None and count.value is not None:
            settings["microwave_cycles"] = int(count.value)
            step.mark(count, "microwave/microwave_cycles")
            taken.add(count)
    step.fields["microwave"] = settings
    return [q for q in quantities if q not in taken]


def _words(step: FilledStep, clauses: Sequence[Clause], registry: Registry) -> None:
    """Fill the fields that hold words of the text."""
    text = step.text
    for slot, rule, pattern in _WORDS:
        if slot not in step.slots or (
            slot == "container" and step.name in ("SectionCollection", "Sectioning")
        ):
            continue
        for clause in clauses:
            if found := pattern.search(text, clause.start, clause.end):
                words = found[0].strip()
                start = found.start() + len(found[0]) - len(found[0].lstrip())
                step.fields[slot] = words
                step.spans.append(
                    span(text, start, start + len(words), rule, 0.8, field=slot, source=step.source)
                )
                break
    _vacuum(step, clauses)
    for clause in clauses:
        for flag, pattern in _FLAGS.items():
            if flag not in step.fields and (
                found := pattern.search(text, clause.start, clause.end)
            ):
                step.fields[flag] = True
                step.spans.append(
                    span(
                        text,
                        found.start(),
                        found.end(),
                        "flag",
                        0.8,
                        field=flag,
                        source=step.source,
                    )
                )
    equipment: list[str] = []
    for clause in clauses:
        for mention in find_instruments(text[clause.start : clause.end]):
            known = registry.instrument(mention.canonical)
            if known not in equipment:
                equipment.append(known)
                start = clause.start + mention.start
                step.spans.append(
                    span(
                        text,
                        start,
                        clause.start + mention.end,
                        "lexicon",
                        0.9,
                        field="equipment",
                        source=step.source,
                    )
                )
    if equipment:
        step.fields["equipment"] = equipment


def _vacuum(step: FilledStep, clauses: Sequence[Clause]) -> None:
    for clause in clauses:
        found = _VACUUM.search(step.text, clause.start, clause.end)
        if found is None or re.search(r"(?:no|without)\s\Z", step.text[: found.start()][-9:]):
            continue
        step.fields["vacuum"] = True
        step.spans.append(
            span(
                step.text,
                found.start(),
                found.end(),
                "vacuum",
                0.8,
                field="vacuum",
                source=step.source,
            )
        )
        return


_VACUUM = re.compile(
    r"(?:under|in\sa?|with)\s(?:\w+\s)?vacuum\b|\bvacuum\s(?:on|oven|helps)|\bva[ck]uum\b(?!\s(?:filt|desicc))",
    re.I,
)
_DEGREES = re.compile(r"\d+(?:\s?[-–]\s?\d+)?\s?°")
_FLAGS = {
    "is_pause_point": re.compile(
        r"pause\s?point|stopping\spoint|safe\sstop|can\sbe\s(?:kept|stored|left|paused|interrupted)|may\sbe\sstored",
        re.I,
    ),
    "is_critical": re.compile(
        r"\bcritical(?:\sstep)?\b(?!\s?-?point)|\b(?:do\snot|never)\s|important!|\bCAUTION\b|Achtung",
        re.I,
    ),
    "is_optional": re.compile(
        r"\boptional(?:ly)?\b|if\s(?:needed|required|necessary|desired)", re.I
    ),
}
