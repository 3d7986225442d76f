"""Figures and verdicts as text for people: lengths with a fitting unit, sentences, labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from clemkit.registration.result import ErrorEstimate

__all__ = [
    "confidence_word",
    "describe_error",
    "error_sentences",
    "format_duration",
    "format_length",
    "format_value",
    "label_of_key",
]

NONE = "–"
_ACRONYMS = {"tre", "fre", "em", "lm", "ct", "ncc", "nmi", "hd95", "psf", "rms"}


def format_length(value_nm: float | None, digits: int = 3) -> str:
    """Return a length in nm, µm or mm with *digits* significant digits."""
    if value_nm is None or not math.isfinite(value_nm):
        return NONE
    rounded = float(f"{value_nm:.{digits}g}")  # 999.9 nm must not read 1000 nm
    for limit, unit, factor in ((1e3, "nm", 1.0), (1e6, "µm", 1e3), (math.inf, "mm", 1e6)):
        if abs(rounded) < limit:
            return f"{_plain(value_nm / factor, digits)} {unit}"
    return NONE


def format_duration(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if not math.isfinite(seconds):
        return NONE
    if seconds < 60:
        return f"{_plain(seconds, 2 if seconds < 10 else 3)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _plain(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:.{min(places, 9)}f}"
    return text if "." not in text else text.rstrip("0").rstrip(".")


def label_of_key(key: str) -> str:
    """Return a readable label for a key: the unit at its end goes, underscores become spaces."""
    for ending in ("_zyx_nm", "_nm", "_fraction", "_seconds", "_mb"):
        key = key.removesuffix(ending)
    words = [word.upper() if word in _ACRONYMS else word for word in key.split("_") if word]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def format_value(key: str, value: Any) -> str:
    """Return a value as text; the end of *key* (``_nm``, ``_fraction``, …) tells the unit."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        number = float(value)
        if key.endswith("_nm"):
            return format_length(number)
        if not math.isfinite(number):
            return NONE
        if key.endswith("_fraction"):
            return f"{100 * number:.3g} %"
        if key.endswith("_seconds"):
            return format_duration(number)
        if key.endswith("_mb"):
            return f"{number:,.0f} MB".replace(",", " ")
        return str(value) if isinstance(value, int) else f"{number:.4g}"
    if isinstance(value, Mapping):
        return "; ".join(
            f"{label_of_key(str(k))}: {format_value(str(k), v)}" for k, v in value.items()
        )
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return ", ".join(format_value(key, item) for item in value)
    return str(value)


def confidence_word(confidence: float) -> str:
    """Return ``"high"``, ``"moderate"``, ``"low"`` or ``"unknown"``."""
    if not math.isfinite(confidence):
        return "unknown"
    return "high" if confidence >= 0.8 else "moderate" if confidence >= 0.5 else "low"


def describe_error(estimate: ErrorEstimate) -> tuple[str, str]:
    """Return the estimated error and its interval as two short texts."""
    if estimate.kind == "none" or not math.isfinite(estimate.median_nm):
        return "unknown", "no held-out evidence"
    if not (math.isfinite(estimate.low_nm) and math.isfinite(estimate.high_nm)):
        return format_length(estimate.median_nm), "no interval: too few structures"
    low, high = format_length(estimate.low_nm), format_length(estimate.high_nm)
    return format_length(estimate.median_nm), f"90 % interval {low} to {high}"


def error_sentences(
    estimate: ErrorEstimate, moving_voxel_nm: float | None = None
) -> tuple[str, ...]:
    """Return what the error estimate means, in plain words.

    Parameters
    ----------
    estimate : ErrorEstimate
        Held-out estimate of the target registration error.
    moving_voxel_nm : float, optional
        Largest voxel edge of the moving volume, for comparison.
    """
    if estimate.kind == "none" or not math.isfinite(estimate.median_nm):
        return (
            "Nothing was left over to test this registration with, so its error is unknown. "
            "How well the used matches fit says little about it.",
            "Place a few pairs of landmarks that the registration has not seen and run "
            "clemkit evaluate with them.",
        )
    median, p90 = format_length(estimate.median_nm), format_length(estimate.p90_nm)
    who = (
        f"Held-out structures ({estimate.count}, never used in the fit) say"
        if estimate.kind == "held-out"
        else f"Leaving out each of {estimate.count} landmarks in turn and predicting it says"
    )
    sentences = [
        f"{who}: half of all points land within {median} of their true place"
        + (f", nine of ten within {p90}." if math.isfinite(estimate.p90_nm) else "."),
    ]
    if math.isfinite(estimate.low_nm) and math.isfinite(estimate.high_nm):
        low, high = format_length(estimate.low_nm), format_length(estimate.high_nm)
        sentences.append(
            f"The typical error itself is known to between {low} and {high} (90 % interval)."
        )
    if moving_voxel_nm:
        share = estimate.median_nm / moving_voxel_nm
        sentences.append(
            f"That is {_plain(share, 2)} times the longest voxel edge of the moving volume "
            f"({format_length(moving_voxel_nm)})."
        )
    if math.isfinite(estimate.p90_nm):
        sentences.append(
            f"Structures that lie closer together than about {p90} can be confused with their "
            "neighbours when they are matched by position alone."
        )
    return tuple(sentences)
