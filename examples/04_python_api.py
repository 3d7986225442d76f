"""For Python: landmarks, a smoothed spline, its certified inverse, a warped volume, the true error.

A phantom cell stands for your data; its truth is known, so the error at the end is a real one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from clemkit import numerical_inverse, write_ome_zarr
from clemkit.evaluation.tre import landmark_errors
from clemkit.testing import PhantomSpec, make_clem_phantom
from clemkit.transforms import choose_smoothing, fit_thin_plate_spline
from clemkit.volumes import open_volume
from clemkit.warping import warp_volume

OUTPUT = Path("example-output") / "04"
OUTPUT.mkdir(parents=True, exist_ok=True)

# --- an EM block, an LM stack of the same cell, and point pairs
phantom = make_clem_phantom(PhantomSpec.small(seed=4))
pairs = phantom.heldout  # fixed: EM, moving: LM
print(f"EM {phantom.em.grid.shape_zyx}, LM {phantom.lm.grid.shape_zyx}, {len(pairs)} pairs")

# --- 40 landmarks as a person would place them, 60 nm off; the other pairs are for the error
rng = np.random.default_rng(0)
order = rng.permutation(len(pairs))
used, unused = order[:40], order[40:]
placed_em = pairs.fixed.points_zyx_nm[used]
placed_lm = pairs.moving.points_zyx_nm[used] + rng.normal(0, 60, (40, 3))

# --- EM to LM, with as much smoothing as predicts left-out landmarks best
em, lm = pairs.fixed.space, pairs.moving.space
choice = choose_smoothing(placed_em, placed_lm)
em_to_lm = fit_thin_plate_spline(
    placed_em, placed_lm, source=em, target=lm, smoothing=choice.smoothing
)
print(f"leave-one-out error of the landmarks {choice.score_nm:.0f} nm")

# --- the other direction, with its measured error
lm_to_em = numerical_inverse(em_to_lm, domain=phantom.em.grid, tolerance_nm=0.1)
print(f"round trip of the inverse at most {lm_to_em.max_error_nm:.3f} nm")

# --- light microscopy on the EM grid: each EM voxel asks where it came from
warped_path = OUTPUT / "lm-on-em.ome.zarr"
warp_volume(phantom.lm, phantom.em.grid, em_to_lm, warped_path, overwrite=True)
write_ome_zarr(OUTPUT / "em.ome.zarr", phantom.em, overwrite=True)
warped = open_volume(warped_path)
print(f"{warped_path}: {warped.grid.shape_zyx} voxels, channels {', '.join(warped.channels)}")

# --- the true error, where no landmark was placed
errors = landmark_errors(em_to_lm, pairs.select(unused))
print(
    f"true error: median {errors.median_nm:.0f} nm, 95th percentile {errors.p95_nm:.0f} nm "
    f"at {errors.n} points"
)
