"""The linear system of a smoothing thin-plate spline, reduced to the null space of the affine.

With the weights' square roots pulled into rows and columns, the spline solves
``(K + s I) c + P d = y`` and ``P' c = 0``. A QR decomposition of ``P`` leaves
``(Q' K Q + s I) g = Q' y`` with ``c = Q g``, which is positive definite (Wahba 1990, section 2.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError, DegenerateLandmarksError
from clemkit.geometry import FloatArray, IntArray
from clemkit.transforms.correspondences import (
    Correspondences,
    check_correspondences,
    check_spread,
    merge_repeats,
)

__all__ = ["Kernel", "ThinPlateSystem"]

Kernel: TypeAlias = Literal["r", "r2_log_r"]


@dataclass(frozen=True, slots=True, eq=False)
class ThinPlateSystem:
    """Everything about a fit that does not depend on the smoothing.

    Lengths inside are in units of ``scale_nm`` and about ``centre_nm``.

    Attributes
    ----------
    pairs : Correspondences
        Landmarks without repeats.
    group : (N,) int array
        Row of *pairs* for each landmark as given.
    planar : bool
        Work in y and x only.
    kernel : {"r", "r2_log_r"}
        Radial function.
    centre_nm : (D,) float array
        Centroid of the source points.
    scale_nm : float
        Root mean square distance from it.
    mean_shift_nm : (3,) float array
        Weighted mean of target minus source.
    values : (N, D) float array
        Target points times root weight.
    qr : tuple
        Householder form of the weighted polynomial.
    reduced : (N - D - 1, N - D - 1) float array
        ``Q' K Q``.
    """

    pairs: Correspondences
    group: IntArray
    planar: bool
    kernel: Kernel
    centre_nm: FloatArray
    scale_nm: float
    mean_shift_nm: FloatArray
    values: FloatArray
    qr: tuple[FloatArray, FloatArray]
    reduced: FloatArray

    @classmethod
    def build(
        cls,
        source_points: ArrayLike,
        target_points: ArrayLike,
        *,
        weights: ArrayLike | None,
        ids: Sequence[str] | None,
        planar: bool,
        kernel: Kernel | None,
    ) -> ThinPlateSystem:
        """Check the landmarks and set up the system; errors as ``fit_thin_plate_spline``."""
        from scipy.linalg import qr
        from scipy.spatial.distance import cdist

        model = "thin-plate spline"
        dimension = 2 if planar else 3
        given = check_correspondences(
            source_points,
            target_points,
            minimum=dimension + 1,
            model=model,
            weights=weights,
            ids=ids,
        )
        axes = slice(3 - dimension, 3)
        check_spread(given.source[:, axes], dimension, model, "source")
        depth = float(np.ptp(given.source[:, 0]))
        if planar and depth > 1e-6 * float(np.max(np.ptp(given.source[:, 1:], axis=0))):
            raise ArgumentError(
                f"{model}: planar=True expects all source landmarks at one z; found a spread of "
                f"{depth:.4g} nm; fit without planar"
            )
        pairs, group = merge_repeats(given, model)
        chosen: Kernel = kernel or ("r2_log_r" if planar else "r")
        root = np.sqrt(pairs.weights)[:, None]
        centre = pairs.source[:, axes].mean(axis=0)
        x = pairs.source[:, axes] - centre
        scale = float(np.sqrt(np.mean(np.sum(x**2, axis=1))))
        x = x / scale
        polynomial = np.hstack([np.ones((len(x), 1)), x])
        gram = cdist(x, x)
        if chosen == "r":
            np.negative(gram, out=gram)  # conditionally positive definite
        else:
            gram *= gram
            gram *= np.log(np.where(gram > 0, gram, 1.0)) / 2
        gram *= root
        gram *= root.T
        (factors, tau), _ = qr(root * polynomial, mode="raw")
        turned = _apply_q(factors, tau, gram, transpose=True)
        turned = _apply_q(factors, tau, np.ascontiguousarray(turned.T), transpose=True)
        k = dimension + 1
        reduced = np.array((turned[k:, k:] + turned[k:, k:].T) / 2)
        shift = np.average(pairs.target - pairs.source, axis=0, weights=pairs.weights)
        values = root * pairs.target[:, axes]
        return cls(
            pairs, group, planar, chosen, centre, scale, shift, values, (factors, tau), reduced
        )

    @property
    def axes(self) -> slice:
        """The columns of points that take part."""
        return slice(1, 3) if self.planar else slice(0, 3)

    @property
    def n_polynomial(self) -> int:
        """Freedom of the affine part per component."""
        return 3 if self.planar else 4

    def scaled_smoothing(self, smoothing: float) -> float:
        """Return *smoothing* in the units of ``reduced``.

        Raises
        ------
        ArgumentError
            It is negative or NaN.
        """
        if not smoothing >= 0:
            raise ArgumentError(f"smoothing: expected a number >= 0; found {smoothing}")
        return smoothing / self._unit

    def physical_smoothing(self, scaled: float) -> float:
        """Undo :meth:`scaled_smoothing`."""
        return scaled * self._unit

    @property
    def _unit(self) -> float:
        return self.scale_nm if self.kernel == "r" else self.scale_nm**2

    def rotate(self, values: FloatArray, *, transpose: bool) -> FloatArray:
        """Multiply by the full orthogonal factor (or its transpose), ``(N, C)``."""
        return _apply_q(*self.qr, values, transpose=transpose)

    def expand(self, reduced_values: FloatArray) -> FloatArray:
        """Return ``Q g`` for vectors of the null space, ``(N - D - 1, C)`` to ``(N, C)``."""
        k = self.n_polynomial
        padded = np.concatenate([np.zeros((k, reduced_values.shape[1])), reduced_values])
        return self.rotate(padded, transpose=False)

    def cholesky(self, smoothing: float) -> FloatArray:
        """Return the lower Cholesky factor of ``reduced + s I``.

        Raises
        ------
        DegenerateLandmarksError
            It is not positive definite to working precision.
        """
        from scipy.linalg import LinAlgError, cholesky

        matrix = self.reduced + self.scaled_smoothing(smoothing) * np.eye(len(self.reduced))
        try:
            return np.asarray(cholesky(matrix, lower=True, overwrite_a=True, check_finite=False))
        except LinAlgError as error:
            raise DegenerateLandmarksError(
                "thin-plate spline: expected landmarks that determine it; found some too close "
                "to each other for double precision; merge them or use smoothing > 0"
            ) from error

    def solve(self, smoothing: float) -> tuple[FloatArray, FloatArray]:
        """Return kernel coefficients and polynomial.

        Returns
        -------
        coefficients : (N, D) array
            For distances in nanometres.
        polynomial : (D + 1, D) array
            Value at the centre, then slopes per nanometre.
        """
        from scipy.linalg import cho_solve, solve_triangular

        k = self.n_polynomial
        root = np.sqrt(self.pairs.weights)[:, None]
        rotated = self.rotate(self.values, transpose=True)
        coefficients = np.zeros_like(self.values)
        remainder = rotated[:k]
        if np.isfinite(self.scaled_smoothing(smoothing)) and len(self.reduced):
            factor = self.cholesky(smoothing)
            hat = self.expand(cho_solve((factor, True), rotated[k:], check_finite=False))
            bent = self._kernel_product(root * hat)
            remainder = (
                remainder - self.rotate(root * bent, transpose=True)[:k]
            )  # smoothing * hat lies in the null space
            sign = -1.0 if self.kernel == "r" else 1.0
            coefficients = sign * root * hat / self._unit
        triangle = np.triu(self.qr[0][:k, :k])
        polynomial = solve_triangular(triangle, remainder)
        polynomial[1:] /= self.scale_nm
        return coefficients, polynomial

    def _kernel_product(self, vectors: FloatArray) -> FloatArray:
        """Return the unweighted kernel matrix times *vectors*, ``(N, C)``."""
        from clemkit.transforms import kernels

        x = (self.pairs.source[:, self.axes] - self.centre_nm) / self.scale_nm
        if self.kernel == "r":
            return np.asarray(-kernels.radial_sum(x, x, vectors, 1.0, False))
        return np.asarray(kernels.radial_sum(x, x, vectors, 1.0, True))


def _apply_q(
    factors: FloatArray, tau: FloatArray, values: FloatArray, *, transpose: bool
) -> FloatArray:
    """Multiply by Q of a raw QR decomposition without forming it."""
    from scipy.linalg.lapack import dormqr

    trans = "T" if transpose else "N"
    query: Any = dormqr("L", trans, factors, tau, values, -1)
    product, _, info = dormqr("L", trans, factors, tau, values, int(query[1][0]))
    if info != 0:  # cannot happen for shapes made here; LAPACK's contract
        raise ArithmeticError(f"dormqr: info {info}")
    return np.asarray(product)
