"""Free-form deformation: a uniform cubic B-spline displacement over a control lattice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError, NotInvertibleError
from clemkit.geometry import FloatArray, Grid, Space, as_points, as_triple, require_same_space

__all__ = ["BSpline"]


@dataclass(frozen=True, slots=True, eq=False)
class BSpline:
    """Maps ``x`` to ``x + u(x)``, with *u* a tensor product of uniform cubic B-splines [1]_.

    Inside the domain the map is the one of ITK's ``BSplineTransform`` of order 3 with the same
    coefficients. Outside, ITK leaves points where they are; here *u* is that of the nearest point
    of the domain, so that the map stays continuous.

    Attributes
    ----------
    coefficients_zyx_nm : (nz, ny, nx, 3) float array
        Control displacements (z, y, x components), nanometres; read-only.
    lattice : Grid
        Control points: origin is control point 0, voxel size the control spacing. At least four
        per axis, also for flat (depth-1) volumes.
    source, target : Space
        Frames of the points that go in and come out; the lattice lies in *source*.

    References
    ----------
    .. [1] D. Rueckert et al., "Nonrigid registration using free-form deformations: application
       to breast MR images", IEEE Trans. Med. Imaging 18(8), 712-721, 1999.
    """

    coefficients_zyx_nm: FloatArray
    lattice: Grid
    source: Space
    target: Space

    def __post_init__(self) -> None:
        values = np.array(self.coefficients_zyx_nm, dtype=np.float64, order="C")
        expected = (*self.lattice.shape_zyx, 3)
        if values.shape != expected:
            raise ArgumentError(
                f"BSpline.coefficients_zyx_nm: expected shape {expected}; found {values.shape}"
            )
        if min(self.lattice.shape_zyx) < 4:
            raise ArgumentError(
                "BSpline.lattice: expected at least four control points per axis; "
                f"found {self.lattice.shape_zyx}; BSpline.covering makes a fitting lattice"
            )
        if not np.all(np.isfinite(values)):
            raise ArgumentError(
                "BSpline.coefficients_zyx_nm: expected finite numbers; found NaN or infinity"
            )
        require_same_space(self.source, self.lattice.space, "BSpline.lattice")
        values.setflags(write=False)
        object.__setattr__(self, "coefficients_zyx_nm", values)

    @classmethod
    def covering(
        cls,
        lo_zyx_nm: ArrayLike,
        hi_zyx_nm: ArrayLike,
        spacing_zyx_nm: ArrayLike,
        *,
        source: Space,
        target: Space,
    ) -> BSpline:
        """Return a zero displacement whose domain covers ``lo`` to ``hi``.

        Parameters
        ----------
        lo_zyx_nm, hi_zyx_nm : (3,) array-like
            Corners of the region; equal on an axis for flat volumes.
        spacing_zyx_nm : (3,) array-like
            Control spacing. It is kept; the domain is a whole number of spacings (at least one
            per axis) and centred on the region.
        source, target : Space
            Frames of the points that go in and come out.

        Raises
        ------
        ArgumentError
            ``hi`` is below ``lo``, or a spacing is not positive.
        """
        lo = np.array(as_triple(np.asarray(lo_zyx_nm, dtype=np.float64), "lo_zyx_nm"))
        hi = np.array(as_triple(np.asarray(hi_zyx_nm, dtype=np.float64), "hi_zyx_nm"))
        spacing = np.array(
            as_triple(np.asarray(spacing_zyx_nm, dtype=np.float64), "spacing_zyx_nm")
        )
        if np.any(hi < lo):
            raise ArgumentError(f"BSpline.covering: expected hi >= lo; found lo {lo}, hi {hi}")
        if np.any(spacing <= 0):
            raise ArgumentError(f"spacing_zyx_nm: expected values > 0; found {spacing}")
        cells = np.maximum(np.ceil((hi - lo) / spacing - 1e-9), 1).astype(int)
        origin = (lo + hi) / 2 - (cells / 2 + 1) * spacing
        lattice = Grid(
            space=source,
            shape_zyx=(int(cells[0]) + 3, int(cells[1]) + 3, int(cells[2]) + 3),
            voxel_size_zyx_nm=as_triple(spacing, "spacing_zyx_nm"),
            origin_zyx_nm=as_triple(origin, "origin"),
        )
        return cls(np.zeros((*lattice.shape_zyx, 3)), lattice, source, target)

    @property
    def domain_zyx_nm(self) -> tuple[FloatArray, FloatArray]:
        """Corners ``(lo, hi)`` of the region where all 64 control points exist, each (3,) nm."""
        last = np.array(self.lattice.shape_zyx, dtype=np.float64) - 2.0
        lo, hi = self.lattice.to_physical(np.stack([np.ones(3), last]))
        return lo, hi

    def contains(self, points_zyx_nm: ArrayLike, /) -> np.ndarray:
        """Return which points ``(N, 3)`` lie inside the domain, ``(N,)`` bool."""
        points = as_points(points_zyx_nm)
        lo, hi = self.domain_zyx_nm
        return np.asarray(np.all((points >= lo) & (points <= hi), axis=1))

    def apply_points(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Map points ``(N, 3)``, nanometres."""
        from clemkit.transforms import kernels

        points = as_points(points_zyx_nm)
        index = self.lattice.to_index(points)
        return points + kernels.bspline_displacement(self.coefficients_zyx_nm, index)

    def jacobian(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Return the exact derivative at points ``(N, 3)``: ``(N, 3, 3)``."""
        from clemkit.transforms import kernels

        index = self.lattice.to_index(points_zyx_nm)
        slope = kernels.bspline_jacobian(self.coefficients_zyx_nm, index)
        return np.eye(3) + slope / np.array(self.lattice.voxel_size_zyx_nm)

    def inverse(self) -> BSpline:
        """Raise: a B-spline has no exact inverse.

        Raises
        ------
        NotInvertibleError
            Always.
        """
        raise NotInvertibleError(
            f"B-spline {self.source} to {self.target}: no exact inverse exists; "
            "use numerical_inverse, which carries its error"
        )

    def refine(self, axes_zyx: tuple[bool, bool, bool] = (True, True, True)) -> BSpline:
        """Return the same map on a lattice of half the spacing.

        Exact subdivision of the uniform cubic B-spline [1]_: new control values are
        ``(1, 6, 1) / 8`` of old ones at old positions and ``(1, 1) / 2`` between them.

        Parameters
        ----------
        axes_zyx : tuple of bool
            Which axes to halve; leave out z for flat volumes.

        References
        ----------
        .. [1] J. M. Lane, R. F. Riesenfeld, "A theoretical development for the computer
           generation and display of piecewise polynomial surfaces", IEEE PAMI 2(1), 1980.
        """
        values = self.coefficients_zyx_nm
        spacing = np.array(self.lattice.voxel_size_zyx_nm)
        origin = np.array(self.lattice.origin_zyx_nm)
        for axis in range(3):
            if not axes_zyx[axis]:
                continue
            c = np.moveaxis(values, axis, 0)
            fine = np.empty((2 * len(c) - 3, *c.shape[1:]))
            fine[0::2] = (c[:-1] + c[1:]) / 2
            fine[1::2] = (c[:-2] + 6 * c[1:-1] + c[2:]) / 8
            values = np.moveaxis(fine, 0, axis)
            spacing[axis] /= 2
            origin[axis] += spacing[axis]
        lattice = Grid(
            space=self.source,
            shape_zyx=(values.shape[0], values.shape[1], values.shape[2]),
            voxel_size_zyx_nm=as_triple(spacing, "spacing"),
            origin_zyx_nm=as_triple(origin, "origin"),
        )
        return BSpline(values, lattice, self.source, self.target)

    def bending_energy(self) -> float:
        """Return the mean over the domain of the squared second derivatives, 1/nm².

        Sum over the three components of ``u_zz² + u_yy² + u_xx² + 2 (u_zy² + u_zx² + u_yx²)``,
        integrated exactly and divided by the volume of the domain; zero for affine maps.
        """
        gram = [
            [_gram(n, h, order) for order in range(3)]
            for n, h in zip(self.lattice.shape_zyx, self.lattice.voxel_size_zyx_nm, strict=True)
        ]
        c = self.coefficients_zyx_nm
        total = 0.0
        for orders, factor in _SECOND_ORDERS:
            product = c
            for axis, order in enumerate(orders):
                product = np.moveaxis(
                    np.tensordot(gram[axis][order], product, axes=(1, axis)), 0, axis
                )
            total += factor * float(np.sum(c * product))
        return total


_SECOND_ORDERS: tuple[tuple[tuple[int, int, int], float], ...] = (
    ((2, 0, 0), 1.0),
    ((0, 2, 0), 1.0),
    ((0, 0, 2), 1.0),
    ((1, 1, 0), 2.0),
    ((1, 0, 1), 2.0),
    ((0, 1, 1), 2.0),
)

# powers 1, t, t², t³ (rows) of the four basis pieces of a cell (columns), times 6
_PIECES = np.array(
    [[1.0, 4.0, 1.0, 0.0], [-3.0, 0.0, 3.0, 0.0], [3.0, -6.0, 3.0, 0.0], [-1.0, 3.0, -3.0, 1.0]]
)


def _gram(n: int, spacing_nm: float, order: int) -> FloatArray:
    """Mean over the domain of products of basis derivatives along one axis, ``(n, n)``."""
    powers = _PIECES / 6.0
    for _ in range(order):
        powers = powers[1:] * np.arange(1, len(powers))[:, None] / spacing_nm
    degree = np.arange(len(powers))
    cell = powers.T @ (1.0 / (degree[:, None] + degree[None, :] + 1.0)) @ powers
    gram = np.zeros((n, n))
    for i in range(n - 3):
        gram[i : i + 4, i : i + 4] += cell
    return gram / (n - 3)
