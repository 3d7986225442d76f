"""What the published chains share: a cut field, a start, and a result without a verdict."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clemkit.errors import DataError
from clemkit.geometry import Box, FloatArray, Grid, Triple
from clemkit.provenance import Progress, Step
from clemkit.registration.result import (
    ErrorEstimate,
    JacobianSummary,
    RegistrationResult,
    StageRecord,
)
from clemkit.transforms import (
    Affine,
    Transform,
    fit_affine,
    jacobian_determinant,
    numerical_inverse,
)

__all__ = ["Stages", "centred_start", "cut_field", "published_result"]

_SAMPLES = 24  # per axis, for the volume change


@dataclass
class Stages:
    """Collects stage records and reports progress."""

    progress: Progress
    records: list[StageRecord] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, float]]:
        """Time a stage; put its figure under ``"metric"``."""
        self.progress(name, 0.0)
        note: dict[str, float] = {}
        wall, cpu = time.perf_counter(), _cpu_seconds()
        yield note
        seconds = time.perf_counter() - wall
        self.records.append(
            StageRecord(
                name=name,
                seconds=seconds,
                cpu_seconds=_cpu_seconds() - cpu,
                metric=note.get("metric"),
            )
        )
        self.progress(name, 1.0)


def _cpu_seconds() -> float:
    """Return the CPU time of this process and of the workers that have ended."""
    return sum(os.times()[:4])


def centred_start(fixed: Grid, moving: Grid) -> Affine:
    """Return the shift that superposes the centres of two fields, without any turn."""
    shift = moving.centre_zyx_nm - fixed.centre_zyx_nm
    return Affine.from_parts(np.eye(3), shift, source=fixed.space, target=moving.space)


def cut_field(
    image: NDArray[Any], fixed: Grid, moving: Grid, start: Affine, margin: float
) -> tuple[NDArray[Any], Grid]:
    """Return the part of the moving image that shows the fixed field under the start.

    Parameters
    ----------
    image : (z, y, x) array
    fixed, moving : Grid
    start : Affine
        Fixed → moving.
    margin : float
        Added on each side, as a fraction of the field.

    Raises
    ------
    DataError
        The start puts the fixed field outside the moving image.
    """
    index = moving.to_index(start.apply_points(fixed.corners()))
    low, high = index.min(axis=0), index.max(axis=0)
    first = np.floor(low - margin * (high - low)).astype(int)
    last = np.ceil(high + margin * (high - low)).astype(int) + 1
    # beyond the far side clip would return an inverted box
    first = np.minimum(np.maximum(first, 0), moving.shape_zyx)
    last = np.maximum(np.minimum(last, moving.shape_zyx), first)
    box = Box((first[0], first[1], first[2]), (last[0], last[1], last[2]))
    if box.is_empty:
        raise DataError(
            "start: expected the fixed field inside the moving one; found no overlap; "
            "give a better start"
        )
    return image[box.slices], moving.crop(box)


def published_result(
    fixed_to_moving: Transform,
    fixed_grid: Grid,
    stages: Stages,
    *,
    method: str,
    parameters: Mapping[str, Any],
    seed: int,
    step: Step,
    residuals_nm: FloatArray | None = None,
    warnings: tuple[str, ...] = (),
) -> RegistrationResult:
    """Return the result of a chain that has no check of its own.

    The status is ``uncertain`` and the error estimate empty, whatever the transform is worth.

    Raises
    ------
    FoldingError
        The map folds inside the fixed field, so it has no inverse.
    """
    size = fixed_grid.extent_zyx_nm / np.minimum(_SAMPLES, fixed_grid.shape_zyx)
    overview = fixed_grid.resample(_triple(np.maximum(size, fixed_grid.voxel_size_zyx_nm)))
    points = overview.points()
    affine = fit_affine(
        points,
        fixed_to_moving.apply_points(points),
        source=fixed_to_moving.source,
        target=fixed_to_moving.target,
        allow_reflection=True,
    )
    change = jacobian_determinant(fixed_to_moving, points) / affine.determinant
    with stages.stage("certified inverse") as note:
        inverse = numerical_inverse(fixed_to_moving, domain=fixed_grid, outside="extend")
        note["metric"] = inverse.max_error_nm
    return RegistrationResult(
        moving_to_fixed=inverse,
        fixed_to_moving=fixed_to_moving,
        inverse_error_nm=inverse.max_error_nm,
        fit_residuals_nm=np.zeros(0) if residuals_nm is None else residuals_nm,
        error_estimate=ErrorEstimate(
            median_nm=np.nan, p90_nm=np.nan, low_nm=np.nan, high_nm=np.nan, kind="none", count=0
        ),
        status="uncertain",
        confidence=0.0,
        reflection=affine.determinant < 0,
        jacobian=JacobianSummary(
            min=float(change.min()),
            max=float(change.max()),
            folded_fraction=float(np.mean(change <= 0)),
        ),
        stages=tuple(stages.records),
        warnings=(
            f"{method} does not check its own result: look at the overlays, or measure it with "
            "landmarks (clemkit evaluate)",
            *warnings,
        ),
        method=method,
        details={"affine_fixed_to_moving": affine.matrix},
        step=replace(step, parameters=dict(parameters), seed=seed, ended=Step(activity="").ended),
    )


def _triple(values: FloatArray) -> Triple:
    z, y, x = (float(v) for v in values)
    return z, y, x
