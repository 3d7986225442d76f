"""What a landmark registration tells besides its transforms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from clemkit.errors import Problem
from clemkit.geometry import FloatArray
from clemkit.landmarks import LandmarkPairs
from clemkit.registration.landmark_choice import Candidate
from clemkit.registration.landmark_repeats import Merged
from clemkit.registration.landmark_spline import StackedSpline
from clemkit.registration.result import ErrorEstimate, JacobianSummary

__all__ = ["landmark_details", "outlier_findings", "verdict"]

_FEW = 6
_MANY_OUTLIERS = 0.2
_DOUBTFUL_RULES = (
    "landmarks.unit-factor",
    "landmarks.anisotropic-scale",
    "landmarks.weak-mirror",
    "landmarks.folded",
    "landmarks.coplanar",
    "landmarks.model-reduced",
)


def outlier_findings(chosen: Candidate, ids: Sequence[str]) -> list[Problem]:
    """Name the pairs that were set aside, worst first, and those that look swapped."""
    mask, severity = chosen.outliers.mask, chosen.outliers.severity
    findings = []
    for i, j in chosen.outliers.swapped:
        findings.append(
            Problem(
                ("landmarks", ids[i]),
                "landmarks.swapped",
                "warning",
                f"landmarks {ids[i]!r} and {ids[j]!r} look swapped: each fits the other's partner",
                "exchange them in the file",
            )
        )
    if mask.any():
        rows = np.flatnonzero(mask)[np.argsort(-severity[mask])]
        length = np.linalg.norm(chosen.fit.loo_nm, axis=1)
        shown = ", ".join(f"{ids[r]!r} ({length[r] / 1e3:.4g} um)" for r in rows[:10])
        rest = f" and {len(rows) - 10} more" if len(rows) > 10 else ""
        findings.append(
            Problem(
                ("landmarks", "outliers"),
                "landmarks.outliers",
                "warning",
                f"{len(rows)} of {len(mask)} landmarks do not fit their neighbours and were set "
                f"aside: {shown}{rest}",
                "check these pairs",
            )
        )
    return findings


def verdict(
    estimate: ErrorEstimate,
    fixed_zyx_nm: FloatArray,
    inlier: np.ndarray[Any, np.dtype[np.bool_]],
    jacobian: JacobianSummary,
    rules: Sequence[str],
) -> tuple[Literal["ok", "uncertain"], float, tuple[str, ...]]:
    """Return status, confidence and the reasons for doubt.

    The confidence is the share of the landmarks' spread that the map predicts, less for few
    landmarks.
    """
    doubts = []
    count = int(inlier.sum())
    if count < _FEW:
        doubts.append(f"only {count} landmarks: the error estimate is rough")
    if 1 - inlier.mean() > _MANY_OUTLIERS:
        doubts.append(f"{1 - inlier.mean():.0%} of the landmarks were set aside")
    if estimate.kind == "none":
        doubts.append("too few landmarks to leave one out: there is no error estimate")
    if jacobian.folded_fraction > 0:
        doubts.append(f"{jacobian.folded_fraction:.1%} of the landmarks' bounding box is folded")
    points = fixed_zyx_nm[inlier]
    spread = float(np.median(np.linalg.norm(points - points.mean(axis=0), axis=1)))
    confidence = 0.3
    if estimate.kind != "none":
        explained = max(0.0, 1.0 - estimate.median_nm / spread)
        confidence = explained * (1.0 - 1.0 / count)
    if confidence < 0.5:
        doubts.append("the landmarks predict each other poorly")
    doubtful = doubts or any(rule in _DOUBTFUL_RULES for rule in rules)
    return ("uncertain" if doubtful else "ok"), float(confidence), tuple(doubts)


def landmark_details(
    pairs: LandmarkPairs,
    merged: Merged,
    chosen: Candidate,
    scores: Mapping[str, Mapping[str, float]],
    residual_nm: FloatArray,
    loo_nm: FloatArray,
    inlier: np.ndarray[Any, np.dtype[np.bool_]],
    findings: Sequence[Problem],
) -> dict[str, Any]:
    """Return JSON-ready figures; the lists have one entry per landmark as given."""
    rows = merged.row_of
    spline = chosen.fit.model
    return {
        "model": chosen.name,
        "kernel": spline.transform.kernel if isinstance(spline, StackedSpline) else None,
        "smoothing": spline.typical_smoothing if isinstance(spline, StackedSpline) else None,
        "smoothing_shares": _shares(spline),
        "blend": spline.blend if isinstance(spline, StackedSpline) else None,
        "stretch_z": spline.transform.stretch_zyx[0] if isinstance(spline, StackedSpline) else None,
        "scores": {name: dict(values) for name, values in scores.items()},
        "landmark_ids": list(pairs.ids),
        "residual_nm": [float(v) for v in residual_nm[rows]],
        "leave_one_out_nm": [float(v) for v in loo_nm[rows]],
        "weight": [float(v) for v in chosen.weights[rows]],
        "severity": [float(v) for v in chosen.outliers.severity[rows]],
        "outlier_ids": [name for name, row in zip(pairs.ids, rows, strict=True) if not inlier[row]],
        "swapped_ids": [
            [merged.pairs.ids[i], merged.pairs.ids[j]] for i, j in chosen.outliers.swapped
        ],
        "distinct_landmarks": len(merged.pairs),
        "findings": [{"rule": f.rule, "message": f.message, "hint": f.hint} for f in findings],
    }


def _shares(spline: object) -> list[list[float]] | None:
    if not isinstance(spline, StackedSpline):
        return None
    return [
        [float(s), float(share)]
        for s, share in zip(spline.smoothings, spline.shares, strict=True)
        if share > 0
    ]
