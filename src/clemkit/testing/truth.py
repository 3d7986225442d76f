"""The exact map of a phantom: EM to LM (or CT), and its inverse by Newton's iteration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from clemkit.errors import NotConvergedError
from clemkit.geometry import FloatArray, Space, as_points
from clemkit.testing.fields import DisplacementModel

__all__ = ["TruthInverse", "TruthMap", "random_linear"]

_CHUNK = 500_000  # points; bounds the memory of gradients


@dataclass(frozen=True, slots=True, eq=False)
class TruthMap:
    """``T(x) = linear (x + u(x) - centre_source) + centre_target``.

    Attributes
    ----------
    source, target : Space
        EM and LM (or CT).
    linear_zyx : (3, 3) float array
        Rotation, anisotropic scale and mirror.
    centre_source_nm, centre_target_nm : (3,) float array
        Points that correspond where the deformation is zero.
    fields : tuple of DisplacementModel
        Their sum is u.
    """

    source: Space
    target: Space
    linear_zyx: FloatArray
    centre_source_nm: FloatArray
    centre_target_nm: FloatArray
    fields: tuple[DisplacementModel, ...] = ()

    def _evaluate(self, points: FloatArray, gradient: bool) -> tuple[FloatArray, FloatArray]:
        moved = points - self.centre_source_nm
        slope = np.broadcast_to(np.eye(3), (len(points) if gradient else 0, 3, 3)).copy()
        for field in self.fields:
            u, g = field.evaluate(points, gradient)
            moved += u
            slope += g
        return moved @ self.linear_zyx.T + self.centre_target_nm, self.linear_zyx @ slope

    def apply_points(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Map points ``(N, 3)``, nanometres, EM to LM."""
        points = as_points(points_zyx_nm)
        out = np.empty_like(points)
        for start in range(0, len(points), _CHUNK):
            part = slice(start, start + _CHUNK)
            out[part] = self._evaluate(points[part], False)[0]
        return out

    def jacobian(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Return the analytic Jacobian ``(N, 3, 3)`` at points ``(N, 3)``."""
        return self._evaluate(as_points(points_zyx_nm), True)[1]

    def inverse_affine_points(self, points_zyx_nm: ArrayLike) -> FloatArray:
        """Map points ``(N, 3)`` back through the linear part alone: a first guess."""
        back = np.linalg.inv(self.linear_zyx)
        return (as_points(points_zyx_nm) - self.centre_target_nm) @ back.T + self.centre_source_nm

    def inverse(self) -> TruthInverse:
        """Return the inverse; it iterates at each call and checks that it converged."""
        return TruthInverse(self)


@dataclass(frozen=True, slots=True, eq=False)
class TruthInverse:
    """The inverse of a :class:`TruthMap`, solved point by point.

    Attributes
    ----------
    forward : TruthMap
        The map to invert.
    tolerance_nm : float
        Largest allowed distance of the forward image from the wanted point.
    """

    forward: TruthMap
    tolerance_nm: float = 1e-3

    @property
    def source(self) -> Space:
        """Target of the forward map."""
        return self.forward.target

    @property
    def target(self) -> Space:
        """Source of the forward map."""
        return self.forward.source

    def apply_points(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Map points ``(N, 3)`` back, nanometres.

        Raises
        ------
        NotConvergedError
            A point was not reached within the tolerance.
        """
        wanted = as_points(points_zyx_nm)
        out = np.empty_like(wanted)
        for start in range(0, len(wanted), _CHUNK):
            part = slice(start, start + _CHUNK)
            out[part] = self._solve(wanted[part])
        return out

    def _solve(self, wanted: FloatArray) -> FloatArray:
        forward = self.forward
        x = forward.inverse_affine_points(wanted)
        step_scale = np.ones(len(x))
        error = np.full(len(x), np.inf)
        best = x.copy()
        active = np.arange(len(x))
        for _ in range(80):
            value, slope = forward._evaluate(x[active], True)
            miss = wanted[active] - value
            size = np.linalg.norm(miss, axis=1)
            better = size < error[active]
            # a Newton step that made things worse is halved from the best point so far
            good, bad = active[better], active[~better]
            best[good], error[good] = x[good], size[better]
            step_scale[good] = np.minimum(1.0, step_scale[good] * 2)
            step_scale[bad] *= 0.4
            x[bad] = best[bad] + (x[bad] - best[bad]) * 0.4
            step = np.linalg.solve(slope[better], miss[better][:, :, None])[:, :, 0]
            x[good] = best[good] + step_scale[good, None] * step
            active = active[error[active] > self.tolerance_nm]
            if len(active) == 0:
                return best
        raise NotConvergedError(
            f"inverse of the phantom map: expected every point within {self.tolerance_nm} nm; "
            f"found {len(active)} points up to {error.max():.3g} nm away; "
            "they probably lie far outside the phantom"
        )

    def jacobian(self, points_zyx_nm: ArrayLike, /) -> FloatArray:
        """Return the Jacobian ``(N, 3, 3)``: the inverse matrix at the point mapped back."""
        slopes = self.forward.jacobian(self.apply_points(points_zyx_nm))
        return np.asarray(np.linalg.inv(slopes), dtype=np.float64)

    def inverse(self) -> TruthMap:
        """Return the forward map."""
        return self.forward


def random_linear(
    rng: np.random.Generator,
    *,
    rotation_max_deg: float,
    tilt_max_deg: float,
    scale_zyx: FloatArray,
    z_flip: bool,
) -> tuple[FloatArray, float, float]:
    """Draw a linear map: scale first, then flip, rotation about z, and tilt.

    Returns
    -------
    linear_zyx : (3, 3) float array
    rotation_deg, tilt_deg : float
        What was drawn.
    """
    rotation = rng.uniform(-rotation_max_deg, rotation_max_deg)
    tilt = rng.uniform(0.0, tilt_max_deg)
    heading = rng.uniform(0.0, 2 * np.pi)
    c, s = np.cos(np.deg2rad(rotation)), np.sin(np.deg2rad(rotation))
    about_z = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    axis = np.array([0.0, np.cos(heading), np.sin(heading)])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    ct, st = np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))
    leaning = np.eye(3) + st * cross + (1 - ct) * cross @ cross
    flip = np.diag([-1.0 if z_flip else 1.0, 1.0, 1.0])
    return leaning @ about_z @ flip @ np.diag(scale_zyx), float(rotation), float(tilt)
