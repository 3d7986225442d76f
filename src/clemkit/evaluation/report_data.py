"""What a report shows: the figures of a registration and the images around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clemkit.errors import ArgumentError
from clemkit.geometry import FloatArray, Grid, as_points
from clemkit.provenance import Step
from clemkit.registration.result import (
    ErrorEstimate,
    JacobianSummary,
    RegistrationResult,
    StageRecord,
)

__all__ = ["ReportData", "ReportImages", "ReportMap", "ReportVectors", "report_data_from_result"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportImages:
    """The volumes of the overlays, on one overview grid.

    Attributes
    ----------
    grid : Grid
        Overview grid in the fixed space, moderate in size.
    fixed : (z, y, x) array
        Fixed volume.
    after : (z, y, x) array
        Moving volume warped with the final transform; NaN where it has no data.
    before : (z, y, x) array, optional
        Moving volume as it lay before: initial placement or affine.
    before_caption : str
        What *before* is.
    fixed_labels, before_labels, after_labels : (z, y, x) integer array, optional
        Structures whose outlines are drawn over the blend.
    """

    grid: Grid
    fixed: NDArray[Any]
    after: NDArray[Any]
    before: NDArray[Any] | None = None
    before_caption: str = "as the files place it"
    fixed_labels: NDArray[Any] | None = None
    before_labels: NDArray[Any] | None = None
    after_labels: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        names = ("fixed", "after", "before", "fixed_labels", "before_labels", "after_labels")
        for name in names:
            _require_shape(getattr(self, name), self.grid, f"ReportImages.{name}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportMap:
    """A map in the fixed space.

    Attributes
    ----------
    values : (z, y, x) array
        Figures; NaN where there is no evidence.
    grid : Grid
        Where they lie; its space is the fixed space.
    """

    values: NDArray[Any]
    grid: Grid

    def __post_init__(self) -> None:
        _require_shape(self.values, self.grid, "ReportMap.values")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportVectors:
    """Residuals at matched points.

    Attributes
    ----------
    points_zyx_nm, vectors_zyx_nm : (N, 3) float array
        Positions and residual vectors, both in the fixed space's axes.
    caption : str
        What they are: matches used in the fit, or landmarks it never saw.
    """

    points_zyx_nm: FloatArray
    vectors_zyx_nm: FloatArray
    caption: str = "matches used in the fit: a fit, not an accuracy"

    def __post_init__(self) -> None:
        points = as_points(self.points_zyx_nm, "ReportVectors.points_zyx_nm")
        vectors = as_points(self.vectors_zyx_nm, "ReportVectors.vectors_zyx_nm")
        if points.shape != vectors.shape:
            raise ArgumentError(
                f"ReportVectors: expected as many vectors as points; found {len(vectors)} and "
                f"{len(points)}"
            )
        object.__setattr__(self, "points_zyx_nm", points)
        object.__setattr__(self, "vectors_zyx_nm", vectors)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportData:
    """All that :func:`~clemkit.evaluation.report.render_report` needs.

    Everything after ``step`` is optional; the report leaves out what is absent.

    Attributes
    ----------
    title : str
        Heading, for example the names of the two volumes.
    status : {"ok", "uncertain", "failed"}
        Verdict of the registration.
    confidence : float
        0 to 1.
    error_estimate : ErrorEstimate
        Held-out estimate of the target registration error.
    step : Step
        Provenance.
    images : ReportImages, optional
        Volumes of the overlays.
    jacobian : ReportMap, optional
        Volume change of the deformation relative to its affine part; 1 is none.
    uncertainty : ReportMap, optional
        Expected error per position, nanometres.
    residuals : ReportVectors, optional
        Residual vectors.
    affine_moving_to_fixed : (4, 4) float array, optional
        The linear part of the registration.
    moving_voxel_size_zyx_nm : tuple of float, optional
        Voxel size of the moving volume, to put the error in proportion.
    jacobian_summary : JacobianSummary, optional
        Extremes of the volume change.
    inverse_error_nm : float, optional
        Round trip of the two directions.
    stages : tuple of StageRecord
        What ran, how long, with which figure.
    warnings : tuple of str
        Findings of the registration.
    summary : mapping
        Further figures; keys that end in ``_nm``, ``_fraction``, ``_seconds`` or ``_mb`` are
        shown with their unit.
    method : str
        Short name of the chain.
    fixed_name, moving_name : str
        What the two volumes are called.
    """

    title: str
    status: Literal["ok", "uncertain", "failed"]
    confidence: float
    error_estimate: ErrorEstimate
    step: Step
    images: ReportImages | None = None
    jacobian: ReportMap | None = None
    uncertainty: ReportMap | None = None
    residuals: ReportVectors | None = None
    affine_moving_to_fixed: FloatArray | None = None
    moving_voxel_size_zyx_nm: tuple[float, float, float] | None = None
    jacobian_summary: JacobianSummary | None = None
    inverse_error_nm: float | None = None
    stages: tuple[StageRecord, ...] = ()
    warnings: tuple[str, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    method: str = ""
    fixed_name: str = "fixed"
    moving_name: str = "moving"

    def __post_init__(self) -> None:
        if self.status not in ("ok", "uncertain", "failed"):
            raise ArgumentError(
                f"ReportData.status: expected ok, uncertain or failed; found {self.status!r}"
            )
        grids = {
            name: part.grid.space
            for name in ("images", "jacobian", "uncertainty")
            if (part := getattr(self, name)) is not None
        }
        if len(set(grids.values())) > 1:
            found = ", ".join(f"{name} in {space}" for name, space in grids.items())
            raise ArgumentError(f"ReportData: expected all maps in the fixed space; found {found}")


def report_data_from_result(
    result: RegistrationResult,
    *,
    title: str,
    images: ReportImages | None = None,
    jacobian: ReportMap | None = None,
    uncertainty: ReportMap | None = None,
    residuals: ReportVectors | None = None,
    affine_moving_to_fixed: FloatArray | None = None,
    moving_voxel_size_zyx_nm: tuple[float, float, float] | None = None,
    summary: Mapping[str, Any] | None = None,
    fixed_name: str = "fixed",
    moving_name: str = "moving",
) -> ReportData:
    """Gather report data from a registration result and the images around it.

    See :class:`ReportData` for the parameters.
    """
    return ReportData(
        title=title,
        status=result.status,
        confidence=result.confidence,
        error_estimate=result.error_estimate,
        step=result.step,
        images=images,
        jacobian=jacobian,
        uncertainty=uncertainty,
        residuals=residuals,
        affine_moving_to_fixed=affine_moving_to_fixed,
        moving_voxel_size_zyx_nm=moving_voxel_size_zyx_nm,
        jacobian_summary=result.jacobian,
        inverse_error_nm=result.inverse_error_nm,
        stages=result.stages,
        warnings=result.warnings,
        summary=dict(summary or {}),
        method=result.method,
        fixed_name=fixed_name,
        moving_name=moving_name,
    )


def _require_shape(array: NDArray[Any] | None, grid: Grid, name: str) -> None:
    if array is not None and np.shape(array) != grid.shape_zyx:
        raise ArgumentError(
            f"{name}: expected shape {grid.shape_zyx} as the grid says; found {np.shape(array)}"
        )
