"""Rules for the order of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from clemkit.errors import Problem
from clemkit.metadata.protocols.plausibility.preparation import (
    CURING,
    FREEZING,
    Preparation,
    Step,
    warning,
)
from clemkit.metadata.protocols.plausibility.substances import FIXATIVES, RESINS, SOLVENTS

__all__ = ["RULES"]

_FIXING = ("Perfusion", "ChemicalFixation")
_STAINING = ("PostFixation", "EnBlocStaining", "Staining")
# after these a specimen is another one: sections start a chemistry of their own
_CUTTING = ("Sectioning", "SectionCollection", *CURING)


def _en_bloc(preparation: Preparation) -> list[Step]:
    return preparation.of_kind(*_STAINING)


def osmium_before_tch(preparation: Preparation) -> Iterator[Problem]:
    """Expect osmium before thiocarbohydrazide, which binds to it."""
    for step in _en_bloc(preparation):
        if "thiocarbohydrazide" in step.substances and not any(
            "osmium" in s.substances for s in preparation.before(step)
        ):
            yield warning(
                step.location,
                "L6-osmium-before-tch",
                "expected osmium tetroxide before thiocarbohydrazide; found none",
                "check the order of the steps",
            )


def osmium_after_tch(preparation: Preparation) -> Iterator[Problem]:
    """Expect osmium after thiocarbohydrazide, which is a bridge to it."""
    for step in _en_bloc(preparation):
        if "thiocarbohydrazide" in step.substances and not any(
            "osmium" in s.substances for s in preparation.after(step)
        ):
            yield warning(
                step.location,
                "L6-osmium-after-tch",
                "expected osmium tetroxide after thiocarbohydrazide; found none",
                "add the second osmium step, or leave thiocarbohydrazide out",
            )


def rinse_around_tch(preparation: Preparation) -> Iterator[Problem]:
    """Expect a rinse: osmium and thiocarbohydrazide in solution make a precipitate."""
    steps = preparation.steps
    pair = {"osmium", "thiocarbohydrazide"}
    # a protocol that mentions no rinses after stains leaves them out of its text
    rinsed = any(a.kind in _STAINING and b.kind == "Rinsing" for a, b in pairwise(steps))
    for first, second in pairwise(steps):
        if not rinsed or first.kind not in _STAINING or second.kind not in _STAINING:
            continue
        if pair <= first.substances | second.substances and not pair <= first.substances:
            yield warning(
                second.location,
                "L6-rinse-around-tch",
                "expected a rinse between osmium tetroxide and thiocarbohydrazide; found none",
                "rinse with water until it is clear",
            )


def reduced_osmium_after_tch(preparation: Preparation) -> Iterator[Problem]:
    """Expect plain osmium after thiocarbohydrazide; reduced, it leaves membranes pale."""
    for step in _en_bloc(preparation):
        before = [s for s in preparation.before(step) if s.kind in _STAINING]
        if {"osmium", "ferrocyanide"} <= step.substances and any(
            "thiocarbohydrazide" in s.substances for s in before
        ):
            yield warning(
                step.location,
                "L6-reduced-osmium",
                "expected plain osmium tetroxide after thiocarbohydrazide; found it reduced "
                "with ferrocyanide",
                "reduce the first osmium, not the second",
            )


def _last_phosphate(preparation: Preparation, step: Step) -> Step | None:
    """Return the step that left phosphate behind, if nothing washed it away."""
    if "phosphate" in step.substances:
        return step
    if "rins" in step.words or "wash" in step.words:
        return None  # read from a sentence that holds the rinse too
    for earlier in preparation.before(step):
        if earlier.kind == "Rinsing" and "water" in earlier.substances:
            return None
        if "phosphate" in earlier.substances:
            return earlier
        washed = earlier.kind in ("Rinsing", "Dehydration", "FreezeSubstitution", *_CUTTING)
        if washed or "cacodylate" in earlier.substances:
            return None
    return None


def heavy_metal_after_phosphate(preparation: Preparation) -> Iterator[Problem]:
    """Expect no phosphate: that of uranyl or lead falls out on the specimen."""
    for metal, rule in (
        ("uranyl", "L6-uranyl-after-phosphate"),
        ("lead", "L6-lead-after-phosphate"),
    ):
        for step in preparation.of_kind(*_STAINING, "PostStaining"):
            if metal not in step.substances:
                continue
            source = _last_phosphate(preparation, step)
            if source is not None:
                where = "in it" if source is step else f"left by step {source.position + 1}"
                yield warning(
                    step.location,
                    rule,
                    f"expected no phosphate where {metal} comes in; found it {where}",
                    "rinse with water, or with cacodylate or maleate buffer, before",
                )


def fixation_after_freezing(preparation: Preparation) -> Iterator[Problem]:
    """Expect no fixation in water after freezing."""
    for step in preparation.of_kind("ChemicalFixation"):
        for earlier in preparation.before(step):
            if earlier.kind in ("FreezeSubstitution", "OtherStep", "UnparsedStep", *_CUTTING):
                break  # thawed, substituted or cut
            if earlier.kind in FREEZING:
                yield warning(
                    step.location,
                    "L6-fixation-after-freezing",
                    f"expected fixation before freezing; found it after step "
                    f"{earlier.position + 1} ({earlier.kind})",
                    "check the order, or make it a freeze substitution",
                )
                break


def osmium_before_aldehyde(preparation: Preparation) -> Iterator[Problem]:
    """Expect aldehydes before osmium, which stops them from getting in."""
    for step in preparation.of_kind("PostFixation"):
        if "osmium" not in step.substances:
            continue
        earlier = preparation.before(step)
        if any(s.kind in (*_FIXING, *FREEZING) for s in earlier):
            continue
        for later in preparation.after(step):
            if later.kind in (*_CUTTING, *FREEZING):
                break
            if later.kind in _FIXING and later.substances & FIXATIVES:
                yield warning(
                    step.location,
                    "L6-osmium-before-aldehyde",
                    "expected aldehydes before osmium tetroxide; found them in step "
                    f"{later.position + 1}",
                    "check the order of the steps",
                )
                break


def aldehydes_before_label(preparation: Preparation) -> Iterator[Problem]:
    """Expect quenching: free aldehydes bind antibodies wherever they are."""
    for step in preparation.of_kind("ImmunoLabelling"):
        if "label" not in step.substances:
            continue
        for earlier in preparation.before(step):
            if earlier.kind == "Quenching" or "quencher" in earlier.substances:
                break
            if earlier.kind == "Incubation" and "protein" in earlier.substances:
                break  # a block with protein takes up aldehydes too
            if earlier.kind == "ImmunoLabelling":
                break  # said once is enough
            if "glutaraldehyde" in earlier.substances:
                yield warning(
                    step.location,
                    "L6-aldehydes-before-label",
                    f"expected free aldehydes to be quenched before labelling; found "
                    f"glutaraldehyde in step {earlier.position + 1} and no quenching",
                    "quench with glycine, ammonium chloride or borohydride",
                )
                break


def water_after_dehydration(preparation: Preparation) -> Iterator[Problem]:
    """Expect no water between dehydration and resin."""
    for step in preparation.of_kind("Rinsing", *_STAINING, "Quenching"):
        wet = step.substances & {"water", "phosphate", "cacodylate"}
        if not wet or step.substances & (SOLVENTS | RESINS):
            continue
        dry = next(
            (
                s
                for s in preparation.before(step)
                if s.kind in ("Dehydration", "Infiltration", *_CUTTING)
            ),
            None,
        )
        later = [s for s in preparation.after(step) if s.kind in ("Dehydration", "Infiltration")]
        if dry is None or dry.kind != "Dehydration" or not later:
            continue
        if later[0].kind == "Infiltration":
            yield warning(
                step.location,
                "L6-water-after-dehydration",
                f"expected no water between dehydration and resin; found {', '.join(sorted(wet))}",
                "move the step before the dehydration",
            )


def cut_before_cured(preparation: Preparation) -> Iterator[Problem]:
    """Expect curing between infiltration and cutting."""
    for step in preparation.of_kind("Sectioning", "Trimming"):
        for earlier in preparation.before(step):
            if earlier.kind in (*CURING, "Sectioning", "Trimming"):
                break  # cured, or said at the first cut
            if earlier.kind == "Infiltration" and earlier.substances & RESINS:
                yield warning(
                    step.location,
                    "L6-cut-before-cured",
                    "expected the resin to be cured before it is cut; found no curing after "
                    f"step {earlier.position + 1}",
                    "add the curing step",
                )
                break


RULES: Final[tuple[Callable[[Preparation], Iterator[Problem]], ...]] = (
    osmium_before_tch, osmium_after_tch, rinse_around_tch, reduced_osmium_after_tch,
    heavy_metal_after_phosphate, fixation_after_freezing, osmium_before_aldehyde,
    aldehydes_before_label, water_after_dehydration, cut_before_cured,
)  # fmt: skip
