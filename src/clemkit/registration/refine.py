"""From a start to the final deformation: finer normalised levels, then the model fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clemkit.geometry import Box, FloatArray, Grid
from clemkit.provenance import Progress, no_progress
from clemkit.registration.appearance import Appearance
from clemkit.registration.candidates import Candidate
from clemkit.registration.evidence import Guide
from clemkit.registration.features import FixedFeatures, read_mask, reduction
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.grey_appearance import GreyAppearance
from clemkit.registration.intensity import (
    block_mean,
    gaussian_blur_nm,
    local_normalise,
    recorded_field,
    stabilise,
)
from clemkit.registration.matching import coarse_grid, match_lattice
from clemkit.registration.model_fit import ModelFit, fit_model
from clemkit.registration.prepare import read_reduced
from clemkit.registration.pull import AffineMap, Pull, border_trust, resample_to
from clemkit.registration.scales import open_voxel_sizes_nm
from clemkit.registration.settings import Settings
from clemkit.registration.structures import Structures, cut_pieces
from clemkit.volumes import Volume

__all__ = [
    "MovingCrop",
    "crop_moving",
    "final_fit",
    "finer_levels",
    "grey_fit",
    "light_model",
    "match_blurs",
    "work_factor",
]

FloatImage = NDArray[np.float32]
_WORK_VOXELS = 700_000
# residuals of grey images are mostly noise; chosen on two simulated CT pairs
_GREY_CAUTION = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class MovingCrop:
    """The part of the moving volume around the start, in light, and normalised.

    Attributes
    ----------
    light : (z, y, x) float32 array
        Image with its background level removed.
    normal : (z, y, x) float32 array
        Locally normalised.
    grid : Grid
    sign : int
        -1 when structures are dark; ``light`` and ``normal`` are already turned over.
    """

    light: FloatImage
    normal: FloatImage
    grid: Grid
    sign: int


def crop_moving(
    volume: Volume,
    labels: Volume | None,
    channel: int,
    candidate: Candidate,
    fixed_grid: Grid,
    *,
    voxel_nm: float,
    normalisation_nm: float,
) -> MovingCrop:
    """Read the moving volume around the mapped fixed field."""
    source = volume if labels is None else labels
    factor = reduction(source.grid, voxel_nm)
    corners = candidate.affine.apply(fixed_grid.corners())
    longest = float(np.ptp(corners, axis=0).max())
    # the normalisation of grey images is wide: what it sees beyond the field is bounded
    margin = min(2 * normalisation_nm, 0.2 * longest) + 0.06 * longest
    low = source.grid.to_index((corners.min(axis=0) - margin)[None])[0]
    high = source.grid.to_index((corners.max(axis=0) + margin)[None])[0] + 1
    start = np.floor(low).astype(int) // np.array(factor) * np.array(factor)
    box = Box(
        (max(int(start[0]), 0), max(int(start[1]), 0), max(int(start[2]), 0)),
        (max(int(high[0]), 1), max(int(high[1]), 1), max(int(high[2]), 1)),
    ).clip(source.grid.shape_zyx)
    if labels is None:
        image, grid = read_reduced(source, channel, factor, box)
        recorded = recorded_field(image)
        image = candidate.sign * image
        level = float(np.percentile(image, 1.0))
        light = image - np.float32(level)
        shown = stabilise(light) if volume.modality == "lm" else light
    else:
        recorded = None
        light, grid = read_mask(labels, factor, box)
        soft = gaussian_blur_nm(light, 0.5 * voxel_nm, grid.voxel_size_zyx_nm)
        shown = np.sqrt(soft + np.float32(0.02))
    normal = local_normalise(shown, grid.voxel_size_zyx_nm, normalisation_nm, recorded=recorded)
    return MovingCrop(light, normal, grid, candidate.sign)


def match_blurs(first_nm: float, last_nm: float, ratio: float = 2.4) -> list[float]:
    """Return blurs from *first_nm* down to *last_nm* in steps of at most *ratio*."""
    count = max(int(np.ceil(np.log(max(first_nm / last_nm, 1.0)) / np.log(ratio))), 1)
    return [float(first_nm * (last_nm / first_nm) ** (k / count)) for k in range(count + 1)]


def finer_levels(
    fixed: FixedFeatures,
    moving: MovingCrop,
    start: Candidate,
    *,
    blurs_nm: list[float],
    spacings_nm: list[float],
    blur_zyx_nm: FloatArray,
    finest_voxel_nm: float,
    stiffness: float,
    detail_nm: float = 0.0,
    guides: Sequence[Guide] = (),
    progress: Progress = no_progress,
) -> tuple[FfdLattice, FloatArray, float]:
    """Follow the deformation to finer blur and spacing on normalised images.

    Returns
    -------
    lattice, coefficients, correlation
    """
    lattice, coefficients = start.lattice, start.coefficients
    correlation = start.correlation
    for number, (blur, spacing) in enumerate(zip(blurs_nm, spacings_nm, strict=True)):
        voxel = max(1.1 * blur, finest_voxel_nm)
        template, template_grid = fixed.template(max(voxel / 2, finest_voxel_nm), blur_zyx_nm)
        soft = gaussian_blur_nm(template, blur, template_grid.voxel_size_zyx_nm)
        grid = coarse_grid(template_grid, max(voxel, template_grid.voxel_size_zyx_nm[1]))
        work = resample_to(soft, template_grid, grid)
        image = gaussian_blur_nm(moving.normal, blur, moving.grid.voxel_size_zyx_nm)
        level = FfdLattice(
            grid=grid, spacing_zyx_nm=(spacing,) * 3, margin_zyx_nm=(spacing / 4,) * 3
        )
        current = (
            np.zeros((3, *level.shape))
            if lattice is None or coefficients is None
            else level.resample_from(lattice, coefficients)
        )
        # residuals are correlated over the blur of the image itself too
        reach = max(2.0 * np.hypot(blur, float(np.mean(blur_zyx_nm))), detail_nm)
        voxels = float(np.prod(np.maximum(reach / np.array(grid.voxel_size_zyx_nm), 1.0)))
        coefficients, match = match_lattice(
            Pull(image, moving.grid, grid, start.affine),
            work,
            level,
            current,
            iterations=10,
            stiffness=stiffness,
            correlation_volume=voxels,
            step_limit_nm=1.5 * blur,
            adapt=detail_nm == 0,
            trust=border_trust(grid, np.hypot(blur, blur_zyx_nm)),
            more=[g.on_images(level, blur, blur_zyx_nm) for g in guides],
        )
        lattice, correlation = level, match.correlation
        progress("deformation", (number + 1) / len(blurs_nm), f"correlation {correlation:.2f}")
    assert lattice is not None
    assert coefficients is not None
    return lattice, coefficients, correlation


def work_factor(grid: Grid, moving_grid: Grid, wanted_nm: float | None) -> tuple[int, int, int]:
    """Return block sizes for the final work grid.

    Twice the finest moving voxel, but no more than a bounded number of work voxels.
    """
    voxel = wanted_nm or 2 * min(open_voxel_sizes_nm(moving_grid))
    factor = np.array(reduction(grid, voxel))
    while grid.size / np.prod(factor) > _WORK_VOXELS:
        open_axes = [a for a in range(3) if grid.shape_zyx[a] > factor[a]]
        axis = min(open_axes, key=lambda a: grid.voxel_size_zyx_nm[a] * factor[a])
        factor[axis] += 1
    return int(factor[0]), int(factor[1]), int(factor[2])


def final_fit(
    fixed: FixedFeatures,
    moving: MovingCrop,
    affine: AffineMap,
    lattice: FfdLattice,
    coefficients: FloatArray,
    *,
    psf_zyx_nm: FloatArray,
    spacing_nm: float,
    stiffness: float,
    settings: Settings,
    guides: Sequence[Guide] = (),
    progress: Progress = no_progress,
) -> tuple[ModelFit, Structures, Appearance, FloatArray]:
    """Fit the deformation under the model of the moving image.

    Returns
    -------
    fit, structures, appearance, start
        ``start`` is the coefficients before the fit, on the final lattice.
    """
    assert fixed.labels is not None
    factor = work_factor(fixed.grid, moving.grid, settings.work_voxel_nm)
    piece = settings.piece_size_nm or 6.5 * fixed.radius_nm
    structures = cut_pieces(fixed.labels, fixed.grid, piece, factor)
    pull, appearance = light_model(
        structures, moving, affine, psf_zyx_nm, spacing_nm, fixed.normalisation_nm
    )
    level = FfdLattice(
        grid=structures.grid,
        spacing_zyx_nm=(spacing_nm,) * 3,
        margin_zyx_nm=(spacing_nm / 4,) * 3,
    )
    start = level.resample_from(lattice, coefficients)
    fit = fit_model(
        pull,
        appearance,
        level,
        start,
        stiffness=stiffness,
        more=[g.on_model(level, structures) for g in guides],
        progress=progress,
    )
    return fit, structures, appearance, start


def light_model(
    structures: Structures,
    moving: MovingCrop,
    affine: AffineMap,
    psf_zyx_nm: FloatArray,
    spacing_nm: float,
    normalisation_nm: float,
) -> tuple[Pull, Appearance]:
    """Return the moving light on the grid of *structures*, and its model."""
    inverse = np.linalg.inv(affine.linear)
    smoothing = 0.4 * min(moving.grid.voxel_size_zyx_nm)
    image = gaussian_blur_nm(moving.light, smoothing, moving.grid.voxel_size_zyx_nm)
    appearance = Appearance(
        structures,
        blur_nm2=inverse @ np.diag(psf_zyx_nm**2 + smoothing**2) @ inverse.T,
        halo=0.1,
        halo_nm2=inverse @ np.diag((5.0 * psf_zyx_nm) ** 2) @ inverse.T,
        background_nm=max(spacing_nm * 1.25, 3.5 * normalisation_nm / 1.5),
    )
    return Pull(image, moving.grid, structures.grid, affine), appearance


def grey_fit(
    fixed: FixedFeatures,
    moving: MovingCrop,
    affine: AffineMap,
    lattice: FfdLattice,
    coefficients: FloatArray,
    *,
    psf_zyx_nm: FloatArray,
    spacing_nm: float,
    stiffness: float,
    settings: Settings,
    guides: Sequence[Guide] = (),
    progress: Progress = no_progress,
) -> tuple[ModelFit, Grid]:
    """Fit the deformation with the fixed image itself as the model of the moving image.

    Returns
    -------
    fit, grid
        The work grid of the fit.
    """
    finest = min(open_voxel_sizes_nm(moving.grid))
    factor = work_factor(fixed.grid, moving.grid, settings.work_voxel_nm or finest)
    recorded = recorded_field(fixed.image)
    image, grid = block_mean(fixed.image, fixed.grid, factor)
    if recorded is not None:
        share, _ = block_mean(recorded.astype(np.float32), fixed.grid, factor)
        recorded = share > 0.99
    inverse = np.linalg.inv(affine.linear)
    smoothing = 0.4 * finest
    light = gaussian_blur_nm(moving.light, smoothing, moving.grid.voxel_size_zyx_nm)
    blur = inverse @ np.diag(psf_zyx_nm**2 + smoothing**2) @ inverse.T
    model = GreyAppearance(
        image, grid, blur_nm2=blur, window_nm=fixed.normalisation_nm, recorded=recorded
    )
    level = FfdLattice(
        grid=grid, spacing_zyx_nm=(spacing_nm,) * 3, margin_zyx_nm=(spacing_nm / 4,) * 3
    )
    fit = fit_model(
        Pull(light, moving.grid, grid, affine),
        model,
        level,
        level.resample_from(lattice, coefficients),
        stiffness=stiffness,
        heavy_tail=20.0,
        caution=_GREY_CAUTION,
        more=[g.on_model(level, None) for g in guides],
        stage="intensity fit",
        progress=progress,
    )
    return fit, grid
