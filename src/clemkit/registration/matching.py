"""Robust Gauss-Newton matching of normalised images: affine, then coarse free-form levels.

The residual is the warped, locally normalised moving image minus the gain times a normalised
template of the fixed structures. The gradient is the mean of both images' gradients, which has a
wider basin than either (efficient second-order minimisation).

References
----------
.. [1] Malis (2004), Improving vision-based control using efficient second-order minimization
   techniques, ICRA.
.. [2] MacKay (1992), Bayesian interpolation, Neural Computation 4(3): the evidence update.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from clemkit.geometry import FloatArray, Grid
from clemkit.registration.evidence import Evidence, gather
from clemkit.registration.factor import inverse_from_factor, positive_factor
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.pull import AffineMap, Pull, gradient_nm, interior

__all__ = [
    "HABIT",
    "Match",
    "coarse_grid",
    "compare",
    "evidence_stiffness",
    "match_affine",
    "match_lattice",
]

FloatImage = NDArray[np.float32]
# a few structures alone would call the tissue rigid: bends that the first weight counts for;
# a guess, tried on one X-ray phantom
HABIT = 6.0
_ADAPTED = (1, 3, 6)  # iterations after which the evidence is asked; it costs as much as a step


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Outcome of a comparison on the work grid.

    Attributes
    ----------
    correlation : float
        Normalised correlation inside the overlap.
    overlap : float
        Share of the work grid inside the moving field.
    residual, weight : (Z, Y, X) float32 arrays
        Residual in units of its own standard deviation; robust weights.
    gradient : (3, Z, Y, X) float32 array
        Derivative of the residual with respect to the displacement, per nm.
    """

    correlation: float
    overlap: float
    residual: FloatImage
    weight: FloatImage
    gradient: FloatImage


def compare(
    pull: Pull,
    template: FloatImage,
    template_gradient: FloatImage,
    displacement: FloatImage | None,
) -> Match:
    """Compare the warped moving image with the template."""
    warped, inside = pull(displacement)
    w = interior(inside)
    n = float(w.sum())
    if n < 50:
        zero = np.zeros_like(template)
        return Match(0.0, n / w.size, zero, zero, np.zeros_like(template_gradient))
    mean_w = float((warped * w).sum()) / n
    mean_t = float((template * w).sum()) / n
    a, b = (warped - mean_w) * w, (template - mean_t) * w
    aa, bb, ab = float((a * a).sum()), float((b * b).sum()), float((a * b).sum())
    correlation = ab / np.sqrt(aa * bb + 1e-30)
    gain = max(ab / (bb + 1e-30), 1e-3 * np.sqrt(aa / (bb + 1e-30)))
    residual = a - np.float32(gain) * b
    sigma = np.sqrt(max(float((residual**2).sum()) / n, 1e-20))
    residual = residual / np.float32(sigma)
    gradient = (gradient_nm(warped, pull.work_grid) + np.float32(gain) * template_gradient) * (
        np.float32(0.5 / sigma)
    )
    weight = (w / (1 + residual**2 / 4)).astype(np.float32)
    return Match(float(correlation), n / w.size, residual.astype(np.float32), weight, gradient)


def match_affine(
    pull: Pull,
    template: FloatImage,
    *,
    iterations: int,
    strain_sd: float = 0.15,
    strain: FloatArray | None = None,
    correlation_volume: float,
    step_limit_nm: float,
) -> tuple[AffineMap, Match, FloatArray]:
    """Refine an affine map by Gauss-Newton.

    Parameters
    ----------
    pull : Pull
        Blurred moving image with the start map.
    template : (Z, Y, X) float32 array
        Equally blurred template.
    iterations : int
    strain_sd : float
        Prior standard deviation of the linear change per entry, relative to the first pose.
    strain : (3, 3) array, optional
        Linear change already made to that pose.
    correlation_volume : float
        Voxels per independent residual.
    step_limit_nm : float
        Largest displacement per iteration.

    Returns
    -------
    affine, match, strain
    """
    grid = pull.work_grid
    gradient_t = gradient_nm(template, grid)
    half = grid.extent_zyx_nm / 2
    axes = [np.linspace(-1, 1, n, dtype=np.float32) if n > 1 else np.zeros(1, np.float32)
            for n in grid.shape_zyx]  # fmt: skip
    position = np.stack([*np.meshgrid(*axes, indexing="ij"), np.ones(grid.shape_zyx, np.float32)])
    flat_position = position.reshape(4, -1)
    centre = grid.centre_zyx_nm
    affine = pull.affine
    total = np.zeros((3, 3)) if strain is None else strain
    match = compare(pull, template, gradient_t, None)
    # prior on entries d(displacement_a)/d(x_k), expressed per half extent
    prior = np.zeros((3, 4))
    prior[:, :3] = 1.0 / (strain_sd * half[None, :]) ** 2
    prior += 1e-12
    for _ in range(iterations):
        weight = (match.weight / correlation_volume).reshape(-1)
        g = match.gradient.reshape(3, -1)
        normal = np.zeros((12, 12))
        for a in range(3):
            for b in range(a, 3):
                block = (flat_position * (weight * g[a] * g[b])) @ flat_position.T
                normal[4 * a : 4 * a + 4, 4 * b : 4 * b + 4] = block
                normal[4 * b : 4 * b + 4, 4 * a : 4 * a + 4] = block.T
        right = -np.concatenate(
            [flat_position @ (weight * match.residual.reshape(-1) * g[a]) for a in range(3)]
        )
        made = np.concatenate([total * half[None, :], np.zeros((3, 1))], axis=1)
        normal += np.diag(prior.ravel())
        right -= (prior * made).ravel()
        step = np.linalg.lstsq(normal, right, rcond=1e-12)[0].reshape(3, 4)
        size = float(np.abs(step).sum(axis=1).max())
        step *= min(1.0, step_limit_nm / max(size, 1e-9))
        linear = step[:, :3] / half[None, :]
        total = total + linear
        shift = step[:, 3] - linear @ centre
        affine = affine.after(np.eye(3) + linear, shift)
        pull = Pull(pull.image, pull.image_grid, grid, affine)
        match = compare(pull, template, gradient_t, None)
        if size < 0.02 * step_limit_nm:
            break
    return affine, match, total


