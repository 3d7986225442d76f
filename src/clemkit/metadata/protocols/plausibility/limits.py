"""Rules for numbers that chemistry or machines do not allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from clemkit.errors import Problem
from clemkit.metadata.protocols.amounts import (
    Interval,
    celsius,
    interval,
    kind_of_quantity,
    molar,
    percent,
)
from clemkit.metadata.protocols.plausibility.preparation import (
    FREEZING,
    Preparation,
    warning,
)

__all__ = ["RULES"]

# the strongest solutions in use, in per cent
_PERCENT: Final[Mapping[str, float]] = {
    "glutaraldehyde": 8.0, "formaldehyde": 16.0, "acrolein": 10.0, "osmium": 4.0, "uranyl": 12.0,
    "thiocarbohydrazide": 2.0, "tannic acid": 10.0, "ferrocyanide": 5.0, "lead": 5.0,
    "diaminobenzidine": 1.0, "peroxide": 3.0,
}  # fmt: skip
_MOLAR: Final[Mapping[str, float]] = {"phosphate": 0.5, "cacodylate": 0.5, "peroxide": 1.0}
_PH: Final[tuple[tuple[str, tuple[str, ...], Interval], ...]] = (
    ("lead aspartate", ("EnBlocStaining", "Staining"), (4.8, 6.0)),
    ("lead citrate", ("PostStaining", "Staining"), (11.0, 13.5)),
    ("uranyl", ("EnBlocStaining", "PostStaining", "Staining"), (3.0, 7.2)),
    ("glutaraldehyde", ("ChemicalFixation", "Perfusion"), (6.0, 8.5)),
    ("formaldehyde", ("ChemicalFixation", "Perfusion"), (6.0, 11.0)),
    ("diaminobenzidine", ("DabReaction",), (4.5, 8.5)),
)
_NM: Final = 1e-9


def concentrations(preparation: Preparation) -> Iterator[Problem]:
    """Expect no solutions that nobody uses: a decimal point or a unit has slipped."""
    for step in preparation.steps:
        for use in step.uses:
            # a mixture has its own strength, its parts have theirs
            known = use.substances & (_PERCENT.keys() | _MOLAR.keys())
            if len(known) != 1:
                continue
            (substance,) = known
            for amount, limits, unit in (
                (percent(use.concentration), _PERCENT, "%"),
                (molar(use.concentration), _MOLAR, "M"),
            ):
                if amount and substance in limits and amount[0] > limits[substance]:
                    yield warning(
                        use.location,
                        "L6-concentration",
                        f"expected at most {limits[substance]:g} {unit} {use.name}; "
                        f"found {amount[0]:g} {unit}",
                        "check the number and its unit",
                    )


def lead_temperature(preparation: Preparation) -> Iterator[Problem]:
    """Expect lead aspartate at 70 °C or less: it falls out."""
    for step in preparation.of_kind("EnBlocStaining", "Staining"):
        if "lead aspartate" in step.substances and step.temperature and step.temperature[1] > 70.5:
            yield warning(
                step.location,
                "L6-lead-temperature",
                f"expected lead aspartate at 70 °C or less; found {step.temperature[1]:g} °C",
                "it is used at 50 to 60 °C",
            )


def osmium_temperature(preparation: Preparation) -> Iterator[Problem]:
    """Expect no hot osmium: it is volatile and poisonous."""
    for step in preparation.of_kind("PostFixation", "EnBlocStaining", "Staining"):
        if "osmium" in step.substances and step.temperature and step.temperature[0] > 60.0:
            yield warning(
                step.location,
                "L6-osmium-temperature",
                f"expected osmium tetroxide below 60 °C; found {step.temperature[0]:g} °C",
                "check the number and its unit",
            )


def fixation_temperature(preparation: Preparation) -> Iterator[Problem]:
    """Expect fixation between freezing and what a microwave makes."""
    for step in preparation.of_kind("ChemicalFixation", "Perfusion"):
        if step.temperature is None:
            continue
        low, high = step.temperature
        if low < -5.0 or high > 60.0:
            yield warning(
                step.location,
                "L6-fixation-temperature",
                f"expected fixation between 0 and 60 °C; found {low if low < -5 else high:g} °C",
                "check the number and its unit",
            )


def substitution_temperature(preparation: Preparation) -> Iterator[Problem]:
    """Expect substitution to begin where ice does not grow."""
    for step in preparation.of_kind("FreezeSubstitution"):
        if step.temperature and step.temperature[0] > -70.0:
            yield warning(
                step.location,
                "L6-substitution-temperature",
                f"expected substitution to begin at −78 °C or colder; found "
                f"{step.temperature[0]:g} °C",
                "check the programme and the sign",
            )


def substitution_program(preparation: Preparation) -> Iterator[Problem]:
    """Expect stages that begin where the one before ended, and that do not cool."""
    for step in preparation.of_kind("FreezeSubstitution", "UvPolymerization"):
        ends: Interval | None = None
        for number, stage in enumerate(step.program):
            start = celsius(stage.get("start_temperature"))
            end = celsius(stage.get("end_temperature")) or start
            place = (*step.location, "temperature_program", number)
            # a stage that only holds says nothing of the way to it
            moves = start != end
            if start and ends and moves and (start[1] < ends[0] - 0.5 or start[0] > ends[1] + 0.5):
                yield warning(
                    place,
                    "L6-temperature-program",
                    f"expected a stage that begins at {ends[0]:g} °C, where the one before "
                    f"ended; found {start[0]:g} °C",
                    "add the missing stage, or correct the temperature",
                )
            if step.kind == "FreezeSubstitution" and start and end and end[1] < start[0] - 0.5:
                yield warning(
                    place,
                    "L6-temperature-program",
                    f"expected a stage that warms or holds; found {start[0]:g} to {end[0]:g} °C",
                    "check the order of the temperatures",
                )
            ends = end or ends


def ramp_fits(preparation: Preparation) -> Iterator[Problem]:
    """Expect temperatures, rate and time of a stage to agree."""
    for step in preparation.steps:
        for number, stage in enumerate(step.program):
            start, end = (celsius(stage.get(f"{k}_temperature")) for k in ("start", "end"))
            rate, time = interval(stage.get("ramp_rate")), interval(stage.get("duration"))
            if not (start and end and rate and time) or not rate[0] or start == end:
                continue
            needed = abs(end[0] - start[0]) / abs(rate[0])
            given = time[0] / 3600.0
            if not 0.8 * needed <= given <= 1.25 * needed:
                yield warning(
                    (*step.location, "temperature_program", number),
                    "L6-ramp",
                    f"expected {needed:.3g} h for {start[0]:g} to {end[0]:g} °C at "
                    f"{rate[0]:g} °C/h; found {given:.3g} h",
                    "correct time, rate or temperatures",
                )


def freezing(preparation: Preparation) -> Iterator[Problem]:
    """Expect about 2000 bar, or a cryogen below −150 °C: water becomes glass."""
    for step in preparation.of_kind(*FREEZING):
        pressure = interval(step.data.get("pressure"))
        if pressure and step.kind == "HighPressureFreezing":
            bar = pressure[0] / 1e5, pressure[1] / 1e5
            if bar[1] < 1800 or bar[0] > 2500:
                yield warning(
                    (*step.location, "pressure"),
                    "L6-freezing",
                    f"expected about 2100 bar; found {bar[0]:.4g} bar",
                    "check the number and its unit",
                )
        cold = celsius(step.data.get("cryogen_temperature"))
        if cold and cold[0] > -150.0:
            yield warning(
                (*step.location, "cryogen_temperature"),
                "L6-freezing",
                f"expected a cryogen below −150 °C; found {cold[0]:g} °C",
                "check the number and its sign",
            )


def acidity(preparation: Preparation) -> Iterator[Problem]:
    """Expect stains and fixatives in the range of pH in which they work."""
    for step in preparation.steps:
        ph = step.data.get("step_ph")
        if not isinstance(ph, int | float):
            continue
        for substance, kinds, (low, high) in _PH:
            if step.kind in kinds and substance in step.substances and not low <= ph <= high:
                yield warning(
                    (*step.location, "step_ph"),
                    "L6-acidity",
                    f"expected pH {low:g} to {high:g} for {substance}; found {ph:g}",
                    "check the number",
                )


def thickness(preparation: Preparation) -> Iterator[Problem]:
    """Expect thicknesses that can be made."""
    for step in preparation.of_kind("Sectioning", "Coating", "CryoFibMilling"):
        given: Any = step.data.get("target_thickness")
        found = interval(given) if kind_of_quantity(given) == "length" else None
        low, high, shown = {
            "Sectioning": (4 * _NM, 3e-3, "4 nm to 3 mm for a section"),
            "Coating": (0.3 * _NM, 5e-6, "0.3 nm to 5 um for a coat"),
            "CryoFibMilling": (20 * _NM, 50e-6, "20 nm to 50 um for a lamella"),
        }[step.kind]
        if found and (found[1] < low or found[0] > high):
            yield warning(
                (*step.location, "target_thickness"),
                "L6-section-thickness",
                f"expected {shown}; found {found[0]:.3g} m",
                "check the unit",
            )


RULES: Final[tuple[Callable[[Preparation], Iterator[Problem]], ...]] = (
    concentrations, lead_temperature, osmium_temperature, fixation_temperature,
    substitution_temperature, substitution_program, ramp_fits, freezing, acidity, thickness,
)  # fmt: skip
