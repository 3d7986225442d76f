"""Measure a registration against what it never saw: landmarks, labels, and its own Jacobian."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clemkit.errors import ArgumentError, DataError, FormatError, NotFoundError, Problem

if TYPE_CHECKING:
    from clemkit.evaluation.tre import TargetErrors
    from clemkit.geometry import FloatArray, Grid, Triple
    from clemkit.landmarks import LandmarkPairs
    from clemkit.transforms import Transform
    from clemkit.volumes import Volume

__all__ = ["compare_landmarks", "evaluate_jacobian", "evaluate_landmarks", "evaluate_overlap"]

_LEVEL = 0.9


def evaluate_landmarks(
    registration: str | Path, landmarks: str | Path, *, units: str | None = None, seed: int = 0
) -> dict[str, Any]:
    """Measure the target registration error at landmark pairs.

    Parameters
    ----------
    registration : path
        Folder that ``clemkit register`` wrote.
    landmarks : path
        Pairs in any known format; BigWarp's order is moving x, y, z, then fixed x, y, z.
    units : str, optional
        Length unit of the file (``nm``, ``um``, ``mm``); needed when it states none.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    dict
        JSON-ready. The error is ``|fixed_to_moving(fixed) - moving|``, in the moving space: ``n``,
        ``n_outside``, ``median_nm``, ``mean_nm``, ``p90_nm``, ``p95_nm``, ``max_nm``,
        ``interval_nm`` (90 % bootstrap interval of the median); the same figures with
        ``fixed_`` before the unit for ``|moving_to_fixed(moving) - fixed|``; and ``per_point``.

    Raises
    ------
    NotFoundError
        No registration there, or no such landmark file.
    UnitError
        The file states no unit and none was passed.
    """
    from clemkit.landmarks.io import read_pairs_file

    fixed_to_moving, moving_to_fixed, status = _read_registration(registration)
    file = read_pairs_file(
        landmarks,
        unit=units,
        moving_space=fixed_to_moving.target,
        fixed_space=fixed_to_moving.source,
    )
    figures = compare_landmarks(fixed_to_moving, moving_to_fixed, file.pairs, seed=seed)
    return {
        "registration": str(registration),
        "registration_status": status,
        "landmarks": str(landmarks),
        "format": file.format,
        "units": {"moving": file.moving_unit, "fixed": file.fixed_unit},
        "findings": [_sentence(problem) for problem in file.findings],
    } | figures


def compare_landmarks(
    fixed_to_moving: Transform,
    moving_to_fixed: Transform,
    pairs: LandmarkPairs,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Return the figures of :func:`evaluate_landmarks` for transforms and pairs in memory."""
    from clemkit.evaluation.tre import landmark_errors

    in_moving = landmark_errors(fixed_to_moving, pairs, seed=seed)
    in_fixed = landmark_errors(moving_to_fixed, pairs, seed=seed)
    rows = []
    for i, name in enumerate(pairs.ids):
        rows.append(
            {
                "id": name,
                "fixed_zyx_nm": _numbers(pairs.fixed.points_zyx_nm[i]),
                "moving_zyx_nm": _numbers(pairs.moving.points_zyx_nm[i]),
                "mapped_zyx_nm": _numbers(in_moving.mapped_zyx_nm[i]),
                "error_zyx_nm": _numbers(in_moving.vectors_zyx_nm[i]),
                "error_nm": _number(in_moving.lengths_nm[i]),
                "outside": bool(in_moving.outside[i]),
                "mapped_fixed_zyx_nm": _numbers(in_fixed.mapped_zyx_nm[i]),
                "error_fixed_zyx_nm": _numbers(in_fixed.vectors_zyx_nm[i]),
                "error_fixed_nm": _number(in_fixed.lengths_nm[i]),
                "outside_fixed": bool(in_fixed.outside[i]),
            }
        )
    return {
        "space": fixed_to_moving.target.name,
        **_figures(in_moving, ""),
        "interval_level": _LEVEL,
        "fixed_space": moving_to_fixed.target.name,
        **_figures(in_fixed, "_fixed"),
        "per_point": rows,
    }


