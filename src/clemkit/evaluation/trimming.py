"""Where a target lies in a block, in the numbers that an ultramicrotome is set by.

The face of the block is seen from the knife: ``right`` is its reference direction (the lower edge
of the face, which lies along the knife edge), ``up`` stands on it in the face, ``out`` points at
the knife. In a right-handed frame (x right, y down, z into the depth, as microscopes have it),
``right x up = out``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import ArgumentError
from clemkit.evaluation.block_face import FittedPlane
from clemkit.geometry import FloatArray, as_points

__all__ = ["BlockFrame", "Figure", "KnifeSetting", "TrimmingTarget", "block_frame", "knife_setting",
           "trimming_target"]  # fmt: skip

_Z90 = 1.6448536269514722  # half of the 90 % interval, standard deviations
_MEDIAN_CHI3 = 1.5381722544550522  # median length of a normal error, standard deviations per axis
_P90_CHI3 = 2.5002777108083646


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its 90 % interval; unit as its name says."""

    value: float
    low: float
    high: float

    @classmethod
    def from_sigma(cls, value: float, sigma: float) -> Figure:
        """Return the interval of a normal error."""
        return cls(value, value - _Z90 * sigma, value + _Z90 * sigma)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockFrame:
    """The face as a frame, in X-ray space.

    Attributes
    ----------
    face : FittedPlane
        Normal out of the block.
    origin_zyx_nm : (3,) float array
        On the face: where lateral positions count from.
    right_zyx, up_zyx, out_zyx : (3,) float array
        Unit vectors.
    """

    face: FittedPlane
    origin_zyx_nm: FloatArray
    right_zyx: FloatArray
    up_zyx: FloatArray
    out_zyx: FloatArray

    def to_block(self, points_zyx_nm: ArrayLike) -> FloatArray:
        """Return ``(N, 3)``: right, up, and depth below the face, nm."""
        away = as_points(points_zyx_nm) - self.origin_zyx_nm
        axes = np.stack([self.right_zyx, self.up_zyx, -self.out_zyx])
        return away @ axes.T


@dataclass(frozen=True, slots=True, kw_only=True)
class KnifeSetting:
    """How to turn knife and block so that sections come parallel to a wanted plane.

    Both angles are zero when the knife stands along the face.

    Attributes
    ----------
    tilt_deg : Figure
        Of the block about the horizontal axis (``right``). Positive: the wanted plane lies deeper
        at the top; tip the upper edge of the face towards the knife.
    knife_deg : Figure
        Of the knife about the vertical axis, after the tilt. Positive: the wanted plane lies
        deeper on the right.
    total_deg : float
        Angle between the face and the wanted plane.
    """

    tilt_deg: Figure
    knife_deg: Figure
    total_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimmingTarget:
    """Where a target lies in the block; lengths in nm, intervals 90 %.

    Attributes
    ----------
    depth_nm : Figure
        Below the face, straight down; negative is outside the block.
    right_nm, up_nm : Figure
        From the origin of the face, seen from the knife.
    setting : KnifeSetting or None
        For a wanted plane through the target.
    approach_nm : Figure or None
        What the knife, set to the wanted plane, removes from its first touch of the face until it
        reaches the target.
    """

    depth_nm: Figure
    right_nm: Figure
    up_nm: Figure
    setting: KnifeSetting | None = None
    approach_nm: Figure | None = None


