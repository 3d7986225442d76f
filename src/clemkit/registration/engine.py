"""The engine: two volumes in, a registration with an honest error out.

The chain: prepare → pose search → affine refinement of several candidates → coarse deformation
and choice → finer deformation on normalised images → maximum-likelihood fit under a model of the
moving image → held-out error → certified inverse.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clemkit.errors import ArgumentError, RegistrationError
from clemkit.geometry import FloatArray, Grid
from clemkit.provenance import Progress, Step, no_progress
from clemkit.registration.features import FixedFeatures, fixed_features, moving_image
from clemkit.registration.heldout import HeldOut, estimate_error, hold_out, spread_map
from clemkit.registration.intensity import gaussian_blur_nm
from clemkit.registration.matching import coarse_grid
from clemkit.registration.model_fit import ModelFit, fit_normalised
from clemkit.registration.pull import Pull, resample_to
from clemkit.registration.refine import (
    MovingCrop,
    crop_moving,
    final_fit,
    finer_levels,
    match_blurs,
    work_factor,
)
from clemkit.registration.result import JacobianSummary, RegistrationResult, StageRecord
from clemkit.registration.search import (
    CONVINCING,
    SearchOutcome,
    find_start,
    prior_stiffness,
    search_voxel_nm,
)
from clemkit.registration.settings import Settings
from clemkit.registration.structures import Structures, block_structures
from clemkit.transforms import Transform, check_folding, compose, numerical_inverse
from clemkit.volumes import Volume

__all__ = ["register"]

_LEAST_JACOBIAN = 0.15
_SEGMENTATION_STIFFNESS = 4.0  # outlines of two segmentations differ more than images do


@dataclass
class _Clock:
    """Collects stage records."""

    stages: list[StageRecord] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, float | None]]:
        note: dict[str, float | None] = {"metric": None}
        wall, cpu = time.perf_counter(), time.process_time()
        yield note
        self.stages.append(
            StageRecord(
                name=name,
                seconds=time.perf_counter() - wall,
                cpu_seconds=time.process_time() - cpu,
                metric=note["metric"],
            )
        )


@dataclass(frozen=True)
class _Found:
    channel: int
    outcome: SearchOutcome
    psf_zyx_nm: FloatArray


def register(
    fixed: Volume,
    moving: Volume,
    *,
    fixed_labels: Volume | None = None,
    moving_labels: Volume | None = None,
    fixed_channel: int | str = 0,
    moving_channel: int | str | None = None,
    allow_reflection: bool = False,
    settings: Settings | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> RegistrationResult:
    """Register *moving* to *fixed* without initialisation.

    Parameters
    ----------
    fixed : Volume
        Usually the EM volume: smaller field, finer voxels.
    moving : Volume
        Usually the LM or X-ray volume.
    fixed_labels, moving_labels : Volume, optional
        Instances or masks of the structures to match, each on any grid of its volume's space.
        Without fixed labels the images themselves are matched.
    fixed_channel, moving_channel : int or str, optional
        Channels to match. Without a moving channel all are tried and the best is reported.
    allow_reflection : bool
        Whether the result may contain a mirror (sections in reverse order, for example).
    settings : Settings, optional
        Physical settings; defaults come from the data.
    seed : int
        Seed of the held-out folds and of the error sampling.
    progress : Progress
        Receives stage names and the current figure.

    Returns
    -------
    RegistrationResult

    Raises
    ------
    RegistrationError
        No pose stands out, or only a mirror fits and mirrors are not allowed.
    DataError
        An image is constant or not finite.
    TooFewLandmarksError
        The labels are empty.

    Examples
    --------
    >>> result = register(em, lm, fixed_labels=mitochondria)  # doctest: +SKIP
    >>> result.error_estimate.median_nm  # doctest: +SKIP
    """
    settings = settings or Settings()
    if fixed.grid.space == moving.grid.space:
        raise ArgumentError(
            f"register: expected two different spaces; found {fixed.grid.space.name!r} twice; "
            "name them when opening the volumes"
        )
    step_started = Step(activity="registration")
    clock = _Clock()
    warnings: list[str] = []
    with clock.stage("prepare"):
        features = fixed_features(
            fixed, fixed_labels, fixed.channel_index(fixed_channel), settings.structure_radius_nm
        )
        warnings += features.notes
    with clock.stage("pose search") as note:
        found = _search(
            features, fixed, moving, moving_labels, moving_channel, settings, warnings, progress
        )
        note["metric"] = found.outcome.best.correlation
    outcome = found.outcome
    best = outcome.best
    _require_usable(outcome, allow_reflection, moving_channel is None and moving.channel_count > 1)
    with clock.stage("deformation") as note:
        crop = crop_moving(
            moving,
            moving_labels,
            found.channel,
            best,
            features.grid,
            voxel_nm=_crop_voxel_nm(features, moving, moving_labels),
            normalisation_nm=features.normalisation_nm,
        )
        spacing = settings.control_spacing_nm or _finest_spacing_nm(features)
        first = 0.75 * search_voxel_nm(features, moving.grid, settings) / 2
        detail = _detail_nm(features, moving_labels)
        # outlines of two segmentations differ; their courses agree at the width of a structure
        last = max(1.25 * float(found.psf_zyx_nm[1:].max()), 0.5 * detail)
        blurs = match_blurs(max(first, last), last)
        ratio = np.linspace(1, 0, len(blurs))
        coarse_spacing = max(1.5 * spacing, spacing)
        spacings = [float(spacing + (coarse_spacing - spacing) * r) for r in ratio]
        finest = max(2 * min(_fine(crop.grid)), min(_fine(features.grid)))
        lattice, coefficients, correlation = finer_levels(
            features,
            crop,
            best,
            blurs_nm=blurs,
            spacings_nm=spacings,
            blur_zyx_nm=found.psf_zyx_nm,
            finest_voxel_nm=finest,
            stiffness=2
            * prior_stiffness(features.grid, 900)
            * (_SEGMENTATION_STIFFNESS if detail > 0 else 1.0),
            detail_nm=detail,
            progress=progress,
        )
        note["metric"] = correlation
    with clock.stage("model fit") as note:
        fit, structures = _fit(
            features,
            crop,
            found,
            lattice,
            coefficients,
            blurs[-1],
            spacing,
            detail,
            settings,
            progress,
        )
        fit = _unfold(fit, best.affine.linear, features.grid, warnings)
        note["metric"] = fit.correlation
    with clock.stage("held-out error") as note:
        reach = 1.2 * float(found.psf_zyx_nm.max()) + 0.5 * features.radius_nm
        held = hold_out(fit, structures, reach_nm=reach, seed=seed)
        error = estimate_error(fit, held, features.grid, best.affine.linear, seed=seed)
        note["metric"] = error.median_nm
    with clock.stage("certified inverse") as note:
        fixed_to_moving = compose(
            fit.lattice.to_transform(fit.coefficients, fixed.grid.space),
            best.affine.to_transform(fixed.grid.space, moving.grid.space),
        )
        inverse = numerical_inverse(fixed_to_moving, domain=fixed.grid, outside="extend")
        note["metric"] = inverse.max_error_nm
    return _result(
        fixed,
        features,
        found,
        fit,
        held,
        error,
        structures,
        fixed_to_moving,
        inverse,
        clock,
        warnings,
        settings,
        seed,
        step_started,
    )


def _fine(grid: Grid) -> list[float]:
    return [v for v, n in zip(grid.voxel_size_zyx_nm, grid.shape_zyx, strict=True) if n > 1]


def _crop_voxel_nm(features: FixedFeatures, moving: Volume, labels: Volume | None) -> float:
    """Full resolution of the moving volume, unless the fixed field would hold far too many."""
    grid = moving.grid if labels is None else labels.grid
    finest = min(_fine(grid))
    voxels = float(np.prod(features.grid.extent_zyx_nm / np.array(grid.voxel_size_zyx_nm)))
    return finest * max((voxels / 30e6) ** (1 / 3), 1.0)


def _detail_nm(features: FixedFeatures, moving_labels: Volume | None) -> float:
    """Return the length over which residuals of two segmentations hang together, else 0.

    Two segmentations of one structure differ systematically (one is drawn wider than the other),
    so their residuals are not independent from voxel to voxel but over a structure's width.
    """
    return 2.5 * features.radius_nm if moving_labels is not None else 0.0


def _psf_nm(moving: Volume, settings: Settings) -> FloatArray:
    """Return a first guess of the blur: from the voxel size, as microscopes are sampled."""
    if settings.psf_sigma_zyx_nm is not None:
        return np.array(settings.psf_sigma_zyx_nm)
    voxel = np.array(moving.grid.voxel_size_zyx_nm)
    lateral = float(max(voxel[1:]))
    if moving.modality == "lm":
        return np.array([max(1.4 * voxel[0], 1.2 * lateral), 1.2 * lateral, 1.2 * lateral])
    return 0.9 * voxel


def _finest_spacing_nm(features: FixedFeatures) -> float:
    """Return the control spacing: about 1.8 times the distance between pieces of structure."""
    volume = float(np.prod(features.grid.extent_zyx_nm))
    flat = min(features.grid.shape_zyx) == 1
    longest = float(features.grid.extent_zyx_nm.max())
    piece = 6.5 * features.radius_nm
    if features.labels is None:
        distance = 2.0 * features.radius_nm * 1.5
    else:
        filled = float(features.image.mean()) * volume
        each = np.pi * features.radius_nm**2 * piece
        count = max(filled / each, 4.0)
        area = volume / features.grid.voxel_size_zyx_nm[0] if flat else volume
        distance = (area / count) ** (1 / 2 if flat else 1 / 3)
    return float(np.clip(1.8 * distance, longest / 12, longest / 2.5))


def _search(
    features: FixedFeatures,
    fixed: Volume,
    moving: Volume,
    moving_labels: Volume | None,
    moving_channel: int | str | None,
    settings: Settings,
    warnings: list[str],
    progress: Progress,
) -> _Found:
    if moving_channel is None:
        channels = list(range(moving.channel_count)) if moving_labels is None else [0]
    else:
        channels = [moving.channel_index(moving_channel)]
    psf = _psf_nm(moving, settings)
    if moving_labels is not None:
        psf = 0.6 * np.array(moving_labels.grid.voxel_size_zyx_nm)
    scale = settings.expected_scale or (
        1.1 if moving.modality == "lm" and fixed.modality == "em" else 1.0
    )
    voxel = search_voxel_nm(features, moving.grid, settings)
    signs = moving_labels is None and moving.modality != "lm"
    everything = settings.any_orientation
    if everything is None:
        everything = moving.modality != "lm" or moving_labels is not None
    best: _Found | None = None
    scores: list[str] = []
    for channel in channels:
        image = moving_image(moving, moving_labels, channel, voxel / 3, features.normalisation_nm)
        outcome = find_start(
            features,
            image,
            blur_zyx_nm=psf,
            settings=settings,
            expected_scale=scale,
            both_signs=signs,
            try_everything=everything,
            stop_early=len(channels) > 1 and best is not None and best.outcome.confidence > 0.8,
            progress=progress,
        )
        if outcome is None:
            continue
        name = moving.channels[channel] if moving.channels else str(channel)
        scores.append(f"{name}: {outcome.best.correlation:.2f}")
        rank = (outcome.confidence, outcome.best.score)
        if best is None or rank > (best.outcome.confidence, best.outcome.best.score):
            best = _Found(channel, outcome, psf)
    if best is None:
        raise RegistrationError(
            "pose search: expected at least one placement with the required overlap; found none; "
            "the moving field may be smaller than the fixed one (swap --fixed and --moving), or "
            "the voxel sizes may be wrong (--fixed-voxel-size, --moving-voxel-size)"
        )
    if len(channels) > 1:
        name = moving.channels[best.channel] if moving.channels else str(best.channel)
        warnings.append(
            f"moving channel {name} was chosen by its correlation ({', '.join(scores)}); "
            "pass --moving-channel to decide"
        )
    return best


def _require_usable(outcome: SearchOutcome, allow_reflection: bool, many: bool) -> None:
    best = outcome.best
    others = [c.score for c in outcome.ranked[1:]]
    runner = f"{max(others):.2f}" if others else "none"
    figures = (
        f"best correlation {best.correlation:.2f}, next different pose {runner}, "
        f"confidence {outcome.confidence:.2f}, searched: {'; '.join(outcome.tiers)}"
    )
    if best.is_mirror and not allow_reflection and outcome.confidence >= 0.25:
        raise RegistrationError(
            "registration: expected a placement without a mirror; found that the mirrored "
            f"volume fits clearly better ({figures}); the sections may be in reverse order: "
            "pass --allow-reflection, or turn the stack over"
        )
    if outcome.confidence < 0.25:
        raise RegistrationError(
            f"registration: expected one pose that stands out; found none ({figures}); "
            "check that both volumes show the same place, the channel, the labels and the voxel "
            "sizes"
        )


def _fit(
    features: FixedFeatures,
    crop: MovingCrop,
    found: _Found,
    lattice: Any,
    coefficients: FloatArray,
    blur: float,
    spacing: float,
    detail_nm: float,
    settings: Settings,
    progress: Progress,
) -> tuple[ModelFit, Structures]:
    affine = found.outcome.best.affine
    stiffness = 4 * prior_stiffness(features.grid, 900)
    if detail_nm > 0:
        stiffness *= _SEGMENTATION_STIFFNESS
    if features.labels is not None and detail_nm == 0:
        fit, structures, _, _ = final_fit(
            features,
            crop,
            affine,
            lattice,
            coefficients,
            psf_zyx_nm=found.psf_zyx_nm,
            spacing_nm=spacing,
            stiffness=stiffness,
            settings=settings,
            progress=progress,
        )
        return fit, structures
    factor = work_factor(features.grid, crop.grid, settings.work_voxel_nm)
    grid = features.grid.downsample(factor)
    template, template_grid = features.template(min(_fine(grid)), found.psf_zyx_nm)
    soft = gaussian_blur_nm(template, blur, template_grid.voxel_size_zyx_nm)
    image = gaussian_blur_nm(crop.normal, blur, crop.grid.voxel_size_zyx_nm)
    work = coarse_grid(grid, max(min(_fine(grid)), 0.8 * blur))
    reach = max(2.5 * blur, detail_nm)
    fit = fit_normalised(
        Pull(image, crop.grid, work, affine),
        resample_to(soft, template_grid, work),
        lattice.__class__(
            grid=work, spacing_zyx_nm=(spacing,) * 3, margin_zyx_nm=(spacing / 4,) * 3
        ),
        lattice.__class__(
            grid=work, spacing_zyx_nm=(spacing,) * 3, margin_zyx_nm=(spacing / 4,) * 3
        ).resample_from(lattice, coefficients),
        stiffness=stiffness,
        correlation_volume=float(
            np.prod(np.maximum(reach / np.array(work.voxel_size_zyx_nm), 1.0))
        ),
        step_limit_nm=1.5 * blur,
        adapt=detail_nm == 0,
        progress=progress,
    )
    return fit, block_structures(work, spacing / 2)


def _unfold(fit: ModelFit, linear: FloatArray, grid: Grid, warnings: list[str]) -> ModelFit:
    """Stiffen the linearised solution until the smallest determinant is safely positive."""
    from dataclasses import replace

    data = (
        fit.normal @ fit.coefficients.ravel()
        - fit.lattice.project(fit.weight * fit.residual * fit.gradient).ravel()
    )
    bending = fit.lattice.bending.toarray()
    current = fit
    for _ in range(8):
        transform = current.lattice.to_transform(current.coefficients, grid.space)
        summary = check_folding(transform, fit.lattice.grid)
        if summary.minimum >= _LEAST_JACOBIAN:
            if current is not fit:
                warnings.append(
                    "the deformation was stiffened until its Jacobian determinant was at least "
                    f"{_LEAST_JACOBIAN} everywhere; it may follow the data less closely"
                )
            return current
        stiffness = current.stiffness * 2
        matrix = fit.normal + stiffness * bending
        matrix[np.diag_indices_from(matrix)] += 1e-9 * (1 + float(np.mean(np.diag(fit.normal))))
        solution = np.linalg.solve(matrix, data).reshape(fit.coefficients.shape)
        current = replace(current, coefficients=solution, stiffness=stiffness)
    raise RegistrationError(
        "deformation: expected a map without folds; found folds however stiff it was made; "
        "the pose is probably wrong"
    )


def _result(
    fixed: Volume,
    features: FixedFeatures,
    found: _Found,
    fit: ModelFit,
    held: HeldOut,
    error: Any,
    structures: Structures,
    fixed_to_moving: Transform,
    inverse: Any,
    clock: _Clock,
    warnings: list[str],
    settings: Settings,
    seed: int,
    step: Step,
) -> RegistrationResult:
    from dataclasses import replace

    best = found.outcome.best
    summary = check_folding(
        fit.lattice.to_transform(fit.coefficients, fixed.grid.space), fit.lattice.grid
    )
    empty = sum(1 for r in error.regions if r["count"] == 0)
    if empty:
        warnings.append(
            f"{empty} of {len(error.regions)} regions hold no structure that could be checked; "
            "the deformation there continues that of their neighbours"
        )
    if best.overlap < 0.95:
        warnings.append(f"only {best.overlap:.0%} of the fixed field lies inside the moving field")
    if best.is_mirror:
        warnings.append("the transform contains a mirror, as allowed")
    mirror = found.outcome.mirror_score
    if not best.is_mirror and mirror is not None and mirror > 0.8 * best.score:
        warnings.append(
            f"the mirrored specimen fits nearly as well ({mirror:.2f} against {best.score:.2f}), "
            "as symmetric specimens do; no mirror was used"
        )
    confidence = found.outcome.confidence
    status: Literal["ok", "uncertain"] = "ok"
    if confidence < CONVINCING:
        status = "uncertain"
        warnings.append(
            f"confidence {confidence:.2f}: another pose fits nearly as well; look at the overlays "
            "before using this result"
        )
    mapped = held.misfit_zyx_nm @ best.affine.linear.T
    overview = _overview(fixed.grid)
    sigma = spread_map(fit, overview, best.affine.linear, held.scale if held.scale > 0 else 1.0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    moved = {
        "searches": list(found.outcome.tiers),
        "candidates": [
            {"correlation": c.correlation, "overlap": c.overlap, "mirror": c.is_mirror}
            for c in found.outcome.ranked
        ],
        "moving_channel": found.channel,
        "structure_radius_nm": features.radius_nm,
        "pieces": structures.count,
        "control_spacing_nm": fit.lattice.spacing_zyx_nm[1],
        "psf_sigma_zyx_nm": [float(v) for v in found.psf_zyx_nm],
        "stiffness": fit.stiffness,
        "effective_freedom": fit.freedom,
        "model_correlation": fit.correlation,
        "held_out_scale": held.scale,
        "held_out_noise_scale": held.noise_scale,
        "held_out_points_zyx_nm": held.points_zyx_nm,
        "held_out_misfit_zyx_nm": mapped,
        "affine_fixed_to_moving": best.affine.to_transform(
            fixed.grid.space, fixed_to_moving.target
        ).matrix,
        "uncertainty_nm": sigma,
        "uncertainty_grid": overview,
        "peak_memory_mb": peak,
    }
    parameters = {k: v for k, v in asdict(settings).items() if v is not None}
    return RegistrationResult(
        moving_to_fixed=inverse,
        fixed_to_moving=fixed_to_moving,
        inverse_error_nm=inverse.max_error_nm,
        fit_residuals_nm=np.linalg.norm(mapped, axis=1),
        error_estimate=error,
        status=status,
        confidence=confidence,
        reflection=best.is_mirror,
        jacobian=JacobianSummary(
            min=summary.minimum, max=summary.maximum, folded_fraction=summary.folded_fraction
        ),
        stages=tuple(clock.stages),
        warnings=tuple(warnings),
        method="clemkit structures" if features.labels is not None else "clemkit intensity",
        step=replace(step, parameters=parameters, seed=seed, ended=Step(activity="").ended),
        details=moved,
    )


def _overview(grid: Grid) -> Grid:
    """Return a grid of at most 40 voxels a side over the fixed field."""
    size = grid.extent_zyx_nm
    voxel = np.maximum(size / 40, np.array(grid.voxel_size_zyx_nm))
    voxel = np.maximum(voxel, size.max() / 40)
    voxel = np.minimum(voxel, size)
    return grid.resample((float(voxel[0]), float(voxel[1]), float(voxel[2])))


_ = NDArray
