"""One spline system at many smoothings, from one eigendecomposition.

The spline is the mean of a Gaussian process [1]_: landmarks are an affine, plus a random field with
the spline's kernel, plus noise. At every ratio of noise to field this gives the exact leave-one-out
residual of each landmark, and the probability of all of them with the sizes of field and noise
integrated out (restricted likelihood [2]_).

References
----------
.. [1] G. Wahba, "Spline models for observational data", SIAM, 1990, chapters 1, 2 and 4.
.. [2] D. A. Harville, "Bayesian inference for variance components using only error contrasts",
   Biometrika 61, 383-385, 1974.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clemkit.geometry import FloatArray
from clemkit.transforms.thin_plate_system import ThinPlateSystem

__all__ = ["Smoothings"]

# relative to the mean eigenvalue; the ends are interpolation and the affine fit
_GRID = np.concatenate([10.0 ** np.arange(-7, 3.6, 0.5), [1e6]])


@dataclass(frozen=True, slots=True, eq=False)
class Smoothings:
    """A spline system solved at M smoothings; lengths as in the system.

    Attributes
    ----------
    system : ThinPlateSystem
        Weighted landmarks.
    steps : (M,) float array
        The smoothings.
    modes : (N, K) float array
        Eigenvectors at the landmarks, for K = N less the freedom of the affine part.
    loads : (K, D) float array
        The landmarks in them.
    gains : (M, K) float array
        Inverse of eigenvalue plus smoothing.
    """

    system: ThinPlateSystem
    steps: FloatArray
    modes: FloatArray
    loads: FloatArray
    gains: FloatArray

    @classmethod
    def solve(cls, system: ThinPlateSystem, smoothing: float | None = None) -> Smoothings:
        """Solve at *smoothing* (as :class:`ThinPlateSystem` takes it), or at all of a range."""
        from scipy.linalg import eigh

        values, vectors = eigh(system.reduced, driver="evd", check_finite=False)
        values = np.maximum(values, 0.0)
        modes = system.expand(vectors)
        steps = _GRID * float(values.mean())
        if smoothing is not None:
            steps = np.array([system.scaled_smoothing(smoothing)])
        # interpolation has no finite gain at a zero eigenvalue
        floor = 1e-14 * float(values.max(initial=1.0))
        gains = 1.0 / np.maximum(values + steps[:, None], floor)
        return cls(system, steps, modes, modes.T @ system.values, gains)

    def hats(self, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return kernel coefficients and what is left at the landmarks, both by root weight."""
        hat = self.modes @ ((shares @ self.gains)[:, None] * self.loads)
        left = self.modes @ (((shares * self.steps) @ self.gains)[:, None] * self.loads)
        return hat, left

    def leave_one_out(self, noise_weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return residuals (M, N, D), target minus prediction, and their spread (M, N).

        Parameters
        ----------
        noise_weights : (N,) float array
            The weights as far as they tell localisation uncertainty. The spread is the standard
            deviation that the process expects with them, up to a common factor: a landmark that
            a robust fit distrusts is not expected to lie further off.
        """
        weights = self.system.pairs.weights
        diagonal = self.gains @ (self.modes**2).T
        residuals = np.array([self.modes @ (gain[:, None] * self.loads) for gain in self.gains])
        field = 1.0 / (diagonal * weights) - self.steps[:, None] / weights
        spread = np.sqrt(np.maximum(field, 0.0) + self.steps[:, None] / noise_weights)
        return residuals / (diagonal * np.sqrt(weights))[:, :, None], spread

    def log_evidence(self) -> FloatArray:
        """Return the log restricted likelihood of each smoothing (M,), up to a constant.

        Comparable between kernels and metrics of the same weighted landmarks.
        """
        count, components = self.loads.shape
        energy = self.gains @ self.loads**2 + 1e-300
        sizes = 0.5 * count * np.sum(np.log(energy), axis=1)
        return np.asarray(0.5 * components * np.sum(np.log(self.gains), axis=1) - sizes)
