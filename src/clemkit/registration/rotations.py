"""Sets of rotations for the pose search, z-y-x matrices."""

from __future__ import annotations

import numpy as np

from clemkit.geometry import FloatArray

__all__ = ["axis_rotation", "optical_axis_rotations", "uniform_rotations"]


def axis_rotation(axis_zyx: FloatArray, angle: float) -> FloatArray:
    """Return the rotation about an axis (z, y, x) by *angle* radians (Rodrigues)."""
    a = np.asarray(axis_zyx, dtype=float)
    a = a / np.linalg.norm(a)
    k = np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)


def optical_axis_rotations(
    step: float, tilt_step: float, max_tilt: float, max_rotation: float = np.pi
) -> list[FloatArray]:
    """Return rotations about z combined with tilts about in-plane axes.

    Parameters
    ----------
    step : float
        Step about the optical axis, radians.
    tilt_step : float
        Distance between tilts, radians.
    max_tilt : float
        Largest tilt, radians; 0 leaves only rotations about z.
    max_rotation : float
        Range about z, ± radians.
    """
    turns = max(round(2 * max_rotation / step), 1)
    angles = -max_rotation + (np.arange(turns) + 0.5) * 2 * max_rotation / turns
    tilts = [np.eye(3)]
    rings = int(np.floor(max_tilt / tilt_step + 1e-9))
    for ring in range(1, rings + 1):
        for k in range(6 * ring):
            direction = 2 * np.pi * (k + 0.5 * (ring % 2)) / (6 * ring)
            axis = np.array([0.0, np.sin(direction), np.cos(direction)])
            tilts.append(axis_rotation(axis, ring * tilt_step))
    z = np.array([1.0, 0.0, 0.0])
    return [tilt @ axis_rotation(z, float(angle)) for tilt in tilts for angle in angles]


def uniform_rotations(count: int) -> list[FloatArray]:
    """Return *count* evenly spread rotations of the whole rotation group.

    References
    ----------
    .. [1] Alexa (2022), Super-Fibonacci Spirals: Fast, Low-Discrepancy Sampling of SO(3), CVPR.
    """
    phi, psi = np.sqrt(2.0), 1.533751168755204288118041
    s = np.arange(count) + 0.5
    r, big = np.sqrt(s / count), np.sqrt(1 - s / count)
    alpha, beta = 2 * np.pi * s / phi, 2 * np.pi * s / psi
    quaternion = np.stack(
        [r * np.sin(alpha), r * np.cos(alpha), big * np.sin(beta), big * np.cos(beta)], axis=1
    )
    out = []
    for w, a, b, c in quaternion:
        out.append(
            np.array(
                [
                    [1 - 2 * (b * b + c * c), 2 * (a * b - c * w), 2 * (a * c + b * w)],
                    [2 * (a * b + c * w), 1 - 2 * (a * a + c * c), 2 * (b * c - a * w)],
                    [2 * (a * c - b * w), 2 * (b * c + a * w), 1 - 2 * (a * a + b * b)],
                ]
            )
        )
    return out
