"""Landmark fits against their peers at landmarks that no fit saw; wrong pairs among noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from clemkit.geometry import Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.landmarks.io import read_pairs_file
from clemkit.registration.landmark_blend import StiffMap, blend
from clemkit.registration.landmark_fit import register_landmarks
from clemkit.registration.landmark_spline import ISOTROPIC, fit_stacked_spline
from clemkit.registration.landmark_stack import stack
from clemkit.registration.landmark_stretch import choose_stretch
from clemkit.transforms import Affine
from clemkit.transforms.io.exact_json import read_exact_json, write_exact_json

EM, LM = Space("em"), Space("lm")
EXTENT = np.array([200e3, 300e3, 500e3])


def pairs_of(fixed: np.ndarray, moving: np.ndarray) -> LandmarkPairs:
    ids = tuple(f"p{k}" for k in range(len(fixed)))
    return LandmarkPairs(
        moving=LandmarkSet(space=LM, ids=ids, points_zyx_nm=moving),
        fixed=LandmarkSet(space=EM, ids=ids, points_zyx_nm=fixed),
    )


def simulated(seed: int, n: int, field_nm: float, noise_nm: float) -> LandmarkPairs:
    """A smooth field with features of 150 um, and normal noise, behind an affine."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 1, (n, 3)) * EXTENT
    k, phase = rng.normal(size=(40, 3)) / 150e3, rng.uniform(0, 2 * np.pi, 40)
    bent = np.cos(x @ k.T + phase) @ rng.normal(size=(40, 3)) * field_nm * np.sqrt(2 / 120)
    linear = np.eye(3) + rng.normal(size=(3, 3)) * 0.08
    return pairs_of(x, (x + bent) @ linear.T + noise_nm * rng.normal(size=(n, 3)))


