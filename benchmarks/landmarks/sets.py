"""Landmark sets to try fits on: the real ones of the shared data folder, and simulated ones.

A simulated set is drawn whole: extent, sampling, affine, field, noise, wrong and repeated pairs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from clemkit.geometry import Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.landmarks.io import read_pairs_file

__all__ = ["FIXED", "MOVING", "NamedSet", "pairs_of", "real_sets", "simulated_sets"]

FIXED, MOVING = Space("fixed"), Space("moving")
SHARED = Path(os.environ.get("CLEMKIT_SHARED", Path(__file__).parents[3] / "shared")) / "data"
FIELDS = ("none", "smooth", "medium", "multiscale", "sections", "swelling", "parabolic")
NOISES = ("normal", "heavy", "uneven", "anisotropic")
PLACES = ("uniform", "clustered", "slab", "curves", "sections")


@dataclass(frozen=True, slots=True, eq=False)
class NamedSet:
    """Pairs with what is known about them.

    Attributes
    ----------
    name : str
    pairs : LandmarkPairs
    wrong : frozenset of str
        Names of the pairs that were spoilt.
    repeated : frozenset of str
        Names of the pairs that repeat an earlier one.
    """

    name: str
    pairs: LandmarkPairs
    wrong: frozenset[str] = field(default_factory=frozenset)
    repeated: frozenset[str] = field(default_factory=frozenset)


def pairs_of(fixed: np.ndarray, moving: np.ndarray) -> LandmarkPairs:
    """Return pairs named by row."""
    ids = tuple(f"p{k}" for k in range(len(fixed)))
    return LandmarkPairs(
        moving=LandmarkSet(space=MOVING, ids=ids, points_zyx_nm=moving),
        fixed=LandmarkSet(space=FIXED, ids=ids, points_zyx_nm=fixed),
    )


def waves(rng: np.random.Generator, amplitude: float, length: float) -> Callable:
    """Return a random smooth vector field with one length scale and root mean square size."""
    k, phase = rng.normal(size=(60, 3)) / length, rng.uniform(0, 2 * np.pi, 60)
    a = rng.normal(size=(60, 3)) * np.sqrt(2 / 180) * amplitude
    return lambda x: np.cos(x @ k.T + phase) @ a


def places(rng: np.random.Generator, kind: str, n: int, extent: np.ndarray) -> np.ndarray:
    """Return *n* landmark positions inside a box."""
    x = rng.uniform(0, 1, (n, 3)) * extent
    if kind == "clustered":
        seeds = rng.uniform(0, 1, (max(4, n // 12), 3)) * extent
        weight = rng.dirichlet(np.full(len(seeds), 0.7))
        x = seeds[rng.choice(len(seeds), n, p=weight)] + rng.normal(size=(n, 3)) * extent / 25
    if kind == "curves":
        start = rng.uniform(0, 1, (max(3, n // 15), 2, 3)) * extent
        row = rng.integers(0, len(start), n)
        t = rng.uniform(0, 1, (n, 1))
        x = start[row, 0] * (1 - t) + start[row, 1] * t + rng.normal(size=(n, 3)) * extent / 40
    if kind == "slab":
        x[:, 0] *= 0.2
    if kind == "sections":
        x[:, 0] = np.round(x[:, 0] / extent[0] * 6) * extent[0] / 6
    return x


def deformation(rng: np.random.Generator, kind: str, size: float, extent: np.ndarray) -> Callable:
    """Return a displacement field of roughly *size*, micrometres."""
    long = float(extent.max())
    if kind == "none":
        return lambda x: np.zeros_like(x)
    if kind == "smooth":
        return waves(rng, size, 0.4 * long)
    if kind == "medium":
        return waves(rng, size, 0.15 * long)
    if kind == "multiscale":
        parts = [waves(rng, size * s**0.8, 0.6 * s * long) for s in (1.0, 0.5, 0.25, 0.12, 0.06)]
        return lambda x: sum(p(x) for p in parts)
    if kind == "sections":
        jumps = np.cumsum(rng.normal(size=(13, 2)), axis=0) * size / 2
        bend = waves(rng, size / 2, 0.4 * long)

        def stacked(x: np.ndarray) -> np.ndarray:
            out = bend(x)
            out[:, 1:] += jumps[np.clip(x[:, 0] / extent[0] * 12, 0, 12).astype(int)]
            return out

        return stacked
    if kind == "swelling":
        centres = rng.uniform(0.1, 0.9, (3, 3)) * extent
        width = rng.uniform(0.1, 0.3, 3) * long

        def swollen(x: np.ndarray) -> np.ndarray:
            out = np.zeros_like(x)
            for c, w in zip(centres, width, strict=True):
                d = x - c
                out += 4 * size * d / w * np.exp(-0.5 * np.sum(d**2, axis=1) / w**2)[:, None]
            return out

        return swollen
    quadratic = rng.normal(size=(3, 3, 3))
    return lambda x: (
        size * np.einsum("cij,ni,nj->nc", quadratic, x / extent - 0.5, x / extent - 0.5) * 3
    )


def simulated(name: str, n: int, rng: np.random.Generator) -> NamedSet:
    """Draw one set of *n* pairs over some hundred micrometres."""
    extent = np.sort(rng.uniform(0.3, 1.0, 3)) * rng.choice([100.0, 400.0, 1000.0])
    long = float(extent.max())
    kind = FIELDS[rng.integers(len(FIELDS))]
    noise_kind, place = NOISES[rng.integers(len(NOISES))], PLACES[rng.integers(len(PLACES))]
    size = 0.0 if kind == "none" else long * rng.choice([0.005, 0.015, 0.04])
    sigma = long * rng.choice([0.0, 2e-4, 0.002, 0.006, 0.015], p=[0.1, 0.2, 0.3, 0.25, 0.15])
    x = places(rng, place, n, extent)
    moved = x + deformation(rng, kind, size, extent)(x)
    noise = rng.normal(size=(n, 3))
    if noise_kind == "heavy":
        noise = rng.standard_t(2.5, (n, 3)) * 0.7
    if noise_kind == "uneven":
        noise *= np.exp(0.7 * rng.normal(size=(n, 1)))
    if noise_kind == "anisotropic":
        noise *= [2.0, 0.7, 0.7]
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    linear = turn @ (np.eye(3) + rng.normal(size=(3, 3)) * rng.choice([0.0, 0.03, 0.12]))
    moved = moved @ linear.T + sigma * noise + rng.normal(size=3) * long
    share = rng.choice([0.0, 0.0, 0.03, 0.1])
    wrong = rng.choice(n, round(share * n), replace=False)
    away = rng.normal(size=(len(wrong), 3))
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    typical = np.median(np.linalg.norm(residual_of_affine(x, moved), axis=1))
    moved[wrong] += away * np.maximum(rng.uniform(0.1, 0.4, (len(wrong), 1)) * long, 8 * typical)
    again = rng.choice(n, round(rng.choice([0.0, 0.0, 0.05]) * n), replace=False)
    again = np.setdiff1d(again, wrong)
    order = np.r_[np.arange(n), again]
    names = frozenset(f"p{k}" for k in wrong)
    label = f"{name} {kind} {size / long:.1%} {noise_kind} {sigma / long:.2%} {place}"
    label += f" out {len(wrong)}" if len(wrong) else ""
    return NamedSet(
        label,
        pairs_of(x[order] * 1e3, moved[order] * 1e3),
        names,
        frozenset(f"p{k}" for k in range(n, len(order))),
    )


def residual_of_affine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return what a least-squares affine leaves."""
    design = np.hstack([x - x.mean(axis=0), np.ones((len(x), 1))])
    return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]


