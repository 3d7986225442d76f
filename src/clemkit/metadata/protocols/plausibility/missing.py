"""Rules for what a reader needs to repeat the work and does not find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from clemkit.errors import Problem
from clemkit.metadata.protocols.plausibility.preparation import (
    CURING,
    Preparation,
    Step,
    Use,
    warning,
)
from clemkit.metadata.protocols.plausibility.substances import FIXATIVES

__all__ = ["RULES"]

_TIMED = (
    "ChemicalFixation", "PostFixation", "EnBlocStaining", "FreezeSubstitution", "ImmunoLabelling",
    *CURING,
)  # fmt: skip
# what is made up fresh and has no strength by its name
_MADE_UP = FIXATIVES | {"osmium", "thiocarbohydrazide", "uranyl", "tannic acid", "diaminobenzidine"}
_NAMED = ("karnovsky", "saturated", "walton", "reynolds")
_LIGHT = ("light", "illuminat", "photo", "irradiat", "laser", "lamp", "excit")


def temperature(preparation: Preparation) -> Iterator[Problem]:
    """Expect the temperature of curing and of substitution."""
    for step in preparation.of_kind("FreezeSubstitution", *CURING):
        if step.temperature is None and step.says_anything:
            yield warning(
                step.location,
                "L6-no-temperature",
                f"expected a temperature for {step.kind}; found none",
                "add it, or a temperature programme",
            )


def duration(preparation: Preparation) -> Iterator[Problem]:
    """Expect the time of a reaction."""
    for step in preparation.of_kind(*_TIMED):
        if not step.has_time and step.says_anything and not _goes_on(preparation, step):
            yield warning(
                step.location,
                "L6-no-duration",
                f"expected a duration for {step.kind}; found none",
                "add it",
            )


def _goes_on(preparation: Preparation, step: Step) -> bool:
    """Return whether the same treatment goes on and has its time there."""
    for later in preparation.after(step):
        if later.kind == step.kind:
            return later.has_time
        if later.kind in ("Rinsing", "Dehydration", "Infiltration", *_TIMED):
            return False
    return False


def concentration(preparation: Preparation) -> Iterator[Problem]:
    """Expect the strength of a fixative or stain."""
    for step in preparation.steps:
        if step.kind in ("Rinsing", "Storage", "OtherStep"):
            continue  # there it says what is washed away or kept
        for use in step.uses:
            if use.slot != "materials" or use.concentration or "label" in use.substances:
                continue
            if not use.substances & _MADE_UP or any(n in use.name.lower() for n in _NAMED):
                continue
            if any(n in step.words for n in _NAMED) or _given_elsewhere(step, use):
                continue
            if step.kind == "DabReaction" and any(
                _given_elsewhere(earlier, use) for earlier in preparation.before(step)[:2]
            ):
                continue
            yield warning(
                use.location,
                "L6-no-concentration",
                f"expected a concentration of {use.name or 'the material'}; found none",
                "add it",
            )


def _given_elsewhere(step: Step, use: Use) -> bool:
    """Return whether parts of the mixture, or the same substance again, have a concentration."""
    return any(
        other.concentration
        and (other.location == use.location or other.substances & use.substances)
        for other in step.uses
    )


def peroxide(preparation: Preparation) -> Iterator[Problem]:
    """Expect peroxide or light, since one of them oxidises diaminobenzidine."""
    for step in preparation.of_kind("DabReaction"):
        if "diaminobenzidine" not in step.substances or "peroxide" in step.substances:
            continue
        lit = any(word in step.words for word in _LIGHT) or any(
            step.data.get(k) for k in ("wavelength", "labels_applied")
        )
        if not lit:
            yield warning(
                step.location,
                "L6-dab-without-oxidant",
                "expected hydrogen peroxide or light for diaminobenzidine; found neither",
                "add the peroxide, or say which light was used",
            )


RULES: Final[tuple[Callable[[Preparation], Iterator[Problem]], ...]] = (
    temperature, duration, concentration, peroxide,
)  # fmt: skip
