"""Compiled loops over points: cubic B-splines, trilinear vector fields, radial sums.

Lattice kernels take positions as fractional array indices, clamp them to the valid range per axis
(the derivative along a clamped axis is zero) and return NaN for NaN. All kernels run on one thread,
need no memory beside the result and release the interpreter lock. Each point is computed alone and
in a fixed order, so that any split of the points over workers gives the same bytes.
"""

from __future__ import annotations

import math

import numpy as np

from clemkit.errors import MissingExtraError
from clemkit.geometry import FloatArray

try:
    from numba import njit
except ImportError as error:
    raise MissingExtraError("numba", "reg") from error

__all__ = [
    "bspline_displacement",
    "bspline_jacobian",
    "radial_gradient",
    "radial_sum",
    "trilinear_displacement",
    "trilinear_jacobian",
]


@njit(cache=True, nogil=True, inline="always")
def _cubic(t: float, weights: FloatArray, slopes: FloatArray) -> None:
    s = 1.0 - t
    weights[0] = s * s * s / 6.0
    weights[1] = (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0
    weights[2] = (3.0 * s * s * s - 6.0 * s * s + 4.0) / 6.0
    weights[3] = t * t * t / 6.0
    slopes[0] = -0.5 * s * s
    slopes[1] = 1.5 * t * t - 2.0 * t
    slopes[2] = -1.5 * s * s + 2.0 * s
    slopes[3] = 0.5 * t * t


@njit(cache=True, nogil=True)
def bspline_displacement(coefficients: FloatArray, index: FloatArray) -> FloatArray:
    """Return the tensor-product cubic B-spline at control-lattice indices.

    Parameters
    ----------
    coefficients : (nz, ny, nx, 3) float array
        Control values, at least four per axis.
    index : (N, 3) float array
        Positions in control spacings; clamped to 1 .. n - 2.

    Returns
    -------
    (N, 3) array
    """
    n_points = index.shape[0]
    out = np.empty((n_points, 3))
    weights = np.empty((3, 4))
    slopes = np.empty(4)
    start = np.empty(3, np.int64)
    for p in range(n_points):
        if math.isnan(index[p, 0] + index[p, 1] + index[p, 2]):
            out[p, :] = np.nan
            continue
        for a in range(3):
            n = coefficients.shape[a]
            q = min(max(index[p, a], 1.0), n - 2.0)
            cell = min(int(q), n - 3)
            start[a] = cell - 1
            _cubic(q - cell, weights[a], slopes)
        u0 = 0.0
        u1 = 0.0
        u2 = 0.0
        for i in range(4):
            for j in range(4):
                wij = weights[0, i] * weights[1, j]
                for k in range(4):
                    w = wij * weights[2, k]
                    z = start[0] + i
                    y = start[1] + j
                    x = start[2] + k
                    u0 += w * coefficients[z, y, x, 0]
                    u1 += w * coefficients[z, y, x, 1]
                    u2 += w * coefficients[z, y, x, 2]
        out[p, 0] = u0
        out[p, 1] = u1
        out[p, 2] = u2
    return out


@njit(cache=True, nogil=True)
def bspline_jacobian(coefficients: FloatArray, index: FloatArray) -> FloatArray:
    """Return the derivatives of :func:`bspline_displacement` per index unit.

    Returns
    -------
    (N, 3, 3) array
        ``[n, c, a]`` is d(value_c)/d(index_a); zero along a clamped axis.
    """
    n_points = index.shape[0]
    out = np.zeros((n_points, 3, 3))
    weights = np.empty((3, 4))
    slopes = np.empty((3, 4))
    start = np.empty(3, np.int64)
    for p in range(n_points):
        if math.isnan(index[p, 0] + index[p, 1] + index[p, 2]):
            out[p, :, :] = np.nan
            continue
        for a in range(3):
            n = coefficients.shape[a]
            q = min(max(index[p, a], 1.0), n - 2.0)
            cell = min(int(q), n - 3)
            start[a] = cell - 1
            _cubic(q - cell, weights[a], slopes[a])
            if q != index[p, a]:
                slopes[a, :] = 0.0
        for i in range(4):
            for j in range(4):
                for k in range(4):
                    z = start[0] + i
                    y = start[1] + j
                    x = start[2] + k
                    d0 = slopes[0, i] * weights[1, j] * weights[2, k]
                    d1 = weights[0, i] * slopes[1, j] * weights[2, k]
                    d2 = weights[0, i] * weights[1, j] * slopes[2, k]
                    for c in range(3):
                        value = coefficients[z, y, x, c]
                        out[p, c, 0] += d0 * value
                        out[p, c, 1] += d1 * value
                        out[p, c, 2] += d2 * value
    return out


@njit(cache=True, nogil=True)
def trilinear_displacement(field: FloatArray, index: FloatArray) -> FloatArray:
    """Return a vector field interpolated linearly at voxel indices.

    Parameters
    ----------
    field : (Z, Y, X, 3) float array
        Vectors at voxel centres; an axis may have length one.
    index : (N, 3) float array
        Positions in voxels; clamped to 0 .. n - 1.

    Returns
    -------
    (N, 3) array
    """
    n_points = index.shape[0]
    out = np.empty((n_points, 3))
    lower = np.empty(3, np.int64)
    upper = np.empty(3, np.int64)
    t = np.empty(3)
    for p in range(n_points):
        if math.isnan(index[p, 0] + index[p, 1] + index[p, 2]):
            out[p, :] = np.nan
            continue
        for a in range(3):
            n = field.shape[a]
            q = min(max(index[p, a], 0.0), n - 1.0)
            lower[a] = max(min(int(q), n - 2), 0)
            upper[a] = min(lower[a] + 1, n - 1)
            t[a] = q - lower[a]
        for c in range(3):
            v = 0.0
            for i in range(2):
                z = upper[0] if i else lower[0]
                wz = t[0] if i else 1.0 - t[0]
                for j in range(2):
                    y = upper[1] if j else lower[1]
                    wy = t[1] if j else 1.0 - t[1]
                    v += wz * wy * (1.0 - t[2]) * field[z, y, lower[2], c]
                    v += wz * wy * t[2] * field[z, y, upper[2], c]
            out[p, c] = v
    return out


@njit(cache=True, nogil=True)
def trilinear_jacobian(field: FloatArray, index: FloatArray) -> FloatArray:
    """Return the derivatives of :func:`trilinear_displacement` per index unit.

    The derivative is that of the cell that holds the point; at a cell face, of the upper cell.

    Returns
    -------
    (N, 3, 3) array
        ``[n, c, a]`` is d(value_c)/d(index_a); zero along a clamped axis.
    """
    n_points = index.shape[0]
    out = np.zeros((n_points, 3, 3))
    corner = np.empty((3, 2), np.int64)
    weights = np.empty((3, 2))
    slopes = np.empty((3, 2))
    for p in range(n_points):
        if math.isnan(index[p, 0] + index[p, 1] + index[p, 2]):
            out[p, :, :] = np.nan
            continue
        for a in range(3):
            n = field.shape[a]
            q = min(max(index[p, a], 0.0), n - 1.0)
            corner[a, 0] = max(min(int(q), n - 2), 0)
            corner[a, 1] = min(corner[a, 0] + 1, n - 1)
            t = q - corner[a, 0]
            weights[a, 0] = 1.0 - t
            weights[a, 1] = t
            slope = 1.0 if q == index[p, a] and n > 1 else 0.0
            slopes[a, 0] = -slope
            slopes[a, 1] = slope
        for i in range(2):
            for j in range(2):
                for k in range(2):
                    d0 = slopes[0, i] * weights[1, j] * weights[2, k]
                    d1 = weights[0, i] * slopes[1, j] * weights[2, k]
                    d2 = weights[0, i] * weights[1, j] * slopes[2, k]
                    for c in range(3):
                        value = field[corner[0, i], corner[1, j], corner[2, k], c]
                        out[p, c, 0] += d0 * value
                        out[p, c, 1] += d1 * value
                        out[p, c, 2] += d2 * value
    return out


@njit(cache=True, nogil=True)
def radial_sum(
    points: FloatArray, centres: FloatArray, weights: FloatArray, scale: float, log_kernel: bool
) -> FloatArray:
    """Return ``sum_i weights_i U(|x - centre_i|)`` for each point.

    Parameters
    ----------
    points : (N, D) float array
        Positions.
    centres : (M, D) float array
        Kernel centres.
    weights : (M, C) float array
        Coefficients.
    scale : float
        Length inside the logarithm.
    log_kernel : bool
        ``U = r^2 log(r / scale)`` if true, otherwise ``U = r``.

    Returns
    -------
    (N, C) array
    """
    n_components = weights.shape[1]
    out = np.zeros((points.shape[0], n_components))
    for p in range(points.shape[0]):
        for m in range(centres.shape[0]):
            r2 = 0.0
            for a in range(points.shape[1]):
                d = points[p, a] - centres[m, a]
                r2 += d * d
            if r2 == 0.0:
                continue
            if log_kernel:
                u = 0.5 * r2 * math.log(r2 / (scale * scale))
            else:
                u = math.sqrt(r2)
            for c in range(n_components):
                out[p, c] += u * weights[m, c]
    return out


@njit(cache=True, nogil=True)
def radial_gradient(
    points: FloatArray, centres: FloatArray, weights: FloatArray, scale: float, log_kernel: bool
) -> FloatArray:
    """Return the gradient of :func:`radial_sum`; a centre adds nothing at its own position.

    Returns
    -------
    (N, C, D) array
        ``[n, c, a]`` is d(sum_c)/d(x_a).
    """
    n_components = weights.shape[1]
    n_axes = points.shape[1]
    out = np.zeros((points.shape[0], n_components, n_axes))
    for p in range(points.shape[0]):
        for m in range(centres.shape[0]):
            r2 = 0.0
            for a in range(n_axes):
                d = points[p, a] - centres[m, a]
                r2 += d * d
            if r2 == 0.0:
                continue
            if log_kernel:
                slope = math.log(r2 / (scale * scale)) + 1.0
            else:
                slope = 1.0 / math.sqrt(r2)
            for a in range(n_axes):
                d = slope * (points[p, a] - centres[m, a])
                for c in range(n_components):
                    out[p, c, a] += d * weights[m, c]
    return out
