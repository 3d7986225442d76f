"""Refinement by elastix (itk-elastix) in a worker process."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clemkit.errors import NotConvergedError
from clemkit.geometry import FloatArray, Grid
from clemkit.landmarks import LandmarkPairs
from clemkit.registration.engines.backend import RefinementSettings, check_problem
from clemkit.registration.engines.elastix_parameters import (
    NM_PER_UNIT,
    format_map,
    parameter_maps,
)
from clemkit.registration.engines.start import AffineStart, affine_start
from clemkit.registration.engines.worker_process import log_tail, run_worker
from clemkit.transforms import Transform, compose
from clemkit.transforms.io.elastix import from_parameter_maps, write_elastix

__all__ = ["ElastixBackend"]

FloatImage = NDArray[np.float32]
_WORKER = "clemkit.registration.engines.elastix_worker"
_ITERATION = re.compile(r"^\d+\t(-?[\d.]+(?:e[+-]?\d+)?|-?nan|-?inf)\t", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ElastixBackend:
    """elastix [1]_: affine, then a cubic B-spline, by stochastic gradient descent.

    Attributes
    ----------
    name : str

    References
    ----------
    .. [1] S. Klein et al., "elastix: a toolbox for intensity-based medical image registration",
       IEEE Trans. Med. Imaging 29(1), 196-205, 2010.
    """

    name: str = "elastix"

    def refine(
        self,
        fixed_image: FloatImage,
        fixed_grid: Grid,
        moving_image: FloatImage,
        moving_grid: Grid,
        start: Transform,
        *,
        mask: NDArray[np.bool_] | None = None,
        landmarks: LandmarkPairs | None = None,
        settings: RefinementSettings | None = None,
    ) -> Transform:
        """Return fixed → moving, improved; the arguments are those of ``RefinementBackend``.

        An affine start is handed to elastix. Any other start is applied to the moving image
        first, on the fixed grid with a margin, and elastix finds what is left.
        """
        settings = settings or RefinementSettings()
        check_problem(fixed_image, fixed_grid, moving_image, moving_grid, start, mask, landmarks)
        problem = affine_start(start, fixed_grid, moving_image, moving_grid, landmarks)
        with tempfile.TemporaryDirectory(prefix="clemkit-elastix-") as name:
            folder = Path(name)
            _write_job(folder, fixed_image, fixed_grid, problem, mask, settings)
            run_worker(
                _WORKER,
                folder,
                package="itk-elastix",
                extra="elastix",
                environment={"ITK_GLOBAL_DEFAULT_THREADER": "Pool"},
            )
            result = json.loads((folder / "result.json").read_text("utf-8"))
            log = (folder / "elastix.log").read_text(encoding="utf-8", errors="replace")
            _require_moved(result["maps"], log, folder)
        found = from_parameter_maps(
            [{key: tuple(words) for key, words in values.items()} for values in result["maps"]],
            source=problem.affine.target,
            target=problem.affine.target,
            unit="um",
        )
        # elastix applies the initial transform first and works in the moving frame
        return compose(problem.affine, found, *problem.then)


def _write_job(
    folder: Path,
    fixed_image: FloatImage,
    fixed_grid: Grid,
    problem: AffineStart,
    mask: NDArray[np.bool_] | None,
    settings: RefinementSettings,
) -> None:
    landmarks = problem.landmarks
    maps = parameter_maps(settings, fixed_grid, landmarks=landmarks is not None)
    names = []
    for number, values in enumerate(maps):
        names.append(f"parameters.{number}.txt")
        (folder / names[-1]).write_text(format_map(values), encoding="ascii")
    (folder / "start").mkdir()
    start = write_elastix(folder / "start", problem.affine, fixed_grid=fixed_grid, unit="um")[-1]
    np.save(folder / "fixed.npy", np.ascontiguousarray(fixed_image, dtype=np.float32))
    np.save(folder / "moving.npy", np.ascontiguousarray(problem.moving_image, dtype=np.float32))
    if mask is not None:
        np.save(folder / "mask.npy", mask.astype(np.uint8))
    if landmarks is not None:
        _write_points(folder / "fixed_points.txt", landmarks.fixed.points_zyx_nm)
        _write_points(folder / "moving_points.txt", landmarks.moving.points_zyx_nm)
    job = {
        "parameter_files": names,
        "fixed": _geometry(fixed_grid),
        "moving": _geometry(problem.moving_grid),
        "mask": mask is not None,
        "landmarks": landmarks is not None,
        "start": str(start.relative_to(folder)),
        "threads": settings.threads,
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")


def _geometry(grid: Grid) -> dict[str, list[float]]:
    return {
        "spacing_xyz": [v / NM_PER_UNIT for v in reversed(grid.voxel_size_zyx_nm)],
        "origin_xyz": [v / NM_PER_UNIT for v in reversed(grid.origin_zyx_nm)],
    }


def _write_points(path: Path, points_zyx_nm: FloatArray) -> None:
    rows = [" ".join(repr(float(v)) for v in row) for row in points_zyx_nm[:, ::-1] / NM_PER_UNIT]
    path.write_text("\n".join(["point", str(len(rows)), *rows]) + "\n", encoding="ascii")


def _require_moved(maps: list[dict[str, list[str]]], log: str, folder: Path) -> None:
    """Raise when a stage returned its start: elastix says nothing about that."""
    values = [m[1] for line in log.splitlines() if (m := _ITERATION.match(line))]
    for number, stage in enumerate(maps):
        parameters = np.array([float(word) for word in stage["TransformParameters"]])
        rest = np.zeros_like(parameters)
        if stage["Transform"][0] == "AffineTransform":
            rest[[0, 4, 8]] = 1.0
        if not np.all(np.isfinite(parameters)) or np.array_equal(parameters, rest):
            raise NotConvergedError(
                f"elastix stage {number} ({stage['Transform'][0]}): expected a transform that "
                "moved; found the start unchanged; the images may not overlap under the start; "
                "its last lines:\n" + log_tail(folder)
            )
    if not values or len(set(values)) == 1:
        raise NotConvergedError(
            "elastix: expected a metric that changes; found "
            f"{values[0] if values else 'no value'} throughout; its last lines:\n"
            + log_tail(folder)
        )
