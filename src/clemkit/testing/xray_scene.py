"""Tissue for the X-ray phantom: nuclei and a vessel tree in the CT frame, with their rasteriser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from clemkit.geometry import FloatArray, Grid

__all__ = ["Tissue", "TissueVolumes", "grow_tissue", "render_tissue"]

_STEP_NM = 900.0


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """Nuclei and vessels of a block.

    Attributes
    ----------
    nuclei_zyx_nm, axes_nm : (N, 3) float array
    frames : (N, 3, 3) float array
        Rows are the axes of the ellipsoid.
    vessels_zyx_nm : (M, 3) float array
    vessel_radii_nm : (M,) float array
    """

    nuclei_zyx_nm: FloatArray
    axes_nm: FloatArray
    frames: FloatArray
    vessels_zyx_nm: FloatArray
    vessel_radii_nm: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class TissueVolumes:
    """Distances (nm, negative inside, cut off at the margin) and nucleus numbers on a grid."""

    nuclear_nm: np.ndarray[Any, Any]
    nuclei: np.ndarray[Any, Any]
    vessel_nm: np.ndarray[Any, Any]


def _vessel_tree(rng: np.random.Generator, size: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Grow vessels from the faces inwards: they taper, branch at wide angles and end as loops."""
    nodes: list[FloatArray] = []
    radii: list[float] = []
    entries = max(int(2 * np.prod(size) ** (1 / 3) / 60000), 3)
    for _ in range(entries):
        face = int(rng.integers(3))
        start = rng.random(3) * size
        inward = np.zeros(3)
        inward[face] = rng.choice([-1.0, 1.0])
        start[face] = -3000.0 if inward[face] > 0 else size[face] + 3000.0
        stack = [(start, inward + 0.4 * rng.normal(size=3), rng.uniform(4200, 6500))]
        budget = 14
        while stack:
            point, heading, radius = stack.pop()
            bend = np.zeros(3)
            for _ in range(int(rng.uniform(30, 130))):
                bend = 0.8 * bend + 0.05 * rng.normal(size=3)
                heading = heading + bend
                heading /= np.linalg.norm(heading)
                point = point + _STEP_NM * heading
                if np.any(point < -8000) or np.any(point > size + 8000):
                    break
                nodes.append(point)
                radii.append(radius * rng.uniform(0.94, 1.06))
            else:
                for _ in range(2):
                    if budget > 0:
                        budget -= 1
                        side = np.cross(heading, rng.normal(size=3))
                        side /= np.linalg.norm(side)
                        turn = heading + rng.uniform(0.5, 1.4) * side
                        stack.append((point, turn, max(0.8 * radius, rng.uniform(2000, 2800))))
    return np.array(nodes), np.array(radii)


