"""EM structures and a light image made alike, then refined by an outside engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clemkit.errors import DataError
from clemkit.geometry import Box, FloatArray, Grid, Triple
from clemkit.landmarks import LandmarkPairs
from clemkit.registration.engines.backend import RefinementBackend, RefinementSettings
from clemkit.registration.features import reduction
from clemkit.registration.intensity import block_mean, local_normalise, oriented_blur, stabilise
from clemkit.transforms import Affine, Transform

__all__ = ["elastix_refinement", "greedy_refinement", "mapped_box", "refine_structures"]

FloatImage = NDArray[np.float32]
_MARGIN = 0.15  # of the fixed field, around its image in the moving frame


def elastix_refinement(
    fixed_labels_fraction: FloatImage,
    fixed_grid: Grid,
    moving_image: FloatImage,
    moving_grid: Grid,
    start_affine: Affine,
    *,
    psf_sigma_zyx_nm: Triple | None = None,
    normalisation_nm: float | None = None,
    work_voxel_nm: float | None = None,
    mask: NDArray[np.bool_] | None = None,
    landmarks: LandmarkPairs | None = None,
    settings: RefinementSettings | None = None,
) -> Transform:
    """Refine an affine start by elastix; see :func:`refine_structures` for the arguments."""
    from clemkit.registration.engines.elastix import ElastixBackend

    return refine_structures(
        ElastixBackend(),
        fixed_labels_fraction,
        fixed_grid,
        moving_image,
        moving_grid,
        start_affine,
        psf_sigma_zyx_nm=psf_sigma_zyx_nm,
        normalisation_nm=normalisation_nm,
        work_voxel_nm=work_voxel_nm,
        mask=mask,
        landmarks=landmarks,
        settings=settings,
    )


def greedy_refinement(
    fixed_labels_fraction: FloatImage,
    fixed_grid: Grid,
    moving_image: FloatImage,
    moving_grid: Grid,
    start_affine: Affine,
    *,
    psf_sigma_zyx_nm: Triple | None = None,
    normalisation_nm: float | None = None,
    work_voxel_nm: float | None = None,
    mask: NDArray[np.bool_] | None = None,
    settings: RefinementSettings | None = None,
) -> Transform:
    """Refine an affine start by greedy; see :func:`refine_structures` for the arguments."""
    from clemkit.registration.engines.greedy import GreedyBackend

    return refine_structures(
        GreedyBackend(),
        fixed_labels_fraction,
        fixed_grid,
        moving_image,
        moving_grid,
        start_affine,
        psf_sigma_zyx_nm=psf_sigma_zyx_nm,
        normalisation_nm=normalisation_nm,
        work_voxel_nm=work_voxel_nm,
        mask=mask,
        settings=settings,
    )


def refine_structures(
    backend: RefinementBackend,
    fixed_labels_fraction: FloatImage,
    fixed_grid: Grid,
    moving_image: FloatImage,
    moving_grid: Grid,
    start_affine: Affine,
    *,
    psf_sigma_zyx_nm: Triple | None = None,
    normalisation_nm: float | None = None,
    work_voxel_nm: float | None = None,
    mask: NDArray[np.bool_] | None = None,
    landmarks: LandmarkPairs | None = None,
    settings: RefinementSettings | None = None,
) -> Transform:
    """Return fixed → moving, refined from an affine start by an outside engine.

    The labelled fraction is blurred as the moving microscope would blur it, both images are
    evened out locally, the moving one is cut to the fixed field with a margin, and the engine
    compares the two.

    Parameters
    ----------
    backend : RefinementBackend
    fixed_labels_fraction : (z, y, x) float32 array
        Share of each voxel that is labelled, 0 to 1: a mask, or block means of one.
    fixed_grid, moving_grid : Grid
        Grids of the two images, in two spaces.
    moving_image : (z, y, x) float32 array
        One channel, linear in light.
    start_affine : Affine
        Fixed → moving, close enough that structures overlap.
    psf_sigma_zyx_nm : tuple of float, optional
        Blur of the moving image; default from its voxel size, as microscopes are sampled.
    normalisation_nm : float, optional
        Length over which brightness is evened out; default eight times the lateral blur.
    work_voxel_nm : float, optional
        Voxel size that the engine sees; default twice the finest moving voxel size, not
        below the fixed one.
    mask : (z, y, x) bool array, optional
        Where the fixed labels count, on *fixed_grid*.
    landmarks : LandmarkPairs, optional
        Soft constraints, where the engine has them.
    settings : RefinementSettings, optional

    Returns
    -------
    Transform

    Raises
    ------
    DataError
        No overlap under the start, or an image without structure.
    NotConvergedError, MissingExtraError, ArgumentError
        See :class:`~clemkit.registration.engines.backend.RefinementBackend`.
    """
    psf = np.array(psf_sigma_zyx_nm or _typical_blur(moving_grid))
    voxel = work_voxel_nm or 2 * min(moving_grid.voxel_size_zyx_nm)
    scale = normalisation_nm or 8 * float(psf[1:].max())
    fixed, grid = block_mean(fixed_labels_fraction, fixed_grid, reduction(fixed_grid, voxel))
    covariance = _covariance_in_voxels(psf, start_affine.linear, grid)
    fixed = np.sqrt(np.maximum(oriented_blur(fixed, covariance), 0) + np.float32(0.02))
    fixed = local_normalise(fixed, grid.voxel_size_zyx_nm, scale)
    if mask is not None:
        share, _ = block_mean(mask, fixed_grid, reduction(fixed_grid, voxel))
        mask = share > 0.5
    box = mapped_box(fixed_grid, moving_grid, start_affine)
    moving, crop = block_mean(
        moving_image[box.slices], moving_grid.crop(box), reduction(moving_grid, voxel)
    )
    moving = local_normalise(stabilise(moving), crop.voxel_size_zyx_nm, scale)
    return backend.refine(
        fixed, grid, moving, crop, start_affine, mask=mask, landmarks=landmarks, settings=settings
    )


def _typical_blur(grid: Grid) -> Triple:
    z, y, x = grid.voxel_size_zyx_nm
    lateral = 1.2 * max(y, x)
    return max(1.4 * z, lateral), lateral, lateral


def _covariance_in_voxels(
    psf_sigma_zyx_nm: FloatArray, linear: FloatArray, grid: Grid
) -> FloatArray:
    """Return the moving blur as seen in the fixed frame, in fixed voxels squared."""
    back = np.linalg.inv(linear)
    covariance = back @ np.diag(psf_sigma_zyx_nm**2) @ back.T
    voxel = np.array(grid.voxel_size_zyx_nm)
    return np.asarray(covariance / np.outer(voxel, voxel), dtype=np.float64)


def mapped_box(fixed_grid: Grid, moving_grid: Grid, start: Affine) -> Box:
    """Return the moving voxels that the fixed field can reach.

    Raises
    ------
    DataError
        There are too few.
    """
    corners = moving_grid.to_index(start.apply_points(fixed_grid.corners()))
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = _MARGIN * (high - low)
    first = np.floor(low - margin).astype(int)
    last = np.ceil(high + margin).astype(int) + 1
    box = Box((first[0], first[1], first[2]), (last[0], last[1], last[2]))
    box = box.clip(moving_grid.shape_zyx)
    if min(box.shape) < min(4, *moving_grid.shape_zyx):
        raise DataError(
            f"refinement start: expected the fixed field inside the moving one; found an overlap "
            f"of {box.shape} voxels (z, y, x); give a better start"
        )
    return box
