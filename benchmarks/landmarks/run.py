"""Landmark-only fits by nested 5-fold cross-validation, against an affine and an interpolating
biharmonic spline.

Every fold is fitted from scratch, smoothing and outliers included, on the other four. Errors at
the landmarks that were left out are pooled over the folds and shuffles, in both directions,
micrometres; landmarks known to be wrong are not scored, and repeats stay in one fold. A star marks
a figure more than one per cent above the better of the two peers.

Run: ``python benchmarks/landmarks/run.py [--sets 120] [--shuffles 2] [--large]``.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sets import NamedSet, real_sets, simulated, simulated_sets

from clemkit.landmarks import LandmarkPairs
from clemkit.registration.landmark_fit import register_landmarks

Map = Callable[[np.ndarray], np.ndarray]
STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "median": lambda e: float(np.median(e)),
    "mean": lambda e: float(np.mean(e)),
    "rms": lambda e: float(np.sqrt(np.mean(e**2))),
}
EQUAL = 1.01  # a tie


def affine(x: np.ndarray, y: np.ndarray) -> Map:
    """Return the least-squares affine."""
    centre, scale = x.mean(axis=0), np.abs(x - x.mean(axis=0)).max()

    def design(p: np.ndarray) -> np.ndarray:
        return np.hstack([(p - centre) / scale, np.ones((len(p), 1))])

    solution = np.linalg.lstsq(design(x), y, rcond=None)[0]
    return lambda p: design(p) @ solution


def biharmonic(x: np.ndarray, y: np.ndarray) -> Map:
    """Return the interpolating spline with kernel r and an affine part."""
    from scipy.interpolate import RBFInterpolator

    centre, scale = x.mean(axis=0), np.abs(x - x.mean(axis=0)).max()
    made = RBFInterpolator((x - centre) / scale, y, kernel="linear", degree=1)
    return lambda p: np.asarray(made((p - centre) / scale))


def peer_errors(fit: Callable, train: LandmarkPairs, test: LandmarkPairs) -> np.ndarray:
    """Return errors (2, N) of a peer that is fitted in each direction by itself."""
    keep = np.unique(np.round(train.fixed.points_zyx_nm, 3), axis=0, return_index=True)[1]
    sides = [(s.points_zyx_nm[keep], t.points_zyx_nm) for s, t in
             ((train.fixed, test.fixed), (train.moving, test.moving))]  # fmt: skip
    out = []
    for (x, a), (y, b) in (sides, sides[::-1]):
        out.append(np.linalg.norm(fit(x, y)(a) - b, axis=1))
    return np.array(out)


def clemkit_errors(train: LandmarkPairs, test: LandmarkPairs) -> np.ndarray:
    """Return errors (2, N) of one registration and its inverse."""
    made = register_landmarks(train, allow_reflection=True)
    a, b = test.fixed.points_zyx_nm, test.moving.points_zyx_nm
    return np.array([
        np.linalg.norm(made.fixed_to_moving.apply_points(a) - b, axis=1),
        np.linalg.norm(made.moving_to_fixed.apply_points(b) - a, axis=1),
    ])  # fmt: skip


METHODS: dict[str, Callable[[LandmarkPairs, LandmarkPairs], np.ndarray]] = {
    "affine": lambda train, test: peer_errors(affine, train, test),
    "biharmonic": lambda train, test: peer_errors(biharmonic, train, test),
    "clemkit": clemkit_errors,
}


def cross_validated(given: NamedSet, method: Callable, shuffles: int, folds: int = 5) -> np.ndarray:
    """Return pooled errors (2, shuffles * N) in micrometres at landmarks that the fit never saw."""
    pairs = given.pairs
    point = np.unique(pairs.fixed.points_zyx_nm, axis=0, return_inverse=True)[1].ravel()
    good = ~np.isin(pairs.ids, list(given.wrong | given.repeated))
    errors = []
    for shuffle in range(shuffles):
        fold = np.random.default_rng(shuffle).permutation(point.max() + 1)[point] % folds
        for k in range(folds):
            train, test = np.flatnonzero(fold != k), np.flatnonzero((fold == k) & good)
            errors.append(method(pairs.select(train), pairs.select(test)))
    return np.concatenate(errors, axis=1) / 1e3


def found_wrong(given: NamedSet) -> tuple[int, int, int]:
    """Return how many wrong pairs were found, how many there are, how many were named."""
    details = register_landmarks(given.pairs, allow_reflection=True).details
    named = set(details["outlier_ids"])
    if given.repeated:
        assert details["distinct_landmarks"] == len(given.pairs) - len(given.repeated)
    return len(named & given.wrong), len(given.wrong), len(named - given.repeated)


def table(sets: list[NamedSet], shuffles: int) -> None:
    """Print one row per set and what they amount to."""
    print(f"{'set':52}{'pairs':>6} " + "".join(f"{d + ' ' + s:>27}" for d in ("f>m", "m>f")
          for s in STATISTICS))  # fmt: skip
    ratios: list[list[float]] = []
    caught = np.zeros(3, dtype=int)
    for given in sets:
        errors = [cross_validated(given, m, shuffles) for m in METHODS.values()]
        line, row = f"{given.name:52}{len(given.pairs):6} ", []
        for direction in (0, 1):
            for statistic in STATISTICS.values():
                a, b, c = (statistic(e[direction]) for e in errors)
                row.append(c / min(a, b))
                line += f"{a:9.4g}{b:9.4g}{c:8.4g}" + ("*" if row[-1] > EQUAL else " ")
        caught += found_wrong(given)
        ratios.append(row)
        print(line, flush=True)
    r = np.array(ratios)
    print(f"\n{'clemkit over the better peer':30}" + "".join(f"{d + ' ' + s:>14}"
          for d in ("f>m", "m>f") for s in STATISTICS))  # fmt: skip
    for label, values in (
        ("geometric mean", np.exp(np.log(r).mean(axis=0))),
        ("worst", r.max(axis=0)),
        ("below", (r <= 1).sum(axis=0)),
        ("within 1 % above", ((r > 1) & (r <= EQUAL)).sum(axis=0)),
        ("more than 1 % above", (r > EQUAL).sum(axis=0)),
    ):
        print(f"{label:30}" + "".join(f"{v:14.4g}" for v in values))
    hit, wrong, named = caught
    print(f"wrong pairs: {wrong}; found {hit} (recall {hit / max(wrong, 1):.3f}); "
          f"named {named} (precision {hit / max(named, 1):.3f})")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=120, help="simulated sets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--largest", type=int, default=400, help="pairs of a simulated set")
    parser.add_argument("--shuffles", type=int, default=2)
    parser.add_argument("--large", action="store_true", help="also time one fit of 2936 pairs")
    options = parser.parse_args()
    sets = [*real_sets(), *simulated_sets(options.sets, options.seed, options.largest)]
    table(sets, options.shuffles)
    if options.large:
        import resource

        given = simulated("large", 2936, np.random.default_rng(0))
        start = time.process_time()
        register_landmarks(given.pairs)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"2936 pairs: {time.process_time() - start:.1f} CPU s, peak memory {peak:.2f} GB")


if __name__ == "__main__":
    main()
