"""A smoothing thin-plate spline averaged over its smoothings.

Taking the single best smoothing is a noisy choice for few landmarks. Instead the splines of all
smoothings, from interpolation to the affine fit, are averaged. Since all have the same centres, the
average is itself one thin-plate spline. There are two averages: the one with the smallest
leave-one-out error (stacking [1]_), which wrong pairs hardly sway, and the one that weights each
smoothing by the probability of the landmarks (:mod:`.landmark_smoothings`), which is less noisy.

With the kernel ``r² log r``, BigWarp's, and no stretch, a landmark file whose moving points are the
fitted ones reopens there as the same map; the kernel ``r`` gives rougher maps, which some tissues
need.

References
----------
.. [1] L. Breiman, "Stacked regressions", Machine Learning 24, 49-64, 1996.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from clemkit.geometry import FloatArray, Space
from clemkit.registration.landmark_smoothings import Smoothings
from clemkit.registration.landmark_stack import stack
from clemkit.transforms import Affine, ThinPlateSpline
from clemkit.transforms.thin_plate_system import Kernel, ThinPlateSystem

__all__ = [
    "ISOTROPIC",
    "StackedSpline",
    "chi_median",
    "fit_stacked_spline",
    "robust_weights",
]

_NU = 2.0  # degrees of freedom of the t weights that find wrong pairs
ISOTROPIC = (1.0, 1.0, 1.0)


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
    likely : StackedSpline or None
        The average by probability instead of by leave-one-out error.
    blend : dict of str to float
        Shares of the spline and of stiffer maps; empty where it is the spline alone.
    """

    transform: ThinPlateSpline
    loo_nm: FloatArray
    loo_spread: FloatArray
    smoothings: FloatArray
    shares: FloatArray
    likely: StackedSpline | None = None
    blend: dict[str, float] = field(default_factory=dict)

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


def robust_weights(standardised: FloatArray, dimension: int, freedom: float = _NU) -> FloatArray:
    """Return Student's t weights ``(N,)`` of residual lengths in units of their scale."""
    return np.clip((freedom + dimension) / (freedom + standardised**2), 1e-4, 1.0)


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
    stretch_zyx: tuple[float, float, float] = ISOTROPIC,
    noise_weights: FloatArray | None = None,
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
    stretch_zyx : (3,) tuple of float
        Of the source space, before distances are taken.
    noise_weights : (N,) float array, optional
        The part of *weights* that tells localisation uncertainty; all of it by default.

    Raises
    ------
    DegenerateLandmarksError, TooFewLandmarksError, ArgumentError
        As :func:`~clemkit.transforms.fit_thin_plate_spline`.
    """
    system = ThinPlateSystem.build(
        source_points * np.asarray(stretch_zyx),
        target_points,
        weights=weights,
        ids=ids,
        planar=planar,
        kernel=kernel,
    )
    solved = Smoothings.solve(system, smoothing)
    noise = system.pairs.weights if noise_weights is None else noise_weights
    residuals, spreads = solved.leave_one_out(noise)
    evidence = solved.log_evidence()
    likely = np.exp(evidence - evidence.max())
    likely[likely < 1e-4] = 0.0

    def averaged(shares: FloatArray) -> StackedSpline:
        hat, left = solved.hats(shares)
        root = np.sqrt(system.pairs.weights)[:, None]
        fitted = (system.values - left) / root
        loo = np.zeros((len(root), 3))
        loo[:, system.axes] = np.tensordot(shares, residuals, 1)
        if planar:
            loo[:, 0] = _shift_residuals(system)
        spread = shares @ spreads
        return StackedSpline(
            transform=_spline(system, root * hat, fitted, source, target, stretch_zyx),
            loo_nm=loo[system.group],
            loo_spread=(spread / np.median(spread))[system.group],
            smoothings=np.array([system.physical_smoothing(s) for s in solved.steps]),
            shares=shares,
        )

    made = averaged(stack(residuals))
    return replace(made, likely=averaged(likely / likely.sum()))


def _shift_residuals(system: ThinPlateSystem) -> FloatArray:
    """Return what the mean shift in z leaves of each landmark that it does not know."""
    shift = system.pairs.target[:, 0] - system.pairs.source[:, 0]
    left = shift - np.average(shift, weights=system.pairs.weights)
    return np.asarray(left * len(left) / max(len(left) - 1, 1))


def _spline(
    system: ThinPlateSystem,
    hat: FloatArray,
    fitted: FloatArray,
    source: Space,
    target: Space,
    stretch_zyx: tuple[float, float, float],
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
    affine = Affine.from_parts(
        linear * stretch_zyx, shift - linear @ centre, source=source, target=target
    )
    return replace(shape, affine=affine, centres_zyx_nm=centres / stretch_zyx,
                   stretch_zyx=stretch_zyx)  # fmt: skip
