"""Averages of fits: weights by leave-one-out errors (stacking) [1]_.

References
----------
.. [1] L. Breiman, "Stacked regressions", Machine Learning 24, 49-64, 1996.
"""

from __future__ import annotations

import numpy as np

from clemkit.geometry import FloatArray

__all__ = ["stack"]

_STEPS = 300
_HOPELESS = 5.0  # times the best error: no help in an average


def stack(residuals: FloatArray) -> FloatArray:
    """Return the convex combination with the smallest mean residual length.

    Parameters
    ----------
    residuals : (M, N, 3) float array
        Leave-one-out residuals of M candidates.

    Returns
    -------
    (M,) array
        Shares, not negative, with sum one; the best of the iterates of an exponentiated gradient.
    """
    count, n = residuals.shape[:2]
    error = np.linalg.norm(residuals, axis=2).mean(axis=1)
    able = np.isfinite(error) & (error <= _HOPELESS * np.nanmin(error) + 1e-300)
    used = residuals[able]
    # the better one starts ahead, so that few steps suffice
    shares = 1.0 / np.maximum(error[able], 1e-300 + 1e-9 * error[able].max())
    shares /= shares.sum()
    best, least = shares, np.inf
    for _ in range(_STEPS):
        mixed = np.tensordot(shares, used, 1)
        length = np.linalg.norm(mixed, axis=1) + 1e-300
        mean = float(length.mean())
        if mean < least:
            best, least = shares, mean
        gradient = np.einsum("mnj,nj->m", used, mixed / length[:, None]) / n
        # bounded, since far from the optimum the gradient is no guide to the distance
        shares = shares * np.exp(np.clip(-2.0 * (gradient - gradient @ shares) / mean, -1.0, 1.0))
        shares /= shares.sum()
    out = np.zeros(count)
    out[able] = np.where(best < 1e-3, 0.0, best)
    return np.asarray(out / out.sum())
