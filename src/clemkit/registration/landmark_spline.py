"""A smoothing thin-plate spline whose smoothing and weights come from leave-one-out errors.

One eigendecomposition of the reduced spline system [1]_ gives the exact leave-one-out residual of
every landmark at every smoothing. Instead of taking the single best smoothing, which is a noisy
choice for few landmarks, the splines of all smoothings are averaged with the weights that make the
leave-one-out error of the average smallest (stacking [2]_). Since all of them have the same
centres, the average is itself one thin-plate spline. Landmarks count by Student's t weights of
their standardised leave-one-out residuals, found by iteration.

With the kernel ``r² log r``, BigWarp's, a landmark file whose moving points are the fitted ones
reopens there as the same map; the kernel ``r`` gives rougher maps, which some tissues need.

References
----------
.. [1] G. Wahba, "Spline models for observational data", SIAM, 1990, chapters 2 and 4.
.. [2] L. Breiman, "Stacked regressions", Machine Learning 24, 49-64, 1996.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clemkit.geometry import FloatArray, Space
from clemkit.transforms import Affine, ThinPlateSpline
from clemkit.transforms.thin_plate_system import Kernel, ThinPlateSystem

__all__ = ["StackedSpline", "chi_median", "fit_stacked_spline", "robust_weights", "stack"]

# relative to the mean eigenvalue; the ends are interpolation and the affine fit
_GRID = np.concatenate([10.0 ** np.arange(-7, 3.6, 0.5), [1e6]])
_STACK_STEPS = 200
_NU = 2.0  # degrees of freedom of the t weights


@dataclass(frozen=True, slots=True, eq=False)
class StackedSpline:
    """A fitted spline with its leave-one-out residuals.

    Attributes
    ----------
    transform : ThinPlateSpline
        The map.
    loo_nm : (N, 3) float array
        Target minus its prediction from all other landmarks.
    loo_spread : (N,) float array
        Expected size of that residual relative to the median landmark: isolated ones are predicted
        less well.
    smoothings : (M,) float array
        The smoothings that were averaged, nm² (kernel ``r``: nm).
    shares : (M,) float array
        Their shares; the sum is one.
    score_nm : float
        Mean leave-one-out error.
    """

    transform: ThinPlateSpline
    loo_nm: FloatArray
    loo_spread: FloatArray
    smoothings: FloatArray
    shares: FloatArray
    score_nm: float

    @property
    def typical_smoothing(self) -> float:
        """Geometric mean of the smoothings by share; 0.0 where it interpolates."""
        if self.smoothings[int(np.argmax(self.shares))] == 0.0:
            return 0.0
        positive = self.smoothings > 0
        share = self.shares[positive] / self.shares[positive].sum()
        return float(np.exp(share @ np.log(self.smoothings[positive])))


def chi_median(dimension: int) -> float:
    """Return the median length of a standard normal vector."""
    return 1.5382 if dimension == 3 else 1.1774


def robust_weights(standardised: FloatArray, dimension: int) -> FloatArray:
    """Return Student's t weights ``(N,)`` of residual lengths in units of their scale."""
    return np.clip((_NU + dimension) / (_NU + standardised**2), 1e-4, 1.0)


def stack(residuals: FloatArray) -> FloatArray:
    """Return the convex combination with the smallest mean residual length.

    Parameters
    ----------
    residuals : (M, N, 3) float array
        Leave-one-out residuals of M candidates.

    Returns
    -------
    (M,) array
        Shares, not negative, with sum one; found by exponentiated gradient.
    """
    count, n = residuals.shape[:2]
    shares = np.full(count, 1.0 / count)
    for _ in range(_STACK_STEPS):
        mixed = np.tensordot(shares, residuals, 1)
        length = np.linalg.norm(mixed, axis=1) + 1e-300
        gradient = np.einsum("mnj,nj->m", residuals, mixed / length[:, None]) / n
        mean = float(length.mean())
        shares = shares * np.exp(-2.0 * (gradient - gradient @ shares) / mean)
        shares /= shares.sum()
    shares[shares < 1e-4] = 0.0
    return shares / shares.sum()


