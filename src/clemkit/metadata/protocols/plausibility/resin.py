"""Rules from dehydration to the cured block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from clemkit.errors import Problem
from clemkit.metadata.protocols.amounts import Interval
from clemkit.metadata.protocols.plausibility.preparation import (
    CURING,
    Preparation,
    Step,
    warning,
)
from clemkit.metadata.protocols.plausibility.substances import (
    ACRYLICS,
    EPOXIES,
    LOWICRYLS,
    RESINS,
    SOLVENTS,
)

__all__ = ["RULES"]

_COLD_ACRYLICS = LOWICRYLS | {"lr gold"}
_PURE = re.compile(r"\b(?:absolute|anhydrous|abs|pure|dry)\b")


def _falls(stages: Sequence[Interval]) -> tuple[Interval, Interval] | None:
    """Return the first two stages of which the second is weaker."""
    for first, second in pairwise(stages):
        if second[1] < first[0]:
            return first, second
    return None


def _percent(stage: Interval) -> str:
    return f"{stage[0]:g} %" if stage[0] == stage[1] else f"{stage[0]:g}–{stage[1]:g} %"


def ladder_rises(preparation: Preparation) -> Iterator[Problem]:
    """Expect solvent to rise within a dehydration."""
    for step in preparation.of_kind("Dehydration"):
        if found := _falls(step.ladder_percent):
            yield warning(
                (*step.location, "ladder"),
                "L6-ladder-falls",
                f"expected concentrations that rise; found {_percent(found[1])} after "
                f"{_percent(found[0])}",
                "check the order of the stages",
            )


def ladder_goes_on(preparation: Preparation) -> Iterator[Problem]:
    """Expect an interrupted ladder to go on where it stopped."""
    steps = preparation.of_kind("Dehydration")
    for first, second in pairwise(steps):
        shared = first.substances & second.substances & SOLVENTS
        if not shared or not first.ladder_percent or not second.ladder_percent:
            continue
        if found := _falls((first.ladder_percent[-1], second.ladder_percent[0])):
            yield warning(
                (*second.location, "ladder"),
                "L6-ladder-falls",
                f"expected at least the {_percent(found[0])} of step {first.position + 1}; "
                f"found {_percent(found[1])}",
                "check the order of the steps",
            )


def ladder_ends_dry(preparation: Preparation) -> Iterator[Problem]:
    """Expect pure solvent before epoxy resins, which do not mix with water."""
    for step in preparation.of_kind("Infiltration"):
        if not step.substances & EPOXIES:
            continue
        before = [s for s in preparation.before(step) if s.kind in ("Dehydration", *CURING)]
        if not before or before[0].kind != "Dehydration" or not before[0].ladder_percent:
            continue
        last = before[0].ladder_percent[-1]
        if last[1] < 99.0 and not _PURE.search(before[0].words):
            yield warning(
                (*before[0].location, "ladder"),
                "L6-ladder-ends-wet",
                f"expected a ladder up to 100 % before epoxy resin; found its end at "
                f"{_percent(last)}",
                "add pure, dry solvent",
            )


def resin_rises(preparation: Preparation) -> Iterator[Problem]:
    """Expect resin to rise within an infiltration."""
    for step in preparation.of_kind("Infiltration"):
        place, rule = (*step.location, "ladder"), "L6-infiltration-falls"
        if found := _falls(step.ladder_percent):
            yield warning(
                place,
                rule,
                f"expected concentrations of resin that rise; found {_percent(found[1])} after "
                f"{_percent(found[0])}",
                "check the order of the stages",
            )
        # which side of a ratio is the resin is not always said: only a change of direction is odd
        steps = [b - a for a, b in pairwise(step.ladder_parts)]
        if any(s > 0 for s in steps) and any(s < 0 for s in steps):
            yield warning(
                place,
                rule,
                "expected mixing ratios that only rise or only fall; found both",
                "check the order of the stages",
            )


def _resins(step: Step) -> frozenset[str]:
    found = step.substances & RESINS
    if found & LOWICRYLS - {"lowicryl"}:
        found -= {"lowicryl"}
    return found - {"epoxy"} if found - {"epoxy"} else found


def same_resin(preparation: Preparation) -> Iterator[Problem]:
    """Expect the resin that was infiltrated to be cured."""
    for step in preparation.of_kind(*CURING):
        cured = _resins(step)
        before = [s for s in preparation.before(step) if s.kind == "Infiltration" and _resins(s)]
        if not cured or not before:
            continue
        soaked = _resins(before[0])
        unnamed = cured | soaked == {"epoxy"} | (cured | soaked) & EPOXIES
        if cured & soaked or ("epoxy" in cured | soaked and unnamed):
            continue
        yield warning(
            step.location,
            "L6-other-resin",
            f"expected the resin of step {before[0].position + 1} "
            f"({', '.join(sorted(soaked))}); found {', '.join(sorted(cured))}",
            "correct one of them",
        )


def cured_after_infiltration(preparation: Preparation) -> Iterator[Problem]:
    """Expect infiltration before curing."""
    infiltrations = preparation.of_kind("Infiltration")
    for step in preparation.of_kind(*CURING):
        if not infiltrations or not _resins(step):
            continue  # what is cured may be a gel
        if all(s.position > step.position for s in infiltrations):
            yield warning(
                step.location,
                "L6-cured-before-infiltration",
                f"expected infiltration before curing; found it in step "
                f"{infiltrations[0].position + 1}",
                "check the order of the steps",
            )


def same_solvent(preparation: Preparation) -> Iterator[Problem]:
    """Expect resin to be thinned with the solvent that is in the specimen."""
    for step in preparation.of_kind("Infiltration"):
        mixed = step.substances & SOLVENTS
        inside: frozenset[str] = frozenset()
        for earlier in preparation.before(step):
            inside = earlier.substances & SOLVENTS
            if inside or earlier.kind in ("Infiltration", *CURING):
                break
        # propylene oxide is a bridge: it goes with any of them
        if mixed and inside and not mixed & (inside | {"propylene oxide"}):
            yield warning(
                step.location,
                "L6-other-solvent",
                f"expected resin in {', '.join(sorted(inside))}, which the specimen holds; "
                f"found {', '.join(sorted(mixed))}",
                "exchange the solvent first, or correct one of them",
            )


def curing_temperature(preparation: Preparation) -> Iterator[Problem]:
    """Expect 45 to 75 °C for epoxies, and no more than 65 °C for acrylics."""
    for step in preparation.of_kind("OvenCuring"):
        resins = _resins(step) or next(
            (_resins(s) for s in preparation.before(step) if s.kind == "Infiltration"),
            frozenset[str](),
        )
        if step.temperature is None:
            continue
        low, high = step.temperature
        if resins & EPOXIES and (high > 75.5 or high < 44.5):
            bounds, rule = "45 to 75 °C for an epoxy resin", "L6-curing-temperature"
        elif resins & ACRYLICS and high > 65.5:
            bounds, rule = "at most 65 °C for an acrylic resin", "L6-curing-temperature"
        else:
            continue
        shown = f"{low:g} °C" if low == high else f"{low:g} to {high:g} °C"
        yield warning(step.location, rule, f"expected {bounds}; found {shown}", "check it")


def curing_time(preparation: Preparation) -> Iterator[Problem]:
    """Expect most of a day for epoxies at 60 °C."""
    for step in preparation.of_kind("OvenCuring"):
        resins = _resins(step) or next(
            (_resins(s) for s in preparation.before(step) if s.kind == "Infiltration"),
            frozenset[str](),
        )
        if not resins & EPOXIES or step.hours is None or step.temperature is None:
            continue
        if step.hours[1] < 12 and step.temperature[1] <= 65:
            yield warning(
                step.location,
                "L6-curing-time",
                f"expected at least 12 h for an epoxy resin at {step.temperature[1]:g} °C; "
                f"found {step.hours[1]:g} h",
                "check the time and its unit",
            )


def cold_ultraviolet(preparation: Preparation) -> Iterator[Problem]:
    """Expect ultraviolet curing of Lowicryls in the cold, since it makes heat."""
    for step in preparation.of_kind("UvPolymerization"):
        resins = _resins(step) or next(
            (_resins(s) for s in preparation.before(step) if s.kind == "Infiltration"),
            frozenset[str](),
        )
        if resins & _COLD_ACRYLICS and step.temperature and step.temperature[0] > 4.5:
            yield warning(
                step.location,
                "L6-warm-ultraviolet",
                f"expected ultraviolet curing of {', '.join(sorted(resins & _COLD_ACRYLICS))} "
                f"to begin in the cold; found {step.temperature[0]:g} °C",
                "begin below −20 °C and warm up at the end",
            )


RULES: Final[tuple[Callable[[Preparation], Iterator[Problem]], ...]] = (
    ladder_rises, ladder_goes_on, ladder_ends_dry, resin_rises, same_resin,
    cured_after_infiltration, same_solvent, curing_temperature, curing_time, cold_ultraviolet,
)  # fmt: skip
