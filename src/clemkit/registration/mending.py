"""Regions that were caught in a wrong match: released, predicted by their surroundings, refitted.

A deformation that follows structures downhill can settle on the neighbour's structures in a
corner that bends strongly. There the images disagree although structures are visible. Such
regions lose their vote, the rest of the field carries them along as stiffly as bending allows,
and then they may vote again; the result is kept only when the images agree better as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray
from scipy import ndimage as ndi

from clemkit.geometry import FloatArray
from clemkit.provenance import Progress, no_progress
from clemkit.registration.candidates import Candidate
from clemkit.registration.evidence import Guide
from clemkit.registration.features import FixedFeatures
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.intensity import gaussian_blur_nm
from clemkit.registration.matching import coarse_grid, match_lattice
from clemkit.registration.pull import AffineMap, Pull, interior, resample_to
from clemkit.registration.refine import MovingCrop, finer_levels

__all__ = ["follow_down", "local_correlation", "mend_regions"]

FloatImage = NDArray[np.float32]
_AGREES = 0.55
_GAIN = 0.004  # a smaller rise of the correlation is no rescue


def local_correlation(
    a: FloatImage, b: FloatImage, inside: FloatImage, sigma_voxels: FloatArray
) -> tuple[FloatImage, FloatImage]:
    """Return the correlation of two normalised images around every voxel, and the structure in *b*.

    Parameters
    ----------
    a, b : (Z, Y, X) float32 arrays
        Locally normalised images.
    inside : (Z, Y, X) float32 array
        1 where both are known.
    sigma_voxels : (3,) array
        Gaussian window.

    Returns
    -------
    correlation, variance of *b* : (Z, Y, X) float32 arrays
    """

    def mean(values: FloatImage) -> FloatImage:
        return np.asarray(ndi.gaussian_filter(values * inside, sigma_voxels, mode="constant"))

    count = mean(np.ones_like(a)) + np.float32(1e-6)
    mean_a, mean_b = mean(a) / count, mean(b) / count
    var_a = np.maximum(mean(a * a) / count - mean_a**2, 1e-6)
    var_b = np.maximum(mean(b * b) / count - mean_b**2, 1e-6)
    floor_a, floor_b = 0.02 * float(a.var()), 0.02 * float(b.var())
    both = mean(a * b) / count - mean_a * mean_b
    spread = np.sqrt(np.maximum(var_a, floor_a) * np.maximum(var_b, floor_b))
    return (both / spread).astype(np.float32), var_b.astype(np.float32)


def mend_regions(
    fixed: FixedFeatures,
    moving: MovingCrop,
    affine: AffineMap,
    lattice: FfdLattice,
    coefficients: FloatArray,
    *,
    blur_zyx_nm: FloatArray,
    blur_nm: float,
    voxel_nm: float,
    spacing_nm: float,
    window_nm: float,
    stiffness: float,
    rounds: int = 3,
    guides: Sequence[Guide] = (),
    progress: Progress = no_progress,
) -> tuple[FfdLattice, FloatArray] | None:
    """Release regions whose images disagree, and refit them from their surroundings.

    Parameters
    ----------
    fixed, moving
        Fixed side and the moving side around it.
    affine, lattice, coefficients
        Deformation so far.
    blur_zyx_nm : (3,) array
        Blur of the moving image in the fixed frame.
    blur_nm, voxel_nm : float
        Further blur and voxel size of the comparison.
    spacing_nm : float
        Control spacing.
    window_nm : float
        Gaussian window in which images are compared.
    stiffness : float
        Bending weight.
    rounds : int
        At most so many releases.
    guides : sequence of Guide
        Landmarks and further structures, which keep their vote.

    Returns
    -------
    (lattice, coefficients) or None
        None when nothing disagreed, or nothing was gained.
    """
    template, template_grid = fixed.template(voxel_nm / 2, blur_zyx_nm)
    grid = coarse_grid(template_grid, voxel_nm)
    soft = gaussian_blur_nm(template, blur_nm, template_grid.voxel_size_zyx_nm)
    work = resample_to(soft, template_grid, grid)
    image = gaussian_blur_nm(moving.normal, blur_nm, moving.grid.voxel_size_zyx_nm)
    pull = Pull(image, moving.grid, grid, affine)
    level = FfdLattice(
        grid=grid, spacing_zyx_nm=(spacing_nm,) * 3, margin_zyx_nm=(spacing_nm / 4,) * 3
    )
    voxel = np.array(grid.voxel_size_zyx_nm)
    flat = np.array(grid.shape_zyx) == 1
    sigma = np.where(flat, 0.0, window_nm / voxel)
    reach = 2.0 * np.hypot(blur_nm, float(np.mean(blur_zyx_nm)))
    volume = float(np.prod(np.maximum(reach / voxel, 1.0)))
    more = [g.on_images(level, blur_nm, blur_zyx_nm) for g in guides]

    def follow(start: FloatArray, trust: FloatImage | None) -> tuple[FloatArray, float]:
        out, match = match_lattice(
            pull,
            work,
            level,
            start,
            iterations=10,
            stiffness=stiffness,
            correlation_volume=volume,
            step_limit_nm=1.5 * blur_nm,
            trust=trust,
            more=more,
        )
        return out, match.correlation

    current, first = follow(level.resample_from(lattice, coefficients), None)
    best, score = None, first
    for number in range(rounds):
        warped, inside = pull(level.field(current))
        agreement, structure = local_correlation(warped, work, interior(inside), sigma)
        agrees = (agreement > _AGREES) | (structure < 0.1 * np.median(structure))
        if agrees.mean() > 0.97:
            break
        # a window looks beyond its centre: its rim is not trusted either
        rim = ndi.generate_binary_structure(3, 1) & _open_axes(flat)
        trusted = ndi.binary_erosion(
            agrees, rim, iterations=max(round(window_nm / float(voxel.max())), 1), border_value=1
        )
        if trusted.mean() < 0.25:
            break
        trust = trusted.astype(np.float32)
        carried, _ = follow(_carried(level, current, trust), trust)
        current, correlation = follow(carried, None)
        progress("regions", (number + 1) / rounds, f"correlation {correlation:.2f}")
        if correlation < score + _GAIN:
            break
        best, score = current, correlation
    return None if best is None else (level, best)


def follow_down(
    fixed: FixedFeatures,
    moving: MovingCrop,
    start: Candidate,
    *,
    blurs_nm: list[float],
    spacings_nm: list[float],
    blur_zyx_nm: FloatArray,
    finest_voxel_nm: float,
    stiffness: float,
    detail_nm: float = 0.0,
    guides: Sequence[Guide] = (),
    progress: Progress = no_progress,
) -> tuple[FfdLattice, FloatArray, float]:
    """Follow the deformation to finer blur, mending regions that went wrong on the way.

    Parameters are those of :func:`~clemkit.registration.refine.finer_levels`.

    Returns
    -------
    lattice, coefficients, correlation
    """

    def down(candidate: Candidate, first: int) -> tuple[FfdLattice, FloatArray, float]:
        return finer_levels(
            fixed,
            moving,
            candidate,
            blurs_nm=blurs_nm[first:],
            spacings_nm=spacings_nm[first:],
            blur_zyx_nm=blur_zyx_nm,
            finest_voxel_nm=finest_voxel_nm,
            stiffness=stiffness,
            detail_nm=detail_nm,
            guides=guides,
            progress=progress,
        )

    lattice, coefficients, correlation = down(start, 0)
    blur = max(float(np.mean(blurs_nm[:2])), blurs_nm[-1])
    mended = mend_regions(
        fixed,
        moving,
        start.affine,
        lattice,
        coefficients,
        blur_zyx_nm=blur_zyx_nm,
        blur_nm=blur,
        voxel_nm=max(1.1 * blur, finest_voxel_nm),
        spacing_nm=1.25 * spacings_nm[-1],
        window_nm=0.47 * spacings_nm[-1],
        stiffness=stiffness,
        guides=guides,
        progress=progress,
    )
    if mended is None:
        return lattice, coefficients, correlation
    again = down(replace(start, lattice=mended[0], coefficients=mended[1]), len(blurs_nm) - 1)
    return again if again[2] > correlation else (lattice, coefficients, correlation)


def _open_axes(flat: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a 3×3×3 mask without neighbours along axes of one voxel."""
    out = np.ones((3, 3, 3), bool)
    for axis in np.flatnonzero(flat):
        sides: list[slice | int] = [slice(None)] * 3
        for side in (0, 2):
            sides[axis] = side
            out[tuple(sides)] = False
    return out


def _carried(lattice: FfdLattice, coefficients: FloatArray, trust: FloatImage) -> FloatArray:
    """Return the field kept where it is trusted and bent as little as possible elsewhere."""
    n = int(np.prod(lattice.shape))
    gram = lattice.gram(trust + np.float32(1e-6)).toarray()
    bending = lattice.bending.toarray()[:n, :n]
    matrix = gram + 1e-4 * np.trace(gram) / np.trace(bending) * bending
    matrix += 1e-9 * np.trace(gram) / n * np.eye(n)
    factor = sl.cho_factor(matrix, lower=True)
    flat = coefficients.reshape(3, -1)
    return np.stack([sl.cho_solve(factor, gram @ c) for c in flat]).reshape(coefficients.shape)
