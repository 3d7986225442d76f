"""Lengths the engine derives from the data: voxels, blur, control spacing."""

from __future__ import annotations

import numpy as np

from clemkit.geometry import FloatArray, Grid
from clemkit.registration.features import FixedFeatures
from clemkit.registration.settings import Settings
from clemkit.volumes import Volume

__all__ = [
    "blur_nm",
    "crop_voxel_nm",
    "expected_scale",
    "finest_spacing_nm",
    "open_voxel_sizes_nm",
    "segmentation_detail_nm",
]


def open_voxel_sizes_nm(grid: Grid) -> list[float]:
    """Return the voxel sizes of the axes with more than one voxel."""
    return [v for v, n in zip(grid.voxel_size_zyx_nm, grid.shape_zyx, strict=True) if n > 1]


def crop_voxel_nm(features: FixedFeatures, moving: Volume, labels: Volume | None) -> float:
    """Full resolution of the moving volume, unless the fixed field would hold far too many."""
    grid = moving.grid if labels is None else labels.grid
    finest = min(open_voxel_sizes_nm(grid))
    voxels = float(np.prod(features.grid.extent_zyx_nm / np.array(grid.voxel_size_zyx_nm)))
    return finest * max((voxels / 30e6) ** (1 / 3), 1.0)


def segmentation_detail_nm(features: FixedFeatures, moving_labels: Volume | None) -> float:
    """Return the length over which residuals of two segmentations hang together, else 0.

    Two segmentations of one structure differ systematically (one is drawn wider than the other),
    so their residuals are not independent from voxel to voxel but over a structure's width.
    """
    return 2.5 * features.radius_nm if moving_labels is not None else 0.0


def blur_nm(moving: Volume, settings: Settings) -> FloatArray:
    """Return a first guess of the blur: from the voxel size, as microscopes are sampled."""
    if settings.psf_sigma_zyx_nm is not None:
        return np.array(settings.psf_sigma_zyx_nm)
    voxel = np.array(moving.grid.voxel_size_zyx_nm)
    lateral = float(max(voxel[1:]))
    if moving.modality == "lm":
        return np.array([max(1.4 * voxel[0], 1.2 * lateral), 1.2 * lateral, 1.2 * lateral])
    return 0.9 * voxel


def expected_scale(fixed: Volume, moving: Volume, settings: Settings) -> float:
    """Return size in the moving frame over size in the fixed frame: EM specimens shrink."""
    if settings.expected_scale is not None:
        return settings.expected_scale
    return 1.1 if moving.modality == "lm" and fixed.modality == "em" else 1.0


def finest_spacing_nm(features: FixedFeatures) -> float:
    """Return the control spacing: about 1.8 times the distance between pieces of structure."""
    volume = float(np.prod(features.grid.extent_zyx_nm))
    flat = min(features.grid.shape_zyx) == 1
    longest = float(features.grid.extent_zyx_nm.max())
    piece = 6.5 * features.radius_nm
    if features.labels is None:
        distance = 7.0 * features.radius_nm
    else:
        filled = float(features.image.mean()) * volume
        each = np.pi * features.radius_nm**2 * piece
        count = max(filled / each, 4.0)
        area = volume / features.grid.voxel_size_zyx_nm[0] if flat else volume
        distance = (area / count) ** (1 / 2 if flat else 1 / 3)
    return float(np.clip(1.8 * distance, longest / 12, longest / 2.5))
