"""Thin-plate splines through or near landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError, NotInvertibleError, RegistrationError
from clemkit.geometry import FloatArray, Space, as_points, as_triple
from clemkit.transforms.affine import Affine
from clemkit.transforms.thin_plate_system import Kernel, ThinPlateSystem

__all__ = ["ThinPlateSpline", "fit_thin_plate_spline"]


@dataclass(frozen=True, slots=True, eq=False)
class ThinPlateSpline:
    """Maps ``x`` to ``A x + b + sum_i w_i U(|D (x - c_i)|)`` [1]_ [2]_.

    Attributes
    ----------
    affine : Affine
        The part ``A x + b``; carries the spaces.
    centres_zyx_nm : (N, 3) float array
        Landmarks ``c_i`` in the source space.
    weights_zyx : (N, 3) float array
        Coefficients ``w_i``: nm per nm for ``U = r``, nm per nm² for ``U = r² log r``.
    kernel : {"r", "r2_log_r"}
        ``U``: *r* bends least in three dimensions; ``r² log r`` does so in two and is what BigWarp
        uses in three.
    planar : bool
        Distances are taken in y and x only; z is shifted.
    scale_nm : float
        Length inside the logarithm; no influence on a fitted map beyond rounding.
    stretch_zyx : (3,) tuple of float
        Diagonal of ``D``: how much distances along an axis count; one, unless fitted otherwise.

    References
    ----------
    .. [1] F. L. Bookstein, "Principal warps: thin-plate splines and the decomposition of
       deformations", IEEE PAMI 11(6), 567-585, 1989.
    .. [2] G. Wahba, "Spline models for observational data", SIAM, 1990, chapter 2.
    """

    affine: Affine
    centres_zyx_nm: FloatArray
    weights_zyx: FloatArray
    kernel: Kernel = "r"
    planar: bool = False
    scale_nm: float = 1.0
    stretch_zyx: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        for name in ("centres_zyx_nm", "weights_zyx"):
            values = np.array(as_points(getattr(self, name), f"ThinPlateSpline.{name}"), order="C")
            if not np.all(np.isfinite(values)):
                raise ArgumentError(f"ThinPlateSpline.{name}: expected finite numbers; found NaN")
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        if self.centres_zyx_nm.shape != self.weights_zyx.shape:
            raise ArgumentError(
                f"ThinPlateSpline.weights_zyx: expected {self.centres_zyx_nm.shape}; "
                f"found {self.weights_zyx.shape}"
            )
        if not self.scale_nm > 0:
            raise ArgumentError(f"ThinPlateSpline.scale_nm: expected > 0; found {self.scale_nm}")
        stretch = as_triple(self.stretch_zyx, "ThinPlateSpline.stretch_zyx")
        if not all(0 < s < np.inf for s in stretch):
            raise ArgumentError(f"ThinPlateSpline.stretch_zyx: expected > 0; found {stretch}")
        object.__setattr__(self, "stretch_zyx", stretch)

    @property
    def source(self) -> Space:
        """Space of the points that go in."""
        return self.affine.source

    @property
    def target(self) -> Space:
        """Space of the points that come out."""
        return self.affine.target

    def apply_points(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Map points ``(N, 3)``, nanometres; memory stays flat for any N."""
        from clemkit.transforms import kernels

        points = as_points(points_zyx_nm)
        bent = kernels.radial_sum(
            self._stretched(points),
            self._stretched(self.centres_zyx_nm),
            self.weights_zyx,
            self.scale_nm,
            self.kernel == "r2_log_r",
        )
        return self.affine.apply_points(points) + bent

    def jacobian(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Return the exact derivative at points ``(N, 3)``: ``(N, 3, 3)``.

        With ``U = r`` the map has a kink at each landmark; there it is the mean over directions.
        """
        from clemkit.transforms import kernels

        points = as_points(points_zyx_nm)
        axes = slice(1, 3) if self.planar else slice(0, 3)
        out = self.affine.jacobian(points)
        out[:, :, axes] += kernels.radial_gradient(
            self._stretched(points),
            self._stretched(self.centres_zyx_nm),
            self.weights_zyx,
            self.scale_nm,
            self.kernel == "r2_log_r",
        ) * np.array(self.stretch_zyx[axes])
        return out

    def _stretched(self, points_zyx_nm: FloatArray) -> FloatArray:
        """Return the coordinates that distances are taken in, ``(N, D)``."""
        axes = slice(1, 3) if self.planar else slice(0, 3)
        if self.stretch_zyx == (1.0, 1.0, 1.0):
            return np.ascontiguousarray(points_zyx_nm[:, axes])
        return np.ascontiguousarray(points_zyx_nm[:, axes] * np.array(self.stretch_zyx[axes]))

    def inverse(self) -> Affine:
        """Return the exact inverse where nothing bends.

        Raises
        ------
        NotInvertibleError
            The spline bends, or its affine part is singular.
        """
        if np.any(self.weights_zyx):
            raise NotInvertibleError(
                f"thin-plate spline {self.source} to {self.target}: no exact inverse exists; "
                "use numerical_inverse, which carries its error"
            )
        return self.affine.inverse()


def fit_thin_plate_spline(
    source_points: ArrayLike,
    target_points: ArrayLike,
    *,
    source: Space,
    target: Space,
    smoothing: float = 0.0,
    weights: ArrayLike | None = None,
    ids: Sequence[str] | None = None,
    planar: bool = False,
    kernel: Literal["r", "r2_log_r"] | None = None,
    allow_reflection: bool = False,
) -> ThinPlateSpline:
    """Fit a thin-plate spline to corresponding points.

    Minimises ``sum_i v_i |y_i - f(x_i)|² + smoothing * J(f)``, where *v* are the weights and
    *J* is the bending energy in the units of the kernel, without the constant of the continuous
    integral.

    Parameters
    ----------
    source_points, target_points : (N, 3) array-like
        Corresponding points, z-y-x, nanometres; at least four (planar: three). Landmarks that
        repeat another one in both spaces are merged.
    source, target : Space
        Their frames.
    smoothing : float
        Zero interpolates, infinity gives the weighted affine fit. Unit nm for kernel ``"r"``, nm²
        for ``"r2_log_r"``; the value does not depend on the number of landmarks.
        :func:`~clemkit.transforms.choose_smoothing` finds one.
    weights : (N,) array-like, optional
        Relative weights > 0, for example (typical sigma / sigma)²; one by default.
    ids : sequence of str, optional
        Names for messages; row numbers by default.
    planar : bool
        For flat data: bend y and x by distances in the plane, and shift z.
    kernel : {"r", "r2_log_r"}, optional
        By default ``"r"`` in space and ``"r2_log_r"`` in the plane.
    allow_reflection : bool
        Accept an affine part with negative determinant.

    Raises
    ------
    ArgumentError
        Shapes differ, numbers are not finite, *smoothing* is negative, or *planar* with landmarks
        at several depths.
    TooFewLandmarksError
        Fewer landmarks than the affine part has freedom.
    DegenerateLandmarksError
        Landmarks lie in a plane (planar: on a line), or one source point has several targets.
    RegistrationError
        The affine part is a mirror and *allow_reflection* is false.
    """
    system = ThinPlateSystem.build(
        source_points, target_points, weights=weights, ids=ids, planar=planar, kernel=kernel
    )
    coefficients, polynomial = system.solve(smoothing)
    axes = system.axes
    linear = np.eye(3)
    linear[axes, axes] = polynomial[1:].T
    centre = np.zeros(3)
    centre[axes] = system.centre_nm
    # the polynomial is about the centre, for accuracy far from the origin
    shift = system.mean_shift_nm.copy()
    shift[axes] = polynomial[0]
    affine = Affine.from_parts(linear, shift - linear @ centre, source=source, target=target)
    if affine.determinant < 0 and not allow_reflection:
        raise RegistrationError(
            f"thin-plate spline {source} to {target}: expected an affine part with positive "
            f"determinant; found {affine.determinant:.4g}: the landmarks are mirrored; check axis "
            "order and handedness, or allow reflection"
        )
    bent = np.zeros((len(coefficients), 3))
    bent[:, axes] = coefficients
    return ThinPlateSpline(
        affine,
        system.pairs.source,
        bent,
        kernel=system.kernel,
        planar=planar,
        scale_nm=system.scale_nm,
    )
