"""Smooth displacement fields of several families, none of them a spline, each with its gradient.

All follow one contract, :class:`DisplacementModel`: ``evaluate(points)`` returns displacements
``(N, 3)`` and gradients ``(N, 3, 3)`` with ``[n, i, j] = d(u_i)/d(x_j)``, z-y-x, nanometres.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numba import njit

from clemkit.errors import FoldingError
from clemkit.geometry import FloatArray, IntArray
from clemkit.testing.spec import FieldFamily

__all__ = [
    "BendField",
    "DisplacementModel",
    "RbfField",
    "ShearField",
    "SwellingField",
    "TearField",
    "minimum_determinant",
    "random_fields",
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


def _total(
    models: list[DisplacementModel], points: FloatArray, gradient: bool
) -> tuple[FloatArray, FloatArray]:
    u, g = np.zeros((len(points), 3)), _gradient_array(points, gradient)
    for model in models:
        du, dg = model.evaluate(points, gradient)
        u += du
        g += dg
    return u, g


def minimum_determinant(models: list[DisplacementModel], points_zyx_nm: FloatArray) -> float:
    """Return the least Jacobian determinant of ``x + u(x)`` over points ``(N, 3)``."""
    gradient = _total(models, points_zyx_nm, True)[1]
    return float(np.linalg.det(np.eye(3) + gradient).min())


def _residual_rms(displacement: FloatArray, points: FloatArray) -> float:
    """RMS of a displacement after removal of its best affine part."""
    design = np.c_[(points - points.mean(0)) / points.std(), np.ones(len(points))]
    fitted = design @ np.linalg.lstsq(design, displacement, rcond=None)[0]
    return float(np.sqrt(((displacement - fitted) ** 2).sum(axis=1).mean()))


def _lattice(low: FloatArray, high: FloatArray, step: float, limit: int = 60) -> FloatArray:
    counts = [int(min(max((b - a) / step, 6), limit)) for a, b in zip(low, high, strict=True)]
    axes = [np.linspace(a, b, n) for a, b, n in zip(low, high, counts, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def _unit(rng: np.random.Generator) -> FloatArray:
    v = rng.normal(size=3)
    return v / np.linalg.norm(v)


def _rbf(
    rng: np.random.Generator, low: FloatArray, high: FloatArray, scale: float, calm: FloatArray
) -> RbfField:
    span = high - low
    n = int(np.clip(np.prod(span / scale + 1), 12, 4000))
    centres = low + rng.random((n, 3)) * span
    sigmas = scale * rng.uniform(0.55, 1.15, n)
    amplitudes = rng.normal(size=(n, 3)) * rng.uniform(0.4, 1.4, (n, 1))
    # neighbours outside the EM block need not be deformed as much as the block
    away = np.linalg.norm(np.maximum(np.maximum(calm[0] - centres, centres - calm[1]), 0), axis=1)
    amplitudes *= (0.45 + 0.55 * np.exp(-0.5 * (away / (1.5 * scale)) ** 2))[:, None]
    return RbfField.build(centres, sigmas, amplitudes)


def _swelling(rng: np.random.Generator, block: FloatArray, scale: float) -> SwellingField:
    span = block[1] - block[0]
    n = int(np.clip(np.prod(span / (1.6 * scale) + 0.6), 3, 60))
    centres = block[0] - 0.1 * span + rng.random((n, 3)) * 1.2 * span
    sigmas = scale * rng.uniform(0.5, 1.0, (n, 1)) * rng.uniform(0.8, 1.25, (n, 3))
    rates = rng.uniform(0.4, 1.0, (n, 1)) * rng.choice([-1.0, 1.0], (n, 1))
    return SwellingField(centres, sigmas, rates * rng.uniform(0.6, 1.2, (n, 3)))


def _shear(rng: np.random.Generator, block: FloatArray, scale: float) -> ShearField:
    span = float(block[1, 0] - block[0, 0])
    n = int(np.clip(round(3 * span / scale), 3, 12))
    heights = block[0, 0] + (np.arange(n) + rng.uniform(0.1, 0.9, n)) * span / n
    slides = rng.normal(size=(n, 2))
    slides -= 0.7 * slides.mean(axis=0)  # a common drift would only be an affine shear
    return ShearField(heights, rng.uniform(0.15, 0.4, n) * scale, slides)


def _tear(rng: np.random.Generator, block: FloatArray, scale: float) -> TearField:
    centre = block.mean(0) + rng.uniform(-0.2, 0.2, 3) * (block[1] - block[0])
    angle, lean = rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.5)
    normal = np.array([np.sin(lean), np.cos(lean) * np.cos(angle), np.cos(lean) * np.sin(angle)])
    along = np.cross(normal, _unit(rng))
    along /= np.linalg.norm(along)
    # mostly opening in the EM (the map closes it), with some slip
    jump = -normal * rng.uniform(0.5, 0.8) + along * rng.uniform(0.6, 1.1)
    return TearField(
        centre_zyx_nm=centre,
        normal=normal,
        wave=along * 2 * np.pi / (scale * rng.uniform(1.5, 2.5)),
        jump_zyx_nm=jump,
        width_nm=0.2 * scale,
        length_nm=float(0.6 * np.linalg.norm((block[1] - block[0])[1:])),
        ripple_nm=0.06 * scale,
    )


def _widened(tear: TearField) -> TearField:
    """Spread the jump so far that closing it compresses the tissue by at most 45 %."""
    closing = abs(float(tear.jump_zyx_nm @ tear.normal))
    return replace(tear, width_nm=max(tear.width_nm, closing / (2 * 0.45)))


_SHARES: dict[str, dict[str, float]] = {
    "rbf": {"rbf": 1.0},
    "swelling": {"swelling": 0.95, "rbf": 0.3},
    "shear": {"shear": 0.95, "rbf": 0.3},
    "tear": {"tear": 0.9, "rbf": 0.45},
    "mixed": {"rbf": 0.75, "swelling": 0.2, "shear": 0.5, "tear": 0.35},
}


def random_fields(
    rng: np.random.Generator,
    family: FieldFamily,
    *,
    block_zyx_nm: FloatArray,
    domain_zyx_nm: FloatArray,
    scale_nm: float,
    rms_nm: float,
    extra: tuple[DisplacementModel, ...] = (),
    minimum_jacobian: float = 0.32,
) -> tuple[tuple[DisplacementModel, ...], float, float]:
    """Draw a deformation with a stated strength that does not fold.

    Parameters
    ----------
    rng : numpy.random.Generator
    family : {"rbf", "swelling", "shear", "tear", "mixed"}
    block_zyx_nm, domain_zyx_nm : (2, 3) float array
        Lower and upper corner of the EM block and of all that will be mapped.
    scale_nm, rms_nm : float
        Length over which the field varies; RMS in the block without its affine part.
    extra : tuple of DisplacementModel
        Fields added as they are.
    minimum_jacobian : float
        Least allowed determinant of ``I + grad u`` in the domain; the field is weakened until so.

    Returns
    -------
    fields : tuple of DisplacementModel
    rms_nm : float
        The RMS reached (below the wish when the field had to be weakened).
    minimum_determinant : float

    Raises
    ------
    FoldingError
        Not even a tenth of the wished strength is free of folds.
    """
    low, high = domain_zyx_nm
    inside = _lattice(block_zyx_nm[0], block_zyx_nm[1], scale_nm / 8)
    check = np.concatenate([inside, _lattice(low, high, scale_nm / 5)])
    models: list[DisplacementModel] = []
    for name, share in _SHARES[family].items():
        model: DisplacementModel
        if name == "rbf":
            model = _rbf(rng, low, high, scale_nm, block_zyx_nm)
        elif name == "swelling":
            model = _swelling(rng, block_zyx_nm, scale_nm)
        elif name == "shear":
            model = _shear(rng, block_zyx_nm, scale_nm)
        else:
            model = _tear(rng, block_zyx_nm, scale_nm)
        rms = _residual_rms(model.evaluate(inside, False)[0], inside)
        model = model.scaled(share * rms_nm / max(rms, 1e-9))
        models.append(_widened(model) if isinstance(model, TearField) else model)
    gradient = _total(models, check, True)[1]
    fixed = np.eye(3) + _total(list(extra), check, True)[1]
    wish = rms_nm / max(_residual_rms(_total(models, inside, False)[0], inside), 1e-9)
    factor, least = wish, -np.inf
    while factor > 0.1 * wish:
        least = float(np.linalg.det(fixed + factor * gradient).min())
        if least > minimum_jacobian:
            break
        factor *= 0.95
    else:
        raise FoldingError(
            f"phantom field {family!r}: expected Jacobian determinants above {minimum_jacobian}; "
            f"found {least:.2f}; lower field_rms_nm or raise field_scale_nm"
        )
    chosen = (*(m.scaled(factor) for m in models), *extra)
    reached = _residual_rms(_total(list(chosen), inside, False)[0], inside)
    return chosen, reached, least
