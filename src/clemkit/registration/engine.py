"""The engine: two volumes in, a registration with an honest error out.

The chain: prepare → pose search → affine refinement of several candidates → coarse deformation
and choice → finer deformation on normalised images → maximum-likelihood fit under a model of the
moving image → held-out error → certified inverse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from clemkit.errors import ArgumentError, RegistrationError
from clemkit.geometry import FloatArray, require_same_space
from clemkit.landmarks import LandmarkPairs
from clemkit.provenance import Progress, Step, no_progress
from clemkit.registration.deformation import fit_deformation, follow_levels, unfold
from clemkit.registration.features import FixedFeatures, fixed_features
from clemkit.registration.further_structures import Structure, require_structures
from clemkit.registration.given_start import find_given_start
from clemkit.registration.guides import make_guides
from clemkit.registration.heldout import (
    estimate_error,
    hold_out,
    with_shared_offset,
    with_slack,
)
from clemkit.registration.landmark_guide import LandmarkWeight, check_pairs
from clemkit.registration.outcome import assemble_result
from clemkit.registration.refine import crop_moving
from clemkit.registration.result import RegistrationResult
from clemkit.registration.scales import crop_voxel_nm
from clemkit.registration.settings import Settings
from clemkit.registration.stage_clock import StageClock
from clemkit.transforms import Transform, compose, numerical_inverse
from clemkit.volumes import Volume

__all__ = ["Preview", "register"]

Preview: TypeAlias = Callable[[Transform, int], None]
"""Receives the coarse transform, fixed → moving, and the moving channel, within seconds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Wanted:
    """What the caller asked for."""

    fixed: Volume
    moving: Volume
    structures: tuple[Structure, ...]
    moving_labels: Volume | None
    fixed_channel: int
    moving_channel: int | str | None
    initial: Transform | None
    trust_initial: bool
    landmarks: LandmarkPairs | None
    landmark_weight: LandmarkWeight
    allow_reflection: bool
    settings: Settings
    seed: int
    preview: Preview | None
    progress: Progress


def register(
    fixed: Volume,
    moving: Volume,
    *,
    fixed_labels: Volume | None = None,
    moving_labels: Volume | None = None,
    structures: Sequence[Structure] = (),
    fixed_channel: int | str = 0,
    moving_channel: int | str | None = None,
    initial: Transform | None = None,
    trust_initial: bool = False,
    landmarks: LandmarkPairs | None = None,
    landmark_weight: LandmarkWeight = "soft",
    allow_reflection: bool = False,
    settings: Settings | None = None,
    seed: int = 0,
    preview: Preview | None = None,
    progress: Progress = no_progress,
) -> RegistrationResult:
    """Register *moving* to *fixed*, without initialisation unless one is given.

    Parameters
    ----------
    fixed : Volume
        Usually the EM volume: smaller field, finer voxels.
    moving : Volume
        Usually the LM or X-ray volume.
    fixed_labels, moving_labels : Volume, optional
        Instances or masks of the structures to match, each on any grid of its volume's space.
        Without fixed labels the images themselves are matched.
    structures : sequence of Structure, optional
        Several kinds of structures instead, each with its labels, channel and weight. The first
        finds the pose.
    fixed_channel, moving_channel : int or str, optional
        Channels to match. Without a moving channel all are tried and the best is reported.
    initial : Transform, optional
        Fixed → moving, from which to go on; it replaces the search, and the images must agree.
    trust_initial : bool
        Do not ask the images; weak evidence then ends ``uncertain`` instead of being refused.
    landmarks : LandmarkPairs, optional
        Hand-placed pairs that pull on the deformation. Four or more that span a volume and agree
        also start the search.
    landmark_weight : {"soft", "hard"}
        Within their standard deviation (one moving voxel where they state none), or exactly.
    allow_reflection : bool
        Whether the result may contain a mirror (sections in reverse order, for example).
    settings : Settings, optional
        Physical settings; defaults come from the data.
    seed : int
        Seed of the held-out folds and of the error sampling.
    preview : callable, optional
        Receives the coarse transform, fixed → moving, and the moving channel, after the search.
    progress : Progress
        Receives stage names and the current figure.

    Returns
    -------
    RegistrationResult

    Raises
    ------
    RegistrationError
        No pose stands out, a given one is contradicted by the images, or only a mirror fits and
        mirrors are not allowed.
    ArgumentError, SpaceMismatchError
        The arguments do not fit together.
    DataError
        An image is constant or not finite.
    TooFewLandmarksError
        The labels are empty.

    Examples
    --------
    >>> result = register(em, lm, fixed_labels=mitochondria)  # doctest: +SKIP
    >>> result.error_estimate.median_nm  # doctest: +SKIP
    """
    kinds = tuple(structures)
    require_structures(kinds, fixed_labels, moving_labels, moving_channel)
    if fixed_labels is not None:
        kinds = (Structure(labels=fixed_labels, moving_labels=moving_labels),)
    wanted = _Wanted(
        fixed=fixed,
        moving=moving,
        structures=kinds,
        moving_labels=kinds[0].moving_labels if structures else moving_labels,
        fixed_channel=fixed.channel_index(fixed_channel),
        moving_channel=kinds[0].channel if structures else moving_channel,
        initial=initial,
        trust_initial=trust_initial,
        landmarks=landmarks,
        landmark_weight=landmark_weight,
        allow_reflection=allow_reflection,
        settings=settings or Settings(),
        seed=seed,
        preview=preview,
        progress=progress,
    )
    if fixed.grid.space == moving.grid.space:
        raise ArgumentError(
            f"register: expected two different spaces; found {fixed.grid.space.name!r} twice; "
            "name them when opening the volumes"
        )
    if initial is not None:
        require_same_space(fixed.grid.space, initial.source, "initial, source")
        require_same_space(moving.grid.space, initial.target, "initial, target")
    if landmarks is not None:
        check_pairs(landmarks, landmark_weight, fixed.grid, moving.grid)
    # small matrices gain nothing from BLAS threads, which spin and can change the last digit
    with threadpool_limits(limits=1):
        return _register(wanted)


