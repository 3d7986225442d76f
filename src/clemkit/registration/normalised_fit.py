"""Final stage for two segmentations: their courses are matched, not their outlines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from clemkit.geometry import FloatArray
from clemkit.provenance import Progress, no_progress
from clemkit.registration.evidence import Evidence, gather, remaining
from clemkit.registration.factor import positive_factor
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.matching import compare
from clemkit.registration.model_fit import ModelFit, trace_solve
from clemkit.registration.pull import Pull, gradient_nm

__all__ = ["fit_normalised"]

FloatImage = NDArray[np.float32]


def fit_normalised(
    pull: Pull,
    template: FloatImage,
    lattice: FfdLattice,
    coefficients: FloatArray,
    *,
    stiffness: float,
    correlation_volume: float,
    iterations: int = 8,
    step_limit_nm: float,
    adapt: bool = True,
    more: Sequence[Evidence] = (),
    progress: Progress = no_progress,
    stage: str = "intensity fit",
) -> ModelFit:
    """Fit two segmentations, locally normalised like images.

    Parameters
    ----------
    pull : Pull
        Locally normalised moving image.
    template : (Z, Y, X) float32 array
        Locally normalised template on the work grid.
    lattice, coefficients, stiffness, iterations
        As for :func:`fit_model`.
    correlation_volume : float
        Voxels per independent residual.
    step_limit_nm : float
        Largest displacement per iteration.
    adapt : bool
        Whether the evidence chooses the bending weight; otherwise it stays as given.
    more : sequence of Evidence
        Landmarks and further structures, on *lattice*.

    Returns
    -------
    ModelFit
    """
    bending = lattice.bending.toarray()
    gradient_t = gradient_nm(template, pull.work_grid)
    current = coefficients
    freedom = float(lattice.size)
    null = 12 if min(lattice.grid.shape_zyx) > 1 else 6
    match = compare(pull, template, gradient_t, lattice.field(current))
    normal = np.zeros_like(bending)
    for iteration in range(iterations):
        weight = (match.weight / correlation_volume).astype(np.float32)
        normal = lattice.normal_matrix(match.gradient, weight).toarray()
        right = -lattice.project(weight * match.residual * match.gradient).ravel()
        others, pulls = gather(more, current)
        normal = normal + others
        target = normal @ current.ravel() + right + pulls
        factor = positive_factor(normal + stiffness * bending)
        solution = sl.cho_solve(factor, target)
        freedom = float(lattice.size - stiffness * trace_solve(factor, bending))
        energy = float(solution @ bending @ solution)
        change = np.clip(max(freedom - null, 1.0) / max(energy, 1e-30) / stiffness, 0.3, 3.0)
        step = solution.reshape(current.shape) - current
        size = float(np.abs(lattice.field(step)).max())
        current = current + step * min(1.0, step_limit_nm / max(size, 1e-9))
        if adapt:
            stiffness = float(stiffness * change)
        match = compare(pull, template, gradient_t, lattice.field(current))
        progress(stage, (iteration + 1) / iterations, f"correlation {match.correlation:.2f}")
        if size < 0.03 * step_limit_nm:
            break
    return ModelFit(
        coefficients=current,
        lattice=lattice,
        stiffness=stiffness,
        freedom=freedom,
        correlation=match.correlation,
        normal=normal,
        residual=match.residual,
        weight=(match.weight / correlation_volume).astype(np.float32),
        gradient=match.gradient,
        more_pull=remaining(more, current),
    )
