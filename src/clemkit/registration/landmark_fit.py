"""Registration from landmark pairs alone.

The map is fitted fixed to moving, as BigWarp does, since warping pulls images. What is found on
the way (repeats, mirrors, units, wrong pairs, thin sets) becomes warnings; what cannot work raises.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from clemkit.errors import (
    ArgumentError,
    DegenerateLandmarksError,
    Problem,
    RegistrationError,
    TooFewLandmarksError,
)
from clemkit.geometry import FloatArray
from clemkit.landmarks import LandmarkPairs
from clemkit.provenance import Step
from clemkit.registration.landmark_candidates import (
    FitSetup,
    final_transform,
    fit_backwards,
    fit_candidate,
    fit_final_affine,
)
from clemkit.registration.landmark_choice import choose_candidate
from clemkit.registration.landmark_error import leave_one_out_estimate
from clemkit.registration.landmark_inverse import inverse_of, jacobian_of
from clemkit.registration.landmark_mirror import judge_mirror
from clemkit.registration.landmark_outliers import starting_weights
from clemkit.registration.landmark_repeats import merge_repeats
from clemkit.registration.landmark_report import landmark_details, outlier_findings, verdict
from clemkit.registration.landmark_rigid_models import (
    AffineModel,
    fit_affine_model,
    minimum_landmarks,
)
from clemkit.registration.landmark_shape import LandmarkShape, landmark_shape
from clemkit.registration.landmark_units import unit_findings
from clemkit.registration.result import RegistrationResult, StageRecord
from clemkit.transforms import ThinPlateSpline, Transform

__all__ = ["LandmarkModel", "register_landmarks"]

LandmarkModel = Literal["auto", "rigid", "similarity", "affine", "tps"]
_MODELS = ("rigid", "similarity", "affine", "tps")


def register_landmarks(
    pairs: LandmarkPairs,
    *,
    model: LandmarkModel = "auto",
    allow_reflection: bool = False,
    smoothing: float | None = None,
    seed: int = 0,
) -> RegistrationResult:
    """Register two spaces from landmark pairs.

    Parameters
    ----------
    pairs : LandmarkPairs
        At least three; wrong and repeated pairs may be among them.
    model : {"auto", "rigid", "similarity", "affine", "tps"}
        ``auto`` chooses by leave-one-out error.
    allow_reflection : bool
        Accept a mirror.
    smoothing : float, optional
        Smoothing of the spline, nm² (0 interpolates); by default chosen by leave-one-out errors.
    seed : int
        For the robust start and the bootstrap.

    Returns
    -------
    RegistrationResult
        ``details`` holds per-landmark residuals and leave-one-out residuals (in the fixed
        space), outliers, the chosen model and the scores of the alternatives.

    Raises
    ------
    ArgumentError
        Unknown model, negative smoothing, or coordinates that are not finite.
    TooFewLandmarksError
        Fewer distinct landmarks than the model needs.
    DegenerateLandmarksError
        Landmarks on a line, or in a plane while the model needs depth.
    RegistrationError
        A mirror fits clearly better and is not allowed.
    """
    step = Step(
        activity="landmark registration",
        parameters={
            "model": model,
            "allow_reflection": allow_reflection,
            "smoothing_nm2": smoothing,
            "landmarks": len(pairs),
        },
        seed=seed,
    )
    _check_arguments(model, smoothing)
    clock = _Clock()
    merged = merge_repeats(pairs)
    shape = landmark_shape(merged.pairs)
    findings = [*merged.findings, *shape.findings]
    setup, more = _prepare(merged.pairs, shape, allow_reflection, smoothing, seed)
    findings += more
    names = _model_names(model, setup, findings)
    clock.lap("checks")
    candidates = [fit_candidate(name, setup) for name in names]
    reach = float(np.max(np.abs(merged.pairs.moving.points_zyx_nm)))
    chosen, scores = choose_candidate(candidates, floor_nm=1e-9 * reach)
    forward = final_transform(chosen.name, chosen, setup)
    clock.lap("fit", scores[chosen.name]["median_nm"])
    findings += outlier_findings(chosen, merged.pairs.ids)
    inlier = ~chosen.outliers.mask
    fixed = merged.pairs.fixed.points_zyx_nm
    backward, inverse_error, more_findings = inverse_of(
        forward, fixed[inlier], partial(fit_backwards, chosen, setup)
    )
    findings += more_findings
    clock.lap("inverse", inverse_error)
    to_fixed = np.linalg.inv(_linear(forward)).T  # residuals are wanted where the user looks
    loo = chosen.fit.loo_nm @ to_fixed
    residual = merged.pairs.moving.points_zyx_nm - forward.apply_points(fixed)
    residual_nm = np.linalg.norm(residual @ to_fixed, axis=1)
    loo_nm = np.linalg.norm(loo, axis=1)
    estimate = leave_one_out_estimate(loo_nm[inlier], fixed[inlier], seed)
    jacobian = jacobian_of(forward, fixed[inlier])
    status, confidence, doubts = verdict(
        estimate, fixed, inlier, jacobian, [f.rule for f in findings]
    )
    clock.lap("evaluation", estimate.median_nm)
    return RegistrationResult(
        moving_to_fixed=backward,
        fixed_to_moving=forward,
        inverse_error_nm=inverse_error,
        fit_residuals_nm=residual_nm[inlier],
        error_estimate=estimate,
        status=status,
        confidence=confidence,
        reflection=bool(np.linalg.det(_linear(forward)) < 0),
        jacobian=jacobian,
        stages=tuple(clock.stages),
        warnings=(*(_sentence(f) for f in findings), *doubts),
        method=f"landmarks-{chosen.name}",
        step=step,
        details=landmark_details(
            pairs, merged, chosen, scores, residual_nm, loo_nm, inlier, findings
        ),
    )


class _Clock:
    """Collects stage records."""

    def __init__(self) -> None:
        self.stages: list[StageRecord] = []
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def lap(self, name: str, metric: float | None = None) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.stages.append(
            StageRecord(
                name=name, seconds=wall - self._wall, cpu_seconds=cpu - self._cpu, metric=metric
            )
        )
        self._wall, self._cpu = wall, cpu


def _check_arguments(model: str, smoothing: float | None) -> None:
    if model not in ("auto", *_MODELS):
        raise ArgumentError(f"model: expected auto, {', '.join(_MODELS)}; found {model!r}")
    if smoothing is not None and not smoothing >= 0:
        raise ArgumentError(f"smoothing: expected a number >= 0 (nm²); found {smoothing}")
    if smoothing is not None and model not in ("auto", "tps"):
        raise ArgumentError(
            f"smoothing: expected model tps, which alone smooths; found model {model!r}"
        )


def _prepare(
    pairs: LandmarkPairs,
    shape: LandmarkShape,
    allow_reflection: bool,
    smoothing: float | None,
    seed: int,
) -> tuple[FitSetup, list[Problem]]:
    """Find weights that ignore wrong pairs, then handedness and units with them."""
    fixed, moving = pairs.fixed.points_zyx_nm, pairs.moving.points_zyx_nm
    base = _sigma_weights(pairs)
    start = starting_weights(fixed, moving, 2 if shape.planar else 3, seed)
    findings: list[Problem] = []
    mirror = False
    if not shape.coplanar:  # a plane fits its mirror as well
        _, mirror, found = judge_mirror(
            pairs, base * start, planar=shape.planar, allow_reflection=allow_reflection
        )
        findings += found
    enough = len(pairs) >= 6 and shape.fixed_spread
    rough: AffineModel = "affine" if enough else "similarity"
    trial = fit_affine_model(
        rough,
        fixed,
        moving,
        source=pairs.fixed.space,
        target=pairs.moving.space,
        weights=base * start,
        mirror=True,
        planar=shape.planar,
    )
    findings += unit_findings(trial)
    return FitSetup(pairs, shape, base, start, mirror, smoothing, seed), findings


def _sigma_weights(pairs: LandmarkPairs) -> FloatArray:
    """Return relative weights from the localisation uncertainties, about one."""
    variance = np.zeros(len(pairs))
    for side in (pairs.fixed, pairs.moving):
        if side.sigma_zyx_nm is not None:
            variance += np.mean(side.sigma_zyx_nm**2, axis=1)
    if not np.all(np.isfinite(variance)) or not np.all(variance > 0):
        return np.ones(len(pairs))
    return np.clip(np.median(variance) / variance, 0.05, 20.0)


def _model_names(model: str, setup: FitSetup, findings: list[Problem]) -> Sequence[str]:
    """Return the models that can be fitted, least flexible first, or raise."""
    n, planar = len(setup.pairs), setup.shape.planar
    wanted: tuple[str, ...]
    wanted = ("tps",) if setup.smoothing is not None else _MODELS if model == "auto" else (model,)
    what = f"landmarks {setup.pairs.moving.space} to {setup.pairs.fixed.space}"
    flexible = {"affine", "tps"}
    if setup.shape.coplanar:
        if set(wanted) <= flexible:
            raise DegenerateLandmarksError(
                f"{what}: model {wanted[0]} expects landmarks in depth; found all in one plane; "
                "add landmarks at other depths, or use model similarity"
            )
        wanted = tuple(name for name in wanted if name not in flexible)
    if set(wanted) & flexible and n >= minimum_landmarks("affine", planar):
        try:
            fit_final_affine("affine", setup, setup.base * setup.start)
        except (RegistrationError, DegenerateLandmarksError) as error:
            if model != "auto" or setup.smoothing is not None:
                raise
            wanted = tuple(name for name in wanted if name not in flexible)
            findings.append(
                Problem(
                    ("landmarks",),
                    "landmarks.model-reduced",
                    "warning",
                    f"only rigid and similarity models were tried ({error})",
                )
            )
    able = [name for name in wanted if n >= minimum_landmarks(name, planar)]
    if not able:
        need = minimum_landmarks(wanted[0], planar)
        raise TooFewLandmarksError(
            f"{what}: model {wanted[0]} expects at least {need} distinct landmarks; found {n}; "
            "add landmarks or use a simpler model"
        )
    if model == "auto" and setup.smoothing is None:
        # a model without a spare landmark cannot be judged
        spare = [name for name in able if n > minimum_landmarks(name, planar)]
        return spare or able[:2]
    return able


def _linear(transform: Transform) -> FloatArray:
    affine: Any = transform.affine if isinstance(transform, ThinPlateSpline) else transform
    return np.asarray(affine.linear)


def _sentence(problem: Problem) -> str:
    return f"{problem.message}; {problem.hint}" if problem.hint else problem.message