def grow_tissue(rng: np.random.Generator, size_zyx_nm: FloatArray) -> Tissue:
    """Draw the tissue of a block of a given size; nuclei keep off vessels and each other.

    Nuclei crowd in layers, as in cortex, and some lie flat on the vessel walls.
    """
    from scipy.spatial import cKDTree

    size = np.asarray(size_zyx_nm, dtype=np.float64)
    vessels, radii = _vessel_tree(rng, size)
    tree = cKDTree(vessels)
    wanted = int(np.prod(size + 16000) * 2.3e-13)
    layer = rng.normal(size=3) * 2 * np.pi / 70000.0
    phase = rng.uniform(0, 2 * np.pi)
    kept: list[FloatArray] = []
    bins: dict[tuple[int, ...], list[FloatArray]] = {}
    for candidate in rng.random((6 * wanted, 3)) * (size + 16000) - 8000:
        if len(kept) >= wanted:
            break
        if rng.random() > 0.55 + 0.45 * np.sin(candidate @ layer + phase):
            continue
        distance, nearest = tree.query(candidate)
        if distance < radii[nearest] + 3600:
            continue
        key = tuple(int(k) for k in candidate // 9000)
        around = [
            other
            for a in (-1, 0, 1)
            for b in (-1, 0, 1)
            for c in (-1, 0, 1)
            for other in bins.get((key[0] + a, key[1] + b, key[2] + c), [])
        ]
        if around and np.linalg.norm(np.array(around) - candidate, axis=1).min() < 8200:
            continue
        bins.setdefault(key, []).append(candidate)
        kept.append(candidate)
    nuclei = np.array(kept)
    base = rng.uniform(2700, 4100, (len(nuclei), 1))
    axes = base * rng.uniform(0.75, 1.2, (len(nuclei), 3))
    frames = np.linalg.qr(rng.normal(size=(len(nuclei), 3, 3)))[0]
    on_wall = rng.choice(len(vessels), max(len(vessels) // 45, 1), replace=False)
    for n in on_wall[(on_wall > 0) & (on_wall < len(vessels) - 1)]:
        along = vessels[n + 1] - vessels[n - 1]
        if np.linalg.norm(along) > 3 * _STEP_NM:
            continue
        along = along / np.linalg.norm(along)
        out = np.cross(along, rng.normal(size=3))
        out /= np.linalg.norm(out)
        nuclei = np.vstack([nuclei, vessels[n] + out * (radii[n] + 900)])
        axes = np.vstack([axes, [5200.0, 2200.0, 950.0]])
        frames = np.concatenate([frames, np.stack([along, np.cross(out, along), out])[None]])
    return Tissue(nuclei, axes, frames, vessels, radii)


@njit(cache=True)
def _paint_nuclei(centres, axes, frames, origin, voxel, margin, distance, nuclei):  # type: ignore[no-untyped-def]
    shape = distance.shape
    for n in range(centres.shape[0]):
        reach = max(axes[n, 0], axes[n, 1], axes[n, 2]) + margin
        least = (axes[n, 0] * axes[n, 1] * axes[n, 2]) ** (1.0 / 3.0)
        lo = np.empty(3, np.int64)
        hi = np.empty(3, np.int64)
        for a in range(3):
            lo[a] = max(int(np.ceil((centres[n, a] - reach - origin[a]) / voxel[a])), 0)
            hi[a] = min(int(np.floor((centres[n, a] + reach - origin[a]) / voxel[a])), shape[a] - 1)
        for i in range(lo[0], hi[0] + 1):
            dz = i * voxel[0] + origin[0] - centres[n, 0]
            for j in range(lo[1], hi[1] + 1):
                dy = j * voxel[1] + origin[1] - centres[n, 1]
                for k in range(lo[2], hi[2] + 1):
                    dx = k * voxel[2] + origin[2] - centres[n, 2]
                    r2 = 0.0
                    g2 = 0.0
                    for a in range(3):
                        f = frames[n, a]
                        q = (f[0] * dz + f[1] * dy + f[2] * dx) / axes[n, a]
                        r2 += q * q
                        g2 += (q / axes[n, a]) ** 2
                    r = np.sqrt(r2)
                    d = (r - 1) * r / np.sqrt(g2) if r > 0.05 else -least
                    if d < distance[i, j, k]:
                        distance[i, j, k] = d
                        nuclei[i, j, k] = n + 1


def render_tissue(tissue: Tissue, grid: Grid, margin_nm: float = 2500.0) -> TissueVolumes:
    """Render a tissue on a grid in its own frame."""
    from clemkit.testing.rendering import paint_balls

    origin, voxel = np.array(grid.origin_zyx_nm), np.array(grid.voxel_size_zyx_nm)
    nuclear = np.full(grid.shape_zyx, margin_nm, dtype=np.float32)
    nuclei = np.zeros(grid.shape_zyx, dtype=np.int32)
    _paint_nuclei(
        tissue.nuclei_zyx_nm,
        tissue.axes_nm,
        tissue.frames,
        origin,
        voxel,
        margin_nm,
        nuclear,
        nuclei,
    )
    vessel = paint_balls(tissue.vessels_zyx_nm, tissue.vessel_radii_nm, grid, margin_nm)[0]
    return TissueVolumes(nuclear, nuclei, np.minimum(vessel, np.float32(margin_nm)))
