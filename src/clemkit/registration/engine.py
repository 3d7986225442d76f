"""The engine: two volumes in, a registration with an honest error out.

The chain: prepare → pose search → affine refinement of several candidates → coarse deformation
and choice → finer deformation on normalised images → maximum-likelihood fit under a model of the
moving image → held-out error → certified inverse.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_limits

from clemkit.errors import ArgumentError
from clemkit.provenance import Progress, Step, no_progress
from clemkit.registration.deformation import SEGMENTATION_STIFFNESS, fit_deformation, unfold
from clemkit.registration.features import fixed_features
from clemkit.registration.heldout import estimate_error, hold_out, with_slack
from clemkit.registration.mending import follow_down
from clemkit.registration.outcome import assemble_result
from clemkit.registration.refine import crop_moving, match_blurs
from clemkit.registration.result import RegistrationResult, StageRecord
from clemkit.registration.scales import (
    crop_voxel_nm,
    finest_spacing_nm,
    open_voxel_sizes_nm,
    segmentation_detail_nm,
)
from clemkit.registration.search import prior_stiffness, search_voxel_nm
from clemkit.registration.settings import Settings
from clemkit.registration.start import find_volumes_start, require_usable
from clemkit.transforms import compose, numerical_inverse
from clemkit.volumes import Volume

__all__ = ["register"]


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
    # small matrices gain nothing from BLAS threads, which spin and can change the last digit
    with threadpool_limits(limits=1):
        return _register(
            fixed,
            moving,
            fixed_labels,
            moving_labels,
            fixed_channel,
            moving_channel,
            allow_reflection,
            settings or Settings(),
            seed,
            progress,
        )


def _register(
    fixed: Volume,
    moving: Volume,
    fixed_labels: Volume | None,
    moving_labels: Volume | None,
    fixed_channel: int | str,
    moving_channel: int | str | None,
    allow_reflection: bool,
    settings: Settings,
    seed: int,
    progress: Progress,
) -> RegistrationResult:
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
        found, features = find_volumes_start(
            features,
            fixed,
            fixed.channel_index(fixed_channel),
            moving,
            moving_labels,
            moving_channel,
            settings,
            warnings,
            progress,
        )
        note["metric"] = found.outcome.best.correlation
    outcome = found.outcome
    best = outcome.best
    require_usable(outcome, allow_reflection)
    with clock.stage("deformation") as note:
        crop = crop_moving(
            moving,
            moving_labels,
            found.channel,
            best,
            features.grid,
            voxel_nm=crop_voxel_nm(features, moving, moving_labels),
            normalisation_nm=features.normalisation_nm,
        )
        spacing = settings.control_spacing_nm or finest_spacing_nm(features)
        first = 0.75 * search_voxel_nm(features, moving.grid, settings) / 2
        detail = segmentation_detail_nm(features, moving_labels)
        # outlines of two segmentations differ; their courses agree at the width of a structure
        last = max(1.25 * float(found.psf_zyx_nm[1:].max()), 0.5 * detail)
        blurs = match_blurs(max(first, last), last)
        ratio = np.linspace(1, 0, len(blurs))
        spacings = [float(spacing * (1 + 0.5 * r)) for r in ratio]
        finest = max(
            2 * min(open_voxel_sizes_nm(crop.grid)), min(open_voxel_sizes_nm(features.grid))
        )
        stiffness = 2 * prior_stiffness(features.grid, 900)
        if detail > 0:
            stiffness *= SEGMENTATION_STIFFNESS
        lattice, coefficients, correlation = follow_down(
            features,
            crop,
            best,
            blurs_nm=blurs,
            spacings_nm=spacings,
            blur_zyx_nm=found.psf_zyx_nm,
            finest_voxel_nm=finest,
            stiffness=stiffness,
            detail_nm=detail,
            progress=progress,
        )
        note["metric"] = correlation
    with clock.stage("model fit") as note:
        fit, structures = fit_deformation(
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
        fit = unfold(fit, best.affine.linear, features.grid, warnings)
        note["metric"] = fit.correlation
    with clock.stage("held-out error") as note:
        reach = 1.2 * float(found.psf_zyx_nm.max()) + 0.5 * features.radius_nm
        held = hold_out(fit, structures, reach_nm=reach, seed=seed)
        error = estimate_error(fit, held, features.grid, best.affine.linear, seed=seed)
        if detail > 0:
            error = with_slack(error, 0.5 * features.radius_nm)
            warnings.append(
                "two segmentations were matched: what differs because one was drawn wider than "
                "the other shows in no residual; half a structure radius was added to the error"
            )
        note["metric"] = error.median_nm
    with clock.stage("certified inverse") as note:
        fixed_to_moving = compose(
            fit.lattice.to_transform(fit.coefficients, fixed.grid.space),
            best.affine.to_transform(fixed.grid.space, moving.grid.space),
        )
        inverse = numerical_inverse(fixed_to_moving, domain=fixed.grid, outside="extend")
        note["metric"] = inverse.max_error_nm
    return assemble_result(
        fixed,
        features,
        found,
        fit,
        held,
        error,
        structures,
        fixed_to_moving,
        inverse,
        clock.stages,
        warnings,
        settings,
        seed,
        step_started,
    )
