"""Organelles grown inside the cells: mitochondria, endoplasmic reticulum, round bodies.

Tubes are chains of nodes along a centreline; each node has a radius, a tangent and the arc length.
Mitochondria follow the microtubules that spread from a point beside the nucleus, branch, and vary
in calibre: smooth tubes, beaded ones on the way to fission, and swollen ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numba import njit

from clemkit.geometry import FloatArray, IntArray
from clemkit.testing.cells import Monolayer, cell_depth, nucleus_distance

__all__ = ["NODE_NM", "Tubes", "grow_bodies", "grow_mitochondria", "grow_reticulum"]

NODE_NM = 60.0  # distance of neighbouring nodes
_OCCUPANCY_NM = 160.0


@dataclass(frozen=True, slots=True, eq=False)
class Tubes:
    """Nodes of many tubular (or round) objects.

    Attributes
    ----------
    points_zyx_nm, tangents : (N, 3) float array
    radii_nm, arcs_nm : (N,) float array
        Radius and arc length along the branch.
    objects, cells : (N,) int array
        Number of the object, from 1 on; index of the cell.
    """

    points_zyx_nm: FloatArray
    tangents: FloatArray
    radii_nm: FloatArray
    arcs_nm: FloatArray
    objects: IntArray
    cells: IntArray

    def __len__(self) -> int:
        return len(self.objects)

    def select(self, index: np.ndarray) -> Tubes:
        """Return the nodes chosen by a boolean or integer index."""
        return Tubes(
            self.points_zyx_nm[index],
            self.tangents[index],
            self.radii_nm[index],
            self.arcs_nm[index],
            self.objects[index],
            self.cells[index],
        )

    def near(self, low: FloatArray, high: FloatArray, margin_nm: float) -> Tubes:
        """Return the nodes within a box, grown by a margin."""
        inside = (self.points_zyx_nm > low - margin_nm) & (self.points_zyx_nm < high + margin_nm)
        return self.select(np.all(inside, axis=1))

    def joined(self, other: Tubes) -> Tubes:
        """Return the nodes of both; object numbers are kept."""
        return Tubes(
            np.concatenate([self.points_zyx_nm, other.points_zyx_nm]),
            np.concatenate([self.tangents, other.tangents]),
            np.concatenate([self.radii_nm, other.radii_nm]),
            np.concatenate([self.arcs_nm, other.arcs_nm]),
            np.concatenate([self.objects, other.objects]),
            np.concatenate([self.cells, other.cells]),
        )

    def numbered(self, objects: IntArray) -> Tubes:
        """Return the same nodes with other object numbers."""
        return replace(self, objects=objects)


@njit(cache=True)
def _free(cells, occupied, low, k, p, clear, own):  # type: ignore[no-untyped-def]
    depth, cell = cell_depth(cells, p[0], p[1], p[2])
    if cell != k or depth < clear:
        return False
    if nucleus_distance(cells, k, p[0], p[1], p[2]) < clear:
        return False
    if own < 0:
        return True
    a = int((p[0] - low[0]) / _OCCUPANCY_NM)
    b = int((p[1] - low[1]) / _OCCUPANCY_NM)
    c = int((p[2] - low[2]) / _OCCUPANCY_NM)
    if a < 0 or b < 0 or c < 0:
        return False
    if a >= occupied.shape[0] or b >= occupied.shape[1] or c >= occupied.shape[2]:
        return False
    v = occupied[a, b, c]
    return v == 0 or v == own


@njit(cache=True)
def _seed_point(cells, occupied, low, k, clear, own, near_nm, rng):  # type: ignore[no-untyped-def]
    p = np.empty(3)
    for _ in range(80):
        p[0] = cells.floor_nm + rng.random() * cells.heights_nm[k]
        p[1] = cells.centres_yx_nm[k, 0] + (2 * rng.random() - 1) * 1.15 * cells.reach_nm
        p[2] = cells.centres_yx_nm[k, 1] + (2 * rng.random() - 1) * 1.15 * cells.reach_nm
        if not _free(cells, occupied, low, k, p, clear, own):
            continue
        gap = nucleus_distance(cells, k, p[0], p[1], p[2])
        if rng.random() < np.exp(-gap / near_nm):
            return True, p
    return False, p


@njit(cache=True)
def _walk(cells, occupied, low, k, start, heading, length, turn, pull, clear, own, hub, rng):  # type: ignore[no-untyped-def]
    """Grow one branch; returns the number of nodes and the nodes."""
    limit = int(length / NODE_NM) + 1
    out = np.empty((limit, 3))
    out[0] = start
    n = 1
    d = heading.copy()
    bend = np.zeros(3)
    while n < limit:
        moved = False
        for attempt in range(8):
            loose = turn * (1 + 0.9 * attempt)
            e = np.empty(3)
            away = out[n - 1] - hub
            size = np.sqrt(np.sum(away * away)) + 1.0
            # microtubules run radially; a tube follows them in either direction
            side = 1.0 if np.sum(away * d) >= 0 else -1.0
            for i in range(3):
                flat = 0.6 if i == 0 else 1.0
                b = 0.85 * bend[i] + 0.5 * loose * flat * rng.normal()
                e[i] = d[i] + b + pull * side * away[i] / size
                if attempt == 0:
                    bend[i] = b
            e /= np.sqrt(np.sum(e * e)) + 1e-12
            q = out[n - 1] + NODE_NM * e
            if _free(cells, occupied, low, k, q, clear, own):
                d = e
                out[n] = q
                n += 1
                moved = True
                break
        if not moved:
            break
    return n, out


@njit(cache=True)
def _mark(occupied, low, p, radius, own):  # type: ignore[no-untyped-def]
    m = int(np.ceil(radius / _OCCUPANCY_NM))
    a = int((p[0] - low[0]) / _OCCUPANCY_NM)
    b = int((p[1] - low[1]) / _OCCUPANCY_NM)
    c = int((p[2] - low[2]) / _OCCUPANCY_NM)
    for i in range(max(a - m, 0), min(a + m + 1, occupied.shape[0])):
        for j in range(max(b - m, 0), min(b + m + 1, occupied.shape[1])):
            for h in range(max(c - m, 0), min(c + m + 1, occupied.shape[2])):
                r2 = (i - a) ** 2 + (j - b) ** 2 + (h - c) ** 2
                if r2 * _OCCUPANCY_NM**2 <= (radius + 100.0) ** 2 and occupied[i, j, h] == 0:
                    occupied[i, j, h] = own


@njit(cache=True)
def _grow_tubes(  # type: ignore[no-untyped-def]
    cells, occupied, low, k, lengths, radii, branches, turn, pull, clear, near_nm, solid, first, rng
):
    """Grow the tubes of one cell. Rows: z, y, x, branch, arc, object, radius."""
    total = 0
    for n in range(len(lengths)):
        total += int(lengths[n] / NODE_NM * (1 + 0.7 * branches[n])) + 2 + 2 * branches[n]
    rows = np.empty((total, 7))
    used = 0
    number = first
    branch_id = 0
    angle = 2 * np.pi * rng.random()
    hub = cells.nuclei_zyx_nm[k].copy()
    hub[1] += 1.25 * cells.nuclei_axes_nm[k, 1] * np.cos(angle)
    hub[2] += 1.25 * cells.nuclei_axes_nm[k, 1] * np.sin(angle)
    for n in range(len(lengths)):
        own = number if solid else -1
        room = clear + radii[n]
        found, p = _seed_point(cells, occupied, low, k, room, own, near_nm, rng)
        if not found:
            continue
        begin = used
        for b in range(branches[n] + 1):
            heading = np.array([0.45 * rng.normal(), rng.normal(), rng.normal()])
            start = p
            length = lengths[n]
            if b > 0:
                start = rows[begin + int(rng.random() * (used - begin)), :3].copy()
                length *= 0.15 + 0.5 * rng.random()
            elif pull > 0:
                heading = heading * 0.7 + (p - hub) / (np.sqrt(np.sum((p - hub) ** 2)) + 1.0)
            heading /= np.sqrt(np.sum(heading * heading)) + 1e-12
            count, nodes = _walk(
                cells, occupied, low, k, start, heading, length, turn, pull, room, own, hub, rng
            )
            if count < 5 and b == 0:
                break
            for i in range(count):
                rows[used, :3] = nodes[i]
                rows[used, 3] = branch_id
                rows[used, 4] = i * NODE_NM
                rows[used, 5] = number
                rows[used, 6] = radii[n]
                used += 1
            branch_id += 1
        if used > begin:
            if solid:
                for i in range(begin, used):
                    _mark(occupied, low, rows[i, :3], radii[n], number)
            number += 1
    return rows[:used], number


def _smoothed(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Smooth the centrelines branch by branch; return points and unit tangents."""
    points, tangents = rows[:, :3].copy(), np.zeros((len(rows), 3))
    breaks = np.flatnonzero(np.diff(rows[:, 3])) + 1
    from scipy.ndimage import gaussian_filter1d

    for part in np.split(np.arange(len(rows)), breaks):
        if len(part) > 2:
            points[part] = gaussian_filter1d(rows[part, :3], 2.0, axis=0, mode="nearest")
            tangents[part] = np.gradient(points[part], axis=0)
        else:
            tangents[part] = [0.0, 0.0, 1.0]
    tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-9)
    return points, tangents


