"""Which model suits a set of landmarks: by leave-one-out error, the simpler one if equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clemkit.geometry import FloatArray
from clemkit.registration.landmark_outliers import Outliers, RobustFit

__all__ = ["Candidate", "choose_candidate"]

_EQUAL = 0.01  # a relative gain in mean error that is not worth a more flexible model


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One model fitted to all landmarks.

    Attributes
    ----------
    name : str
        ``rigid``, ``similarity``, ``affine`` or ``tps``.
    fit : RobustFit
        Leave-one-out residuals and, for ``tps``, the spline.
    outliers : Outliers
        Pairs it sets aside.
    weights : (N,) float array
        Final weights.
    """

    name: str
    fit: RobustFit
    outliers: Outliers
    weights: FloatArray


def choose_candidate(
    candidates: Sequence[Candidate], floor_nm: float
) -> tuple[Candidate, dict[str, dict[str, float]]]:
    """Return the candidate to use and the scores of all.

    Candidates come in order of flexibility. All are scored on the pairs that the most flexible one
    keeps, since a stiff model takes deformation for error. The smallest mean leave-one-out error
    wins; a simpler model is preferred only if its error is larger by less than one per cent and by
    less than one standard error of the paired difference.

    Parameters
    ----------
    candidates : sequence of Candidate
        At least one.
    floor_nm : float
        Errors below it are rounding.
    """
    kept = ~candidates[-1].outliers.mask
    errors = {c.name: np.linalg.norm(c.fit.loo_nm, axis=1)[kept] for c in candidates}
    scores = {
        name: {
            "mean_nm": float(np.mean(e)),
            "median_nm": float(np.median(e)),
            "standard_error_nm": float(np.std(e) / np.sqrt(len(e))),
        }
        for name, e in errors.items()
    }
    usable = [c for c in candidates if np.isfinite(scores[c.name]["mean_nm"])]
    if not usable:  # too few to leave one out: the least flexible has least freedom to err
        return candidates[0], scores
    best = min(usable, key=lambda c: scores[c.name]["mean_nm"])
    for simpler in usable:
        difference = errors[simpler.name] - errors[best.name]
        gain = float(np.mean(difference))
        noise = float(np.std(difference) / np.sqrt(len(difference)))
        if gain <= max(min(noise, _EQUAL * scores[best.name]["mean_nm"]), floor_nm):
            return simpler, scores
    return best, scores
