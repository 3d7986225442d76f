"""Guess what made an image, and whether its numbers are labels, from a sample of its voxels.

Only the pose search depends on the answer: which scale to expect (EM specimens shrink) and whether
bright may match dark.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clemkit.geometry import Box
from clemkit.volumes import Modality, Volume

__all__ = [
    "Guess",
    "guess_modality",
    "is_fluorescence_like",
    "is_label_like",
    "mask_threshold",
    "sample_planes",
]

_PLANES = 9
_SIDE = 2048  # voxels of a plane that are looked at, along each axis
_EM_LATERAL_NM = 40.0  # light microscopes and micro-CT do not sample this finely
_SOFT_EDGE = 0.02  # share of voxels between the two values of a mask that was resampled
_DARK = 0.25  # where the median lies between the 1st and the 99th percentile
_STRETCHED = 2.0  # axial over lateral voxel size of an optical stack


@dataclass(frozen=True, slots=True)
class Guess:
    """A modality, and why it was taken."""

    modality: Modality
    reason: str


def sample_planes(volume: Volume, channel: int = 0) -> np.ndarray:
    """Return the central parts of a few planes, ``(planes, y, x)``, of one channel."""
    depth, height, width = volume.grid.shape_zyx
    count = min(_PLANES, depth)
    chosen = sorted({int((i + 0.5) * depth / count) for i in range(count)})
    y, x = max(height - _SIDE, 0) // 2, max(width - _SIDE, 0) // 2
    planes = []
    for z in chosen:
        box = Box((z, y, x), (z + 1, min(y + _SIDE, height), min(x + _SIDE, width)))
        planes.append(volume.read(box, channel)[0])
    return np.stack(planes)


def is_label_like(planes: np.ndarray) -> bool:
    """Say whether numbers are labels or a mask: two values, or constant patches on a zero ground.

    In an image neighbours differ by noise, or, where it is smooth, by one grey level; in labels
    nearly all neighbours inside objects are equal.

    Parameters
    ----------
    planes : (n, y, x) array
        Some planes of the volume.
    """
    if planes.dtype.kind not in "iubf" or not np.all(np.isfinite(planes)):
        return False
    if planes.dtype.kind == "f" and not np.array_equal(planes, np.round(planes)):
        return len(np.unique(planes)) == 2
    distinct = len(np.unique(planes))
    if distinct <= 2:
        return distinct == 2
    if not np.any(planes == 0):
        return False
    left, right = planes[..., :-1].astype(np.float64), planes[..., 1:].astype(np.float64)
    inside = (left != 0) & (right != 0)
    if inside.sum() < 50:
        return False
    step = np.abs(left - right)[inside]
    unequal = step[step > 0]
    if len(unequal) > 0.15 * len(step):
        return False
    return len(unequal) < 0.01 * len(step) or float(np.mean(unequal <= 1)) < 0.8


def mask_threshold(planes: np.ndarray) -> float | None:
    """Return half of the top value if this is a mask with interpolated edges, or None.

    Nearly all voxels are 0 or the top value, and those between are fewer than those on top.

    Parameters
    ----------
    planes : (n, y, x) array
        Some planes of the volume.
    """
    if planes.dtype.kind not in "iuf" or not np.all(np.isfinite(planes)):
        return None
    top = planes.max()
    zero, high = int(np.sum(planes == 0)), int(np.sum(planes == top))
    between = planes.size - zero - high
    soft = zero and high and 0 < between < min(high, _SOFT_EDGE * planes.size)
    if not soft or planes.min() < 0 or len(np.unique(planes)) < 8:  # few ids are instances
        return None
    return float(top) / 2


def is_fluorescence_like(planes: np.ndarray) -> bool:
    """Say whether most voxels are dark and few are bright, as in fluorescence.

    Voxels at the very minimum are left out: they are padding as often as background.

    Parameters
    ----------
    planes : (n, y, x) array
        Some planes of the volume.
    """
    values = planes[np.isfinite(planes)].astype(np.float64)
    values = values[values > values.min()] if values.size else values
    if values.size < 100:
        return False
    low, middle, high = np.percentile(values, [1, 50, 99])
    return bool(high > low and (middle - low) < _DARK * (high - low))


def guess_modality(
    volume: Volume, planes: np.ndarray, default: Modality, *, labels: bool = False
) -> Guess:
    """Guess the modality of a volume.

    Several channels, or few bright voxels on a dark ground, mean light; voxels finer than 40 nm
    mean EM; a moving volume whose planes lie at least twice as far apart as its voxels are wide is
    an optical stack. What remains is *default*: EM for the fixed volume, X-ray CT for the moving.

    Parameters
    ----------
    volume : Volume
    planes : (n, y, x) array
        From :func:`sample_planes`.
    default : {"em", "xray_ct"}
        What to take where nothing speaks for something else.
    labels : bool
        The numbers are labels; only the voxel size can tell then.
    """
    z, y, x = volume.grid.voxel_size_zyx_nm
    lateral = min(y, x)
    if volume.channel_count > 1:
        return Guess("lm", f"{volume.channel_count} channels")
    if lateral < _EM_LATERAL_NM:
        return Guess("em", f"voxels of {lateral:.3g} nm")
    if not labels and is_fluorescence_like(planes):
        return Guess("lm", "few bright voxels on a dark ground")
    if default != "em" and volume.grid.shape_zyx[0] > 1 and z >= _STRETCHED * lateral:
        return Guess("lm", f"planes {z / lateral:.2g} voxel widths apart")
    return Guess(default, "nothing speaks for another kind")
