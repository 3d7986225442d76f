"""The CLEM-Reg chain: mitochondria to points, coherent point drift, thin-plate spline.

After D. Krentzel et al., "CLEM-Reg: an automated point cloud-based registration algorithm for
volume correlative light and electron microscopy", Nature Methods 22, 2025. Mitochondria of the
light image are found by a Laplacian of Gaussian; the EM field must be cut out of the light image
first, by a start, and turned roughly right.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from clemkit.errors import ArgumentError, TooFewLandmarksError
from clemkit.geometry import FloatArray, Grid, Space
from clemkit.landmarks.surface_points import spread_evenly, surface_points
from clemkit.provenance import Progress, Step, no_progress
from clemkit.registration.intensity import gaussian_blur_nm
from clemkit.registration.prepare import instances
from clemkit.registration.presets.point_drift import Drift, coherent_point_drift
from clemkit.registration.presets.published import (
    Stages,
    centred_start,
    cut_field,
    published_result,
)
from clemkit.registration.result import RegistrationResult
from clemkit.registration.structures import structure_radius_nm
from clemkit.transforms import Affine, Transform, compose, fit_thin_plate_spline
from clemkit.volumes import Volume

__all__ = ["ClemRegSettings", "clem_reg_transform", "register_clem_reg", "segment_bright_tubes"]

FloatImage = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClemRegSettings:
    """Settings of the chain.

    Attributes
    ----------
    model : {"rigid", "affine", "spline"}
        Last step: point drift alone, or smooth drift and thin-plate spline.
    points : int
        Sampled surface points on each side.
    log_sigma_nm : float or None
        Width of the Laplacian of Gaussian; default the radius of the EM structures, not below the
        light image's finest voxel size.
    log_threshold : float
        In standard deviations of the response above its mean.
    least_volume_um3 : float
        Smaller bright objects are dropped.
    margin : float
        Of the cut around the fixed field, as a fraction of it.
    outliers : float
        Expected share of light points without a partner.
    spline_points : int
        Centres of the thin-plate spline.
    smoothing : float
        Of the thin-plate spline.
    seed : int
        Seed of the sampling.
    """

    model: Literal["rigid", "affine", "spline"] = "spline"
    points: int = 2000
    log_sigma_nm: float | None = None
    log_threshold: float = 1.2
    least_volume_um3: float = 0.02
    margin: float = 0.05
    outliers: float = 0.1
    spline_points: int = 400
    smoothing: float = 100.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.points, self.spline_points) < 8:
            raise ArgumentError(
                "ClemRegSettings: expected at least 8 points and spline_points; found "
                f"{self.points} and {self.spline_points}"
            )


def register_clem_reg(
    fixed: Volume,
    moving: Volume,
    *,
    fixed_labels: Volume,
    moving_labels: Volume | None = None,
    moving_channel: int | str = 0,
    start: Affine | None = None,
    settings: ClemRegSettings | None = None,
    progress: Progress = no_progress,
) -> RegistrationResult:
    """Register by the CLEM-Reg chain from a start that the user gives.

    Parameters
    ----------
    fixed, moving : Volume
        EM and light volumes.
    fixed_labels : Volume
        Mitochondria segmented in EM.
    moving_labels : Volume, optional
        Mitochondria segmented in the light image; otherwise found here.
    moving_channel : int or str
        Channel that shows them.
    start : Affine, optional
        Fixed → moving; by default the field centres are superposed without any turn.
    settings : ClemRegSettings, optional
    progress : Progress

    Returns
    -------
    RegistrationResult
        Status ``uncertain``: the chain has no check of its own.

    Raises
    ------
    TooFewLandmarksError
        Too few structures on a side.
    NotConvergedError
        The clouds do not overlap.
    FoldingError
        The map folds inside the fixed field.
    """
    settings = settings or ClemRegSettings()
    step = Step(activity="registration")
    stages = Stages(progress)
    with stages.stage("point clouds and drift") as note:
        found, drift = _run(
            fixed, moving, fixed_labels, moving_labels, moving_channel, start, settings
        )
        note["metric"] = drift.sigma_nm
    known = drift.support > 1e-3
    return published_result(
        found,
        fixed.grid,
        stages,
        method="CLEM-Reg preset",
        parameters={"start": "given" if start else "centred", **asdict(settings)},
        seed=settings.seed,
        step=step,
        residuals_nm=np.linalg.norm((drift.expected_zyx_nm - drift.moved_zyx_nm)[known], axis=1),
    )


def clem_reg_transform(
    fixed: Volume,
    moving: Volume,
    *,
    fixed_labels: Volume,
    moving_labels: Volume | None = None,
    moving_channel: int | str = 0,
    start: Affine | None = None,
    settings: ClemRegSettings | None = None,
) -> Transform:
    """Return fixed → moving only; see :func:`register_clem_reg`."""
    settings = settings or ClemRegSettings()
    return _run(fixed, moving, fixed_labels, moving_labels, moving_channel, start, settings)[0]


def _run(
    fixed: Volume,
    moving: Volume,
    fixed_labels: Volume,
    moving_labels: Volume | None,
    moving_channel: int | str,
    start: Affine | None,
    settings: ClemRegSettings,
) -> tuple[Transform, Drift]:
    start = start or centred_start(fixed.grid, moving.grid)
    objects, _ = instances(fixed_labels.read(), "fixed labels")
    radius = structure_radius_nm(objects, fixed_labels.grid)
    source = _surface(objects, fixed_labels.grid, settings, "fixed labels")
    light = moving_labels or moving
    channel = 0 if moving_labels is not None else moving.channel_index(moving_channel)
    image, grid = cut_field(
        light.read(channel=channel), fixed.grid, light.grid, start, settings.margin
    )
    if moving_labels is None:
        sigma = settings.log_sigma_nm or max(radius, min(grid.voxel_size_zyx_nm))
        image = segment_bright_tubes(
            image.astype(np.float32),
            grid,
            sigma_nm=sigma,
            threshold=settings.log_threshold,
            least_volume_um3=settings.least_volume_um3,
        )
    target = _surface(image, grid, settings, "bright structures of the moving image")
    begun = start.apply_points(source)
    drift = partial(coherent_point_drift, outliers=settings.outliers, least_sigma_nm=0.1 * radius)
    rigid = drift(begun, target, model="similarity")
    space = moving.grid.space
    found: Transform = compose(start, _affine(rigid, space))
    if settings.model == "rigid":
        return found, rigid
    affine = drift(rigid.moved_zyx_nm, target, model="affine", sigma_nm=2 * rigid.sigma_nm)
    found = compose(found, _affine(affine, space))
    if settings.model == "affine":
        return found, affine
    smooth = drift(affine.moved_zyx_nm, target, model="smooth", sigma_nm=affine.sigma_nm)
    known = np.flatnonzero(smooth.support > 0.1)
    if len(known) < 8:
        raise TooFewLandmarksError(
            f"CLEM-Reg preset: expected at least 8 points with a partner; found {len(known)}; "
            "give a better start"
        )
    rng = np.random.default_rng(settings.seed)
    chosen = known[spread_evenly(source[known], rng, count=settings.spline_points)]
    spline = fit_thin_plate_spline(
        source[chosen],
        smooth.moved_zyx_nm[chosen],
        source=fixed.grid.space,
        target=space,
        smoothing=settings.smoothing,
        allow_reflection=True,
    )
    return spline, smooth


def _affine(drift: Drift, space: Space) -> Affine:
    return Affine.from_parts(drift.linear, drift.translation_zyx_nm, source=space, target=space)


def _surface(
    labels: NDArray[np.generic], grid: Grid, settings: ClemRegSettings, name: str
) -> FloatArray:
    if not np.any(labels):
        raise TooFewLandmarksError(f"{name}: expected structures; found none under this start")
    sampled = surface_points(labels, grid, count=settings.points, seed=settings.seed)
    return sampled.points.points_zyx_nm


def segment_bright_tubes(
    image: FloatImage,
    grid: Grid,
    *,
    sigma_nm: float,
    threshold: float,
    least_volume_um3: float,
) -> NDArray[np.int32]:
    """Return bright structures as instances, from the negative Laplacian of a Gaussian.

    Parameters
    ----------
    image : (z, y, x) float32 array
    grid : Grid
    sigma_nm : float
        Width of the Gaussian, the same along all axes in nanometres.
    threshold : float
        In standard deviations of the response above its mean.
    least_volume_um3 : float
        Smaller objects are dropped.
    """
    smooth = gaussian_blur_nm(image, sigma_nm, grid.voxel_size_zyx_nm)
    response = np.zeros_like(smooth)
    for axis, (n, voxel) in enumerate(zip(image.shape, grid.voxel_size_zyx_nm, strict=True)):
        if n > 2:
            slope = np.gradient(smooth, voxel, axis=axis)
            response -= (sigma_nm**2 * np.gradient(slope, voxel, axis=axis)).astype(np.float32)
    level = float(response.mean() + threshold * response.std())
    labels, count = ndi.label(response > level)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    least = least_volume_um3 * 1e9 / float(np.prod(grid.voxel_size_zyx_nm))
    keep = sizes >= max(least, 2)
    keep[0] = False
    number = np.cumsum(keep).astype(np.int32) * keep
    return np.asarray(number[labels], dtype=np.int32)
