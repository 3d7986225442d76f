"""Cubic B-spline free-form deformation on a work grid, with separable linear algebra.

The lattice is aligned with the work grid, so that fields, gradients and Gauss-Newton matrices are
products of small one-dimensional matrices instead of loops over 64 control points per voxel.

References
----------
.. [1] Rueckert et al. (1999), Nonrigid registration using free-form deformations, IEEE TMI 18(8).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from clemkit.geometry import FloatArray, Grid, Space
from clemkit.transforms import BSpline

__all__ = ["FfdLattice", "covariance_at"]


def _cubic_weights(t: FloatArray) -> FloatArray:
    """Return the four cubic B-spline weights at fractions *t* in [0, 1), ``(N, 4)``."""
    s = 1.0 - t
    return np.stack(
        [
            s**3 / 6,
            (3 * t**3 - 6 * t**2 + 4) / 6,
            (3 * s**3 - 6 * s**2 + 4) / 6,
            t**3 / 6,
        ],
        axis=1,
    )


def _derivative_weights(t: FloatArray, order: int) -> FloatArray:
    s = 1.0 - t
    if order == 0:
        return _cubic_weights(t)
    if order == 1:
        return np.stack(
            [-(s**2) / 2, (3 * t**2 - 4 * t) / 2, (-3 * s**2 + 4 * s) / 2, t**2 / 2], axis=1
        )
    return np.stack([s, 3 * t - 2, 3 * s - 2, t], axis=1)


def _basis_matrix(position: FloatArray, count: int) -> FloatArray:
    """Return ``(len(position), count)`` basis values; *position* in control-index units."""
    first = np.clip(np.floor(position).astype(int) - 1, 0, count - 4)
    weights = _cubic_weights(position - first - 1)
    matrix = np.zeros((len(position), count))
    for k in range(4):
        matrix[np.arange(len(position)), first + k] = weights[:, k]
    return matrix


def _gram_1d(count: int, order: int) -> FloatArray:
    """Return integrals of products of *order*-th derivatives over the domain [1, count-2]."""
    nodes, node_weights = np.polynomial.legendre.leggauss(4)
    t = (nodes + 1) / 2
    values = _derivative_weights(t, order)
    local = (values * (node_weights / 2)[:, None]).T @ values
    gram = np.zeros((count, count))
    for start in range(count - 3):
        gram[start : start + 4, start : start + 4] += local
    return gram


@numba.njit(cache=True, nogil=True)
def _quadratic_forms(matrix, shape, first, weights):  # type: ignore[no-untyped-def]
    """Return ``rows @ matrix @ rows`` for each row of basis values, over its 64 control points.

    Parameters
    ----------
    matrix : (n, n) array
        Over all control points.
    shape : tuple of int
        Control points per axis.
    first, weights
        Of :meth:`FfdLattice.local_rows`.

    Returns
    -------
    (N,) array
    """
    out = np.empty(len(first))
    index = np.empty(64, np.int64)
    value = np.empty(64)
    for p in range(len(first)):
        m = 0
        for k in range(4):
            for j in range(4):
                row = ((first[p, 0] + k) * shape[1] + first[p, 1] + j) * shape[2] + first[p, 2]
                for i in range(4):
                    index[m] = row + i
                    value[m] = weights[p, 0, k] * weights[p, 1, j] * weights[p, 2, i]
                    m += 1
        total = 0.0
        for a in range(64):
            part = 0.0
            for b in range(64):
                part += matrix[index[a], index[b]] * value[b]
            total += value[a] * part
        out[p] = total
    return out


@dataclass(frozen=True, eq=False)
class FfdLattice:
    """A cubic B-spline lattice that covers a work grid.

    Attributes
    ----------
    grid : Grid
        Work grid in the fixed space.
    spacing_zyx_nm : tuple of float
        Distance between control points.
    margin_zyx_nm : tuple of float
        How far the domain reaches beyond the outer voxel centres.
    """

    grid: Grid
    spacing_zyx_nm: tuple[float, float, float]
    margin_zyx_nm: tuple[float, float, float]

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Number of control points per axis; an axis with one voxel has four."""
        counts = []
        for axis in range(3):
            n, v = self.grid.shape_zyx[axis], self.grid.voxel_size_zyx_nm[axis]
            length = (n - 1) * v + 2 * self.margin_zyx_nm[axis]
            counts.append(max(int(np.ceil(length / self.spacing_zyx_nm[axis] - 1e-9)), 1) + 3)
        return counts[0], counts[1], counts[2]

    @cached_property
    def lattice(self) -> Grid:
        """The control points as a grid; the domain is centred on the work grid."""
        spacing = np.array(self.spacing_zyx_nm)
        span = (np.array(self.shape) - 3) * spacing
        origin = self.grid.centre_zyx_nm - span / 2 - spacing
        return Grid(
            space=self.grid.space,
            shape_zyx=self.shape,
            voxel_size_zyx_nm=self.spacing_zyx_nm,
            origin_zyx_nm=(float(origin[0]), float(origin[1]), float(origin[2])),
        )

    @cached_property
    def basis(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Basis values per axis, ``(voxels, control points)``."""
        matrices = []
        for axis in range(3):
            index = np.arange(self.grid.shape_zyx[axis])
            physical = self.grid.origin_zyx_nm[axis] + index * self.grid.voxel_size_zyx_nm[axis]
            position = np.asarray(
                (physical - self.lattice.origin_zyx_nm[axis]) / self.spacing_zyx_nm[axis]
            )
            matrices.append(_basis_matrix(position, self.shape[axis]))
        return matrices[0], matrices[1], matrices[2]

    @property
    def size(self) -> int:
        """Number of scalar unknowns."""
        return 3 * int(np.prod(self.shape))

    def field(self, coefficients: FloatArray) -> NDArray[np.float32]:
        """Return the displacement on the work grid, ``(3, Z, Y, X)`` nm.

        Parameters
        ----------
        coefficients : (3, nz, ny, nx) float array
            Control displacements, nm.
        """
        bz, by, bx = (b.astype(np.float32) for b in self.basis)
        c = coefficients.astype(np.float32)
        out = np.tensordot(c, bx, axes=(3, 1))  # 3, nz, ny, X
        out = np.tensordot(out, by, axes=(2, 1))  # 3, nz, X, Y
        out = np.tensordot(out, bz, axes=(1, 1))  # 3, X, Y, Z
        return np.ascontiguousarray(out.transpose(0, 3, 2, 1))

    def project(self, field: NDArray[np.float32]) -> FloatArray:
        """Return the adjoint of :meth:`field`: ``(3, nz, ny, nx)``."""
        bz, by, bx = (b.astype(np.float32) for b in self.basis)
        out = np.tensordot(field, bx, axes=(3, 0))  # 3, Z, Y, nx
        out = np.tensordot(out, by, axes=(2, 0))  # 3, Z, nx, ny
        out = np.tensordot(out, bz, axes=(1, 0))  # 3, nx, ny, nz
        return np.ascontiguousarray(out.transpose(0, 3, 2, 1)).astype(np.float64)

    def rows(self, points_zyx_nm: FloatArray) -> FloatArray:
        """Return the basis values at points, ``(N, control points)``; clamped to the domain."""
        factors = []
        for axis in range(3):
            position = (
                points_zyx_nm[:, axis] - self.lattice.origin_zyx_nm[axis]
            ) / self.spacing_zyx_nm[axis]
            count = self.shape[axis]
            factors.append(_basis_matrix(np.clip(position, 1, count - 2), count))
        z, y, x = factors
        product = z[:, :, None, None] * y[:, None, :, None] * x[:, None, None, :]
        return product.reshape(len(points_zyx_nm), -1)

    def local_rows(self, points_zyx_nm: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
        """Return what :meth:`rows` holds without its zeros.

        Parameters
        ----------
        points_zyx_nm : (N, 3) array
            Clamped to the domain.

        Returns
        -------
        first : (N, 3) int array
            First control point per axis.
        weights : (N, 3, 4) array
            Basis values of it and the next three.
        """
        first = np.empty(points_zyx_nm.shape, np.int64)
        weights = np.empty((*points_zyx_nm.shape, 4))
        for axis in range(3):
            count = self.shape[axis]
            position = (
                points_zyx_nm[:, axis] - self.lattice.origin_zyx_nm[axis]
            ) / self.spacing_zyx_nm[axis]
            position = np.clip(position, 1, count - 2)
            first[:, axis] = np.clip(np.floor(position).astype(int) - 1, 0, count - 4)
            weights[:, axis] = _cubic_weights(position - first[:, axis] - 1)
        return first, weights

    @cached_property
    def _pairs(
        self,
    ) -> tuple[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]], ...]:
        """Per axis: products of basis pairs ``(voxels, pairs)`` and both control indices."""
        out = []
        for b in self.basis:
            n = b.shape[1]
            i, j = np.nonzero(np.abs(np.arange(n)[:, None] - np.arange(n)[None]) <= 3)
            products = (b[:, i] * b[:, j]).astype(np.float32)
            out.append((products, i.astype(np.int64), j.astype(np.int64)))
        return tuple(out)

    @cached_property
    def _pair_index(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        _, ny, nx = self.shape
        (_, iz, jz), (_, iy, jy), (_, ix, jx) = self._pairs
        row = (iz[:, None, None] * ny + iy[None, :, None]) * nx + ix[None, None, :]
        col = (jz[:, None, None] * ny + jy[None, :, None]) * nx + jx[None, None, :]
        return row.ravel(), col.ravel()

    def gram(self, weight: NDArray[np.float32]) -> sp.csr_array:
        """Return sum over voxels of ``weight * basis_i * basis_j`` for one component pair.

        Parameters
        ----------
        weight : (Z, Y, X) float32 array

        Returns
        -------
        sparse array, ``(control points, control points)``
        """
        (pz, _, _), (py, _, _), (px, _, _) = self._pairs
        out = np.tensordot(weight, px, axes=(2, 0))  # Z, Y, qx
        out = np.tensordot(out, py, axes=(1, 0))  # Z, qx, qy
        out = np.tensordot(out, pz, axes=(0, 0))  # qx, qy, qz
        values = np.ascontiguousarray(out.transpose(2, 1, 0)).ravel().astype(np.float64)
        row, col = self._pair_index
        n = int(np.prod(self.shape))
        return sp.csr_array(sp.coo_array((values, (row, col)), shape=(n, n)))

    def normal_matrix(
        self, gradient: NDArray[np.float32], weight: NDArray[np.float32]
    ) -> sp.csr_array:
        """Return the Gauss-Newton matrix for residuals with *gradient* ``(3, Z, Y, X)``."""
        blocks: list[list[sp.csr_array]] = [[None] * 3 for _ in range(3)]
        for a in range(3):
            for b in range(a, 3):
                blocks[a][b] = self.gram(weight * gradient[a] * gradient[b])
                blocks[b][a] = blocks[a][b]
        return sp.csr_array(sp.block_array(blocks, format="csr"))

    @cached_property
    def bending(self) -> sp.csr_array:
        """Bending-energy matrix per cubic micrometre of domain [1]_, all three components.

        With it ``c @ bending @ c`` is the integral of the squared second derivatives of the
        displacement (in nm per µm²) over the domain (in µm³).
        """
        h = np.array(self.spacing_zyx_nm) / 1000.0
        grams = [
            [_gram_1d(n, order) / h[axis] ** (2 * order - 1) for order in range(3)]
            for axis, n in enumerate(self.shape)
        ]
        total = None
        for orders, factor in (
            ((2, 0, 0), 1.0),
            ((0, 2, 0), 1.0),
            ((0, 0, 2), 1.0),
            ((1, 1, 0), 2.0),
            ((1, 0, 1), 2.0),
            ((0, 1, 1), 2.0),
        ):
            term = (
                sp.kron(sp.kron(grams[0][orders[0]], grams[1][orders[1]]), grams[2][orders[2]])
                * factor
            )
            total = term if total is None else total + term
        return sp.csr_array(sp.block_diag([total] * 3, format="csr"))

    def resample_from(self, other: FfdLattice, coefficients: FloatArray) -> FloatArray:
        """Return coefficients on this lattice that best reproduce *other*'s field.

        Least squares on the voxel centres and beyond the edges of the work grid, separable.
        """
        out = coefficients
        for axis in range(3):
            lo, hi = self.lattice.origin_zyx_nm[axis], self.spacing_zyx_nm[axis]
            n = self.shape[axis]
            t = np.linspace(1, n - 2, 8 * n)
            mine = _basis_matrix(t, n)
            physical = lo + t * hi
            position = (physical - other.lattice.origin_zyx_nm[axis]) / other.spacing_zyx_nm[axis]
            theirs = _basis_matrix(np.clip(position, 1, other.shape[axis] - 2), other.shape[axis])
            solve = np.linalg.lstsq(mine, theirs, rcond=1e-9)[0]
            out = np.moveaxis(np.tensordot(solve, out, axes=(1, axis + 1)), 0, axis + 1)
        return out

    def fit_axes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return positions along each axis, nm, at which :meth:`fit_field` wants a field."""
        z, y, x = (
            self.lattice.origin_zyx_nm[a]
            + self.spacing_zyx_nm[a] * np.linspace(1, self.shape[a] - 2, 4 * self.shape[a])
            for a in range(3)
        )
        return z, y, x

    def fit_field(self, values: FloatArray) -> FloatArray:
        """Return the coefficients that best reproduce a field, separable least squares.

        Parameters
        ----------
        values : (3, Z, Y, X) array
            Displacement, nm, on the positions of :meth:`fit_axes`.
        """
        out = values
        for axis, positions in enumerate(self.fit_axes()):
            index = (positions - self.lattice.origin_zyx_nm[axis]) / self.spacing_zyx_nm[axis]
            solve = np.linalg.pinv(_basis_matrix(index, self.shape[axis]))
            out = np.moveaxis(np.tensordot(solve, out, axes=(1, axis + 1)), 0, axis + 1)
        return out

    def to_transform(self, coefficients: FloatArray, target: Space) -> BSpline:
        """Return the deformation as a point transform in the fixed space."""
        return BSpline(
            np.ascontiguousarray(np.moveaxis(coefficients, 0, -1)),
            lattice=self.lattice,
            source=self.grid.space,
            target=target,
        )


def covariance_at(lattice: FfdLattice, inverse: FloatArray, points: FloatArray) -> FloatArray:
    """Return the covariance ``(N, 3, 3)`` of the displacement at points.

    Parameters
    ----------
    lattice : FfdLattice
    inverse : (n, n) array
        Covariance of all control displacements, nm².
    points : (N, 3) array
        nm.
    """
    first, weights = lattice.local_rows(points)
    n = int(np.prod(lattice.shape))
    out = np.zeros((len(points), 3, 3))
    moving_axes = [a for a in range(3) if lattice.grid.shape_zyx[a] > 1]
    for a in moving_axes:
        for b in [axis for axis in moving_axes if axis >= a]:
            block = np.ascontiguousarray(inverse[a * n : (a + 1) * n, b * n : (b + 1) * n])
            out[:, a, b] = out[:, b, a] = _quadratic_forms(block, lattice.shape, first, weights)
    return out