def _calibre(rng: np.random.Generator, rows: FloatArray) -> FloatArray:
    """Radius at each node: noise, beads of a mitochondrion near fission, swollen ends."""
    from scipy.ndimage import gaussian_filter1d

    radii = np.empty(len(rows))
    objects = rows[:, 5].astype(np.int64)
    low = int(objects.min())
    count = int(objects.max()) - low + 1
    beaded = rng.random(count) < 0.16
    period = rng.uniform(700, 1400, count)
    swollen = rng.random(count) < 0.12
    breaks = np.flatnonzero(np.diff(rows[:, 3])) + 1
    for part in np.split(np.arange(len(rows)), breaks):
        o = int(objects[part[0]]) - low
        arc = rows[part, 4]
        noise = gaussian_filter1d(rng.normal(size=len(part) + 24), 6.0)[12:-12]
        r = rows[part, 6] * (1 + 0.45 * noise)
        if beaded[o]:
            bead = np.cos(np.pi * arc / period[o] + rng.uniform(0, np.pi)) ** 2
            r *= 0.55 + 0.65 * bead
        if swollen[o]:
            middle = rng.choice([0.0, arc[-1], rng.uniform(0, max(arc[-1], 1))])
            r *= 1 + 0.75 * np.exp(-0.5 * ((arc - middle) / 380) ** 2)
        # rounded ends
        end = np.minimum(arc, arc[-1] - arc)
        r *= np.clip(0.72 + end / 600, 0.72, 1.0)
        radii[part] = np.clip(r, 95, 520)
    return radii


