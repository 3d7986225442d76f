"""Signs of a wrong unit or voxel size in landmark pairs."""

from __future__ import annotations

import numpy as np

from clemkit.errors import Problem
from clemkit.geometry import FloatArray, nanometres_per
from clemkit.transforms import Affine

__all__ = ["unit_findings"]

_POWERS = (1e-9, 1e-6, 1e-3, 1e-2, 1e-1, 1e1, 1e2, 1e3, 1e6, 1e9)
_NEAR = 0.12  # in decades: ± 30 %, since tissue shrinks and expands
_STRETCHED = 2.5  # an axis ratio beyond what preparation does
_SIMILAR = 1.45
_EXPANSION = 2.0


def unit_findings(fixed_to_moving: Affine) -> tuple[Problem, ...]:
    """Judge the scales of an affine fit.

    Parameters
    ----------
    fixed_to_moving : Affine
        Fitted to all landmarks.

    Returns
    -------
    tuple of Problem
        Empty when the two sides agree.
    """
    u, scales, vt = np.linalg.svd(fixed_to_moving.linear)
    if scales[2] <= 1e-9 * scales[0]:
        return ()
    stretched = _one_axis(u, scales, vt)
    if stretched is not None:
        return (stretched,)
    scale = float(np.exp(np.mean(np.log(scales))))
    power = min(_POWERS, key=lambda p: abs(np.log10(scale / p)))
    if abs(np.log10(scale / power)) < _NEAR:
        larger, factor = ("moving", power) if power > 1 else ("fixed", 1 / power)
        return (
            Problem(
                ("landmarks", "units"),
                "landmarks.unit-factor",
                "warning",
                f"the {larger} coordinates are {_plain(scale, power)} times larger than the other "
                f"side's, close to {factor:g}: one side looks like it is in another unit"
                + _units_of(factor),
                "check --units for each side",
            ),
        )
    if not 1 / _EXPANSION <= scale <= _EXPANSION:
        return (
            Problem(
                ("landmarks", "units"),
                "landmarks.unusual-scale",
                "warning",
                f"one nm in fixed is {scale:.3g} nm in moving: more than shrinkage or expansion "
                "explains unless the specimen was expanded; voxels may have been taken as lengths",
                "check units and voxel sizes of both sides",
            ),
        )
    return ()


def _one_axis(u: FloatArray, scales: FloatArray, vt: FloatArray) -> Problem | None:
    """Find one axis that is scaled unlike the two others."""
    first, second, third = (float(s) for s in scales)
    if first / second > _STRETCHED and second / third < _SIMILAR:
        odd, ratio = 0, first / np.sqrt(second * third)
    elif second / third > _STRETCHED and first / second < _SIMILAR:
        odd, ratio = 2, third / np.sqrt(first * second)
    else:
        return None
    in_fixed, in_moving = np.abs(vt[odd]), np.abs(u[:, odd])
    side, vector = ("fixed", in_fixed) if in_fixed.max() >= in_moving.max() else (
        "moving",
        in_moving,
    )  # fmt: skip
    axis = "zyx"[int(np.argmax(vector))]
    shown = ", ".join(f"{s:.3g}" for s in scales)
    clear = vector.max() > 0.9
    where = f"along {axis} of the {side} side" if clear else "in one oblique direction"
    return Problem(
        ("landmarks", "units", axis if clear else "oblique"),
        "landmarks.anisotropic-scale",
        "warning",
        f"the scale {where} is {max(ratio, 1 / ratio):.3g} times that of the other two axes "
        f"(principal scales {shown}): looks like voxel indices of anisotropic voxels, such as "
        "4x4x40 nm, taken as lengths, or one column in another unit",
        f"check the {axis} voxel size or column of both sides" if clear else "check voxel sizes",
    )


def _plain(scale: float, power: float) -> str:
    return f"{scale if power > 1 else 1 / scale:.4g}"


def _units_of(factor: float) -> str:
    for a, b in (("nm", "um"), ("um", "mm"), ("nm", "mm")):
        if np.isclose(nanometres_per(b) / nanometres_per(a), factor):
            return f" (such as {a} against {b})"
    return ""
