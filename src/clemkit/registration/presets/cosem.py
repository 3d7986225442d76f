"""The COSEM chain: organelle prediction as an image, affine then B-spline by elastix.

After L. Heinrich et al., "Whole-cell organelle segmentation in volume electron microscopy",
Nature 599, 141-146, 2021: normalised correlation, 4 levels, 500 iterations, 2048 random samples
drawn anew in each, final control grid of 16 voxels. Orientation comes from the user.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from clemkit.provenance import Progress, Step, no_progress
from clemkit.registration.engines.backend import RefinementSettings
from clemkit.registration.engines.elastix import ElastixBackend
from clemkit.registration.features import reduction
from clemkit.registration.intensity import block_mean
from clemkit.registration.prepare import require_finite
from clemkit.registration.presets.published import (
    Stages,
    centred_start,
    cut_field,
    published_result,
)
from clemkit.registration.result import RegistrationResult
from clemkit.transforms import Affine, Transform
from clemkit.volumes import Volume

FloatImage = NDArray[np.float32]
__all__ = ["COSEM_SETTINGS", "cosem_transform", "register_cosem"]

COSEM_SETTINGS = RefinementSettings(
    metric="correlation",
    levels=4,
    affine_iterations=500,
    deformable_iterations=500,
    samples=2048,
    control_spacing_nm=None,  # 16 voxels of the fixed image
)


def register_cosem(
    fixed: Volume,
    moving: Volume,
    *,
    fixed_labels: Volume | None = None,
    moving_labels: Volume | None = None,
    fixed_channel: int | str = 0,
    moving_channel: int | str = 0,
    start: Affine | None = None,
    work_voxel_nm: float | None = None,
    settings: RefinementSettings = COSEM_SETTINGS,
    progress: Progress = no_progress,
) -> RegistrationResult:
    """Register by the COSEM chain from a start that the user gives.

    Parameters
    ----------
    fixed, moving : Volume
        EM and light volumes.
    fixed_labels, moving_labels : Volume, optional
        Organelle predictions; without them the grey values are compared.
    fixed_channel, moving_channel : int or str
        Channels to compare where there are no labels.
    start : Affine, optional
        Fixed → moving; by default the field centres are superposed without any turn.
    work_voxel_nm : float, optional
        Voxel size of the images; default twice the finest moving voxel size.
    settings : RefinementSettings
        The published ones by default.
    progress : Progress

    Returns
    -------
    RegistrationResult
        Status ``uncertain``: the chain has no check of its own.

    Raises
    ------
    MissingExtraError
        itk-elastix is not installed.
    NotConvergedError
        elastix failed, or did not move.
    FoldingError
        The map folds inside the fixed field.
    """
    step = Step(activity="registration")
    stages = Stages(progress)
    with stages.stage("affine and B-spline"):
        found = cosem_transform(
            fixed,
            moving,
            fixed_labels=fixed_labels,
            moving_labels=moving_labels,
            fixed_channel=fixed_channel,
            moving_channel=moving_channel,
            start=start,
            work_voxel_nm=work_voxel_nm,
            settings=settings,
        )
    return published_result(
        found,
        fixed.grid,
        stages,
        method="COSEM preset",
        parameters={"start": "given" if start else "centred", **asdict(settings)},
        seed=settings.seed,
        step=step,
    )


def cosem_transform(
    fixed: Volume,
    moving: Volume,
    *,
    fixed_labels: Volume | None = None,
    moving_labels: Volume | None = None,
    fixed_channel: int | str = 0,
    moving_channel: int | str = 0,
    start: Affine | None = None,
    work_voxel_nm: float | None = None,
    settings: RefinementSettings = COSEM_SETTINGS,
) -> Transform:
    """Return fixed → moving only; see :func:`register_cosem`."""
    start = start or centred_start(fixed.grid, moving.grid)
    source = moving_labels or moving
    voxel = work_voxel_nm or 2 * min(source.grid.voxel_size_zyx_nm)
    fixed_image = _image(fixed, fixed_labels, fixed_channel, "fixed image")
    fixed_grid = (fixed_labels or fixed).grid
    fixed_image, fixed_grid = block_mean(fixed_image, fixed_grid, reduction(fixed_grid, voxel))
    moving_image = _image(moving, moving_labels, moving_channel, "moving image")
    # half a field more on each side: the affine stage may walk
    moving_image, moving_grid = cut_field(moving_image, fixed_grid, source.grid, start, 0.5)
    moving_image, moving_grid = block_mean(moving_image, moving_grid, reduction(moving_grid, voxel))
    return ElastixBackend().refine(
        fixed_image, fixed_grid, moving_image, moving_grid, start, settings=settings
    )


def _image(volume: Volume, labels: Volume | None, channel: int | str, name: str) -> FloatImage:
    if labels is not None:
        return (labels.read() > 0).astype(np.float32)
    image = volume.read(channel=volume.channel_index(channel)).astype(np.float32)
    require_finite(image, name)
    return image
