"""Smooth displacement fields of several families, none of them a spline, each with its gradient.

All follow one contract, :class:`DisplacementModel`: ``evaluate(points)`` returns displacements
``(N, 3)`` and gradients ``(N, 3, 3)`` with ``[n, i, j] = d(u_i)/d(x_j)``, z-y-x, nanometres.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numba import njit

from clemkit.geometry import FloatArray, IntArray

__all__ = [
    "BendField",
    "DisplacementModel",
    "RbfField",
    "ShearField",
    "SwellingField",
    "TearField",
]

_CUTOFF_SIGMAS = 4.2  # where a Gaussian has fallen to 1.5e-4; that rest is subtracted


class DisplacementModel(Protocol):
    """A displacement field that can be made weaker or stronger."""

    def evaluate(self, points_zyx_nm: FloatArray, gradient: bool) -> tuple[FloatArray, FloatArray]:
        """Return displacements ``(N, 3)`` and gradients ``(N, 3, 3)`` (empty when not asked)."""
        ...

    def scaled(self, factor: float) -> DisplacementModel:
        """Return the field with all displacements multiplied by *factor*."""
        ...


def _gradient_array(points: FloatArray, gradient: bool) -> FloatArray:
    return np.zeros((len(points) if gradient else 0, 3, 3))


@njit(cache=True)
def _rbf_sum(points, centres, sigmas, amplitudes, starts, members, low, bin_nm, bins, u, g):  # type: ignore[no-untyped-def]
    for n in range(points.shape[0]):
        cell = 0
        for axis in range(3):
            k = int((points[n, axis] - low[axis]) / bin_nm)
            cell = cell * bins[axis] + min(max(k, 0), bins[axis] - 1)
        for m in range(starts[cell], starts[cell + 1]):
            c = members[m]
            dz = points[n, 0] - centres[c, 0]
            dy = points[n, 1] - centres[c, 1]
            dx = points[n, 2] - centres[c, 2]
            inv = 1.0 / (sigmas[c] * sigmas[c])
            q = 0.5 * (dz * dz + dy * dy + dx * dx) * inv
            if q > 8.82:
                continue
            w = np.exp(-q)
            for i in range(3):
                a = amplitudes[c, i] * w
                u[n, i] += a - amplitudes[c, i] * 1.4776e-4  # exp(-8.82): no step at the rim
                if g.shape[0] > 0:
                    g[n, i, 0] -= a * dz * inv
                    g[n, i, 1] -= a * dy * inv
                    g[n, i, 2] -= a * dx * inv


@dataclass(frozen=True, slots=True, eq=False)
class RbfField:
    """A sum of Gaussian radial basis functions with scattered centres and mixed widths.

    Attributes
    ----------
    centres_zyx_nm : (K, 3) float array
    sigmas_nm : (K,) float array
    amplitudes_zyx_nm : (K, 3) float array
    starts, members : int arrays
        Which functions reach which search bin (compressed rows).
    low_zyx_nm, bin_nm, bins : lower corner, edge length and number of the search bins
    """

    centres_zyx_nm: FloatArray
    sigmas_nm: FloatArray
    amplitudes_zyx_nm: FloatArray
    starts: IntArray
    members: IntArray
    low_zyx_nm: FloatArray
    bin_nm: float
    bins: IntArray

    @classmethod
    def build(
        cls, centres_zyx_nm: FloatArray, sigmas_nm: FloatArray, amplitudes_zyx_nm: FloatArray
    ) -> RbfField:
        """Sort functions into search bins."""
        reach = _CUTOFF_SIGMAS * sigmas_nm
        # outside the bins, a point looks into the outermost bin: cover all reaches
        low = (centres_zyx_nm - reach[:, None]).min(axis=0)
        high = (centres_zyx_nm + reach[:, None]).max(axis=0)
        bin_nm = float(max(np.median(sigmas_nm) * 1.5, (high - low).max() / 40))
        bins = np.maximum(np.ceil((high - low) / bin_nm).astype(np.int64), 1)
        index = np.stack(np.meshgrid(*[np.arange(b) for b in bins], indexing="ij"), -1)
        lower = index.reshape(-1, 3) * bin_nm + low
        starts, members = [0], []
        for corner in lower:
            nearest = np.clip(centres_zyx_nm, corner, corner + bin_nm)
            hit = np.flatnonzero(((nearest - centres_zyx_nm) ** 2).sum(1) <= reach**2)
            members.append(hit)
            starts.append(starts[-1] + len(hit))
        return cls(
            centres_zyx_nm,
            sigmas_nm,
            amplitudes_zyx_nm,
            np.array(starts, dtype=np.int64),
            np.concatenate(members).astype(np.int64),
            low,
            bin_nm,
            bins,
        )

    def evaluate(self, points_zyx_nm: FloatArray, gradient: bool) -> tuple[FloatArray, FloatArray]:
        """Return displacements and gradients."""
        points = np.ascontiguousarray(points_zyx_nm)
        u, g = np.zeros((len(points), 3)), _gradient_array(points, gradient)
        _rbf_sum(
            points,
            self.centres_zyx_nm,
            self.sigmas_nm,
            self.amplitudes_zyx_nm,
            self.starts,
            self.members,
            self.low_zyx_nm,
            self.bin_nm,
            self.bins,
            u,
            g,
        )
        return u, g

    def scaled(self, factor: float) -> RbfField:
        """Return the field multiplied by *factor*."""
        return replace(self, amplitudes_zyx_nm=self.amplitudes_zyx_nm * factor)


@njit(cache=True)
def _swell_sum(points, centres, sigmas, rates, u, g):  # type: ignore[no-untyped-def]
    for n in range(points.shape[0]):
        for c in range(centres.shape[0]):
            d0 = points[n, 0] - centres[c, 0]
            d1 = points[n, 1] - centres[c, 1]
            d2 = points[n, 2] - centres[c, 2]
            s0, s1, s2 = sigmas[c, 0], sigmas[c, 1], sigmas[c, 2]
            q = 0.5 * ((d0 / s0) ** 2 + (d1 / s1) ** 2 + (d2 / s2) ** 2)
            if q > 12.5:
                continue
            w = np.exp(-q)
            for i in range(3):
                a = rates[c, i] * w
                d = d0 if i == 0 else (d1 if i == 1 else d2)
                u[n, i] += a * d
                if g.shape[0] > 0:
                    g[n, i, i] += a
                    g[n, i, 0] -= a * d * d0 / (s0 * s0)
                    g[n, i, 1] -= a * d * d1 / (s1 * s1)
                    g[n, i, 2] -= a * d * d2 / (s2 * s2)


@dataclass(frozen=True, slots=True, eq=False)
class SwellingField:
    """Blobs in which the tissue swells or shrinks about a centre.

    Attributes
    ----------
    centres_zyx_nm : (K, 3) float array
    sigmas_zyx_nm : (K, 3) float array
        Gaussian extent along each axis.
    rates_zyx : (K, 3) float array
        Linear expansion at the centre along each axis; negative shrinks.
    """

    centres_zyx_nm: FloatArray
    sigmas_zyx_nm: FloatArray
    rates_zyx: FloatArray

    def evaluate(self, points_zyx_nm: FloatArray, gradient: bool) -> tuple[FloatArray, FloatArray]:
        """Return displacements and gradients."""
        points = np.ascontiguousarray(points_zyx_nm)
        u, g = np.zeros((len(points), 3)), _gradient_array(points, gradient)
        _swell_sum(points, self.centres_zyx_nm, self.sigmas_zyx_nm, self.rates_zyx, u, g)
        return u, g

    def scaled(self, factor: float) -> SwellingField:
        """Return the field multiplied by *factor*."""
        return replace(self, rates_zyx=self.rates_zyx * factor)


@dataclass(frozen=True, slots=True, eq=False)
class ShearField:
    """Sections that slide over each other: the lateral shift is a smooth function of z.

    Attributes
    ----------
    steps_z_nm, widths_nm : (K,) float array
        Heights at which the stack slides, and over what thickness.
    slides_yx_nm : (K, 2) float array
        Slide at each height.
    """

    steps_z_nm: FloatArray
    widths_nm: FloatArray
    slides_yx_nm: FloatArray

    def evaluate(self, points_zyx_nm: FloatArray, gradient: bool) -> tuple[FloatArray, FloatArray]:
        """Return displacements and gradients."""
        points = np.asarray(points_zyx_nm)
        u, g = np.zeros((len(points), 3)), _gradient_array(points, gradient)
        for height, width, slide in zip(
            self.steps_z_nm, self.widths_nm, self.slides_yx_nm, strict=True
        ):
            t = np.tanh((points[:, 0] - height) / width)
            u[:, 1:] += 0.5 * t[:, None] * slide
            if gradient:
                g[:, 1:, 0] += (0.5 / width) * (1 - t * t)[:, None] * slide
        return u, g

    def scaled(self, factor: float) -> ShearField:
        """Return the field multiplied by *factor*."""
        return replace(self, slides_yx_nm=self.slides_yx_nm * factor)


@dataclass(frozen=True, slots=True, eq=False)
class TearField:
    """A crack: two sides of a wavy sheet move apart (or together) and along each other.

    The jump is spread over ``width_nm``, so the map stays continuous; it fades with the distance
    along the sheet, as a crack ends somewhere.

    Attributes
    ----------
    centre_zyx_nm, normal, wave : (3,) float array
        A point of the sheet, its unit normal, and the wave vector of its undulation (1/nm).
    jump_zyx_nm : (3,) float array
        Relative displacement of the two sides.
    width_nm, length_nm, ripple_nm : float
        Thickness of the transition, Gaussian extent along the sheet, height of the undulation.
    """

    centre_zyx_nm: FloatArray
    normal: FloatArray
    wave: FloatArray
    jump_zyx_nm: FloatArray
    width_nm: float
    length_nm: float
    ripple_nm: float

    def signed_distance_nm(self, points_zyx_nm: FloatArray) -> FloatArray:
        """Return the distance ``(N,)`` from the sheet along its normal."""
        d = np.asarray(points_zyx_nm) - self.centre_zyx_nm
        return d @ self.normal + self.ripple_nm * np.sin(d @ self.wave)

    def evaluate(self, points_zyx_nm: FloatArray, gradient: bool) -> tuple[FloatArray, FloatArray]:
        """Return displacements and gradients."""
        d = np.asarray(points_zyx_nm) - self.centre_zyx_nm
        t = np.tanh(self.signed_distance_nm(points_zyx_nm) / self.width_nm)
        fade = np.exp(-0.5 * (d * d).sum(axis=1) / self.length_nm**2)
        u = (0.5 * t * fade)[:, None] * self.jump_zyx_nm
        if not gradient:
            return u, _gradient_array(d, False)
        slope = self.normal + (self.ripple_nm * np.cos(d @ self.wave))[:, None] * self.wave
        ds = ((1 - t * t) * fade / self.width_nm)[:, None] * slope
        ds -= (t * fade / self.length_nm**2)[:, None] * d
        return u, 0.5 * self.jump_zyx_nm[None, :, None] * ds[:, None, :]

    def scaled(self, factor: float) -> TearField:
        """Return the field multiplied by *factor*."""
        return replace(self, jump_zyx_nm=self.jump_zyx_nm * factor)


@dataclass(frozen=True, slots=True, eq=False)
class BendField:
    """A section bowed along one lateral direction: ``u_z = sag * (t / half)^2``, saturating.

    Attributes
    ----------
    centre_zyx_nm : (3,) float array
    direction_yx : (2,) float array
        Unit vector across the bow.
    sag_nm, half_nm : float
        Displacement reached at the distance ``half_nm`` from the centre (about).
    """

    centre_zyx_nm: FloatArray
    direction_yx: FloatArray
    sag_nm: float
    half_nm: float

    def evaluate(self, points_zyx_nm: FloatArray, gradient: bool) -> tuple[FloatArray, FloatArray]:
        """Return displacements and gradients."""
        d = np.asarray(points_zyx_nm) - self.centre_zyx_nm
        t = d[:, 1:] @ self.direction_yx / self.half_nm
        u, g = np.zeros((len(d), 3)), _gradient_array(d, gradient)
        u[:, 0] = 2 * self.sag_nm * (np.sqrt(1 + t * t) - 1)
        if gradient:
            rate = 2 * self.sag_nm * t / np.sqrt(1 + t * t) / self.half_nm
            g[:, 0, 1:] = rate[:, None] * self.direction_yx
        return u, g

    def scaled(self, factor: float) -> BendField:
        """Return the field multiplied by *factor*."""
        return replace(self, sag_nm=self.sag_nm * factor)