def block_frame(
    face: FittedPlane,
    *,
    edge_zyx_nm: ArrayLike | None = None,
    origin_zyx_nm: ArrayLike | None = None,
) -> BlockFrame:
    """Set up the frame of a face.

    Parameters
    ----------
    face : FittedPlane
        Normal out of the block.
    edge_zyx_nm : (2, 3) array-like, optional
        Left and right end of the reference edge, seen from the knife. Where absent, ``right`` is
        the x axis of the volume along the face (or y, where the face looks along x).
    origin_zyx_nm : (3,) array-like, optional
        Where lateral positions count from; the middle of the edge, or of the face, where absent.

    Raises
    ------
    ArgumentError
        The edge has no length along the face.
    """
    out = face.normal_zyx
    if edge_zyx_nm is None:
        wish = np.array([0.0, 0.0, 1.0]) if abs(out[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
        origin = face.point_zyx_nm
    else:
        edge = as_points(edge_zyx_nm, "edge_zyx_nm")
        if len(edge) != 2:
            raise ArgumentError(f"edge: expected two points; found {len(edge)}")
        wish, origin = edge[1] - edge[0], edge.mean(axis=0)
    if origin_zyx_nm is not None:
        origin = np.asarray(origin_zyx_nm, dtype=np.float64)
    right = wish - (wish @ out) * out
    size = float(np.linalg.norm(right))
    if size < 1e-6 * max(float(np.linalg.norm(wish)), 1e-12) or size == 0:
        raise ArgumentError("edge: expected two points apart along the face; found none")
    right = right / size
    origin = origin - ((origin - face.point_zyx_nm) @ out) * out
    # components z, y, x are a left-handed order, so the product is taken as x, y, z
    up = np.cross(out[::-1], right[::-1])[::-1]
    return BlockFrame(
        face=face,
        origin_zyx_nm=origin,
        right_zyx=right,
        up_zyx=np.ascontiguousarray(up),
        out_zyx=out,
    )


def knife_setting(frame: BlockFrame, wanted: FittedPlane) -> KnifeSetting:
    """Return the angles between the face and a wanted plane.

    The block tilts about the horizontal axis until the normal of the wanted plane is horizontal;
    then the knife turns about the vertical axis to face it.

    Parameters
    ----------
    frame : BlockFrame
    wanted : FittedPlane
        Either direction of its normal.

    Raises
    ------
    ArgumentError
        The wanted plane stands across the face.
    """
    normal = wanted.normal_zyx
    if normal @ frame.out_zyx < 0:
        normal = -normal
    axes = np.stack([frame.right_zyx, frame.up_zyx, frame.out_zyx])
    right, up, out = axes @ normal
    if out < 1e-3:
        raise ArgumentError(
            "wanted plane: expected one that can be cut from the face; found it across the face "
            f"({math.degrees(math.acos(min(abs(out), 1.0))):.1f} degrees)"
        )
    level = math.hypot(up, out)
    tilt, knife = math.atan2(up, out), math.atan2(right, level)
    both = wanted.slope_covariance + frame.face.slope_covariance
    slopes = (axes[0] / level, (out * axes[1] - up * axes[2]) / level**2)
    sigma_knife, sigma_tilt = (math.sqrt(max(float(a @ both @ a), 0.0)) for a in slopes)
    return KnifeSetting(
        tilt_deg=Figure.from_sigma(math.degrees(tilt), math.degrees(sigma_tilt)),
        knife_deg=Figure.from_sigma(math.degrees(knife), math.degrees(sigma_knife)),
        total_deg=math.degrees(math.acos(min(1.0, float(out)))),
    )


def trimming_target(
    frame: BlockFrame,
    target_zyx_nm: ArrayLike,
    *,
    median_error_nm: float,
    p90_error_nm: float | None = None,
    wanted: FittedPlane | None = None,
) -> TrimmingTarget:
    """Predict where a target lies in the block.

    Parameters
    ----------
    frame : BlockFrame
    target_zyx_nm : (3,) array-like
        In X-ray space.
    median_error_nm, p90_error_nm : float
        Expected length of the target's error, and its 90th percentile; the less favourable of the
        two gives the standard deviation along each axis (normal, the same in all directions).
    wanted : FittedPlane, optional
        Plane that the sections shall have; it is moved into the target.

    Raises
    ------
    ArgumentError
        An error is negative or not known.
    """
    target = as_points(np.asarray(target_zyx_nm, dtype=np.float64)[None], "target_zyx_nm")
    if not median_error_nm >= 0 or (p90_error_nm is not None and p90_error_nm < 0):
        raise ArgumentError(f"error: expected nm >= 0; found {median_error_nm}, {p90_error_nm}")
    sigma = median_error_nm / _MEDIAN_CHI3
    if p90_error_nm is not None and math.isfinite(p90_error_nm):
        sigma = max(sigma, p90_error_nm / _P90_CHI3)
    right, up, depth = frame.to_block(target)[0]
    plane = float(frame.face.sigma_at_nm(target)[0])
    setting = approach = None
    if wanted is not None:
        setting = knife_setting(frame, wanted)
        normal = wanted.normal_zyx * (1 if wanted.normal_zyx @ frame.out_zyx > 0 else -1)
        # the knife first touches the point of the face that stands out most
        standing = (frame.face.points_zyx_nm - target[0]) @ normal
        first = int(np.argmax(standing))
        there = float(frame.face.sigma_at_nm(frame.face.points_zyx_nm[first : first + 1])[0])
        approach = Figure.from_sigma(float(standing[first]), math.hypot(sigma, there))
    return TrimmingTarget(
        depth_nm=Figure.from_sigma(float(depth), math.hypot(sigma, plane)),
        right_nm=Figure.from_sigma(float(right), sigma),
        up_nm=Figure.from_sigma(float(up), sigma),
        setting=setting,
        approach_nm=approach,
    )
