"""clemkit's pose, an outside engine's deformation, and an error that says how far they differ."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from clemkit.errors import ArgumentError, MissingExtraError
from clemkit.geometry import FloatArray, Grid
from clemkit.provenance import Progress, Step, no_progress
from clemkit.registration.engines.backend import RefinementSettings
from clemkit.registration.engines.structure_refinement import (
    elastix_refinement,
    greedy_refinement,
    mapped_box,
)
from clemkit.registration.features import read_mask, reduction
from clemkit.registration.prepare import read_reduced, require_finite
from clemkit.registration.result import (
    ErrorEstimate,
    JacobianSummary,
    RegistrationResult,
    StageRecord,
)
from clemkit.transforms import Affine, Transform, jacobian_determinant, numerical_inverse
from clemkit.volumes import Volume

__all__ = ["ENGINES", "refine_result", "require_engine"]

_REFINE: Mapping[str, Callable[..., Transform]] = {
    "elastix": elastix_refinement,
    "greedy": greedy_refinement,
}
# engine to the module that it needs, its package and its extra
_NEEDS = {
    "elastix": ("itk", "itk-elastix", "elastix"),
    "greedy": ("picsl_greedy", "picsl-greedy", "greedy"),
}
ENGINES = tuple(_REFINE)


def require_engine(name: str, fixed: Volume, moving: Volume, fixed_labels: Volume | None) -> None:
    """Raise before any work when an outside engine could not run on these volumes.

    Raises
    ------
    ArgumentError
        No fixed labels, a single section, or no such engine.
    MissingExtraError
        The engine is not installed.
    """
    if name not in _REFINE:
        raise ArgumentError(
            f"engine: expected clemkit or one of {', '.join(ENGINES)}; found {name!r}"
        )
    if fixed_labels is None:
        raise ArgumentError(
            f"engine {name}: expected labels of the fixed volume, which it compares with the "
            "moving image; found none; pass --fixed-labels, or use --engine clemkit"
        )
    if min(*fixed.grid.shape_zyx, *moving.grid.shape_zyx) == 1:
        raise ArgumentError(
            f"engine {name}: expected volumes of several sections; found a single one; "
            "use --engine clemkit"
        )
    module, package, extra = _NEEDS[name]
    if find_spec(module) is None:
        raise MissingExtraError(package, extra)


def refine_result(
    own: RegistrationResult,
    engine: str,
    fixed: Volume,
    moving: Volume,
    *,
    fixed_labels: Volume,
    moving_labels: Volume | None = None,
    settings: RefinementSettings | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> RegistrationResult:
    """Replace the deformation of a result by that of an outside engine.

    The pose stays. The engine has no held-out error of its own: the estimate is that of
    clemkit's fit, widened by the distance between the two transforms, which bounds how far the
    engine's error can lie from it (triangle inequality). Where they differ by more than the
    upper end of that interval, nothing says which is right, and the status is ``uncertain``.

    Parameters
    ----------
    own : RegistrationResult
        Of :func:`clemkit.registration.engine.register` on the same volumes.
    engine : {"elastix", "greedy"}
    fixed, moving : Volume
    fixed_labels, moving_labels : Volume
        As for ``own``; without moving labels the channel that ``own`` chose is compared.
    settings : RefinementSettings, optional
    seed : int
        Of the engine's random positions, where *settings* are not given.
    progress : Progress

    Returns
    -------
    RegistrationResult
        ``details["difference_nm"]`` has the median and the 95th percentile of the distance.

    Raises
    ------
    ArgumentError, MissingExtraError
        See :func:`require_engine`.
    NotConvergedError, DataError, FoldingError
        The engine failed, or what it found cannot be inverted.
    """
    require_engine(engine, fixed, moving, fixed_labels)
    if settings is None:
        # the pose and its affine part are known; greedy's own affine stage loses them
        settings = RefinementSettings(
            seed=seed, affine_iterations=250 if engine == "elastix" else 0
        )
    affine = Affine(
        np.asarray(own.details["affine_fixed_to_moving"]),
        source=fixed.grid.space,
        target=moving.grid.space,
    )
    stages = list(own.stages)
    progress(engine, 0.0)
    with _timed(f"{engine} deformation", stages) as note:
        voxel = 2 * min(moving.grid.voxel_size_zyx_nm)
        fraction, grid = read_mask(fixed_labels, reduction(fixed_labels.grid, voxel))
        image, image_grid = _moving_image(own, moving, moving_labels, grid, affine)
        found = _REFINE[engine](
            fraction,
            grid,
            image,
            image_grid,
            affine,
            psf_sigma_zyx_nm=tuple(own.details["psf_sigma_zyx_nm"]),
            settings=settings,
        )
        overview: Grid = own.details["uncertainty_grid"]
        points = overview.points()
        distance = np.linalg.norm(
            found.apply_points(points) - own.fixed_to_moving.apply_points(points), axis=1
        )
        note["metric"] = float(np.median(distance))
    with _timed("certified inverse", stages) as note:
        inverse = numerical_inverse(found, domain=fixed.grid, outside="extend")
        note["metric"] = inverse.max_error_nm
    change = jacobian_determinant(found, points) / affine.determinant
    median, p95 = (float(v) for v in np.quantile(distance, [0.5, 0.95]))
    estimate = own.error_estimate
    warnings = [
        *own.warnings,
        f"the deformation is that of {engine}; it differs from clemkit's own by {median:.0f} nm "
        f"(median; 95th percentile {p95:.0f} nm); the error estimate is that of clemkit's own "
        "fit, widened by this difference",
    ]
    status = own.status
    # a comparison with NaN is false, and an unknown error cannot vouch for anything
    if not median <= estimate.high_nm:
        status = "uncertain"
        warnings.append(
            f"{engine} and clemkit differ by more than the estimated error of at most "
            f"{estimate.high_nm:.0f} nm; look at the overlays, or measure both with landmarks "
            "(clemkit evaluate)"
        )
    details = {
        k: v for k, v in own.details.items() if not k.startswith("held_out")
    }  # these describe a fit that is not returned
    spread = np.hypot(details["uncertainty_nm"], distance.reshape(overview.shape_zyx))
    details |= {
        "uncertainty_nm": spread.astype(np.float32),
        "difference_nm": {"median": median, "p95": p95, "max": float(distance.max())},
        "error_of_clemkits_own_fit_nm": {
            "median": estimate.median_nm, "low": estimate.low_nm, "high": estimate.high_nm,
        },
    }  # fmt: skip
    progress(engine, 1.0, f"{median:.0f} nm from clemkit's own fit")
    return replace(
        own,
        moving_to_fixed=inverse,
        fixed_to_moving=found,
        inverse_error_nm=inverse.max_error_nm,
        fit_residuals_nm=np.zeros(0),
        error_estimate=_widened(estimate, points, distance),
        status=status,
        jacobian=JacobianSummary(
            min=float(change.min()),
            max=float(change.max()),
            folded_fraction=float(np.mean(change <= 0)),
        ),
        stages=tuple(stages),
        warnings=tuple(warnings),
        method=f"{own.method}, {engine} deformation",
        step=replace(own.step, ended=Step(activity="").ended),
        details=details,
    )


def _moving_image(
    own: RegistrationResult,
    moving: Volume,
    labels: Volume | None,
    fixed_grid: Grid,
    affine: Affine,
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], Grid]:
    """Read the part of the moving volume, or of its labels, that the fixed field can reach."""
    source = moving if labels is None else labels
    box = mapped_box(fixed_grid, source.grid, affine)
    if labels is not None:
        return read_mask(labels, (1, 1, 1), box)
    image, grid = read_reduced(moving, int(own.details["moving_channel"]), (1, 1, 1), box)
    image = image.astype(np.float32, copy=False)
    require_finite(image, "moving image")
    return image, grid


def _widened(estimate: ErrorEstimate, points: FloatArray, distance: FloatArray) -> ErrorEstimate:
    """Return the estimate of one transform as that of another at known distances from it."""
    median, p90 = np.quantile(distance, [0.5, 0.9])
    regions = []
    for region in estimate.regions:
        centre, half = np.array(region["centre_zyx_nm"]), np.array(region["size_zyx_nm"]) / 2
        inside = np.all(np.abs(points - centre) <= half, axis=1)
        if region["count"] == 0 or not inside.any():
            regions.append(dict(region))
            continue
        regions.append({**region, **_combined(region, float(np.median(distance[inside])))})
    own = {
        "median_nm": estimate.median_nm, "low_nm": estimate.low_nm, "high_nm": estimate.high_nm,
    }  # fmt: skip
    whole = _combined(own, float(median))
    return replace(
        estimate,
        median_nm=whole["median_nm"],
        low_nm=whole["low_nm"],
        high_nm=whole["high_nm"],
        p90_nm=float(np.hypot(estimate.p90_nm, p90)),
        regions=tuple(regions),
    )


def _combined(figures: Mapping[str, Any], distance: float) -> dict[str, float]:
    return {
        "median_nm": float(np.hypot(figures["median_nm"], distance)),
        "low_nm": max(figures["low_nm"] - distance, 0.0),
        "high_nm": figures["high_nm"] + distance,
    }


@contextmanager
def _timed(name: str, stages: list[StageRecord]) -> Iterator[dict[str, float]]:
    """Append a stage record; the CPU time of a worker that has ended counts."""
    note: dict[str, float] = {}
    wall, cpu = time.perf_counter(), sum(os.times()[:4])
    yield note
    stages.append(
        StageRecord(
            name=name,
            seconds=time.perf_counter() - wall,
            cpu_seconds=sum(os.times()[:4]) - cpu,
            metric=note.get("metric"),
        )
    )
