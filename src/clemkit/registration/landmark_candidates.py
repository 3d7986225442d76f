"""The models that are tried on a set of landmarks, each fitted without its wrong pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np

from clemkit.errors import DegenerateLandmarksError, RegistrationError
from clemkit.geometry import FloatArray
from clemkit.landmarks import LandmarkPairs
from clemkit.registration.landmark_blend import StiffMap, blend
from clemkit.registration.landmark_choice import Candidate
from clemkit.registration.landmark_outliers import Outliers, RobustFit, fit_robustly
from clemkit.registration.landmark_rigid_models import (
    AffineModel,
    fit_affine_model,
    leave_one_out_affine,
)
from clemkit.registration.landmark_shape import LandmarkShape
from clemkit.registration.landmark_spline import ISOTROPIC, fit_stacked_spline
from clemkit.registration.landmark_stretch import choose_stretch
from clemkit.transforms import Affine, ThinPlateSpline, Transform
from clemkit.transforms.thin_plate_system import Kernel

__all__ = ["FitSetup", "final_transform", "fit_backwards", "fit_candidate", "fit_final_affine"]

_SMOOTH: Kernel = "r2_log_r"
_ROUGH: Kernel = "r"
_MANY = 1500


@dataclass(frozen=True, slots=True)
class FitSetup:
    """What all fits of one registration share.

    Attributes
    ----------
    pairs : LandmarkPairs
        Distinct pairs.
    shape : LandmarkShape
        Their spread.
    base, start : (N,) float array
        Weights from uncertainties, and first robust weights.
    mirror : bool
        Whether the map may be a mirror.
    smoothing : float or None
        The user's smoothing, nm².
    seed : int
        For what is judged by a random part of the landmarks.
    """

    pairs: LandmarkPairs
    shape: LandmarkShape
    base: FloatArray
    start: FloatArray
    mirror: bool
    smoothing: float | None
    seed: int = 0

    @property
    def dimension(self) -> int:
        """3, or 2 for flat data."""
        return 2 if self.shape.planar else 3


def fit_final_affine(name: str, setup: FitSetup, weights: FloatArray) -> Affine:
    """Fit a rigid, similarity or affine map with given weights."""
    fixed, moving = setup.pairs.fixed, setup.pairs.moving
    return fit_affine_model(
        cast(AffineModel, name),
        fixed.points_zyx_nm,
        moving.points_zyx_nm,
        source=fixed.space,
        target=moving.space,
        weights=weights,
        mirror=setup.mirror,
        planar=setup.shape.planar,
    )


def fit_candidate(name: str, setup: FitSetup) -> Candidate:
    """Fit one model, wrong pairs set aside; errors as the fits of :mod:`clemkit.transforms`."""
    if name == "tps":
        return _spline_candidate(setup)
    return Candidate(name, *_robustly(setup, partial(_affine_fit, name, setup), setup.start))


def _spline_candidate(setup: FitSetup) -> Candidate:
    """Fit with both kernels, blended with stiffer maps, and keep the better one.

    With a given smoothing: the spline alone, and that smoothing.
    """
    smooth = Candidate("tps", *_robustly(setup, partial(_spline_fit, setup, _SMOOTH), setup.start))
    if setup.smoothing is not None:
        return smooth
    if len(setup.pairs) < _MANY:
        # from the weights found, two rounds are enough
        start = smooth.weights / setup.base
        fit = partial(_spline_fit, setup, _ROUGH)
        rough = Candidate("tps", *_robustly(setup, fit, start, 2))
    else:
        made = _spline_fit(setup, _ROUGH, smooth.weights)
        rough = Candidate("tps", made, smooth.outliers, smooth.weights)
    options = [_refined(setup, each) for each in (smooth, rough)]
    kept = ~(smooth.outliers.mask | rough.outliers.mask)
    errors = [float(np.mean(np.linalg.norm(c.fit.loo_nm[kept], axis=1))) for c in options]
    return options[int(np.argmin(errors))]


def _refined(setup: FitSetup, found: Candidate) -> Candidate:
    """Stretch the distances along z if need be, and blend with stiffer maps."""
    made = found.fit
    kernel: Kernel = made.model.transform.kernel
    fixed, moving = setup.pairs.fixed.points_zyx_nm, setup.pairs.moving.points_zyx_nm
    if not setup.shape.planar:
        stretch = choose_stretch(
            fixed, moving, weights=found.weights, kernel=kernel, seed=setup.seed
        )
        if stretch != ISOTROPIC:
            made = _spline_fit(setup, kernel, found.weights, stretch_zyx=stretch)
    stiff = []
    for name in ("rigid", "similarity", "affine"):
        loo = _affine_fit(name, setup, found.weights).loo_nm
        try:
            affine = fit_final_affine(name, setup, found.weights)
        except (RegistrationError, DegenerateLandmarksError):  # a mirror that is not allowed
            continue
        if np.all(np.isfinite(loo)):
            stiff.append(StiffMap(name, affine, loo))
    mixed = blend(made.model, stiff, ~found.outliers.mask)
    return replace(found, fit=RobustFit(mixed.loo_nm, mixed.loo_spread, mixed))


def _robustly(
    setup: FitSetup, fit: Callable[[FloatArray], RobustFit], start: FloatArray, rounds: int = 5
) -> tuple[RobustFit, Outliers, FloatArray]:
    return fit_robustly(
        fit,
        setup.pairs.fixed.points_zyx_nm,
        setup.pairs.moving.points_zyx_nm,
        base_weights=setup.base,
        start=start,
        dimension=setup.dimension,
        # each costs seconds for thousands of landmarks
        rounds=rounds if len(setup.pairs) < _MANY else min(rounds, 2),
    )


def _affine_fit(name: str, setup: FitSetup, weights: FloatArray) -> RobustFit:
    loo = leave_one_out_affine(
        cast(AffineModel, name),
        setup.pairs.fixed.points_zyx_nm,
        setup.pairs.moving.points_zyx_nm,
        weights=weights,
        mirror=setup.mirror,
        planar=setup.shape.planar,
    )
    return RobustFit(loo, np.ones(len(loo)), None)


def _spline_fit(
    setup: FitSetup,
    kernel: Kernel,
    weights: FloatArray,
    *,
    stretch_zyx: tuple[float, float, float] = ISOTROPIC,
    backwards: bool = False,
) -> RobustFit:
    a, b = setup.pairs.fixed, setup.pairs.moving
    if backwards:
        a, b = b, a
    made = fit_stacked_spline(
        a.points_zyx_nm,
        b.points_zyx_nm,
        source=a.space,
        target=b.space,
        weights=weights,
        ids=a.ids,
        planar=setup.shape.planar,
        smoothing=setup.smoothing,
        kernel=kernel,
        stretch_zyx=stretch_zyx,
        noise_weights=setup.base,
    )
    return RobustFit(made.loo_nm, made.loo_spread, made)


def final_transform(name: str, chosen: Candidate, setup: FitSetup) -> Transform:
    """Return the map of the chosen candidate."""
    if name == "tps":
        transform: ThinPlateSpline = chosen.fit.model.transform
        return transform
    return fit_final_affine(name, setup, chosen.weights)


def fit_backwards(chosen: Candidate, setup: FitSetup) -> Transform:
    """Fit the chosen spline from moving to fixed."""
    kernel: Kernel = chosen.fit.model.transform.kernel
    made = _spline_fit(setup, kernel, chosen.weights, backwards=True)
    transform: Transform = made.model.transform
    return transform
