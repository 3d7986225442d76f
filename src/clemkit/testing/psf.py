"""Point spread functions as sums of separable parts, so that a blur stays fast.

``gaussian``
    One Gaussian.
``asymmetric``
    Index mismatch: behind the focus the light spreads sideways along a one-sided axial tail, as in
    the model of Gibson and Lanni (J. Opt. Soc. Am. A 9, 154, 1992).
``haze``
    The asymmetric core plus a heavy out-of-focus skirt, whose Gaussians are weighted to follow a
    Lorentzian over two decades.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from clemkit.geometry import Triple
from clemkit.testing.spec import PsfKind

__all__ = ["PointSpread", "PsfPart", "point_spread"]


@dataclass(frozen=True, slots=True)
class PsfPart:
    """One separable part: weight, lateral and axial sigma, axial shift (nm)."""

    weight: float
    lateral_nm: float
    axial_nm: float
    shift_nm: float = 0.0


@dataclass(frozen=True, slots=True)
class PointSpread:
    """A point spread function.

    Attributes
    ----------
    parts : tuple of PsfPart
        Weights sum to one.
    widening : float
        Relative growth of the lateral width from the first to the last section.
    """

    parts: tuple[PsfPart, ...]
    widening: float = 0.0

    def blur(
        self, image: np.ndarray[Any, Any], voxel_size_zyx_nm: Triple
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return the image ``(z, y, x)`` blurred, float32; light leaves at the borders."""
        from scipy.ndimage import convolve1d, gaussian_filter1d

        source = np.asarray(image, dtype=np.float32)
        vz, vy, vx = voxel_size_zyx_nm
        out = np.zeros_like(source)
        for part in self.parts:
            done = convolve1d(source, _axial_kernel(part, vz), axis=0, mode="constant")
            for axis, size in ((1, vy), (2, vx)):
                sigma = part.lateral_nm / size
                reach = 3.5 if sigma < 3 else 2.7  # the skirt is smooth: its far rim matters little
                done = gaussian_filter1d(done, sigma, axis=axis, mode="constant", truncate=reach)
            out += part.weight * done
        if self.widening > 0:
            core = min(part.lateral_nm for part in self.parts)
            extra = core * np.sqrt((1 + self.widening) ** 2 - 1)
            wide = out
            for axis, size in ((1, vy), (2, vx)):
                wide = gaussian_filter1d(wide, extra / size, axis=axis, mode="constant")
            share = np.linspace(0, 1, len(out), dtype=np.float32)[:, None, None]
            out = (1 - share) * out + share * wide
        return out


def _axial_kernel(part: PsfPart, voxel_nm: float) -> np.ndarray[Any, Any]:
    reach = int(np.ceil((3.5 * part.axial_nm + abs(part.shift_nm)) / voxel_nm))
    # Gaussian integrated over each voxel, so that coarse sections lose no light
    from scipy.special import ndtr

    edges = (np.arange(-reach, reach + 2) - 0.5) * voxel_nm - part.shift_nm
    kernel = np.diff(ndtr(edges / part.axial_nm))
    return kernel / kernel.sum()


def point_spread(
    kind: PsfKind, lateral_nm: float, axial_nm: float, widening: float = 0.0
) -> PointSpread:
    """Return a point spread function of a kind with the given core widths (sigma)."""
    if kind == "gaussian":
        return PointSpread((PsfPart(1.0, lateral_nm, axial_nm),), widening)
    tail = (
        PsfPart(0.58, lateral_nm, 0.9 * axial_nm, -0.15 * axial_nm),
        PsfPart(0.27, 1.55 * lateral_nm, axial_nm, 0.9 * axial_nm),
        PsfPart(0.15, 2.6 * lateral_nm, 1.3 * axial_nm, 2.2 * axial_nm),
    )
    if kind == "asymmetric":
        return PointSpread(tail, widening)
    skirt = (
        PsfPart(0.13, 3.5 * lateral_nm, 2.2 * axial_nm, 0.5 * axial_nm),
        PsfPart(0.11, 9.0 * lateral_nm, 4.5 * axial_nm),
    )
    core = tuple(PsfPart(0.76 * p.weight, p.lateral_nm, p.axial_nm, p.shift_nm) for p in tail)
    return PointSpread((*core, *skirt), widening)
