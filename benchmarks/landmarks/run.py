"""Landmark-only fits by nested 10-fold cross-validation, against an affine and an interpolating
biharmonic spline.

Every fold is fitted from scratch, smoothing and outliers included, on the other nine; the figure is
the median error at the landmarks that were left out, micrometres. A star marks a figure above the
better of the two peers. Run: ``python benchmarks/landmarks/run.py [--seeds 3] [--large]``.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from clemkit.geometry import Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.landmarks.io import read_pairs_file
from clemkit.registration.landmark_fit import register_landmarks
from clemkit.transforms import fit_affine, fit_thin_plate_spline

FIXED, MOVING = Space("fixed"), Space("moving")
SHARED = Path(os.environ.get("CLEMKIT_SHARED", Path(__file__).parents[3] / "shared")) / "data"
KINDS = ("smooth", "heavy", "clustered", "anisotropic", "sheared", "noisy", "tissue")


def pairs_of(fixed, moving) -> LandmarkPairs:
    ids = tuple(f"p{k}" for k in range(len(fixed)))
    return LandmarkPairs(
        moving=LandmarkSet(space=MOVING, ids=ids, points_zyx_nm=moving),
        fixed=LandmarkSet(space=FIXED, ids=ids, points_zyx_nm=fixed),
    )


def waves(rng: np.random.Generator, amplitude: float, length: float) -> Callable:
    """A random smooth vector field with one length scale."""
    k, phase = rng.normal(size=(60, 3)) / length, rng.uniform(0, 2 * np.pi, 60)
    a = rng.normal(size=(60, 3)) * np.sqrt(2 / 60) * amplitude
    return lambda x: np.cos(x @ k.T + phase) @ a


def synthetic(kind: str, n: int, seed: int) -> LandmarkPairs:
    """One set of *n* pairs over 400 x 800 x 1000 um, deformed by some per cent, with noise."""
    rng = np.random.default_rng([KINDS.index(kind), n, seed])
    extent = np.array([400.0, 800.0, 1000.0])
    x = rng.uniform(0, 1, (n, 3)) * extent
    noise = rng.normal(size=(n, 3)) * 2
    bend = waves(rng, 15, 300)
    if kind == "heavy":
        noise = rng.standard_t(2, (n, 3)) * 2
    if kind == "clustered":
        seeds = rng.uniform(0, 1, (max(4, n // 12), 3)) * extent
        x = seeds[rng.integers(0, len(seeds), n)] + rng.normal(size=(n, 3)) * 25
    if kind == "anisotropic":
        noise *= [5, 1, 1]
    if kind == "noisy":
        bend, noise = waves(rng, 6, 300), noise * 4
    moved = x + bend(x)
    if kind == "sheared":
        shear = np.cumsum(rng.normal(size=(11, 2)) * 5, axis=0)
        moved[:, 1:] += shear[(x[:, 0] // 40).astype(int)]
    if kind == "tissue":
        for length, high in ((200, 12), (80, 6), (30, 3)):
            moved += waves(rng, rng.uniform(0, high), length)(x)
        noise = rng.standard_t(3, (n, 3)) * rng.uniform(1, 6) * [2, 1, 1]
        noise *= np.exp(0.5 * rng.normal(size=(n, 1)))
    moved = moved @ (np.eye(3) + rng.normal(size=(3, 3)) * 0.1).T + noise
    return pairs_of(x * 1e3, moved * 1e3)


def real() -> Iterator[tuple[str, LandmarkPairs]]:
    """Real expert sets of the shared data folder; none where it is absent."""
    spaces = {"moving_space": MOVING, "fixed_space": FIXED}
    lung = SHARED / "lung-ct-points"
    larva = SHARED / "larva-landmarks" / "Brain_Lineage_Landmarks_EMtoEM_ProjectSpace.csv"
    if lung.is_dir():
        names = [f"CT_3D_lung_{s}_point_set_corrected.txt" for s in ("moving", "fixed")]
        file = read_pairs_file(lung / names[0], fixed_path=lung / names[1], unit="mm", **spaces)
        yield "lung-ct (real)", file.pairs
    if larva.is_file():
        p = read_pairs_file(larva, unit="nm", **spaces).pairs
        yield "larva (real)", pairs_of(p.fixed.points_zyx_nm * [1, 1, -1], p.moving.points_zyx_nm)


def affine(pairs: LandmarkPairs):
    return fit_affine(
        pairs.fixed.points_zyx_nm, pairs.moving.points_zyx_nm,
        source=FIXED, target=MOVING, allow_reflection=True,
    )  # fmt: skip


def interpolating(pairs: LandmarkPairs):
    return fit_thin_plate_spline(
        pairs.fixed.points_zyx_nm, pairs.moving.points_zyx_nm,
        source=FIXED, target=MOVING, allow_reflection=True,
    )  # fmt: skip


def clemkit(pairs: LandmarkPairs):
    return register_landmarks(pairs, allow_reflection=True).fixed_to_moving


METHODS = {"affine": affine, "interpolating": interpolating, "clemkit": clemkit}


def nested_median_um(pairs: LandmarkPairs, method: Callable, folds: int = 10) -> float:
    """Median error at landmarks that the fit never saw."""
    order = np.random.default_rng(1).permutation(len(pairs))
    errors = []
    for k in range(folds):
        test = order[k::folds]
        train = np.setdiff1d(order, test)
        predicted = method(pairs.select(train)).apply_points(pairs.fixed.points_zyx_nm[test])
        errors.append(np.linalg.norm(predicted - pairs.moving.points_zyx_nm[test], axis=1))
    return float(np.median(np.concatenate(errors))) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[30, 100])
    parser.add_argument("--large", action="store_true", help="also time one fit of 2936 pairs")
    options = parser.parse_args()
    sets = list(real())
    for kind in KINDS:
        for n in options.sizes:
            sets += [(f"{kind} {n} #{s}", synthetic(kind, n, s)) for s in range(options.seeds)]
    print(f"{'set':22}{'pairs':>7}" + "".join(f"{name:>15}" for name in METHODS))
    ratios = []
    for name, pairs in sets:
        scores = [nested_median_um(pairs, method) for method in METHODS.values()]
        best = min(scores[:2])
        ratios.append(scores[2] / best)
        star = "*" if scores[2] > best else " "
        print(f"{name:22}{len(pairs):7}" + "".join(f"{s:15.3f}" for s in scores) + star, flush=True)
    print(
        f"clemkit over the better peer: geometric mean {np.exp(np.mean(np.log(ratios))):.3f}, "
        f"worst {max(ratios):.3f}, above it on {sum(r > 1 for r in ratios)} of {len(ratios)} sets"
    )
    if options.large:
        import resource

        pairs, start = synthetic("tissue", 2936, 0), time.process_time()
        register_landmarks(pairs)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"2936 pairs: {time.process_time() - start:.1f} CPU s, peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
