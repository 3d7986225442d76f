"""From poses to one start: affine refinement, deformable comparison, confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clemkit.geometry import FloatArray, Grid
from clemkit.provenance import Progress, no_progress
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.intensity import gaussian_blur_nm
from clemkit.registration.matching import coarse_grid, match_affine, match_lattice
from clemkit.registration.pose_search import Pose
from clemkit.registration.pull import AffineMap, Pull, border_trust, resample_to

__all__ = ["Candidate", "compare_candidates", "refine_poses"]

FloatImage = NDArray[np.float32]
_STRETCH = (1.35, 1.7)  # beyond what was searched: credible, impossible; a guess
_TISSUE = 0.2  # a tenth of the field compressed to less is doubted; a guess


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A pose after refinement.

    Attributes
    ----------
    affine : AffineMap
    sign : int
        +1 bright structures, -1 dark.
    correlation : float
        After the affine; after the deformation once compared.
    overlap : float
        Share of the fixed field inside the moving field.
    strain : (3, 3) array
        Linear change from the searched pose.
    lattice, coefficients
        Coarse deformation, when compared.
    compression : float
        Tenth percentile of its Jacobian determinant over the field.
    """

    affine: AffineMap
    sign: int
    correlation: float
    overlap: float
    strain: FloatArray
    lattice: FfdLattice | None = None
    coefficients: FloatArray | None = None
    compression: float = 1.0

    @property
    def score(self) -> float:
        """Correlation discounted for partial overlap and for what tissue does not do."""
        stretches = np.linalg.svd(np.eye(3) + self.strain, compute_uv=False)
        stretch = float(max(stretches[0], 1.0 / max(stretches[-1], 1e-6)))
        plausible = min(max(self.compression, 0.0) / _TISSUE, 1.0) * float(
            np.interp(stretch, _STRETCH, (1.0, 0.0))
        )
        return self.correlation * float(np.sqrt(min(self.overlap, 1.0))) * plausible

    @property
    def is_mirror(self) -> bool:
        """Whether the affine contains a reflection."""
        return bool(np.linalg.det(self.affine.linear) < 0)


def refine_poses(
    poses: list[Pose],
    moving: FloatImage,
    moving_grid: Grid,
    template: FloatImage,
    template_grid: Grid,
    *,
    blurs_nm: tuple[float, ...],
    keep: tuple[int, ...],
    progress: Progress = no_progress,
) -> list[Candidate]:
    """Refine poses by affine Gauss-Newton at falling blur, keeping fewer each time.

    Parameters
    ----------
    poses : list of Pose
    moving, template : float32 arrays
        Locally normalised images, unblurred.
    blurs_nm : tuple of float
        Gaussian blur per round.
    keep : tuple of int
        Candidates kept after each round.

    Returns
    -------
    list of Candidate
        Best first.
    """
    current = [
        Candidate(AffineMap(p.linear, p.translation_zyx_nm), p.sign, p.score, 1.0, np.zeros((3, 3)))
        for p in poses
    ]
    corners = template_grid.corners()
    for number, (blur, count) in enumerate(zip(blurs_nm, keep, strict=True)):
        grid = coarse_grid(template_grid, max(0.8 * blur, template_grid.voxel_size_zyx_nm[1]))
        image = gaussian_blur_nm(moving, blur, moving_grid.voxel_size_zyx_nm)
        blurred = gaussian_blur_nm(template, blur, template_grid.voxel_size_zyx_nm)
        work = resample_to(blurred, template_grid, grid)
        voxels = float(np.prod(np.maximum(2.5 * blur / np.array(grid.voxel_size_zyx_nm), 1.0)))
        refined: list[Candidate] = []
        for index, c in enumerate(current):
            affine, match, strain = match_affine(
                Pull(c.sign * image, moving_grid, grid, c.affine),
                work,
                iterations=6 if number == 0 else 12,  # the first round only sorts
                strain=c.strain,
                correlation_volume=voxels,
                step_limit_nm=1.5 * blur,
            )
            refined.append(Candidate(affine, c.sign, match.correlation, match.overlap, strain))
            done = (number + (index + 1) / len(current)) / len(blurs_nm)
            best = max(r.score for r in refined)
            progress("candidate poses", done, f"best correlation {best:.2f}")
        refined.sort(key=lambda r: -r.score)
        current = []
        for c in refined:
            mapped = c.affine.apply(corners)
            near = [
                np.sqrt(((mapped - k.affine.apply(corners)) ** 2).sum(1).mean()) < 3 * blur
                for k in current
            ]
            if not any(near):
                current.append(c)
            if len(current) == count:
                break
    return current


def compare_candidates(
    candidates: list[Candidate],
    moving: FloatImage,
    moving_grid: Grid,
    template: FloatImage,
    template_grid: Grid,
    *,
    blur_nm: float,
    spacing_nm: float,
    stiffness: float,
    progress: Progress = no_progress,
) -> list[Candidate]:
    """Give every candidate the same coarse deformation and sort by correlation.

    A candidate that brings a deformation starts with it, and keeps what the coarse one cannot
    express.
    """
    grid = coarse_grid(template_grid, max(0.8 * blur_nm, template_grid.voxel_size_zyx_nm[1]))
    image = gaussian_blur_nm(moving, blur_nm, moving_grid.voxel_size_zyx_nm)
    blurred = gaussian_blur_nm(template, blur_nm, template_grid.voxel_size_zyx_nm)
    work = resample_to(blurred, template_grid, grid)
    lattice = FfdLattice(
        grid=grid, spacing_zyx_nm=(spacing_nm,) * 3, margin_zyx_nm=(spacing_nm / 4,) * 3
    )
    voxels = float(np.prod(np.maximum(2.5 * blur_nm / np.array(grid.voxel_size_zyx_nm), 1.0)))
    trust = border_trust(grid, np.full(3, blur_nm))
    out = []
    for index, c in enumerate(candidates):
        start = np.zeros((3, *lattice.shape))
        if c.lattice is not None and c.coefficients is not None:
            start = lattice.resample_from(c.lattice, c.coefficients)
        coefficients, match = match_lattice(
            Pull(c.sign * image, moving_grid, grid, c.affine),
            work,
            lattice,
            start,
            iterations=14,
            stiffness=stiffness,
            correlation_volume=voxels,
            step_limit_nm=1.2 * blur_nm,
            adapt=True,
            trust=trust,
        )
        level = lattice
        if c.lattice is not None and c.coefficients is not None:
            change = c.lattice.resample_from(lattice, coefficients - start)
            level, coefficients = c.lattice, c.coefficients + change
        out.append(
            replace(
                c,
                correlation=match.correlation,
                overlap=match.overlap,
                lattice=level,
                coefficients=coefficients,
                compression=_compression(level, coefficients),
            )
        )
        best = max(o.score for o in out)
        progress("coarse deformation", (index + 1) / len(candidates), f"correlation {best:.2f}")
    return sorted(out, key=lambda o: -o.score)


def _compression(lattice: FfdLattice, coefficients: FloatArray) -> float:
    """Return the tenth percentile of the Jacobian determinant: corners are held by little."""
    field = lattice.field(coefficients)
    jacobian = np.empty((*lattice.grid.shape_zyx, 3, 3))
    for a in range(3):
        for b in range(3):
            step, n = lattice.grid.voxel_size_zyx_nm[b], field.shape[b + 1]
            slope = np.gradient(field[a], step, axis=b) if n > 1 else np.zeros(field.shape[1:])
            jacobian[..., a, b] = slope + (a == b)
    return float(np.percentile(np.linalg.det(jacobian), 10.0))