def simulated_sets(count: int, seed: int, largest: int = 400) -> Iterator[NamedSet]:
    """Yield *count* sets of 26 to *largest* pairs, half of them below a hundred."""
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        low, high = ((26, 100), (100, largest))[k % 2]
        yield simulated(f"s{seed}.{k}", int(np.exp(rng.uniform(np.log(low), np.log(high)))), rng)


def real_sets() -> Iterator[NamedSet]:
    """Yield real sets and random subsets of them; none where the data folder is absent."""
    spaces = {"moving_space": MOVING, "fixed_space": FIXED}
    lung = SHARED / "lung-ct-points"
    larva = SHARED / "larva-landmarks" / "Brain_Lineage_Landmarks_EMtoEM_ProjectSpace.csv"
    found = []
    if lung.is_dir():
        names = [f"CT_3D_lung_{s}_point_set_corrected.txt" for s in ("moving", "fixed")]
        file = read_pairs_file(lung / names[0], fixed_path=lung / names[1], unit="mm", **spaces)
        found.append(("lung-ct", file.pairs))
    if larva.is_file():
        p = read_pairs_file(larva, unit="nm", **spaces).pairs
        mirrored = pairs_of(p.fixed.points_zyx_nm * [1, 1, -1], p.moving.points_zyx_nm)
        found.append(("larva", mirrored))
    for name, pairs in found:
        yield NamedSet(name, pairs)
        for size in (26, 40, 60):
            if size < 0.9 * len(pairs):
                for k in range(3):
                    rows = np.random.default_rng([size, k]).choice(len(pairs), size, replace=False)
                    yield NamedSet(f"{name} {size} of {len(pairs)} #{k}", pairs.select(rows))
    few = SHARED / "bigwarp-formats" / "platy-tps-landmarks.csv"
    if few.is_file():
        yield NamedSet("platy-tps (9)", read_pairs_file(few, unit="um", **spaces).pairs)
