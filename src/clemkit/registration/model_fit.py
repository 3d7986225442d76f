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
from typing import Protocol

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from clemkit.geometry import FloatArray
from clemkit.provenance import Progress, no_progress
from clemkit.registration.factor import positive_factor
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.noise import Noise
from clemkit.registration.pull import Pull, gradient_nm, interior

__all__ = ["ImageModel", "ModelFit", "fit_model", "trace_solve"]

FloatImage = NDArray[np.float32]
# what a model gets wrong looks like signal: on simulated experiments, data counted a third gave
# the smallest error, and fewer wrong turns when they were counted still less at first
_CAUTION = 3.0
_FIRST_CAUTION = 2.2


class ImageModel(Protocol):
    """What the fit needs of a model of the moving image, on the work grid."""

    signal: FloatImage
    expected: FloatImage
    variance: FloatImage
    trust: FloatImage

    def start(self, image: FloatImage) -> None:
        """Set first values from the warped image."""
        ...

    def refit(self, image: FloatImage, weight: FloatImage, iterations: int) -> None:
        """Refit what the model leaves open, for the current alignment."""
        ...

    def fit_noise(self, image: FloatImage, weight: FloatImage) -> None:
        """Fit the variance of the residuals."""
        ...

    def measure_noise(
        self, residual: FloatImage, used: NDArray[np.bool_], gradient: FloatImage
    ) -> Noise:
        """Measure how residuals hang together."""
        ...


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
        Residual and weight, scaled so that weighted squares may be summed over voxels.
    gradient : (3, Z, Y, X) float32 array
        Derivative of the residual per nm of displacement, scaled alike.
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
    appearance: ImageModel,
    lattice: FfdLattice,
    coefficients: FloatArray,
    *,
    stiffness: float,
    iterations: int = 8,
    heavy_tail: float = 8.0,
    adapt: bool = True,
    caution: float = _CAUTION,
    progress: Progress = no_progress,
    stage: str = "model fit",
) -> ModelFit:
    """Alternate appearance, noise, deformation and evidence until the step is small.

    Parameters
    ----------
    pull : Pull
        Moving image (linear in light, background removed) with its affine map.
    appearance : ImageModel
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
    caution : float
        By how much the data are counted below the worth of their noise.

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
    noise: Noise | None = None
    for iteration in range(iterations):
        image, inside = pull(lattice.field(current))
        trust = interior(inside) * appearance.trust
        appearance.refit(image, trust, 12 if iteration == 0 else 4)
        appearance.fit_noise(image, trust)
        residual = image - appearance.expected
        robust = 1.0 / (1.0 + residual**2 / (heavy_tail * appearance.variance))
        even = np.sqrt(robust / appearance.variance)
        gradient = gradient_nm(appearance.signal, pull.work_grid)
        if noise is None or iteration in (2, 5):
            noise = appearance.measure_noise(residual * even, trust > 0.3, gradient * even)
        scale = np.sqrt(trust) * even
        residual, gradient, precision = noise.apply(residual * scale, gradient * scale)
        doubt = caution * max(_FIRST_CAUTION * 0.75**iteration, 1.0)
        weight = np.full(residual.shape, precision / doubt, np.float32)
        normal = lattice.normal_matrix(gradient, weight).toarray()
        right = -lattice.project(weight * residual * gradient).ravel()
        target = normal @ current.ravel() + right
        # where nothing bends, the evidence asks for an infinite weight; this one freezes bending
        stiffest = 1e8 * float(np.mean(np.diag(normal))) / float(np.mean(np.diag(bending)))
        solution = current.ravel()
        for _ in range(2):
            factor = positive_factor(normal + stiffness * bending)
            solution = sl.cho_solve(factor, target)
            freedom = float(lattice.size - stiffness * trace_solve(factor, bending))
            energy = float(solution @ bending @ solution)
            if adapt:
                stiffness = min(max(freedom - null, 1.0) / max(energy, 1e-30), stiffest)
        step = float(np.abs(lattice.field(solution.reshape(current.shape) - current)).max())
        current = solution.reshape(current.shape)
        progress(stage, (iteration + 1) / iterations, f"largest step {step:.0f} nm")
        if step < 0.02 * min(pull.work_grid.voxel_size_zyx_nm[1:]) and doubt <= caution:
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


def trace_solve(factor: tuple[FloatArray, bool], matrix: FloatArray) -> float:
    """Return trace(inverse @ matrix) from a Cholesky factor."""
    return float(np.trace(sl.cho_solve(factor, matrix)))
