"""Final stage: maximum-likelihood free-form deformation under a model of the moving image.

Gauss-Newton steps use the gradient of the expected (noise-free) image, which is the efficient
score; the bending weight is the one that maximises the evidence of the data, so regularisation is
chosen from the data, and the inverse of the final matrix is the posterior covariance.

References
----------
.. [1] MacKay (1992), Bayesian interpolation, Neural Computation 4(3): the evidence update.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray

from clemkit.geometry import FloatArray
from clemkit.provenance import Progress, no_progress
from clemkit.registration.evidence import Evidence, gather, remaining
from clemkit.registration.factor import inverse_from_factor, positive_factor
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.matching import evidence_stiffness
from clemkit.registration.noise import Noise
from clemkit.registration.pull import Pull, gradient_nm, interior

__all__ = ["ImageModel", "ModelEvidence", "ModelFit", "fit_model", "trace_solve"]

FloatImage = NDArray[np.float32]
# what a model gets wrong looks like signal: on simulated experiments, data counted a third gave
# the smallest error, and fewer wrong turns when they were counted still less at first
_CAUTION = 3.0
_HEAVY_TAIL = 8.0  # degrees of freedom of the residuals' t distribution
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
    more_pull : (n,) array or None
        What landmarks and further structures still ask for; their part of ``normal`` is in it.
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
    more_pull: FloatArray | None = None

    @property
    def pull(self) -> FloatArray:
        """What all data still ask for at the solution: the negative gradient of their cost."""
        own = -self.lattice.project(self.weight * self.residual * self.gradient).ravel()
        return own if self.more_pull is None else own + self.more_pull


@dataclass(eq=False)
class ModelEvidence:
    """A moving image under its model, as evidence on a lattice; refits the model at each call.

    Attributes
    ----------
    pull : Pull
    model : ImageModel
    lattice : FfdLattice
        On the work grid of both.
    share : float
        Weight of this image among several.
    caution, heavy_tail : float
        See :func:`fit_model`.
    """

    pull: Pull
    model: ImageModel
    lattice: FfdLattice
    share: float = 1.0
    caution: float = _CAUTION
    heavy_tail: float = _HEAVY_TAIL
    calls: int = 0
    noise: Noise | None = None
    settled: bool = False
    image: FloatImage = field(init=False)
    trust: FloatImage = field(init=False)
    residual: FloatImage = field(init=False)
    gradient: FloatImage = field(init=False)
    weight: FloatImage = field(init=False)
    last: FloatArray = field(init=False)

    def evaluate(self, coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the Gauss-Newton matrix and the pull at *coefficients*."""
        model, lattice, call = self.model, self.lattice, self.calls
        image, inside = self.pull(lattice.field(coefficients))
        if call == 0:
            model.start(image)
        trust = interior(inside) * model.trust
        model.refit(image, trust, 12 if call == 0 else 4)
        model.fit_noise(image, trust)
        residual = image - model.expected
        robust = 1.0 / (1.0 + residual**2 / (self.heavy_tail * model.variance))
        even = np.sqrt(robust / model.variance)
        gradient = gradient_nm(model.signal, self.pull.work_grid)
        if self.noise is None or call in (2, 5):
            self.noise = model.measure_noise(residual * even, trust > 0.3, gradient * even)
        scale = np.sqrt(trust) * even
        residual, gradient, precision = self.noise.apply(residual * scale, gradient * scale)
        doubt = self.caution * max(_FIRST_CAUTION * 0.75**call, 1.0)
        weight = np.full(residual.shape, self.share * precision / doubt, np.float32)
        self.image, self.trust = image, trust
        self.residual, self.gradient, self.weight = residual, gradient, weight
        self.calls, self.settled = call + 1, doubt <= self.caution
        normal = lattice.normal_matrix(gradient, weight).toarray()
        self.last = -lattice.project(weight * residual * gradient).ravel()
        return normal, self.last

    def pull_at(self, coefficients: FloatArray) -> FloatArray:
        """Return the pull of the last call."""
        return self.last


def fit_model(
    pull: Pull,
    appearance: ImageModel,
    lattice: FfdLattice,
    coefficients: FloatArray,
    *,
    stiffness: float,
    iterations: int = 8,
    heavy_tail: float = _HEAVY_TAIL,
    adapt: bool = True,
    caution: float = _CAUTION,
    more: Sequence[Evidence] = (),
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
    more : sequence of Evidence
        Landmarks and further structures, on *lattice*.

    Returns
    -------
    ModelFit
    """
    bending = lattice.bending.toarray()
    current = coefficients
    usual = stiffness
    data = ModelEvidence(pull, appearance, lattice, caution=caution, heavy_tail=heavy_tail)
    normal = np.zeros_like(bending)
    for iteration in range(iterations):
        normal, right = data.evaluate(current)
        own = float(np.mean(np.diag(normal)))
        others, pulls = gather(more, current)
        normal = normal + others
        target = normal @ current.ravel() + right + pulls
        # where nothing bends, the evidence asks for an infinite weight; this one freezes bending
        stiffest = 1e8 * own / float(np.mean(np.diag(bending)))
        factor = positive_factor(normal + stiffness * bending)
        if adapt:
            solution = sl.cho_solve(factor, target)
            better = evidence_stiffness(lattice, factor, bending, solution, stiffness, usual)
            stiffness = min(better, stiffest)
            factor = positive_factor(normal + stiffness * bending)
        solution = sl.cho_solve(factor, target)
        step = float(np.abs(lattice.field(solution.reshape(current.shape) - current)).max())
        current = solution.reshape(current.shape)
        progress(stage, (iteration + 1) / iterations, f"largest step {step:.0f} nm")
        if step < 0.02 * min(pull.work_grid.voxel_size_zyx_nm[1:]) and data.settled:
            break
    freedom = float(lattice.size - stiffness * trace_solve(factor, bending))
    used = data.trust > 0.3
    correlation = float(np.corrcoef(data.image[used], appearance.expected[used])[0, 1])
    return ModelFit(
        coefficients=current,
        lattice=lattice,
        stiffness=stiffness,
        freedom=freedom,
        correlation=correlation,
        normal=normal,
        residual=data.residual,
        weight=data.weight,
        gradient=data.gradient,
        more_pull=remaining(more, current),
    )


def trace_solve(factor: tuple[FloatArray, bool], matrix: FloatArray) -> float:
    """Return trace(inverse @ matrix), *matrix* symmetric, from a Cholesky factor."""
    return float(np.vdot(inverse_from_factor(factor), matrix))
