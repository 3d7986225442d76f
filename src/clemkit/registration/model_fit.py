"""Final stage: maximum-likelihood free-form deformation under a model of the moving image.

Gauss-Newton steps use the gradient of the expected (noise-free) image, which is the efficient
score; the bending weight is the one that maximises the evidence of the data, so regularisation is
chosen from the data, and the inverse of the final matrix is the posterior covariance.

References
----------
.. [1] MacKay (1992), Bayesian interpolation, Neural Computation 4(3): the evidence update.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from clemkit.geometry import FloatArray
from clemkit.provenance import Progress, no_progress
from clemkit.registration.appearance import Appearance
from clemkit.registration.factor import positive_factor
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.matching import compare
from clemkit.registration.pull import Pull, gradient_nm, interior

__all__ = ["ModelFit", "fit_model", "fit_normalised"]

FloatImage = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ModelFit:
    """The fitted deformation with everything its error estimate needs.

    Attributes
    ----------
    coefficients : (3, nz, ny, nx) array
        Control displacements, nm.
    lattice : FfdLattice
    stiffness : float
        Bending weight chosen by the evidence.
    freedom : float
        Effective number of parameters.
    correlation : float
        Correlation of the warped image with the expected one.
    normal : (n, n) array
        Gauss-Newton matrix without the prior, at the solution.
    residual, weight : (Z, Y, X) float32 arrays
        Residual (image units) and weight (one over variance, correlation volume included).
    gradient : (3, Z, Y, X) float32 array
        Gradient of the expected image per nm.
    """

    coefficients: FloatArray
    lattice: FfdLattice
    stiffness: float
    freedom: float
    correlation: float
    normal: FloatArray
    residual: FloatImage
    weight: FloatImage
    gradient: FloatImage


def fit_model(
    pull: Pull,
    appearance: Appearance,
    lattice: FfdLattice,
    coefficients: FloatArray,
    *,
    stiffness: float,
    iterations: int = 8,
    heavy_tail: float = 8.0,
    adapt: bool = True,
    progress: Progress = no_progress,
    stage: str = "model fit",
) -> ModelFit:
    """Alternate appearance, noise, deformation and evidence until the step is small.

    Parameters
    ----------
    pull : Pull
        Moving image (linear in light, background removed) with its affine map.
    appearance : Appearance
        On the work grid of *pull*; refitted in place.
    lattice : FfdLattice
    coefficients : (3, nz, ny, nx) array
        Start, nm.
    stiffness : float
        First bending weight.
    iterations : int
    heavy_tail : float
        Degrees of freedom of the residuals' t distribution.
    adapt : bool
        Whether the evidence chooses the bending weight; otherwise it stays as given.

    Returns
    -------
    ModelFit
    """
    bending = lattice.bending.toarray()
    current = coefficients
    freedom = float(lattice.size)
    image, inside = pull(lattice.field(current))
    appearance.start(image)
    # affine motions cost no bending, so they do not count as penalised freedom
    null = 12 if min(lattice.grid.shape_zyx) > 1 else 6
    for iteration in range(iterations):
        image, inside = pull(lattice.field(current))
        trust = interior(inside) * appearance.trust
        appearance.refit(image, trust, 12 if iteration == 0 else 4)
        appearance.fit_noise(image, trust)
        residual = image - appearance.expected
        robust = 1.0 / (1.0 + residual**2 / (heavy_tail * appearance.variance))
        if iteration in (0, 2, 5):
            used = trust > 0.3
            normalised = residual * np.sqrt(robust / appearance.variance)
            appearance.fit_correlation_volume(normalised, used)
        weight = (
            trust * robust / (appearance.variance * np.float32(appearance.correlation_volume))
        ).astype(np.float32)
        gradient = gradient_nm(appearance.signal, pull.work_grid)
        normal = lattice.normal_matrix(gradient, weight).toarray()
        right = -lattice.project(weight * residual * gradient).ravel()
        target = normal @ current.ravel() + right
        # where nothing bends, the evidence asks for an infinite weight; this one freezes bending
        stiffest = 1e8 * float(np.mean(np.diag(normal))) / float(np.mean(np.diag(bending)))
        solution = current.ravel()
        for _ in range(2):
            factor = positive_factor(normal + stiffness * bending)
            solution = sl.cho_solve(factor, target)
            freedom = float(lattice.size - stiffness * _trace_solve(factor, bending))
            energy = float(solution @ bending @ solution)
            if adapt:
                stiffness = min(max(freedom - null, 1.0) / max(energy, 1e-30), stiffest)
        step = float(np.abs(lattice.field(solution.reshape(current.shape) - current)).max())
        current = solution.reshape(current.shape)
        progress(stage, (iteration + 1) / iterations, f"largest step {step:.0f} nm")
        if step < 0.02 * min(pull.work_grid.voxel_size_zyx_nm[1:]):
            break
    used = trust > 0.3
    correlation = float(np.corrcoef(image[used], appearance.expected[used])[0, 1])
    return ModelFit(
        coefficients=current,
        lattice=lattice,
        stiffness=stiffness,
        freedom=freedom,
        correlation=correlation,
        normal=normal,
        residual=residual,
        weight=weight,
        gradient=gradient,
    )


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
    progress: Progress = no_progress,
    stage: str = "intensity fit",
) -> ModelFit:
    """Fit normalised images when there are no structures; bending weight by the evidence.

    Parameters
    ----------
    pull : Pull
        Locally normalised moving image.
    template : (Z, Y, X) float32 array
        Locally normalised fixed image on the work grid.
    lattice, coefficients, stiffness, iterations
        As for :func:`fit_model`.
    correlation_volume : float
        Voxels per independent residual.
    step_limit_nm : float
        Largest displacement per iteration.
    adapt : bool
        Whether the evidence chooses the bending weight; otherwise it stays as given.

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
        target = normal @ current.ravel() + right
        factor = positive_factor(normal + stiffness * bending)
        solution = sl.cho_solve(factor, target)
        freedom = float(lattice.size - stiffness * _trace_solve(factor, bending))
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
    )


def _trace_solve(factor: tuple[FloatArray, bool], matrix: FloatArray) -> float:
    """Return trace(inverse @ matrix) from a Cholesky factor."""
    return float(np.trace(sl.cho_solve(factor, matrix)))
