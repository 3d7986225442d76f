"""``registration.json``: every figure of a registration as strict JSON."""

from __future__ import annotations

import csv
import json
import math
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.evaluation import decompose_affine
from clemkit.geometry import FloatArray, Grid
from clemkit.registration.result import RegistrationResult

__all__ = [
    "failed_record",
    "grid_record",
    "peak_memory_mb",
    "registration_record",
    "strict_json",
    "write_json_file",
    "write_vectors",
]

_VERSION = 1
_MOST_NUMBERS = 64  # longer arrays have files of their own
_NO_ESTIMATE = {"median": None, "p90": None, "low": None, "high": None}


def registration_record(
    result: RegistrationResult,
    *,
    inputs: Mapping[str, Any],
    fixed_grid: Grid | None,
    moving_grid: Grid | None,
    affine_fixed_to_moving: FloatArray,
    tre_space: str,
    notes: Sequence[str],
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the content of ``registration.json`` for a registration that succeeded.

    Parameters
    ----------
    result : RegistrationResult
    inputs : mapping
        Names of the files and how they were understood.
    fixed_grid, moving_grid : Grid or None
        Grids of the registered volumes; None where landmarks alone were registered.
    affine_fixed_to_moving : (4, 4) array
        Affine part.
    tre_space : {"fixed", "moving"}
        In which space the error is measured.
    notes : sequence of str
        Remarks of the workflow, after the warnings of the engine.
    extra : mapping
        Further entries.
    """
    estimate = result.error_estimate
    record = {
        "version": _VERSION,
        "status": result.status,
        "confidence": result.confidence,
        "tre_estimate_nm": {
            "median": estimate.median_nm,
            "p90": estimate.p90_nm,
            "low": estimate.low_nm,
            "high": estimate.high_nm,
            "kind": estimate.kind,
            "count": estimate.count,
            "space": tre_space,
            "regions": [dict(region) for region in estimate.regions],
        },
        "jacobian": asdict(result.jacobian),
        "inverse_error_nm": result.inverse_error_nm,
        "reflection": result.reflection,
        "stages": [asdict(stage) for stage in result.stages],
        "peak_memory_mb": peak_memory_mb(),
        "warnings": [*result.warnings, *notes],
        "reason": None,
        "method": result.method,
        "seed": result.step.seed,
        "inputs": dict(inputs),
        "fixed_grid": grid_record(fixed_grid),
        "moving_grid": grid_record(moving_grid),
        "affine": affine_record(affine_fixed_to_moving),
        "fit_residuals_nm": _spread(result.fit_residuals_nm),
        **extra,
        "details": _details(result.details),
    }
    return dict(strict_json(record))


def failed_record(
    reason: str, *, inputs: Mapping[str, Any], notes: Sequence[str], seed: int
) -> dict[str, Any]:
    """Return the content of ``registration.json`` for a registration that was refused."""
    record = {
        "version": _VERSION,
        "status": "failed",
        "confidence": 0.0,
        "tre_estimate_nm": dict(_NO_ESTIMATE),
        "jacobian": {"min": None, "max": None, "folded_fraction": None},
        "inverse_error_nm": None,
        "reflection": False,
        "stages": [],
        "peak_memory_mb": peak_memory_mb(),
        "warnings": [reason, *notes],
        "reason": reason,
        "method": None,
        "seed": seed,
        "inputs": dict(inputs),
        "fixed_grid": None,
        "moving_grid": None,
    }
    return dict(strict_json(record))


def grid_record(grid: Grid | None) -> dict[str, Any] | None:
    """Return a grid as plain data."""
    if grid is None:
        return None
    return {
        "space": grid.space.name,
        "shape_zyx": list(grid.shape_zyx),
        "voxel_size_zyx_nm": list(grid.voxel_size_zyx_nm),
        "origin_zyx_nm": list(grid.origin_zyx_nm),
    }


def affine_record(fixed_to_moving: FloatArray) -> dict[str, Any]:
    """Return the affine part as a matrix and, moving to fixed, in plain terms."""
    return {
        "fixed_to_moving_matrix_zyx_nm": fixed_to_moving.tolist(),
        "moving_to_fixed": asdict(decompose_affine(np.linalg.inv(fixed_to_moving))),
    }


def peak_memory_mb() -> float:
    """Return the peak resident memory of this process, megabytes of 2**20 bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def strict_json(value: Any) -> Any:
    """Return *value* as data of strict JSON: arrays become lists, NaN and infinities null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): strict_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict_json(item) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    return str(value)


def write_json_file(path: Path, content: Mapping[str, Any]) -> None:
    """Write strict JSON; the folder is not yet visible, so the write need not be atomic."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_vectors(path: Path, points_zyx_nm: FloatArray, vectors_zyx_nm: FloatArray) -> None:
    """Write points of the fixed space and vectors there as a table."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["z_nm", "y_nm", "x_nm", "misfit_z_nm", "misfit_y_nm", "misfit_x_nm"])
        for row in np.hstack([points_zyx_nm, vectors_zyx_nm]):
            table.writerow([f"{value:.3f}" for value in row])


def _details(details: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, value in details.items():
        if isinstance(value, np.ndarray) and value.size > _MOST_NUMBERS:
            continue
        if isinstance(value, Grid) or name in ("peak_memory_mb", "uncertainty_nm"):
            continue
        kept[name] = value
    return kept


def _spread(values: FloatArray) -> dict[str, Any]:
    """Return a summary of the residuals of the fit; not an accuracy."""
    found = values[np.isfinite(values)]
    if not len(found):
        return {"count": 0, "median": None, "p90": None, "max": None}
    return {
        "count": len(found),
        "median": float(np.median(found)),
        "p90": float(np.percentile(found, 90)),
        "max": float(found.max()),
    }
