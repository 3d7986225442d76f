"""An affine map in the words of a microscopist: turn, tilt, scale, shear, shift, mirror."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError, NotInvertibleError
from clemkit.geometry import FloatArray, Triple, as_triple

__all__ = ["AffineSummary", "decompose_affine"]

MirrorAxis: TypeAlias = Literal["z", "y", "x"]
_AXES: tuple[MirrorAxis, MirrorAxis, MirrorAxis] = ("z", "y", "x")


@dataclass(frozen=True, slots=True, kw_only=True)
class AffineSummary:
    """Parts of an affine map, in the order in which they act on a source point.

    Shear, then scale along the source axes, then mirror, then turn about the optical axis (z),
    then tilt, then shift.

    Attributes
    ----------
    shears : tuple of float
        ``(zy, zx, yx)``: how much z moves per y, z per x, y per x.
    scales_zyx : tuple of float
        Positive factors along the source axes.
    mirrored_axis : {"z", "y", "x"} or None
        The axis that is reversed; the one that leaves the smallest rotation.
    rotation_z_deg : float
        Turn about the optical axis, from x towards y, in (-180, 180].
    tilt_deg : float
        Angle between the optical axes, 0 to 180; above 90 the specimen lies upside down.
    tilt_azimuth_deg : float
        Direction in the target's xy plane towards which the optical axis leans, from x to y.
    translation_zyx_nm : tuple of float
        Where the source origin lands.
    """

    shears: Triple
    scales_zyx: Triple
    mirrored_axis: MirrorAxis | None
    rotation_z_deg: float
    tilt_deg: float
    tilt_azimuth_deg: float
    translation_zyx_nm: Triple

    @property
    def reflection(self) -> bool:
        """Whether the map contains a mirror."""
        return self.mirrored_axis is not None

    def matrix(self) -> FloatArray:
        """Return the 4×4 matrix that the parts make up, z-y-x."""
        stretch = _shear_matrix(self.shears)
        stretch = np.diag(self.scales_zyx) @ stretch
        stretch = _mirror_matrix(self.mirrored_axis) @ stretch
        turn = _turn_about_z(np.deg2rad(self.rotation_z_deg))
        tilt = _tilt(np.deg2rad(self.tilt_deg), np.deg2rad(self.tilt_azimuth_deg))
        matrix = np.eye(4)
        matrix[:3, :3] = tilt @ turn @ stretch
        matrix[:3, 3] = self.translation_zyx_nm
        return matrix


def decompose_affine(matrix: ArrayLike) -> AffineSummary:
    """Split an affine matrix into parts a person can judge.

    The linear part is factored as rotation times upper triangular matrix (QR); the rotation is
    split into a turn about z followed by the shortest rotation that tilts the z axis
    (swing-twist).

    Parameters
    ----------
    matrix : (4, 4) array-like
        Homogeneous matrix, column vectors z, y, x, nanometres.

    Raises
    ------
    ArgumentError
        Not a finite 4×4 affine matrix.
    NotInvertibleError
        The linear part is singular.
    """
    m = np.asarray(matrix, dtype=np.float64)
    if m.shape != (4, 4) or not np.isfinite(m).all() or not np.allclose(m[3], [0, 0, 0, 1]):
        raise ArgumentError(
            f"decompose_affine: expected a finite 4×4 matrix with last row 0 0 0 1; found {m}"
        )
    linear = m[:3, :3]
    if np.linalg.cond(linear) > 1e12:
        raise NotInvertibleError("decompose_affine: expected an invertible matrix; found rank < 3")
    orthogonal, upper = np.linalg.qr(linear)
    signs = np.sign(np.diag(upper))
    orthogonal, upper = orthogonal * signs, upper * signs[:, None]
    axis, rotation = _take_mirror_out(orthogonal)
    scales = np.diag(upper)
    unit = upper / scales[:, None]
    angle, tilt, azimuth = _swing_twist(rotation)
    return AffineSummary(
        shears=(float(unit[0, 1]), float(unit[0, 2]), float(unit[1, 2])),
        scales_zyx=as_triple(scales, "scales"),
        mirrored_axis=axis,
        rotation_z_deg=float(np.rad2deg(angle)),
        tilt_deg=float(np.rad2deg(tilt)),
        tilt_azimuth_deg=float(np.rad2deg(azimuth)),
        translation_zyx_nm=as_triple(m[:3, 3], "translation"),
    )


def _take_mirror_out(orthogonal: FloatArray) -> tuple[MirrorAxis | None, FloatArray]:
    if np.linalg.det(orthogonal) > 0:
        return None, orthogonal
    # the trace of a rotation is 1 + 2 cos(angle): the largest trace is the smallest rotation
    traces = [float(np.trace(orthogonal @ _mirror_matrix(axis))) for axis in _AXES]
    best = max(range(3), key=lambda i: (round(traces[i], 9), -i))
    return _AXES[best], orthogonal @ _mirror_matrix(_AXES[best])


def _swing_twist(rotation: FloatArray) -> tuple[float, float, float]:
    """Return turn about z, tilt of z and azimuth of the tilt, radians."""
    z, y, x = rotation[:, 0]  # where the z axis goes
    sideways = float(np.hypot(x, y))
    tilt = float(np.arctan2(sideways, z))
    azimuth = float(np.arctan2(y, x)) if sideways > 1e-12 else 0.0
    twist = _tilt(tilt, azimuth).T @ rotation
    angle = float(np.arctan2(twist[1, 2], twist[2, 2]))  # where the x axis goes, in the yx plane
    return angle, tilt, azimuth


def _shear_matrix(shears: Triple) -> FloatArray:
    zy, zx, yx = shears
    return np.array([[1.0, zy, zx], [0.0, 1.0, yx], [0.0, 0.0, 1.0]])


def _mirror_matrix(axis: MirrorAxis | None) -> FloatArray:
    diagonal = np.ones(3)
    if axis is not None:
        diagonal[_AXES.index(axis)] = -1.0
    return np.diag(diagonal)


def _turn_about_z(angle: float) -> FloatArray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]])


def _tilt(angle: float, azimuth: float) -> FloatArray:
    """Rotate the z axis by *angle* towards *azimuth*, leaving the perpendicular direction."""
    towards = np.array([0.0, np.sin(azimuth), np.cos(azimuth)])
    axis = np.array([1.0, 0.0, 0.0])
    c, s = np.cos(angle), np.sin(angle)
    plane = np.outer(axis, axis) + np.outer(towards, towards)
    return np.eye(3) + (c - 1) * plane + s * (np.outer(towards, axis) - np.outer(axis, towards))
