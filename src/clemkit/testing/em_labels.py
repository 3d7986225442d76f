"""The EM segmentation: true labels, and labels with the errors that a network makes."""

from __future__ import annotations

from typing import Any

import numpy as np

from clemkit.geometry import FloatArray, Grid
from clemkit.testing.em_image import smooth_noise
from clemkit.testing.organelles import NODE_NM, Tubes
from clemkit.testing.rendering import TubeVolumes, render_tubes
from clemkit.testing.spec import PhantomSpec

__all__ = ["segmented_nodes", "segmented_volume", "true_labels"]


def true_labels(volumes: TubeVolumes, nodes: Tubes) -> np.ndarray[Any, Any]:
    """Return error-free instance labels ``(z, y, x)`` uint16."""
    labels = np.zeros(volumes.distance_nm.shape, dtype=np.uint16)
    inside = volumes.distance_nm < 0
    labels[inside] = nodes.objects[volumes.nodes[inside]]
    return labels


def _false_objects(
    rng: np.random.Generator, count: int, first: int, low: FloatArray, high: FloatArray, real: Tubes
) -> Tubes:
    """Short curved tubes and balls where no mitochondrion is."""
    from scipy.spatial import cKDTree

    tree = cKDTree(real.points_zyx_nm)
    parts = []
    made = 0
    for _ in range(count * 30):
        if made == count:
            break
        start = low + rng.random(3) * (high - low)
        if tree.query(start)[0] < 650:
            continue
        n = int(rng.integers(3, 26))
        steps = np.cumsum(
            rng.normal(size=3) + 0.25 * rng.normal(size=(n, 3)).cumsum(axis=0), axis=0
        )
        steps *= NODE_NM * n / max(np.linalg.norm(np.diff(steps, axis=0), axis=1).sum(), 1e-9)
        points = start + steps - steps[0]
        keep = tree.query(points)[0] > 520
        points = points[: int(np.argmin(keep)) if not keep.all() else n]
        if len(points) < 3:
            continue
        size = rng.uniform(150, 330) * rng.uniform(0.85, 1.15, len(points))
        tangent = np.tile([0.0, 0.0, 1.0], (len(points), 1))
        number = np.full(len(points), first + made)
        arc = NODE_NM * np.arange(len(points), dtype=np.float64)
        parts.append(Tubes(points, tangent, size, arc, number, np.full(len(points), -1)))
        made += 1
    out = real.select(np.zeros(0, dtype=np.int64))
    for part in parts:
        out = out.joined(part)
    return out


def _bridge(a: FloatArray, b: FloatArray, radius: float, number: int, cell: int) -> Tubes:
    n = max(int(np.linalg.norm(b - a) / (0.6 * NODE_NM)), 2)
    points = a + np.linspace(0, 1, n)[:, None] * (b - a)
    ones = np.ones(n)
    return Tubes(
        points,
        np.tile([0.0, 0.0, 1.0], (n, 1)),
        radius * ones,
        0 * ones,
        np.full(n, number),
        np.full(n, cell),
    )


def segmented_nodes(
    rng: np.random.Generator, nodes: Tubes, spec: PhantomSpec, low: FloatArray, high: FloatArray
) -> tuple[Tubes, dict[str, int]]:
    """Return the nodes as a faulty segmentation sees them, and how many errors were made.

    Missed objects lose their nodes, false ones are added, split ones lose a gap and change number
    behind it, merged ones get a bridge to a neighbour closer than 0.7 um and its number.
    """
    from scipy.spatial import cKDTree

    ids = np.unique(nodes.objects)
    count = len(ids)
    shuffled = rng.permutation(ids)
    n_missed = round(spec.missed_fraction * count)
    missed = shuffled[:n_missed]
    left = shuffled[n_missed:]
    out = nodes.select(~np.isin(nodes.objects, missed))
    top = int(ids.max(initial=0))

    objects = out.objects.copy()
    keep = np.ones(len(out), dtype=bool)
    n_split = 0
    for number in left:
        if n_split >= round(spec.split_fraction * count):
            break
        mine = np.flatnonzero(objects == number)
        if len(mine) < 24:
            continue
        cut = int(rng.integers(9, len(mine) - 9))
        centre = out.points_zyx_nm[mine[cut]]
        gap = np.linalg.norm(out.points_zyx_nm[mine] - centre, axis=1)
        keep[mine[gap < 1.1 * out.radii_nm[mine[cut]] + 60]] = False
        top += 1
        objects[mine[cut:]] = top
        n_split += 1
    out = out.numbered(objects).select(keep)

    n_merged = 0
    objects = out.objects.copy()
    bridges = []
    tree = cKDTree(out.points_zyx_nm)
    for number in rng.permutation(np.unique(objects)):
        if n_merged >= round(spec.merged_fraction * count):
            break
        mine = np.flatnonzero(objects == number)
        if len(mine) == 0:
            continue
        probe = mine[:: max(len(mine) // 12, 1)]
        for n, hits in zip(
            probe, tree.query_ball_point(out.points_zyx_nm[probe], 900), strict=True
        ):
            others = [h for h in hits if objects[h] != number]
            if others:
                gaps = np.linalg.norm(out.points_zyx_nm[others] - out.points_zyx_nm[n], axis=1)
                other = others[int(gaps.argmin())]
                a, b = out.points_zyx_nm[n], out.points_zyx_nm[other]
                radius = 0.7 * float(min(out.radii_nm[n], out.radii_nm[other]))
                bridges.append(_bridge(a, b, radius, int(number), int(out.cells[n])))
                objects[objects == objects[other]] = number
                n_merged += 1
                break
    out = out.numbered(objects)
    for part in bridges:
        out = out.joined(part)

    n_false = round(spec.false_fraction * count)
    false = _false_objects(rng, n_false, top + 1, low, high, nodes)
    made = {
        "objects": count,
        "missed": len(missed),
        "split": n_split,
        "merged": n_merged,
        "false": len(np.unique(false.objects)),
    }
    return out.joined(false), made


def segmented_volume(
    rng: np.random.Generator, nodes: Tubes, grid: Grid, jitter_nm: float
) -> np.ndarray[Any, Any]:
    """Render nodes as labels ``(z, y, x)`` uint16 whose boundaries wander by *jitter_nm*."""
    volumes = render_tubes(nodes, grid, margin_nm=3 * jitter_nm + 1)
    voxel = np.array(grid.voxel_size_zyx_nm)
    wander = jitter_nm * smooth_noise(rng, grid.shape_zyx, tuple(220.0 / voxel))
    inside = (volumes.distance_nm + wander < 0) & (volumes.nodes >= 0)
    labels = np.zeros(grid.shape_zyx, dtype=np.uint16)
    labels[inside] = nodes.objects[volumes.nodes[inside]]
    return labels