def peers(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> list[np.ndarray]:
    design = np.hstack([x / 1e5, np.ones((len(x), 1))])
    solution = np.linalg.lstsq(design, y, rcond=None)[0]
    spline = RBFInterpolator(x / 1e5, y, kernel="linear", degree=1)
    return [np.hstack([at / 1e5, np.ones((len(at), 1))]) @ solution, spline(at / 1e5)]


def cross_validated(pairs: LandmarkPairs, folds: int = 5) -> np.ndarray:
    """Errors ``(2, 3, N)`` in both directions of the affine, the spline and clemkit."""
    fold = np.random.default_rng(0).permutation(len(pairs)) % folds
    errors = []
    for k in range(folds):
        train, test = (
            pairs.select(np.flatnonzero(fold != k)),
            pairs.select(np.flatnonzero(fold == k)),
        )
        made = register_landmarks(train, allow_reflection=True)
        a, b = train.fixed.points_zyx_nm, train.moving.points_zyx_nm
        at, to = test.fixed.points_zyx_nm, test.moving.points_zyx_nm
        there = [*peers(a, b, at), made.fixed_to_moving.apply_points(at)]
        back = [*peers(b, a, to), made.moving_to_fixed.apply_points(to)]
        errors.append([[np.linalg.norm(p - to, axis=1) for p in there],
                       [np.linalg.norm(p - at, axis=1) for p in back]])  # fmt: skip
    return np.concatenate(errors, axis=2)


# bounds: what such sets gave, plus one to two per cent
@pytest.mark.parametrize(
    ("n", "field_nm", "noise_nm", "bound"),
    [
        (30, 0.0, 2000.0, 1.02),  # an affine is best
        (30, 8000.0, 0.0, 1.02),  # an interpolating spline is good
        (40, 6000.0, 3000.0, 1.02),  # too few to see the field
        (60, 6000.0, 3000.0, 0.99),
        (120, 6000.0, 3000.0, 0.95),
        (120, 3000.0, 8000.0, 1.02),
    ],
)
def test_held_out_error_is_not_above_the_better_peer(n, field_nm, noise_nm, bound) -> None:
    ratios = []
    for seed in range(2):
        mean = cross_validated(simulated(seed, n, field_nm, noise_nm)).mean(axis=2)
        ratios.append(mean[:, 2] / mean[:, :2].min(axis=1))
    assert np.exp(np.mean(np.log(ratios))) <= bound
    assert np.max(ratios) <= bound + 0.03


@pytest.mark.shared
@pytest.mark.parametrize("name", ["lung", "larva"])
def test_real_sets_are_predicted_better_than_by_either_peer(shared_data, name) -> None:
    spaces = {"moving_space": LM, "fixed_space": EM}
    if name == "lung":
        folder = shared_data / "lung-ct-points"
        files = [folder / f"CT_3D_lung_{s}_point_set_corrected.txt" for s in ("moving", "fixed")]
        pairs = read_pairs_file(files[0], fixed_path=files[1], unit="mm", **spaces).pairs
    else:
        path = shared_data / "larva-landmarks/Brain_Lineage_Landmarks_EMtoEM_ProjectSpace.csv"
        pairs = read_pairs_file(path, unit="nm", **spaces).pairs
    errors = cross_validated(pairs, folds=10)
    for statistic in (np.mean(errors, axis=2), np.median(errors, axis=2)):
        assert np.all(statistic[:, 2] <= statistic[:, :2].min(axis=1))


@pytest.mark.parametrize("seed", range(3))
def test_a_tenth_of_wrong_pairs_among_noise_is_found_and_inputs_stay(seed) -> None:
    pairs = simulated(seed, 150, 3000.0, 4000.0)
    rng = np.random.default_rng(seed)
    rows = rng.choice(150, 15, replace=False)
    away = rng.normal(size=(15, 3))
    away *= rng.uniform(6e4, 15e4, (15, 1)) / np.linalg.norm(away, axis=1, keepdims=True)
    moving = pairs.moving.points_zyx_nm.copy()
    moving[rows] += away
    again = [k for k in (3, 50, 90) if k not in rows]
    order = np.r_[np.arange(150), again]
    given = pairs_of(pairs.fixed.points_zyx_nm[order], moving[order])
    before = given.fixed.points_zyx_nm.copy(), given.moving.points_zyx_nm.copy()
    details = register_landmarks(given).details
    wrong = {f"p{k}" for k in rows}
    named = set(details["outlier_ids"])
    assert len(named & wrong) >= 14
    assert len(named - wrong) <= 1
    assert details["distinct_landmarks"] == 150
    np.testing.assert_array_equal(given.fixed.points_zyx_nm, before[0])
    np.testing.assert_array_equal(given.moving.points_zyx_nm, before[1])


def test_blend_is_the_stated_average_of_its_parts(rng) -> None:
    pairs = simulated(5, 40, 4000.0, 4000.0)
    fixed, moving = pairs.fixed.points_zyx_nm, pairs.moving.points_zyx_nm
    spline = fit_stacked_spline(
        fixed, moving, source=EM, target=LM, weights=np.ones(40), ids=pairs.ids
    )
    affine = Affine.from_parts(np.eye(3), moving.mean(0) - fixed.mean(0), source=EM, target=LM)
    loo = moving - affine.apply_points(fixed)
    mixed = blend(spline, [StiffMap("rigid", affine, loo)], np.ones(40, dtype=bool))
    assert spline.likely is not None
    own = stack(np.array([spline.loo_nm, spline.likely.loo_nm, loo]))
    parts = (spline.transform, spline.likely.transform, affine)
    at = fixed + 3e3
    wanted = sum(s * part.apply_points(at) for s, part in zip(own, parts, strict=True))
    np.testing.assert_allclose(mixed.transform.apply_points(at), wanted, atol=1e-3)
    assert mixed.blend["tps"] == pytest.approx(own[:2].sum())
    error = np.linalg.norm(mixed.loo_nm, axis=1).mean()
    for each in (spline.loo_nm, spline.likely.loo_nm, loo):
        assert error <= 1.001 * np.linalg.norm(each, axis=1).mean()


def test_stack_survives_a_hopeless_candidate(rng) -> None:
    good = rng.normal(size=(40, 3))
    shares = stack(np.array([good * 1e9, good, good + 1e7]))
    np.testing.assert_allclose(shares, [0, 1, 0])


def test_sections_that_jump_stretch_z_and_the_map_is_kept_by_its_file(rng, tmp_path) -> None:
    fixed = rng.uniform(0, 1, (150, 3)) * EXTENT
    jumps = np.cumsum(rng.normal(size=(21, 2)), axis=0) * 6e3
    moving = fixed.copy()
    moving[:, 1:] += jumps[(fixed[:, 0] / 10e3).astype(int)]
    moving += rng.normal(size=moving.shape) * 300
    weights = np.ones(150)
    stretch = choose_stretch(fixed, moving, weights=weights, kernel="r", seed=0)
    assert stretch[0] > 1
    smooth = simulated(1, 150, 6000.0, 1000.0)
    points = smooth.fixed.points_zyx_nm, smooth.moving.points_zyx_nm
    assert choose_stretch(*points, weights=weights, kernel="r", seed=0) == ISOTROPIC
    made = fit_stacked_spline(
        fixed, moving, source=EM, target=LM, weights=weights,
        ids=[str(k) for k in range(150)], kernel="r", stretch_zyx=stretch,
    ).transform  # fmt: skip
    at = rng.uniform(0.1, 0.9, (30, 3)) * EXTENT
    step = np.eye(3) * 1.0
    numeric = [(made.apply_points(at + s) - made.apply_points(at - s)) / 2.0 for s in step]
    np.testing.assert_allclose(made.jacobian(at), np.stack(numeric, axis=2), atol=1e-3)
    write_exact_json(tmp_path / "map.json", made)
    again = read_exact_json(tmp_path / "map.json")
    np.testing.assert_array_equal(again.apply_points(at), made.apply_points(at))
