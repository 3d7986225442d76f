"""Draw deformations of a stated strength that do not fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clemkit.errors import FoldingError
from clemkit.geometry import FloatArray
from clemkit.testing.fields import (
    DisplacementModel,
    RbfField,
    ShearField,
    SwellingField,
    TearField,
)
from clemkit.testing.spec import FieldFamily

__all__ = ["minimum_determinant", "random_fields"]


def _total(
    models: list[DisplacementModel], points: FloatArray, gradient: bool
) -> tuple[FloatArray, FloatArray]:
    u, g = np.zeros((len(points), 3)), np.zeros((len(points) if gradient else 0, 3, 3))
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
    sigmas = scale * rng.uniform(0.75, 1.5, n)
    amplitudes = rng.normal(size=(n, 3)) * rng.uniform(0.4, 1.4, (n, 1))
    # neighbours outside the EM block need not be deformed as much as the block
    away = np.linalg.norm(np.maximum(np.maximum(calm[0] - centres, centres - calm[1]), 0), axis=1)
    amplitudes *= (0.3 + 0.7 * np.exp(-0.5 * (away / (1.5 * scale)) ** 2))[:, None]
    return RbfField.build(centres, sigmas, amplitudes)


def _swelling(rng: np.random.Generator, block: FloatArray, scale: float) -> SwellingField:
    span = block[1] - block[0]
    n = int(np.clip(np.prod(span / (1.6 * scale) + 0.6), 3, 60))
    centres = block[0] - 0.1 * span + rng.random((n, 3)) * 1.2 * span
    sigmas = scale * rng.uniform(0.75, 1.3, (n, 1)) * rng.uniform(0.8, 1.25, (n, 3))
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
    """Spread the jump so far that closing it compresses the tissue by at most 33 %."""
    closing = abs(float(tear.jump_zyx_nm @ tear.normal))
    return replace(tear, width_nm=max(tear.width_nm, closing / (2 * 0.33)))


_SHARES: dict[str, dict[str, float]] = {
    "rbf": {"rbf": 1.0},
    "swelling": {"swelling": 0.95, "rbf": 0.3},
    "shear": {"shear": 0.95, "rbf": 0.3},
    "tear": {"tear": 0.85, "rbf": 0.5},
    "mixed": {"rbf": 0.75, "swelling": 0.15, "shear": 0.55, "tear": 0.3},
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
    minimum_jacobian: float = 0.36,
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