def _register(wanted: _Wanted) -> RegistrationResult:
    fixed, moving, settings = wanted.fixed, wanted.moving, wanted.settings
    progress = wanted.progress
    step_started = Step(activity="registration")
    clock = StageClock()
    warnings: list[str] = []
    with clock.stage("prepare"):
        features = fixed_features(
            fixed,
            wanted.structures[0].labels if wanted.structures else None,
            wanted.fixed_channel,
            settings.structure_radius_nm,
            crop=len(wanted.structures) < 2,
        )
        warnings += features.notes
    with clock.stage("pose search") as note:
        found, features = find_given_start(
            features,
            fixed,
            wanted.fixed_channel,
            moving,
            wanted.moving_labels,
            wanted.moving_channel,
            initial=wanted.initial,
            trusted=wanted.trust_initial,
            landmarks=wanted.landmarks,
            allow_reflection=wanted.allow_reflection,
            settings=settings,
            warnings=warnings,
            progress=progress,
        )
        note["metric"] = found.outcome.best.correlation
    best = found.outcome.best
    if wanted.preview is not None:
        with clock.stage("preview"):
            coarse: Transform = best.affine.to_transform(fixed.grid.space, moving.grid.space)
            if best.lattice is not None and best.coefficients is not None:
                bent = best.lattice.to_transform(best.coefficients, fixed.grid.space)
                coarse = compose(bent, coarse)
            wanted.preview(coarse, found.channel)
    pairs, guides = make_guides(
        wanted.landmarks,
        wanted.landmark_weight,
        wanted.structures,
        features.grid,
        fixed,
        moving,
        found,
        settings,
    )
    with clock.stage("deformation") as note:
        crop = crop_moving(
            moving,
            wanted.moving_labels,
            found.channel,
            best,
            features.grid,
            voxel_nm=crop_voxel_nm(features, moving, wanted.moving_labels),
            normalisation_nm=features.normalisation_nm,
        )
        levels = follow_levels(
            features, crop, found, moving, wanted.moving_labels, settings, guides, progress
        )
        note["metric"] = levels.correlation
    noted, odd = {}, {}
    with clock.stage("model fit") as note:
        # electrons and X-rays meet heavy metal; light shows what was labelled
        alike = (fixed.modality == "lm") == (moving.modality == "lm")
        fit, structures = fit_deformation(
            features, crop, found, levels, settings, progress, guides, alike=alike
        )
        if pairs is not None:
            odd = pairs.odd(fit)
            if pairs.weight == "hard":
                levels = replace(levels, lattice=fit.lattice, coefficients=fit.coefficients)
                fit, structures = fit_deformation(
                    features,
                    crop,
                    found,
                    levels,
                    settings,
                    progress,
                    [pairs, *guides[1:]],
                    alike=alike,
                )
        try:
            fit = unfold(fit, best.affine.linear, features.grid, warnings)
        except RegistrationError as problem:
            raise problem if pairs is None else pairs.blamed(problem, odd) from None
        if pairs is not None:
            noted["landmarks"], more = pairs.report(fit, odd)
            warnings += more
        note["metric"] = fit.correlation
    with clock.stage("held-out error") as note:
        reach = 1.2 * float(found.psf_zyx_nm.max()) + 0.5 * features.radius_nm
        held = hold_out(fit, structures, reach_nm=reach, seed=wanted.seed)
        error = estimate_error(fit, held, features.grid, best.affine.linear, seed=wanted.seed)
        if levels.detail_nm > 0:
            error = with_slack(error, 0.5 * features.radius_nm)
            warnings.append(
                "two segmentations were matched: what differs because one was drawn wider than "
                "the other shows in no residual; half a structure radius was added to the error"
            )
        if (fixed.modality == "lm") != (moving.modality == "lm") or features.labels is not None:
            error = with_shared_offset(error, _shared_offset_nm(found.psf_zyx_nm, features))
        note["metric"] = error.median_nm
    with clock.stage("certified inverse") as note:
        fixed_to_moving = compose(
            fit.lattice.to_transform(fit.coefficients, fixed.grid.space),
            best.affine.to_transform(fixed.grid.space, moving.grid.space),
        )
        inverse = numerical_inverse(fixed_to_moving, domain=fixed.grid, outside="extend")
        note["metric"] = inverse.max_error_nm
    result = assemble_result(
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
        wanted.seed,
        step_started,
    )
    return replace(result, details={**result.details, **noted})


def _shared_offset_nm(psf_zyx_nm: FloatArray, features: FixedFeatures) -> float:
    """Return an offset that all structures may share without any residual: a guess of its size.

    0.15 of the widest blur (phantoms with a one-sided blur: 0.2 to 0.3 of it) and 0.12 of a
    structure's radius, as outlines in EM and stain in light differ.
    """
    return float(np.hypot(0.15 * psf_zyx_nm.max(), 0.12 * features.radius_nm))
