"""The final deformation: which fit, on which grid, and without folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg as sl

from clemkit.errors import RegistrationError
from clemkit.geometry import FloatArray, Grid
from clemkit.provenance import Progress, no_progress
from clemkit.registration.evidence import Guide
from clemkit.registration.factor import positive_factor
from clemkit.registration.features import FixedFeatures
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.intensity import gaussian_blur_nm
from clemkit.registration.matching import coarse_grid
from clemkit.registration.mending import follow_down
from clemkit.registration.model_fit import ModelFit
from clemkit.registration.normalised_fit import fit_normalised
from clemkit.registration.pull import Pull, resample_to
from clemkit.registration.refine import (
    MovingCrop,
    final_fit,
    grey_fit,
    match_blurs,
    work_factor,
)
from clemkit.registration.scales import (
    finest_spacing_nm,
    open_voxel_sizes_nm,
    segmentation_detail_nm,
)
from clemkit.registration.search import prior_stiffness, search_voxel_nm
from clemkit.registration.settings import Settings
from clemkit.registration.start import Start
from clemkit.registration.structures import Structures, block_structures
from clemkit.transforms import check_folding
from clemkit.volumes import Volume

__all__ = ["Levels", "fit_deformation", "follow_levels", "unfold"]

_LEAST_JACOBIAN = 0.15
_SEGMENTATION_STIFFNESS = 4.0  # outlines of two segmentations differ more than images do


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """The deformation after the finer levels, and the lengths it was made with, nm."""

    lattice: FfdLattice
    coefficients: FloatArray
    correlation: float
    blur_nm: float
    spacing_nm: float
    detail_nm: float


def follow_levels(
    features: FixedFeatures,
    crop: MovingCrop,
    found: Start,
    moving: Volume,
    moving_labels: Volume | None,
    settings: Settings,
    guides: Sequence[Guide] = (),
    progress: Progress = no_progress,
) -> Levels:
    """Follow the start down to the blur of the moving image, at lengths derived from the data."""
    spacing = settings.control_spacing_nm or finest_spacing_nm(features)
    first = 0.75 * search_voxel_nm(features, moving.grid, settings) / 2
    detail = segmentation_detail_nm(features, moving_labels)
    # outlines of two segmentations differ; their courses agree at the width of a structure
    last = max(1.25 * float(found.psf_zyx_nm[1:].max()), 0.5 * detail)
    blurs = match_blurs(max(first, last), last)
    ratio = np.linspace(1, 0, len(blurs))
    stiffness = 2 * prior_stiffness(features.grid, 900)
    if detail > 0:
        stiffness *= _SEGMENTATION_STIFFNESS
    lattice, coefficients, correlation = follow_down(
        features,
        crop,
        found.outcome.best,
        blurs_nm=blurs,
        spacings_nm=[float(spacing * (1 + 0.5 * r)) for r in ratio],
        blur_zyx_nm=found.psf_zyx_nm,
        finest_voxel_nm=max(
            2 * min(open_voxel_sizes_nm(crop.grid)), min(open_voxel_sizes_nm(features.grid))
        ),
        stiffness=stiffness,
        detail_nm=detail,
        guides=guides,
        progress=progress,
    )
    return Levels(lattice, coefficients, correlation, blurs[-1], spacing, detail)


def fit_deformation(
    features: FixedFeatures,
    crop: MovingCrop,
    found: Start,
    levels: Levels,
    settings: Settings,
    progress: Progress,
    guides: Sequence[Guide] = (),
    *,
    alike: bool,
) -> tuple[ModelFit, Structures]:
    """Fit under the model of the moving image, or on normalised images without labels.

    Parameters
    ----------
    features, crop, found
        Fixed side, moving side, start.
    levels : Levels
        Deformation so far.
    guides : sequence of Guide
        Landmarks and further structures.
    alike : bool
        Whether both images show the same things, so that one is a model of the other.

    Returns
    -------
    fit, structures
        The structures are pieces of objects, or cubes, for the held-out error.
    """
    affine = found.outcome.best.affine
    lattice, coefficients, spacing = levels.lattice, levels.coefficients, levels.spacing_nm
    blur, detail_nm = levels.blur_nm, levels.detail_nm
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
            guides=guides,
            progress=progress,
        )
        return fit, structures
    if features.labels is None and alike:
        fit, grid = grey_fit(
            features,
            crop,
            affine,
            lattice,
            coefficients,
            psf_zyx_nm=found.psf_zyx_nm,
            spacing_nm=spacing,
            stiffness=stiffness,
            settings=settings,
            guides=guides,
            progress=progress,
        )
        return fit, block_structures(grid, spacing / 2)
    factor = work_factor(features.grid, crop.grid, settings.work_voxel_nm)
    grid = features.grid.downsample(factor)
    template, template_grid = features.template(min(open_voxel_sizes_nm(grid)), found.psf_zyx_nm)
    soft = gaussian_blur_nm(template, blur, template_grid.voxel_size_zyx_nm)
    image = gaussian_blur_nm(crop.normal, blur, crop.grid.voxel_size_zyx_nm)
    work = coarse_grid(grid, max(min(open_voxel_sizes_nm(grid)), 0.8 * blur))
    level = FfdLattice(grid=work, spacing_zyx_nm=(spacing,) * 3, margin_zyx_nm=(spacing / 4,) * 3)
    reach = max(2.5 * blur, detail_nm)
    fit = fit_normalised(
        Pull(image, crop.grid, work, affine),
        resample_to(soft, template_grid, work),
        level,
        level.resample_from(lattice, coefficients),
        stiffness=stiffness,
        correlation_volume=float(
            np.prod(np.maximum(reach / np.array(work.voxel_size_zyx_nm), 1.0))
        ),
        step_limit_nm=1.5 * blur,
        adapt=levels.detail_nm == 0,
        more=[g.on_model(level, None) for g in guides],
        progress=progress,
    )
    return fit, block_structures(work, spacing / 2)


def unfold(fit: ModelFit, linear: FloatArray, grid: Grid, warnings: list[str]) -> ModelFit:
    """Stiffen the linearised solution until the smallest determinant is safely positive."""
    data = fit.normal @ fit.coefficients.ravel() + fit.pull
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
        solution = sl.cho_solve(positive_factor(matrix), data).reshape(fit.coefficients.shape)
        current = replace(current, coefficients=solution, stiffness=stiffness)
    raise RegistrationError(
        "deformation: expected a map without folds; found folds however stiff it was made; "
        "the pose is probably wrong"
    )
