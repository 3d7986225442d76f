"""A monolayer of cells: wavy power-diagram footprints, domed tops, dented nuclei.

Lengths are nanometres, points z, y, x. The compiled functions take the fields of
:class:`Monolayer` as a named tuple of arrays, so that growth and rendering share one geometry.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from clemkit.geometry import FloatArray

__all__ = ["Monolayer", "cell_depth", "grow_monolayer", "nucleus_distance", "nucleus_surface"]


class Monolayer(NamedTuple):
    """Shapes of all cells around the EM block.

    Attributes
    ----------
    centres_yx_nm : (K, 2) float array
    weights_nm2 : (K,) float array
        Power-diagram weights; larger cells win ground.
    heights_nm : (K,) float array
    floor_nm : float
        Height z of the substrate.
    reach_nm : float
        Lateral distance at which the dome has lost most of its height.
    waves : (M, 5) float array
        Undulation of the outlines: wave vector y, x (1/nm), phase, amplitude y, x (nm).
    nuclei_zyx_nm, nuclei_axes_nm : (K, 3) float array
    nuclei_frames : (K, 3, 3) float array
        Rows are the axes of the ellipsoid.
    dents : (K, J, 4) float array
        Unit direction in the nuclear frame and relative depth of each dent (negative: bulge).
    """

    centres_yx_nm: FloatArray
    weights_nm2: FloatArray
    heights_nm: FloatArray
    floor_nm: float
    reach_nm: float
    waves: FloatArray
    nuclei_zyx_nm: FloatArray
    nuclei_axes_nm: FloatArray
    nuclei_frames: FloatArray
    dents: FloatArray


@njit(cache=True)
def cell_depth(cells, z, y, x):  # type: ignore[no-untyped-def]
    """Return (depth below the plasma membrane in nm, negative outside; index of the cell)."""
    wy, wx = y, x
    for m in range(cells.waves.shape[0]):
        w = cells.waves[m]
        s = np.sin(w[0] * y + w[1] * x + w[2] + 1.3e-4 * z)
        wy += w[3] * s
        wx += w[4] * s
    best, second = 1e30, 1e30
    k, k2 = 0, 0
    for c in range(cells.centres_yx_nm.shape[0]):
        dy = wy - cells.centres_yx_nm[c, 0]
        dx = wx - cells.centres_yx_nm[c, 1]
        p = dy * dy + dx * dx - cells.weights_nm2[c]
        if p < best:
            second, k2 = best, k
            best, k = p, c
        elif p < second:
            second, k2 = p, c
    ay = cells.centres_yx_nm[k, 0] - cells.centres_yx_nm[k2, 0]
    ax = cells.centres_yx_nm[k, 1] - cells.centres_yx_nm[k2, 1]
    apart = np.sqrt(ay * ay + ax * ax) + 1e-9
    lateral = (second - best) / (2 * apart) - 120.0
    dy = wy - cells.centres_yx_nm[k, 0]
    dx = wx - cells.centres_yx_nm[k, 1]
    r2 = (dy * dy + dx * dx) / (cells.reach_nm * cells.reach_nm)
    top = cells.floor_nm + cells.heights_nm[k] * (0.38 + 0.62 / (1 + r2 * r2))
    # rounded upper rim: the top falls off towards the lateral border
    if lateral < 1500.0:
        t = 1 - max(lateral, 0.0) / 1500.0
        top -= 900.0 * t * t
    return min(lateral, z - cells.floor_nm, top - z), k


@njit(cache=True)
def nucleus_distance(cells, k, z, y, x):  # type: ignore[no-untyped-def]
    """Return about the signed distance (nm) to the nuclear envelope of cell k, negative inside."""
    d0 = z - cells.nuclei_zyx_nm[k, 0]
    d1 = y - cells.nuclei_zyx_nm[k, 1]
    d2 = x - cells.nuclei_zyx_nm[k, 2]
    r2 = 0.0
    g2 = 0.0
    q = np.empty(3)
    for i in range(3):
        f = cells.nuclei_frames[k, i]
        a = cells.nuclei_axes_nm[k, i]
        q[i] = (f[0] * d0 + f[1] * d1 + f[2] * d2) / a
        r2 += q[i] * q[i]
        g2 += (q[i] / a) ** 2
    r = np.sqrt(r2)
    if r > 3.0:
        return (r - 1) * r / np.sqrt(g2)
    radius = 1.0
    if r > 1e-6:
        for j in range(cells.dents.shape[1]):
            t = cells.dents[k, j]
            radius -= t[3] * np.exp(5.0 * ((q[0] * t[0] + q[1] * t[1] + q[2] * t[2]) / r - 1))
    return (r - radius) * r / max(np.sqrt(g2), 1e-9)


def nucleus_surface(cells: Monolayer, cell: int, directions: FloatArray) -> FloatArray:
    """Return points ``(N, 3)`` of a nuclear envelope along unit directions ``(N, 3)``.

    Directions are given in the nuclear frame, before the stretch to an ellipsoid.
    """
    radius = np.ones(len(directions))
    for dent in cells.dents[cell]:
        radius -= dent[3] * np.exp(5.0 * (directions @ dent[:3] - 1))
    local = directions * radius[:, None] * cells.nuclei_axes_nm[cell]
    return local @ cells.nuclei_frames[cell] + cells.nuclei_zyx_nm[cell]


def _packed_centres(
    rng: np.random.Generator, low: FloatArray, high: FloatArray, spacing: float
) -> FloatArray:
    """Scatter centres by best-candidate sampling: irregular, but never crowded."""
    count = max(int(np.prod(high - low) / (0.82 * spacing**2)), 4)
    centres = low + rng.random((1, 2)) * (high - low)
    for _ in range(count - 1):
        tries = low + rng.random((24, 2)) * (high - low)
        nearest = np.linalg.norm(tries[:, None] - centres[None], axis=2).min(axis=1)
        if nearest.max() < 0.72 * spacing:
            break
        centres = np.vstack([centres, tries[nearest.argmax()]])
    return centres


def grow_monolayer(
    rng: np.random.Generator,
    block_centre_zyx_nm: FloatArray,
    radius_nm: float,
    spacing_nm: float,
) -> Monolayer:
    """Draw the cells within *radius_nm* of the EM block.

    The nuclear envelope of one cell passes close to the centre of the block, so that small
    blocks hold nucleus and cytoplasm too.
    """
    middle = block_centre_zyx_nm[1:]
    margin = radius_nm + spacing_nm
    centres = _packed_centres(rng, middle - margin, middle + margin, spacing_nm)
    count = len(centres)
    floor = float(block_centre_zyx_nm[0] - rng.uniform(4600, 5200))
    heights = rng.uniform(9500, 12000, count)
    axes = np.stack(
        [
            rng.uniform(2300, 3200, count),
            rng.uniform(3600, 4700, count),
            rng.uniform(4800, 6400, count),
        ],
        axis=1,
    )
    frames = np.zeros((count, 3, 3))
    dents = rng.normal(size=(count, 5, 4))
    dents[:, :, :3] /= np.linalg.norm(dents[:, :, :3], axis=2, keepdims=True)
    dents[:, :, 3] = rng.uniform(-0.08, 0.13, (count, 5))
    dents[:, 0, 3] = rng.uniform(0.1, 0.3, count)  # the bay of a kidney-shaped nucleus
    dents[:, 0, 0] *= 0.2
    dents[:, 0, :3] /= np.linalg.norm(dents[:, 0, :3], axis=1, keepdims=True)
    for k in range(count):
        turn, lean = rng.uniform(0, np.pi), rng.normal(0, 0.12)
        c, s, cl, sl = np.cos(turn), np.sin(turn), np.cos(lean), np.sin(lean)
        frames[k] = np.array([[cl, sl * c, sl * s], [-sl, cl * c, cl * s], [0, -s, c]])
    chosen = int(np.argmin(np.linalg.norm(centres - middle, axis=1)))
    heading = rng.uniform(0, 2 * np.pi)
    away = rng.uniform(0.8, 1.1) * axes[chosen, 1]
    target = middle + away * np.array([np.cos(heading), np.sin(heading)])
    centres += target - centres[chosen]
    nuclei = np.column_stack(
        [
            floor + axes[:, 0] + rng.uniform(900, 2200, count),
            centres + rng.uniform(-1500, 1500, (count, 2)),
        ]
    )
    nuclei[chosen, 1:] = target
    waves = np.zeros((5, 5))
    for m in range(len(waves)):
        length, angle = rng.uniform(4000, 13000), rng.uniform(0, 2 * np.pi)
        waves[m, :2] = 2 * np.pi / length * np.array([np.cos(angle), np.sin(angle)])
        waves[m, 2] = rng.uniform(0, 2 * np.pi)
        waves[m, 3:] = rng.normal(0, 0.045 * length, 2)
    return Monolayer(
        centres_yx_nm=centres,
        weights_nm2=rng.uniform(-0.12, 0.12, count) * spacing_nm**2,
        heights_nm=heights,
        floor_nm=floor,
        reach_nm=0.62 * spacing_nm,
        waves=waves,
        nuclei_zyx_nm=nuclei,
        nuclei_axes_nm=axes,
        nuclei_frames=frames,
        dents=dents,
    )
