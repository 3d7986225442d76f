"""For BigWarp users: a landmark file with two mistakes in it, registered with an honest error.

The file has BigWarp's layout. One landmark sits on the wrong structure, one pair was saved twice:
both are found. Then an axis of one side is flipped, as a wrong import does: that is refused.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from clemkit import LandmarkPairs, LandmarkSet, Space, register_landmarks
from clemkit.errors import RegistrationError
from clemkit.landmarks.io import read_pairs_file, write_landmark_pairs

rng = np.random.default_rng(5)
em, lm = Space("em"), Space("lm")
folder = Path(tempfile.mkdtemp(prefix="clemkit-example-"))


def lm_from_em(points_zyx_nm: np.ndarray) -> np.ndarray:
    """Return the true place in LM: shrinkage, rotation about z, shift, and a bend."""
    turn = np.deg2rad(25)
    linear = np.array(
        [
            [1.1, 0.0, 0.0],
            [0.0, 1.08 * np.cos(turn), -1.08 * np.sin(turn)],
            [0.0, 1.05 * np.sin(turn), 1.05 * np.cos(turn)],
        ]
    )
    bend = 400 * np.sin(points_zyx_nm[:, ::-1] / 6000)
    return points_zyx_nm @ linear.T + [2000.0, -900.0, 5000.0] + bend


def pairs_of(fixed: np.ndarray, moving: np.ndarray) -> LandmarkPairs:
    """Name points and put them into their spaces."""
    ids = tuple(f"Pt-{i}" for i in range(len(fixed)))
    return LandmarkPairs(
        fixed=LandmarkSet(space=em, ids=ids, points_zyx_nm=fixed),
        moving=LandmarkSet(space=lm, ids=ids, points_zyx_nm=moving),
    )


# --- 30 landmarks, each placed to 80 nm
fixed = rng.uniform(0, [6000, 15000, 15000], (30, 3))
moving = lm_from_em(fixed) + rng.normal(0, 80, fixed.shape)
moving[7] += [0.0, 4000.0, -3000.0]  # placed on the wrong structure
fixed[12], moving[12] = fixed[11], moving[11]  # saved twice
path = folder / "landmarks.csv"
write_landmark_pairs(path, pairs_of(fixed, moving), unit="um")
print(path.read_text(encoding="utf-8").splitlines()[0])

# --- read, register; BigWarp's file states no unit, so it is passed
read = read_pairs_file(path, unit="um", moving_space=lm, fixed_space=em)
result = register_landmarks(read.pairs, seed=0)
estimate = result.error_estimate
print(f"{result.method}, {result.status}")
print(
    f"estimated error: median {estimate.median_nm:.0f} nm, "
    f"90 % interval {estimate.low_nm:.0f} to {estimate.high_nm:.0f} nm ({estimate.kind})"
)
for warning in result.warnings:
    print("finding:", warning)

# --- against the truth, at places without landmarks; a left-out landmark is itself placed to 80 nm,
# so the estimate lies above
targets = rng.uniform([500, 1500, 1500], [5500, 13500, 13500], (1000, 3))
error = np.linalg.norm(result.fixed_to_moving.apply_points(targets) - lm_from_em(targets), axis=1)
median, p95 = np.quantile(error, [0.5, 0.95])
print(f"true error: median {median:.0f} nm, 95th percentile {p95:.0f} nm")

# --- one axis flipped: refused, unless a mirror is allowed
flipped = pairs_of(fixed, moving * [-1, 1, 1])
try:
    register_landmarks(flipped, seed=0)
except RegistrationError as error_found:
    print("refused:", error_found)
else:
    raise SystemExit("a mirrored set was accepted")
