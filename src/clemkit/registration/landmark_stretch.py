"""How much distances along z count in a spline, by the evidence of the landmarks.

Specimens cut into sections deform more abruptly from section to section than within one.
"""

from __future__ import annotations

import numpy as np

from clemkit.geometry import FloatArray
from clemkit.registration.landmark_smoothings import Smoothings
from clemkit.registration.landmark_spline import ISOTROPIC
from clemkit.transforms.thin_plate_system import Kernel, ThinPlateSystem

__all__ = ["choose_stretch"]

_STRETCHES = (0.5, 1.0, 2.0, 4.0)
_STRONG = 3.0  # log of the evidence that a stretch must add
_ENOUGH = 400  # landmarks to judge it by
_FEWEST = 12


def choose_stretch(
    source_points: FloatArray,
    target_points: FloatArray,
    *,
    weights: FloatArray,
    kernel: Kernel,
    seed: int,
) -> tuple[float, float, float]:
    """Return the stretch along z with the best evidence; none unless it is strong.

    Parameters
    ----------
    source_points, target_points : (N, 3) float array
        Landmarks; of many, a random part is used.
    weights : (N,) float array
        That ignore wrong pairs.
    kernel : {"r", "r2_log_r"}
        Radial function.
    seed : int
        For the random part.
    """
    n = len(source_points)
    if n < _FEWEST:
        return ISOTROPIC
    rows = np.arange(n)
    if n > _ENOUGH:
        rows = np.sort(np.random.default_rng(seed).choice(n, _ENOUGH, replace=False))
    found = {}
    for z in _STRETCHES:
        system = ThinPlateSystem.build(
            source_points[rows] * [z, 1.0, 1.0],
            target_points[rows],
            weights=weights[rows],
            ids=None,
            planar=False,
            kernel=kernel,
        )
        logs = Smoothings.solve(system).log_evidence()
        found[z] = float(logs.max() + np.log(np.mean(np.exp(logs - logs.max()))))
    best = max(found, key=found.__getitem__)
    return (best, 1.0, 1.0) if found[best] > found[1.0] + _STRONG else ISOTROPIC