def match_lattice(
    pull: Pull,
    template: FloatImage,
    lattice: FfdLattice,
    coefficients: FloatArray,
    *,
    iterations: int,
    stiffness: float,
    correlation_volume: float,
    step_limit_nm: float,
    adapt: bool = False,
    trust: FloatImage | None = None,
    more: Sequence[Evidence] = (),
) -> tuple[FloatArray, Match]:
    """Refine a free-form deformation by Gauss-Newton with a bending penalty.

    Parameters
    ----------
    pull : Pull
        Blurred moving image with the affine map.
    template : (Z, Y, X) float32 array
    lattice : FfdLattice
    coefficients : (3, nz, ny, nx) array
        Start, nm.
    iterations : int
    stiffness : float
        Weight of the bending energy (one over its prior variance).
    correlation_volume : float
        Voxels per independent residual.
    step_limit_nm : float
        Largest displacement per iteration.
    adapt : bool
        Whether the evidence changes the bending weight on the way.
    trust : (Z, Y, X) float32 array, optional
        0 where the images have no say, 1 where they have.
    more : sequence of Evidence
        Landmarks and further structures, on *lattice*.

    Returns
    -------
    coefficients, match
    """
    gradient_t = gradient_nm(template, pull.work_grid)
    bending = lattice.bending.toarray()
    usual = stiffness
    current = coefficients
    match = compare(pull, template, gradient_t, lattice.field(current))
    for iteration in range(iterations):
        weight = (match.weight / correlation_volume).astype(np.float32)
        if trust is not None:
            weight = weight * trust
        others, pulls = gather(more, current)
        data = lattice.normal_matrix(match.gradient, weight).toarray() + others
        right = pulls - lattice.project(weight * match.residual * match.gradient).ravel()
        factor = positive_factor(data + stiffness * bending)
        if adapt and iteration in _ADAPTED:
            solution = sl.cho_solve(factor, data @ current.ravel() + right)
            stiffness = evidence_stiffness(lattice, factor, bending, solution, stiffness, usual)
            factor = positive_factor(data + stiffness * bending)
        right -= stiffness * (bending @ current.ravel())
        step = sl.cho_solve(factor, right).reshape(current.shape)
        move = np.abs(lattice.field(step)).max(axis=0)
        # what has no say is carried along, however far
        size = float(move.max() if trust is None else (move * (trust > 0.3)).max())
        current = current + step * min(1.0, step_limit_nm / max(size, 1e-9))
        match = compare(pull, template, gradient_t, lattice.field(current))
        if size < 0.03 * step_limit_nm:
            break
    return current, match


def evidence_stiffness(
    lattice: FfdLattice,
    factor: tuple[FloatArray, bool],
    bending: FloatArray,
    solution: FloatArray,
    stiffness: float,
    usual: float,
) -> float:
    """Return the bending weight that raises the evidence: well-determined bends over energy [2]_.

    Parameters
    ----------
    lattice : FfdLattice
    factor
        Cholesky factor of the data's matrix plus *stiffness* times *bending*.
    bending : (n, n) array
    solution : (n,) array
        Control displacements with that weight.
    stiffness, usual : float
        The present weight, and the one expected before any data.
    """
    # affine motions cost no bending, so they do not count as penalised freedom
    null = 12 if min(lattice.grid.shape_zyx) > 1 else 6
    penalised = stiffness * float(np.vdot(inverse_from_factor(factor), bending))
    known = max(lattice.size - penalised - null, 0.0) + HABIT
    energy = float(solution @ bending @ solution)
    return known / (energy + HABIT / usual)


def coarse_grid(grid: Grid, voxel_nm: float) -> Grid:
    """Return an isotropic grid over the same extent; an axis of one voxel keeps its size."""
    z, y, x = (
        v if n == 1 else voxel_nm
        for n, v in zip(grid.shape_zyx, grid.voxel_size_zyx_nm, strict=True)
    )
    return grid.resample((z, y, x))
