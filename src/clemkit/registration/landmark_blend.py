"""A spline averaged with stiffer maps, as far as that predicts left-out landmarks better.

Few or noisy landmarks determine even an affine map poorly. Its average with a similarity or rigid
map, and with a spline, errs less than any of them where their errors differ. The average of a
spline and affine maps is a spline again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clemkit.geometry import FloatArray
from clemkit.registration.landmark_spline import StackedSpline
from clemkit.registration.landmark_stack import stack
from clemkit.transforms import Affine

__all__ = ["StiffMap", "blend"]


@dataclass(frozen=True, slots=True, eq=False)
class StiffMap:
    """A rigid, similarity or affine map with its leave-one-out residuals.

    Attributes
    ----------
    name : str
    transform : Affine
    loo_nm : (N, 3) float array
        Target minus its prediction.
    """

    name: str
    transform: Affine
    loo_nm: FloatArray


def blend(
    spline: StackedSpline,
    stiff: Sequence[StiffMap],
    kept: np.ndarray[Any, np.dtype[np.bool_]],
) -> StackedSpline:
    """Return the average with the smallest mean leave-one-out error.

    Parameters
    ----------
    spline : StackedSpline
        Fitted to the same landmarks with the same weights.
    stiff : sequence of StiffMap
        The other maps.
    kept : (N,) bool array
        Landmarks that are not wrong.
    """
    splines = [spline] if spline.likely is None else [spline, spline.likely]
    residuals = np.array([*(s.loo_nm for s in splines), *(each.loo_nm for each in stiff)])
    shares = stack(residuals[:, kept])
    matrix, weights = np.zeros((4, 4)), np.zeros_like(spline.transform.weights_zyx)
    for share, part in zip(shares, splines, strict=False):
        matrix = matrix + share * part.transform.affine.matrix
        weights = weights + share * part.transform.weights_zyx
    for share, each in zip(shares[len(splines) :], stiff, strict=True):
        matrix = matrix + share * each.transform.matrix
    bent = spline.transform
    affine = Affine(matrix, source=bent.source, target=bent.target)
    own = shares[: len(splines)]
    mixed = sum(s * each.shares for s, each in zip(own, splines, strict=True))
    named = {each.name: float(s) for s, each in zip(shares[len(splines) :], stiff, strict=True)}
    return replace(
        spline,
        transform=replace(bent, affine=affine, weights_zyx=weights),
        loo_nm=np.tensordot(shares, residuals, 1),
        shares=mixed / own.sum() if own.sum() > 0 else spline.shares,
        likely=None,
        blend={"tps": float(own.sum()), **named},
    )
