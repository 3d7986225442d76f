"""Refinement by greedy (picsl-greedy) in a worker process."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clemkit.errors import ArgumentError, NotConvergedError
from clemkit.geometry import FloatArray, Grid
from clemkit.landmarks import LandmarkPairs
from clemkit.registration.engines.backend import RefinementSettings, check_problem
from clemkit.registration.engines.start import affine_start
from clemkit.registration.engines.worker_process import log_tail, run_worker
from clemkit.transforms import Affine, DisplacementField, Transform, compose

__all__ = ["GreedyBackend", "affine_from_ras", "affine_to_ras"]

FloatImage = NDArray[np.float32]
_WORKER = "clemkit.registration.engines.greedy_worker"
_NM_PER_UNIT = 1000.0
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])  # RAS to ITK's LPS, x-y-z


@dataclass(frozen=True, slots=True)
class GreedyBackend:
    """greedy [1]_: affine, then a dense field, by patch-wise normalised correlation.

    It has no landmark term and no random samples: ``samples``, ``bending_weight``,
    ``landmark_weight_per_um``, ``step_nm`` and ``seed`` are not used.

    Attributes
    ----------
    name : str

    References
    ----------
    .. [1] P. A. Yushkevich et al., "Fast automatic segmentation of hippocampal subfields and
       medial temporal lobe subregions in 3 Tesla and 7 Tesla T2-weighted MRI", Alzheimer's &
       Dementia 12(7), P126-P127, 2016.
    """

    name: str = "greedy"

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

        Raises
        ------
        ArgumentError
            Landmarks were given.
        """
        settings = settings or RefinementSettings(affine_iterations=100, deformable_iterations=100)
        if landmarks is not None:
            raise ArgumentError(
                "greedy: expected no landmarks, since it has no landmark term; use elastix"
            )
        check_problem(fixed_image, fixed_grid, moving_image, moving_grid, start, mask, None)
        problem = affine_start(start, fixed_grid, moving_image, moving_grid, None)
        with tempfile.TemporaryDirectory(prefix="clemkit-greedy-") as name:
            folder = Path(name)
            np.save(folder / "fixed.npy", np.ascontiguousarray(fixed_image, dtype=np.float32))
            moving = np.ascontiguousarray(problem.moving_image, dtype=np.float32)
            np.save(folder / "moving.npy", moving)
            np.savetxt(folder / "start.mat", affine_to_ras(problem.affine), fmt="%.17g")
            if mask is not None:
                np.save(folder / "mask.npy", mask.astype(np.float32))
            affine_words, warp_words = _commands(settings, fixed_grid, mask is not None)
            job = {
                "fixed": _geometry(fixed_grid),
                "moving": _geometry(problem.moving_grid),
                "mask": mask is not None,
                "affine": affine_words,
                "deformable": warp_words,
            }
            (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
            run_worker(_WORKER, folder, package="picsl-greedy", extra="greedy", environment={})
            matrix = np.loadtxt(folder / ("affine.mat" if affine_words else "start.mat"))
            warp = np.load(folder / "warp.npy") if warp_words else None
            if np.array_equal(matrix, affine_to_ras(problem.affine)) and not np.any(warp):
                raise NotConvergedError(
                    "greedy: expected a transform that moved; found the start unchanged; its "
                    "last lines:\n" + log_tail(folder)
                )
        affine = affine_from_ras(matrix, problem.affine)
        if warp is None:
            return compose(affine, *problem.then)
        space = fixed_grid.space
        field = DisplacementField(warp[..., ::-1] * _NM_PER_UNIT, fixed_grid, space, space)
        return compose(field, affine, *problem.then)


def _commands(settings: RefinementSettings, grid: Grid, mask: bool) -> tuple[str, str]:
    # each level halves the image, and greedy's blur needs four voxels along every axis
    levels = min(settings.levels, int(np.log2(min(grid.shape_zyx) / 4)) + 1)

    def schedule(count: int) -> str:
        # the finest level costs eight times the next and moves least
        finest = count if levels == 1 else max(count // 4, 1)
        return "x".join(map(str, [count] * (levels - 1) + [finest]))

    # correlation of patches suits any local contrast: mutual information is for the affine only
    dense = "NCC 2x2x2"
    metric = dense if settings.metric == "correlation" else "NMI"
    common = f"-i fixed moving -threads {settings.threads}" + (" -gm inside" if mask else "")
    affine = deformable = ""
    if settings.affine_iterations:
        affine = (
            f"{common} -a -dof 12 -m {metric} -n {schedule(settings.affine_iterations)} "
            "-ia start.mat -o affine.mat"
        )
    if settings.deformable_iterations:
        spacing = settings.control_spacing_nm or 16 * float(np.mean(grid.voxel_size_zyx_nm))
        # a B-spline of spacing h is about as smooth as a Gaussian of h / 2
        smooth = max(0.1 * spacing / float(np.mean(grid.voxel_size_zyx_nm)), 1.0)
        initial = "affine.mat" if affine else "start.mat"
        deformable = (
            f"{common} -m {dense} -n {schedule(settings.deformable_iterations)} "
            f"-s {1.7 * smooth:.3f}vox {0.7 * smooth:.3f}vox -it {initial} -o warp"
        )
    return affine, deformable


def _geometry(grid: Grid) -> dict[str, list[float]]:
    return {
        "spacing_xyz": [v / _NM_PER_UNIT for v in reversed(grid.voxel_size_zyx_nm)],
        "origin_xyz": [v / _NM_PER_UNIT for v in reversed(grid.origin_zyx_nm)],
    }


def affine_to_ras(affine: Affine) -> FloatArray:
    """Return the matrix as greedy has it: x-y-z, RAS, micrometres."""
    matrix = np.eye(4)
    matrix[:3, :3] = affine.linear[::-1, ::-1]
    matrix[:3, 3] = affine.translation_zyx_nm[::-1] / _NM_PER_UNIT
    return np.asarray(_FLIP @ matrix @ _FLIP, dtype=np.float64)


def affine_from_ras(matrix_ras_um: FloatArray, like: Affine) -> Affine:
    """Return the transform of greedy's matrix, between the spaces of *like*."""
    matrix = _FLIP @ np.asarray(matrix_ras_um, dtype=np.float64) @ _FLIP
    return Affine.from_parts(
        matrix[2::-1, 2::-1],
        matrix[2::-1, 3] * _NM_PER_UNIT,
        source=like.source,
        target=like.target,
    )