def evaluate_overlap(
    registration: str | Path,
    fixed_labels: str | Path,
    moving_labels: str | Path,
    *,
    fixed_voxel_size_zyx_nm: Sequence[float] | None = None,
    moving_voxel_size_zyx_nm: Sequence[float] | None = None,
    above: float = 0.0,
    per_label: bool = False,
    surfaces: bool = True,
    workers: int = 1,
) -> dict[str, Any]:
    """Warp the moving labels onto the fixed labels and compare them.

    The warped labels go through a temporary file, so that memory stays flat.

    Parameters
    ----------
    registration : path
        Folder that ``clemkit register`` wrote.
    fixed_labels, moving_labels : path
        Label or mask volumes.
    fixed_voxel_size_zyx_nm, moving_voxel_size_zyx_nm : sequence of float, optional
        Voxel sizes, overriding the files.
    above : float
        Foreground is what exceeds this value; half the maximum suits smoothed masks.
    per_label : bool
        Also compare value by value; for labels that mean the same in both volumes.
    surfaces : bool
        Also measure the distances between the surfaces of the foregrounds.
    workers : int
        Threads of the warp; never changes the result.

    Returns
    -------
    dict
        JSON-ready: ``dice``, ``jaccard``, voxel counts; ``surface`` (``mean_nm``, ``hd95_nm``,
        ``max_nm``, ``sampled_fraction``) or None; ``labels`` per value if asked for;
        ``findings``.

    Raises
    ------
    NotFoundError
        No registration or volume there.
    DataError
        The fixed labels are empty.
    """
    import numpy as np

    from clemkit.evaluation.overlap import label_overlap, mask_overlap, surface_distances
    from clemkit.volumes import open_volume

    pull, _, status = _read_registration(registration)
    fixed = open_volume(
        fixed_labels,
        voxel_size_zyx_nm=fixed_voxel_size_zyx_nm,
        space=pull.source,
        role="labels",
        channel=0,
    )
    moving = open_volume(
        moving_labels,
        voxel_size_zyx_nm=moving_voxel_size_zyx_nm,
        space=pull.target,
        role="labels",
        channel=0,
    )
    with tempfile.TemporaryDirectory(prefix="clemkit-overlap-") as folder:
        warped = np.memmap(
            Path(folder) / "labels", dtype=moving.dtype, mode="w+", shape=fixed.grid.shape_zyx
        )
        _warp_labels(moving, fixed.grid, pull, warped, workers)
        scores = mask_overlap(fixed.data, warped, above=above)
        result: dict[str, Any] = {
            "registration": str(registration),
            "registration_status": status,
            "fixed_labels": str(fixed_labels),
            "moving_labels": str(moving_labels),
            "foreground_above": above,
            **scores.to_dict(),
            "surface": None,
            "findings": [],
        }
        if not scores.first:
            raise DataError(f"{fixed_labels}: expected structures above {above}; found none")
        if not scores.second:
            result["findings"].append("no structure of the moving labels lies in the fixed volume")
        elif surfaces:
            voxel: Triple = fixed.grid.voxel_size_zyx_nm
            try:
                distances = surface_distances(fixed.data, warped, voxel, above=above)
            except DataError as error:  # a mask that fills the volume; the overlap still counts
                result["findings"].append(str(error))
            else:
                result["surface"] = distances.to_dict()
        if per_label:
            result["labels"] = {
                str(value): found.to_dict()
                for value, found in label_overlap(fixed.data, warped).items()
            }
        del warped  # releases the file before its folder goes
    return result


def evaluate_jacobian(registration: str | Path, grid: Grid) -> dict[str, Any]:
    """Summarise the volume change of fixed → moving over a grid in the fixed space.

    Parameters
    ----------
    registration : path
        Folder that ``clemkit register`` wrote.
    grid : Grid
        Where to look; its space is taken to be the fixed one.

    Returns
    -------
    dict
        JSON-ready: ``min``, ``max``, ``folded_fraction``, ``mirrored``, ``worst_zyx_nm``,
        ``n_positions``. The determinant includes the linear part.
    """
    from dataclasses import replace

    from clemkit.transforms import check_folding

    fixed_to_moving, _, status = _read_registration(registration)
    found = check_folding(fixed_to_moving, replace(grid, space=fixed_to_moving.source))
    return {
        "registration": str(registration),
        "registration_status": status,
        "min": found.minimum,
        "max": found.maximum,
        "folded_fraction": found.folded_fraction,
        "mirrored": found.mirrored,
        "worst_zyx_nm": list(found.worst_zyx_nm),
        "n_positions": found.n_voxels,
    }


def _warp_labels(
    moving: Volume, fixed_grid: Grid, pull: Transform, warped: Any, workers: int
) -> None:
    from clemkit.warping.execute import execute_plan
    from clemkit.warping.plan import plan_warp

    plan = plan_warp(pull, moving.grid, fixed_grid)

    def write(box: Any, channel: int, values: Any) -> None:
        warped[box.slices] = values

    execute_plan(plan, moving.read, write, dtype=moving.dtype, order=0, workers=workers)


def _read_registration(folder: str | Path) -> tuple[Transform, Transform, str | None]:
    """Return fixed → moving, moving → fixed, and the status in ``registration.json``."""
    from clemkit.transforms.io import read_registration_transforms

    root = Path(folder)
    if not root.is_dir():
        raise NotFoundError(f"{root}: expected a registration folder; found nothing there")
    status, reasons = _status(root / "registration.json")
    if not (root / "transforms").is_dir():
        if status == "failed":
            raise ArgumentError(
                f"{root}: expected a registration; found a failed one ({'; '.join(reasons)}); "
                "there is nothing to evaluate"
            )
        raise NotFoundError(f"{root}: expected a folder named transforms in it; found none")
    fixed_to_moving, moving_to_fixed = read_registration_transforms(root / "transforms")
    return fixed_to_moving, moving_to_fixed, status


def _status(path: Path) -> tuple[str | None, list[str]]:
    if not path.is_file():
        return None, []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content.get("status"), [str(w) for w in content.get("warnings", ())]
    except (ValueError, AttributeError) as error:
        raise FormatError(path, f"expected a JSON object; found {error}") from error


def _figures(errors: TargetErrors, suffix: str) -> dict[str, Any]:
    return {
        f"n{suffix}": errors.n,
        f"n_outside{suffix}": errors.n_outside,
        f"median{suffix}_nm": _number(errors.median_nm),
        f"mean{suffix}_nm": _number(errors.mean_nm),
        f"p90{suffix}_nm": _number(errors.p90_nm),
        f"p95{suffix}_nm": _number(errors.p95_nm),
        f"max{suffix}_nm": _number(errors.max_nm),
        f"interval{suffix}_nm": [_number(errors.low_nm), _number(errors.high_nm)],
    }


def _sentence(problem: Problem) -> str:
    return f"{problem.message}; {problem.hint}" if problem.hint else problem.message


def _number(value: float) -> float | None:
    """Return a float that JSON knows: None instead of NaN."""
    return float(value) if math.isfinite(value) else None


def _numbers(vector: FloatArray) -> list[float | None]:
    return [_number(value) for value in vector]
