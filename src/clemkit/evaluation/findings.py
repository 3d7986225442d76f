"""Findings of a registration in plain language, each with what to try."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from clemkit.evaluation.affine_summary import decompose_affine
from clemkit.evaluation.report_data import ReportData
from clemkit.evaluation.wording import format_length

__all__ = ["Finding", "collect_findings"]

_SCALE_RATIO = 1.5  # shrinkage in resin stays below this; a wrong voxel size rarely does
_SHEAR = 0.2
_VOLUME_CHANGE = 2.5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the user should know.

    Attributes
    ----------
    severity : {"warning", "note"}
        Warnings call for a look, notes explain.
    text : str
        What was found.
    advice : str
        What to try; may be empty.
    """

    severity: Literal["warning", "note"]
    text: str
    advice: str = ""


# the first pattern that occurs in a warning gives the advice
_ADVICE: tuple[tuple[str, str], ...] = (
    (
        r"mirror|reflect|handed",
        "Check the slice order and camera flips of both volumes. If one of them really is "
        "mirrored, run again with --allow-reflection.",
    ),
    (
        r"fold|determinant|jacobian",
        "Look at these places in both volumes. A stiffer deformation, or the affine result alone, "
        "removes folds.",
    ),
    (
        r"unit|voxel size|spacing|scale",
        "Compare the voxel sizes of both files with clemkit info and, if one is wrong, pass "
        "--fixed-voxel-size or --moving-voxel-size in nm.",
    ),
    (
        r"outlier|duplicate|repeated",
        "Look at the named pairs in BigWarp, correct or remove them, and run again.",
    ),
    (
        r"overlap|field of view|outside",
        "Make sure that both volumes show the same part of the specimen; crop the larger one "
        "around the smaller if most of it is elsewhere.",
    ),
    (
        r"ambigu|confiden|symmetr|stand out|second best|alternative",
        "Judge the overlays below. If structures do not line up, give three or more landmark "
        "pairs, or labels of a second kind of structure.",
    ),
    (
        r"few|only \w+ (object|structure|match|landmark|pair)|one object|coplanar|collinear",
        "Add structures or landmarks, spread over the whole volume and its depth.",
    ),
    (
        r"empty|no object|no structure|no label",
        "Check the channel and the threshold of the segmentation, or pass your own labels.",
    ),
    (
        r"held.?out|evidence|error estimate",
        "Measure the error yourself: landmark pairs that the registration has not seen, and "
        "clemkit evaluate.",
    ),
    (
        r"converg|iteration|metric",
        "Compare the overlays before and after; if after is no better, use the affine result.",
    ),
)


def collect_findings(data: ReportData) -> tuple[Finding, ...]:
    """Return the registration's warnings with advice, then what the figures themselves show."""
    found = [Finding("warning", text, _advice_for(text)) for text in data.warnings]
    said = " ".join(data.warnings).lower()
    for topic, finding in [*_from_affine(data), *_from_deformation(data), *_from_error(data)]:
        if not re.search(topic, said):  # the registration has said it already
            found.append(finding)
    return tuple(sorted(found, key=lambda f: f.severity != "warning"))


def _advice_for(text: str) -> str:
    lower = text.lower()
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, lower)), "")


def _from_affine(data: ReportData) -> list[tuple[str, Finding]]:
    if data.affine_moving_to_fixed is None:
        return []
    found = []
    summary = decompose_affine(data.affine_moving_to_fixed)
    if summary.mirrored_axis:
        text = f"The transform mirrors the {summary.mirrored_axis} axis."
        found.append(("mirror|reflect", Finding("warning", text, _advice_for(text))))
    ratio = max(summary.scales_zyx) / min(summary.scales_zyx)
    if ratio > _SCALE_RATIO:
        text = (
            f"The axes are scaled very differently: one by {ratio:.2g} times as much as another. "
            "Shrinkage rarely does that; a wrong voxel size or section thickness does."
        )
        found.append(("scale|voxel size", Finding("warning", text, _advice_for("voxel size"))))
    if max(map(abs, summary.shears)) > _SHEAR:
        text = f"The transform shears by up to {max(map(abs, summary.shears)):.2g}."
        advice = "Sections that drift sideways cause this: align the slice stack first."
        found.append(("shear", Finding("warning", text, advice)))
    if summary.tilt_deg > 90:
        text = "The moving volume lies upside down with respect to the fixed one."
        advice = "This is no error if the specimen was turned over or the slices run the other way."
        found.append(("upside", Finding("note", text, advice)))
    return found


def _from_deformation(data: ReportData) -> list[tuple[str, Finding]]:
    found = []
    jacobian = data.jacobian_summary
    if jacobian is not None and jacobian.folded_fraction > 0:
        text = (
            f"The deformation folds in {100 * jacobian.folded_fraction:.2g} % of the volume: "
            "there, two places of one volume claim the same place of the other."
        )
        found.append(("fold", Finding("warning", text, _advice_for("fold"))))
    elif jacobian is not None and (
        jacobian.max > _VOLUME_CHANGE or 0 < jacobian.min < 1 / _VOLUME_CHANGE
    ):
        text = (
            f"The deformation changes volumes locally between {jacobian.min:.2g} and "
            f"{jacobian.max:.2g} times: more than tissue usually does."
        )
        found.append(("jacobian|volume change", Finding("warning", text, _advice_for("fold"))))
    estimate, inverse = data.error_estimate, data.inverse_error_nm
    known = estimate.kind != "none" and math.isfinite(estimate.median_nm)
    if inverse is not None and known and inverse > 0.5 * estimate.median_nm > 0:
        text = (
            f"The two directions of the transform disagree by up to {format_length(inverse)}, "
            "which is not small beside the estimated error."
        )
        advice = "Use one direction throughout: the one that was fitted."
        found.append(("invers|round trip", Finding("warning", text, advice)))
    return found


def _from_error(data: ReportData) -> list[tuple[str, Finding]]:
    estimate = data.error_estimate
    found = []
    if data.status != "failed" and estimate.kind == "none":
        text = "No structure was held out, so the error could not be measured."
        found.append(("held.?out|evidence", Finding("warning", text, _advice_for("held-out"))))
    elif 0 < estimate.count < 8:
        text = f"The error estimate rests on {estimate.count} structures only."
        found.append(("few|only", Finding("note", text, _advice_for("few"))))
    blind = sum(1 for region in estimate.regions if not region.get("count"))
    if blind and estimate.regions:
        text = (
            f"{blind} of {len(estimate.regions)} regions hold no structure to test with; the "
            "error there is not known."
        )
        advice = "Landmarks in these regions would tell; see the table of regions."
        found.append(("region", Finding("note", text, advice)))
    return found
