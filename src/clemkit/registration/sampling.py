"""Compiled sampling of a moving image on a displaced work grid."""

from __future__ import annotations

import numba

__all__ = ["sample_displaced"]


@numba.njit(cache=True, nogil=True)
def sample_displaced(image, matrix, offset, displacement, out, inside):  # type: ignore[no-untyped-def]
    """Sample *image* by trilinear interpolation at ``matrix @ (index + displacement) + offset``.

    Parameters
    ----------
    image : (z, y, x) float32 array
        Moving image.
    matrix, offset : (3, 3) and (3,) float64 arrays
        Work-grid index (plus displacement in work voxels) to moving index.
    displacement : (3, Z, Y, X) float32 array
        Displacement in work voxels.
    out : (Z, Y, X) float32 array
        Filled with samples; 0 outside.
    inside : (Z, Y, X) bool array
        Filled: whether the sample lies inside the moving image.
    """
    nz, ny, nx = out.shape
    mz, my, mx = image.shape
    for k in range(nz):
        for j in range(ny):
            for i in range(nx):
                a = k + displacement[0, k, j, i]
                b = j + displacement[1, k, j, i]
                c = i + displacement[2, k, j, i]
                z = matrix[0, 0] * a + matrix[0, 1] * b + matrix[0, 2] * c + offset[0]
                y = matrix[1, 0] * a + matrix[1, 1] * b + matrix[1, 2] * c + offset[1]
                x = matrix[2, 0] * a + matrix[2, 1] * b + matrix[2, 2] * c + offset[2]
                if (
                    z < -0.5 or y < -0.5 or x < -0.5
                    or z > mz - 0.5 or y > my - 0.5 or x > mx - 0.5
                ):  # fmt: skip
                    out[k, j, i] = 0.0
                    inside[k, j, i] = False
                    continue
                z = min(max(z, 0.0), mz - 1.0)
                y = min(max(y, 0.0), my - 1.0)
                x = min(max(x, 0.0), mx - 1.0)
                z0, y0, x0 = int(z), int(y), int(x)
                z1, y1, x1 = min(z0 + 1, mz - 1), min(y0 + 1, my - 1), min(x0 + 1, mx - 1)
                fz, fy, fx = z - z0, y - y0, x - x0
                c00 = image[z0, y0, x0] * (1 - fx) + image[z0, y0, x1] * fx
                c01 = image[z0, y1, x0] * (1 - fx) + image[z0, y1, x1] * fx
                c10 = image[z1, y0, x0] * (1 - fx) + image[z1, y0, x1] * fx
                c11 = image[z1, y1, x0] * (1 - fx) + image[z1, y1, x1] * fx
                c0 = c00 * (1 - fy) + c01 * fy
                c1 = c10 * (1 - fy) + c11 * fy
                out[k, j, i] = c0 * (1 - fz) + c1 * fz
                inside[k, j, i] = True
