"""Putting the result together: status, warnings, Jacobian, uncertainty, figures."""

from __future__ import annotations

import resource
from dataclasses import asdict, replace
from typing import Literal

import numpy as np

from clemkit.geometry import Grid
from clemkit.provenance import Step
from clemkit.registration.features import FixedFeatures
from clemkit.registration.heldout import HeldOut, spread_map
from clemkit.registration.model_fit import ModelFit
from clemkit.registration.result import (
    ErrorEstimate,
    JacobianSummary,
    RegistrationResult,
    StageRecord,
)
from clemkit.registration.search import CONVINCING
from clemkit.registration.settings import Settings
from clemkit.registration.start import Start
from clemkit.registration.structures import Structures
from clemkit.transforms import CertifiedInverse, Transform, check_folding
from clemkit.volumes import Volume

__all__ = ["assemble_result"]

_FEWEST_CHECKED = 8


def assemble_result(
    fixed: Volume,
    features: FixedFeatures,
    found: Start,
    fit: ModelFit,
    held: HeldOut,
    error: ErrorEstimate,
    structures: Structures,
    fixed_to_moving: Transform,
    inverse: CertifiedInverse,
    stages: list[StageRecord],
    warnings: list[str],
    settings: Settings,
    seed: int,
    step: Step,
) -> RegistrationResult:
    """Return the result with status, warnings and every figure the record needs."""
    best = found.outcome.best
    summary = check_folding(
        fit.lattice.to_transform(fit.coefficients, fixed.grid.space), fit.lattice.grid
    )
    empty = sum(1 for r in error.regions if r["count"] == 0)
    if empty:
        warnings.append(
            f"{empty} of {len(error.regions)} regions hold no structure that could be checked; "
            "the deformation there continues that of their neighbours"
        )
    if best.overlap < 0.95:
        warnings.append(f"only {best.overlap:.0%} of the fixed field lies inside the moving field")
    if best.is_mirror:
        warnings.append("the transform contains a mirror, as allowed")
    mirror = found.outcome.mirror_score
    if not best.is_mirror and mirror is not None and mirror > 0.8 * best.score:
        warnings.append(
            f"the mirrored specimen fits nearly as well ({mirror:.2f} against {best.score:.2f}), "
            "as symmetric specimens do; no mirror was used"
        )
    confidence = found.outcome.confidence
    status: Literal["ok", "uncertain"] = "ok"
    if confidence < CONVINCING:
        status = "uncertain"
        warnings.append(
            f"confidence {confidence:.2f}: another pose fits nearly as well; look at the overlays "
            "before using this result"
        )
    checked = len(held.points_zyx_nm)
    if checked < _FEWEST_CHECKED:
        status = "uncertain"
        warnings.append(
            f"only {checked} pieces of structure could be held out, expected {_FEWEST_CHECKED} or "
            "more; the error is little more than a guess: label more structures, or check it by "
            "landmarks (clemkit evaluate)"
        )
    mapped = held.misfit_zyx_nm @ best.affine.linear.T
    overview = _overview(fixed.grid)
    sigma = spread_map(fit, overview, best.affine.linear, held.scale if held.scale > 0 else 1.0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    moved = {
        "searches": list(found.outcome.tiers),
        "candidates": [
            {"correlation": c.correlation, "overlap": c.overlap, "mirror": c.is_mirror}
            for c in found.outcome.ranked
        ],
        "moving_channel": found.channel,
        "structure_radius_nm": features.radius_nm,
        "pieces": structures.count,
        "control_spacing_nm": fit.lattice.spacing_zyx_nm[1],
        "psf_sigma_zyx_nm": [float(v) for v in found.psf_zyx_nm],
        "stiffness": fit.stiffness,
        "effective_freedom": fit.freedom,
        "model_correlation": fit.correlation,
        "held_out_scale": held.scale,
        "held_out_noise_scale": held.noise_scale,
        "held_out_points_zyx_nm": held.points_zyx_nm,
        "held_out_misfit_zyx_nm": mapped,
        "affine_fixed_to_moving": best.affine.to_transform(
            fixed.grid.space, fixed_to_moving.target
        ).matrix,
        "uncertainty_nm": sigma,
        "uncertainty_grid": overview,
        "peak_memory_mb": peak,
    }
    parameters = {k: v for k, v in asdict(settings).items() if v is not None}
    return RegistrationResult(
        moving_to_fixed=inverse,
        fixed_to_moving=fixed_to_moving,
        inverse_error_nm=inverse.max_error_nm,
        fit_residuals_nm=np.linalg.norm(mapped, axis=1),
        error_estimate=error,
        status=status,
        confidence=confidence,
        reflection=best.is_mirror,
        jacobian=JacobianSummary(
            min=summary.minimum, max=summary.maximum, folded_fraction=summary.folded_fraction
        ),
        stages=tuple(stages),
        warnings=tuple(warnings),
        method="clemkit structures" if features.labels is not None else "clemkit intensity",
        step=replace(step, parameters=parameters, seed=seed, ended=Step(activity="").ended),
        details=moved,
    )


def _overview(grid: Grid) -> Grid:
    """Return a grid of at most 40 voxels a side over the fixed field."""
    size = grid.extent_zyx_nm
    voxel = np.maximum(size / 40, np.array(grid.voxel_size_zyx_nm))
    voxel = np.maximum(voxel, size.max() / 40)
    voxel = np.minimum(voxel, size)
    return grid.resample((float(voxel[0]), float(voxel[1]), float(voxel[2])))