def _tubes(rows: FloatArray, radii: FloatArray, cells: IntArray) -> Tubes:
    points, tangents = _smoothed(rows)
    return Tubes(points, tangents, radii, rows[:, 4], rows[:, 5].astype(np.int64), cells)


def _occupancy(cells: Monolayer, wanted: IntArray) -> tuple[np.ndarray, FloatArray]:
    reach = 1.3 * cells.reach_nm
    yx = cells.centres_yx_nm[wanted]
    low = np.array([cells.floor_nm - 500, *(yx.min(axis=0) - reach)])
    top = np.array([cells.floor_nm + cells.heights_nm.max() + 500, *(yx.max(axis=0) + reach)])
    shape = np.ceil((top - low) / _OCCUPANCY_NM).astype(int)
    return np.zeros(tuple(shape), dtype=np.int32), low


def grow_mitochondria(
    rng: np.random.Generator, cells: Monolayer, wanted: IntArray, per_cell: int
) -> Tubes:
    """Grow about *per_cell* mitochondria in each of the *wanted* cells."""
    occupied, low = _occupancy(cells, wanted)
    rows, owners, number = [], [], 1
    for k in wanted:
        n = int(per_cell * rng.uniform(0.8, 1.2))
        lengths = np.clip(rng.lognormal(np.log(2600), 0.75, n), 400, 12000)
        lengths = np.sort(lengths)[::-1].copy()  # long ones first, while there is room
        base = rng.uniform(185, 300, n)
        branches = np.where(lengths > 1500, rng.poisson(lengths / 6500), 0)
        grown, number = _grow_tubes(
            cells, occupied, low, k, lengths, base, branches, 0.08, 0.04, 100.0, 6500.0, True,
            number, rng,
        )  # fmt: skip
        rows.append(grown)
        owners.append(np.full(len(grown), k))
    table = np.concatenate(rows)
    # branches of different cells must not look like one
    breaks = np.r_[0, np.cumsum([len(r) for r in rows])[:-1]]
    for n, start in enumerate(breaks):
        table[start : start + len(rows[n]), 3] += 1e6 * n
    radii = _calibre(rng, table)
    return _tubes(table, radii, np.concatenate(owners))