def fit_stacked_spline(
    source_points: FloatArray,
    target_points: FloatArray,
    *,
    source: Space,
    target: Space,
    weights: FloatArray,
    ids: Sequence[str],
    planar: bool = False,
    smoothing: float | None = None,
    kernel: Kernel = "r2_log_r",
) -> StackedSpline:
    """Fit the spline for given landmark weights.

    Parameters
    ----------
    source_points, target_points : (N, 3) float array
        Landmarks without repeats, nanometres; more than the affine part has freedom.
    source, target : Space
        Their frames.
    weights : (N,) float array
        Relative weights > 0.
    ids : sequence of str
        Names for messages.
    planar : bool
        Bend in y and x only.
    smoothing : float, optional
        Take this one smoothing (nm², or nm with kernel ``r``) instead of the average.
    kernel : {"r", "r2_log_r"}
        Radial function.

    Raises
    ------
    DegenerateLandmarksError, TooFewLandmarksError, ArgumentError
        As :func:`~clemkit.transforms.fit_thin_plate_spline`.
    """
    from scipy.linalg import eigh

    system = ThinPlateSystem.build(
        source_points, target_points, weights=weights, ids=ids, planar=planar, kernel=kernel
    )
    eigenvalues, vectors = eigh(system.reduced, driver="evd", check_finite=False)
    eigenvalues = np.maximum(eigenvalues, 0.0)
    modes = system.expand(vectors)
    del vectors
    root = np.sqrt(system.pairs.weights)[:, None]
    loads = modes.T @ system.values
    if smoothing is None:
        steps = _GRID * float(eigenvalues.mean())
    else:
        steps = np.array([system.scaled_smoothing(smoothing)])
    squares = modes**2
    # interpolation has no finite hat at a zero eigenvalue
    floor = 1e-14 * float(eigenvalues.max(initial=1.0))
    gains = [1.0 / np.maximum(eigenvalues + s, floor) for s in steps]
    diagonals = [squares @ g for g in gains]
    del squares
    residuals = []
    for gain, diagonal in zip(gains, diagonals, strict=True):
        hat = modes @ (gain[:, None] * loads)
        residuals.append(hat / (diagonal[:, None] * root))
    shares = stack(np.array(residuals)) if len(steps) > 1 else np.ones(1)
    chosen = np.flatnonzero(shares)
    hat = modes @ (sum(shares[k] * gains[k] for k in chosen)[:, None] * loads)
    drop = modes @ (sum(shares[k] * steps[k] * gains[k] for k in chosen)[:, None] * loads)
    loo = np.zeros((len(root), 3))
    loo[:, system.axes] = sum(shares[k] * residuals[k] for k in chosen)
    spread = sum(shares[k] / np.sqrt(diagonals[k]) / root[:, 0] for k in chosen)
    fitted = (system.values - drop) / root
    transform = _spline(system, root * hat, fitted, source, target)
    if planar:
        shift = np.average(
            system.pairs.target[:, 0] - system.pairs.source[:, 0], weights=system.pairs.weights
        )
        left = system.pairs.target[:, 0] - system.pairs.source[:, 0] - shift
        loo[:, 0] = left * len(left) / max(len(left) - 1, 1)
    group = system.group
    return StackedSpline(
        transform=transform,
        loo_nm=loo[group],
        loo_spread=(spread / np.median(spread))[group],
        smoothings=np.array([system.physical_smoothing(s) for s in steps]),
        shares=shares,
        score_nm=float(np.linalg.norm(loo, axis=1).mean()),
    )


def _spline(
    system: ThinPlateSystem, hat: FloatArray, fitted: FloatArray, source: Space, target: Space
) -> ThinPlateSpline:
    """Build the spline from kernel coefficients; what they leave of *fitted* is affine."""
    axes, centres = system.axes, system.pairs.source
    bent = np.zeros((len(hat), 3))
    sign = -1.0 if system.kernel == "r" else 1.0  # the system works with -r
    bent[:, axes] = sign * hat / system.physical_smoothing(1.0)
    shape = ThinPlateSpline(
        Affine.identity(source, target),
        centres,
        bent,
        kernel=system.kernel,
        planar=system.planar,
        scale_nm=system.scale_nm,
    )
    rest = fitted - (shape.apply_points(centres) - centres)[:, axes]
    centred = (centres[:, axes] - system.centre_nm) / system.scale_nm
    polynomial = np.linalg.lstsq(np.hstack([np.ones((len(hat), 1)), centred]), rest, rcond=None)[0]
    linear, shift, centre = np.eye(3), system.mean_shift_nm.copy(), np.zeros(3)
    linear[axes, axes] = polynomial[1:].T / system.scale_nm
    shift[axes], centre[axes] = polynomial[0], system.centre_nm
    affine = Affine.from_parts(linear, shift - linear @ centre, source=source, target=target)
    return ThinPlateSpline(
        affine,
        centres,
        bent,
        kernel=system.kernel,
        planar=system.planar,
        scale_nm=system.scale_nm,
    )
