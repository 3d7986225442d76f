"""The LM side: fluorophores in the organelles, pushed through the truth, and a camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from clemkit.geometry import FloatArray, Grid
from clemkit.testing.cells import Monolayer, nucleus_surface
from clemkit.testing.organelles import Tubes
from clemkit.testing.psf import PointSpread
from clemkit.testing.rendering import splat
from clemkit.testing.truth import TruthMap

__all__ = [
    "Camera",
    "cytosol_emitters",
    "envelope_points",
    "expose",
    "nuclear_emitters",
    "tube_emitters",
]

Emitters = tuple[FloatArray, FloatArray]  # points (N, 3) nm in the EM frame, weights (N,)


def tube_emitters(
    rng: np.random.Generator, tubes: Tubes, brightness: FloatArray, per_um: float
) -> Emitters:
    """Scatter fluorophores over the cross-sections of tubes.

    Parameters
    ----------
    brightness : (max object + 1,) float array
        Of each object; zero for unlabelled ones.
    per_um : float
        Emitters for each micrometre of tube; their weight carries the cross-section.
    """
    weight = brightness[tubes.objects] * (tubes.radii_nm / 250.0) ** 2
    lit = np.flatnonzero(weight > 0)
    copies = rng.poisson(per_um * 0.06, len(lit)) + 1
    index = np.repeat(lit, copies)
    share = np.repeat(weight[lit] / copies, copies)
    across = np.cross(tubes.tangents[index], rng.normal(size=(len(index), 3)))
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    out = tubes.radii_nm[index] * np.sqrt(rng.random(len(index)))
    points = tubes.points_zyx_nm[index] + across * out[:, None]
    points += tubes.tangents[index] * rng.uniform(-30, 30, (len(index), 1))
    return points, share


def _directions(rng: np.random.Generator, count: int) -> FloatArray:
    d = rng.normal(size=(count, 3))
    return d / np.linalg.norm(d, axis=1, keepdims=True)


def envelope_points(
    rng: np.random.Generator, cells: Monolayer, wanted: np.ndarray[Any, Any], per_cell: int
) -> FloatArray:
    """Return points ``(N, 3)`` on the nuclear envelopes."""
    parts = [nucleus_surface(cells, int(k), _directions(rng, per_cell)) for k in wanted]
    return np.concatenate(parts)


def nuclear_emitters(
    rng: np.random.Generator, cells: Monolayer, wanted: np.ndarray[Any, Any], per_cell: int
) -> Emitters:
    """Scatter a DNA stain in the nuclei: clumped chromatin, dark nucleoli."""
    points, weights = [], []
    for k in wanted:
        surface = nucleus_surface(cells, int(k), _directions(rng, per_cell))
        middle = cells.nuclei_zyx_nm[k]
        inner = middle + (surface - middle) * (rng.random((per_cell, 1)) ** (1 / 3)) * 0.985
        clump = np.zeros(per_cell)
        for _ in range(24):
            wave = _directions(rng, 1)[0] * 2 * np.pi / rng.uniform(1100, 4000)
            clump += np.sin(inner @ wave + rng.uniform(0, 2 * np.pi))
        hole = np.ones(per_cell)
        for _ in range(int(rng.integers(1, 4))):
            seat = middle + 0.45 * (surface[int(rng.integers(per_cell))] - middle)
            gap = np.linalg.norm(inner - seat, axis=1) / rng.uniform(700, 1200)
            hole *= 1 - 0.75 * np.exp(-(gap**4))
        points.append(inner)
        weights.append(np.clip(1 + 0.14 * clump, 0.25, 2.5) * hole * rng.lognormal(0, 0.25))
    return np.concatenate(points), np.concatenate(weights)


def cytosol_emitters(
    rng: np.random.Generator, cells: Monolayer, wanted: np.ndarray[Any, Any], per_cell: int
) -> Emitters:
    """Scatter a dim autofluorescence through the cell bodies."""
    n = per_cell * len(wanted)
    k = np.repeat(wanted, per_cell)
    angle, out = rng.uniform(0, 2 * np.pi, n), cells.reach_nm * np.sqrt(rng.random(n))
    height = cells.heights_nm[k] * (0.38 + 0.62 / (1 + (out / cells.reach_nm) ** 4))
    z = cells.floor_nm + rng.random(n) * height
    y = cells.centres_yx_nm[k, 0] + out * np.sin(angle)
    x = cells.centres_yx_nm[k, 1] + out * np.cos(angle)
    return np.column_stack([z, y, x]), height / height.mean()


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """A detector and its illumination.

    Attributes
    ----------
    peak_photons, background_photons : float
        In a bright voxel, and everywhere.
    bleaching_fraction : float
        Fluorescence lost from the first to the last section.
    vignetting : float
        Loss of light in the worst corner.
    gain, offset, read_noise : float
        Grey levels for each photon, at no light, and standard deviation.
    """

    peak_photons: float
    background_photons: float = 6.0
    bleaching_fraction: float = 0.3
    vignetting: float = 0.35
    gain: float = 7.0
    offset: float = 110.0
    read_noise: float = 6.0

    def record(
        self, rng: np.random.Generator, light: np.ndarray[Any, Any]
    ) -> np.ndarray[Any, np.dtype[np.uint16]]:
        """Turn light ``(z, y, x)`` into grey values."""
        bright = light[light > 0.05 * light.max()]
        peak = float(np.percentile(bright, 95)) if bright.size else 1.0
        z, y, x = light.shape
        decay = (1 - self.bleaching_fraction) ** (np.arange(z) / max(z - 1, 1))
        cy, cx = rng.uniform(-0.5, 0.5, 2)  # the lamp is not centred
        fy = (np.linspace(-1, 1, y) - cy) ** 2
        fx = (np.linspace(-1, 1, x) - cx) ** 2
        lamp = 1 - self.vignetting * (fy[:, None] + fx[None]) / (fy.max() + fx.max())
        photons = light * np.float32(self.peak_photons / max(peak, 1e-12))
        photons *= (decay[:, None, None] * lamp).astype(np.float32)
        photons += self.background_photons
        counted = rng.poisson(photons).astype(np.float32)
        noise = self.read_noise * rng.standard_normal(light.shape, dtype=np.float32)
        grey = counted * self.gain + self.offset + noise
        return np.clip(np.rint(grey), 0, 65535).astype(np.uint16)


def expose(
    rng: np.random.Generator,
    emitters: list[Emitters],
    truth: TruthMap,
    grid: Grid,
    spread: PointSpread,
    camera: Camera,
) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Image emitters of the EM frame through the truth on an LM grid."""
    density = np.zeros(grid.shape_zyx, dtype=np.float32)
    for points, weights in emitters:
        # the linear part alone tells which emitters cannot reach the field: most of a wide scene
        rough = (points - truth.centre_source_nm) @ truth.linear_zyx.T + truth.centre_target_nm
        some = slice(None, None, max(len(points) // 3000, 1))
        bent = truth.apply_points(points[some]) - rough[some]
        margin = 500.0 + 1.6 * float(np.abs(bent).max(initial=0.0))
        low, high = grid.corners()[0] - margin, grid.corners()[-1] + margin
        near = np.all((rough > low) & (rough < high), axis=1)
        density += splat(grid, truth.apply_points(points[near]), weights[near])
    return camera.record(rng, spread.blur(density, grid.voxel_size_zyx_nm))