def grow_reticulum(
    rng: np.random.Generator, cells: Monolayer, wanted: IntArray, per_cell: int
) -> Tubes:
    """Grow the tubules of the endoplasmic reticulum; they may touch each other."""
    occupied = np.zeros((1, 1, 1), dtype=np.int32)
    low = np.zeros(3)
    rows, owners, number = [], [], 1
    for n, k in enumerate(wanted):
        lengths = rng.uniform(2500, 9000, int(per_cell * rng.uniform(0.8, 1.2)))
        branches = rng.poisson(1.6, len(lengths))
        thin = np.full(len(lengths), 45.0)
        grown, number = _grow_tubes(
            cells, occupied, low, k, lengths, thin, branches, 0.3, 0.02, 60.0, 4500.0, False,
            number, rng,
        )  # fmt: skip
        grown[:, 3] += 1e6 * n
        rows.append(grown)
        owners.append(np.full(len(grown), k))
    table = np.concatenate(rows)
    calibre = rng.uniform(40, 58, number)[table[:, 5].astype(int)]
    return _tubes(table, calibre, np.concatenate(owners))


def grow_bodies(rng: np.random.Generator, cells: Monolayer, wanted: IntArray, count: int) -> Tubes:
    """Place vesicles, lysosome-like and lipid-droplet-like bodies: one to three nodes each."""
    occupied, low = np.zeros((1, 1, 1), dtype=np.int32), np.zeros(3)
    rows, owners, number = [], [], 1
    for n, k in enumerate(wanted):
        lengths = rng.uniform(300, 420, count)
        none = np.zeros(count, dtype=np.int64)
        grown, number = _grow_tubes(
            cells, occupied, low, k, lengths, np.full(count, 230.0), none,
            0.3, 0.0, 80.0, 5000.0, False, number, rng,
        )  # fmt: skip
        grown[:, 3] += 1e6 * n
        rows.append(grown)
        owners.append(np.full(len(grown), k))
    table = np.concatenate(rows)
    sizes = np.where(rng.random(number) < 0.7, rng.uniform(45, 95, number), 0)
    sizes = np.where(sizes == 0, rng.uniform(130, 300, number), sizes)
    bodies = _tubes(table, sizes[table[:, 5].astype(int)], np.concatenate(owners))
    return bodies.select(bodies.arcs_nm < 0.7 * bodies.radii_nm)
