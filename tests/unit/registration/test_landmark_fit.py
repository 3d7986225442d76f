"""Registration from landmark pairs: models, smoothing, outliers, repeats, mirrors, units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clemkit.errors import (
    ArgumentError,
    DegenerateLandmarksError,
    RegistrationError,
    TooFewLandmarksError,
)
from clemkit.geometry import Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.registration.landmark_fit import register_landmarks
from clemkit.registration.landmark_rigid_models import fit_affine_model, leave_one_out_affine
from clemkit.registration.landmark_spline import fit_stacked_spline
from clemkit.registration.landmark_stack import stack
from clemkit.transforms import Affine, ThinPlateSpline, fit_thin_plate_spline

EM, LM = Space("em"), Space("lm")
EXTENT = np.array([40_000.0, 90_000.0, 130_000.0])


def pairs_of(fixed: np.ndarray, moving: np.ndarray, ids: tuple[str, ...] = ()) -> LandmarkPairs:
    ids = ids or tuple(f"p{k}" for k in range(len(fixed)))
    return LandmarkPairs(
        moving=LandmarkSet(space=LM, ids=ids, points_zyx_nm=moving),
        fixed=LandmarkSet(space=EM, ids=ids, points_zyx_nm=fixed),
    )


def turned(points: np.ndarray, angle: float = 0.4, scale: float = 0.9) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    rotation = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return scale * points @ rotation.T + [5e3, -2e3, 9e3]


def bend(points: np.ndarray, amplitude: float = 4e3) -> np.ndarray:
    z, y, x = (points / EXTENT).T
    return points + amplitude * np.stack([np.sin(3 * x), np.cos(2 * x + z), np.sin(3 * y)], axis=1)


def bent_pairs(rng: np.random.Generator, n: int, noise: float) -> LandmarkPairs:
    fixed = rng.uniform(0, 1, (n, 3)) * EXTENT + [7e5, 0, -3e5]
    moving = turned(bend(fixed - [7e5, 0, -3e5])) + rng.normal(size=(n, 3)) * noise
    return pairs_of(fixed, moving)


def rules(result) -> set[str]:
    return {finding["rule"] for finding in result.details["findings"]}


@pytest.mark.parametrize("model", ["rigid", "similarity", "affine"])
@pytest.mark.parametrize("planar", [False, True])
def test_leave_one_out_of_affine_models_equals_refitting(rng, model, planar) -> None:
    pairs = bent_pairs(rng, 9, 500)
    fixed, moving = pairs.fixed.points_zyx_nm.copy(), pairs.moving.points_zyx_nm.copy()
    if planar:
        fixed[:, 0], moving[:, 0] = 300.0, -80.0
    weights = rng.uniform(0.3, 2, 9)
    loo = leave_one_out_affine(model, fixed, moving, weights=weights, mirror=False, planar=planar)
    for k in range(9):
        others = np.arange(9) != k
        refit = fit_affine_model(
            model, fixed[others], moving[others],
            source=EM, target=LM, weights=weights[others], mirror=False, planar=planar,
        )  # fmt: skip
        np.testing.assert_allclose(
            loo[k], moving[k] - refit.apply_points(fixed[k : k + 1])[0], atol=1e-3
        )


@pytest.mark.parametrize("kernel", ["r", "r2_log_r"])
def test_stacked_spline_with_one_smoothing_is_the_thin_plate_spline(rng, kernel) -> None:
    pairs = bent_pairs(rng, 25, 300)
    weights = rng.uniform(0.3, 2, 25)
    fixed, moving = pairs.fixed.points_zyx_nm, pairs.moving.points_zyx_nm
    smoothing = 3e4 if kernel == "r" else 1e9
    made = fit_stacked_spline(
        fixed, moving, source=EM, target=LM, weights=weights, ids=pairs.ids,
        smoothing=smoothing, kernel=kernel,
    )  # fmt: skip
    options = {"source": EM, "target": LM, "smoothing": smoothing, "kernel": kernel}
    whole = fit_thin_plate_spline(fixed, moving, weights=weights, **options)
    np.testing.assert_allclose(
        made.transform.apply_points(fixed + 777), whole.apply_points(fixed + 777), atol=1e-4
    )
    others = np.arange(25) != 6
    less = fit_thin_plate_spline(fixed[others], moving[others], weights=weights[others], **options)
    np.testing.assert_allclose(
        made.loo_nm[6], moving[6] - less.apply_points(fixed[6:7])[0], atol=1e-3
    )


def test_smooth_stack_reopens_as_an_interpolating_bigwarp_spline(rng) -> None:
    pairs = bent_pairs(rng, 40, 800)
    fixed = pairs.fixed.points_zyx_nm
    made = fit_stacked_spline(
        fixed, pairs.moving.points_zyx_nm, source=EM, target=LM, weights=np.ones(40), ids=pairs.ids
    )
    again = fit_thin_plate_spline(
        fixed, made.transform.apply_points(fixed), source=EM, target=LM, kernel="r2_log_r"
    )
    np.testing.assert_allclose(
        again.apply_points(fixed + 1234), made.transform.apply_points(fixed + 1234), atol=0.01
    )


def test_stack_prefers_the_better_candidate_and_beats_both_when_errors_cancel(rng) -> None:
    good, bad = rng.normal(size=(60, 3)), 30 * rng.normal(size=(60, 3))
    assert stack(np.array([bad, good]))[1] > 0.9
    a = np.concatenate([good, -good])
    shares = stack(np.array([a + 1.0, a - 1.0]))
    np.testing.assert_allclose(shares, [0.5, 0.5], atol=0.01)


@pytest.mark.parametrize("noise", [0.0, 300.0])
def test_affine_pairs_give_a_simple_model_and_the_right_map(rng, noise) -> None:
    fixed = rng.uniform(0, 1, (30, 3)) * EXTENT
    truth = turned(fixed)
    result = register_landmarks(pairs_of(fixed, truth + noise * rng.normal(size=(30, 3))))
    assert isinstance(result.fixed_to_moving, Affine)
    assert result.details["model"] in ("rigid", "similarity", "affine")
    error = np.linalg.norm(result.fixed_to_moving.apply_points(fixed) - truth, axis=1)
    assert error.max() <= 1.0 * noise + 1e-3
    back = result.moving_to_fixed.apply_points(result.fixed_to_moving.apply_points(fixed))
    np.testing.assert_allclose(back, fixed, atol=1e-6)
    assert result.inverse_error_nm == 0.0
    assert result.status == "ok"


def test_noisy_deformation_is_smoothed_and_both_peers_are_beaten(rng) -> None:
    pairs = bent_pairs(rng, 90, 900)
    fixed = pairs.fixed.points_zyx_nm
    truth = turned(bend(fixed - [7e5, 0, -3e5]))
    result = register_landmarks(pairs)
    assert result.method == "landmarks-tps"

    def median(transform) -> float:
        return float(np.median(np.linalg.norm(transform.apply_points(fixed) - truth, axis=1)))

    options = {"source": EM, "target": LM}
    moving = pairs.moving.points_zyx_nm
    interpolating = fit_thin_plate_spline(fixed, moving, **options)
    affine = fit_thin_plate_spline(fixed, moving, smoothing=np.inf, **options)
    assert median(result.fixed_to_moving) < 0.8 * min(median(interpolating), median(affine))


def test_leave_one_out_estimate_covers_the_error_at_new_points(rng) -> None:
    pairs = bent_pairs(rng, 300, 900)
    known, unseen = np.arange(300) < 150, np.arange(300) >= 150
    result = register_landmarks(pairs.select(known))
    new = pairs.select(unseen)
    predicted = result.fixed_to_moving.apply_points(new.fixed.points_zyx_nm)
    error = np.linalg.norm(predicted - new.moving.points_zyx_nm, axis=1) / 0.9  # fixed space
    estimate = result.error_estimate
    assert estimate.kind == "leave-one-out"
    assert estimate.count == 150
    assert estimate.low_nm <= estimate.median_nm <= estimate.high_nm <= estimate.p90_nm
    assert 0.8 * estimate.low_nm < np.median(error) < 1.2 * estimate.high_nm
    assert sum(region["count"] for region in estimate.regions) == 150
    assert any("median_nm" in region for region in estimate.regions)


def test_certified_inverse_and_jacobian(rng) -> None:
    pairs = bent_pairs(rng, 50, 100)
    result = register_landmarks(pairs)
    assert isinstance(result.fixed_to_moving, ThinPlateSpline)
    fixed = pairs.fixed.points_zyx_nm
    back = result.moving_to_fixed.apply_points(result.fixed_to_moving.apply_points(fixed))
    worst = np.linalg.norm(back - fixed, axis=1).max()
    assert worst < 0.05
    assert 0 < result.inverse_error_nm < 0.05
    assert 0 < result.jacobian.min < 1 < result.jacobian.max
    assert result.jacobian.folded_fraction == 0
    assert (result.moving_to_fixed.source, result.moving_to_fixed.target) == (LM, EM)


def test_wrong_and_swapped_pairs_are_found_by_name(rng) -> None:
    pairs = bent_pairs(rng, 80, 200)
    moving = pairs.moving.points_zyx_nm.copy()
    moving[11] += [20e3, -25e3, 9e3]
    moving[[30, 61]] = moving[[61, 30]]
    result = register_landmarks(pairs_of(pairs.fixed.points_zyx_nm, moving))
    assert result.details["outlier_ids"] == ["p11", "p30", "p61"]
    assert result.details["swapped_ids"] == [["p30", "p61"]]
    assert len(result.fit_residuals_nm) == 77
    clean = register_landmarks(pairs)
    assert result.error_estimate.median_nm < 1.3 * clean.error_estimate.median_nm
    assert any("'p11'" in warning for warning in result.warnings)


@pytest.mark.parametrize("seed", range(4))
def test_good_landmarks_of_a_strongly_deformed_set_are_kept(seed) -> None:
    rng = np.random.default_rng(seed)
    fixed = rng.uniform(0, 1, (200, 3)) * EXTENT
    moving = bend(fixed, 12e3)
    # a steep bump in one corner only
    distance = np.linalg.norm(fixed - 0.8 * EXTENT, axis=1)
    moving += 18e3 * np.exp(-((distance / 22e3) ** 2))[:, None]
    result = register_landmarks(pairs_of(fixed, moving + rng.normal(size=(200, 3)) * 50))
    # the noise is 0.3 % of the bump, which ten landmarks sample: some at its flank may look wrong
    assert len(result.details["outlier_ids"]) <= 3
    near = result.fixed_to_moving.apply_points(fixed)[distance < 15e3]
    assert np.median(np.linalg.norm(near - moving[distance < 15e3], axis=1)) < 1500


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), wrong=st.integers(1, 8))
def test_gross_outliers_hardly_change_the_map(seed: int, wrong: int) -> None:
    rng = np.random.default_rng(seed)
    fixed = rng.uniform(0, 1, (40, 3)) * EXTENT
    truth = turned(fixed)
    moving = truth + rng.normal(size=(40, 3)) * 100
    rows = rng.choice(40, wrong, replace=False)
    moving[rows] += rng.choice([-1, 1], (wrong, 3)) * rng.uniform(3e4, 9e4, (wrong, 3))
    result = register_landmarks(pairs_of(fixed, moving))
    assert set(result.details["outlier_ids"]) >= {f"p{k}" for k in rows}
    error = np.linalg.norm(result.fixed_to_moving.apply_points(fixed) - truth, axis=1)
    assert np.median(error) < 150


def test_repeats_are_merged_and_reported(rng) -> None:
    pairs = bent_pairs(rng, 40, 200)
    rows = np.r_[np.arange(40), 3, 3, 17]
    fixed, moving = pairs.fixed.points_zyx_nm[rows], pairs.moving.points_zyx_nm[rows].copy()
    moving[42] += 600  # the repeat of 17 disagrees
    result = register_landmarks(pairs_of(fixed, moving))
    assert result.details["distinct_landmarks"] == 40
    assert {"landmarks.repeated", "landmarks.conflicting"} <= rules(result)
    assert len(result.details["leave_one_out_nm"]) == 43
    once = register_landmarks(pairs)
    np.testing.assert_allclose(
        result.error_estimate.median_nm, once.error_estimate.median_nm, rtol=0.2
    )


def test_mirror_is_refused_and_used_only_when_allowed(rng) -> None:
    pairs = bent_pairs(rng, 30, 200)
    mirrored = pairs_of(pairs.fixed.points_zyx_nm * [1, 1, -1], pairs.moving.points_zyx_nm)
    with pytest.raises(RegistrationError, match="--allow-reflection"):
        register_landmarks(mirrored)
    result = register_landmarks(mirrored, allow_reflection=True)
    assert result.reflection
    assert "landmarks.mirror" in rules(result)
    assert result.jacobian.folded_fraction == 0
    assert not register_landmarks(pairs, allow_reflection=True).reflection


@pytest.mark.parametrize(
    ("factors", "rule", "text"),
    [
        ([1e3, 1e3, 1e3], "landmarks.unit-factor", "close to 1000"),
        ([0.1, 0.1, 0.1], "landmarks.unit-factor", "close to 10"),
        ([10.0, 1.0, 1.0], "landmarks.anisotropic-scale", "along z of the moving side"),
        ([1.0, 1.0, 1e-3], "landmarks.anisotropic-scale", "along x"),
        ([4.0, 4.0, 4.0], "landmarks.unusual-scale", "expanded"),
    ],
)
def test_wrong_units_are_reported_with_the_numbers(rng, factors, rule, text) -> None:
    fixed = rng.uniform(0, 1, (40, 3)) * EXTENT
    moving = bend(fixed, 500) * 1.02 * factors
    result = register_landmarks(pairs_of(fixed, moving))
    assert rule in rules(result)
    assert any(text in warning for warning in result.warnings)


def test_right_units_are_not_reported(rng) -> None:
    result = register_landmarks(bent_pairs(rng, 40, 200))
    assert rules(result) == set()
    assert result.warnings == ()


def test_too_few_and_degenerate_landmarks() -> None:
    points = np.array([[0, 0, 0], [0, 9e3, 1e3], [4e3, 1e3, 7e3], [8e3, 2e3, 1e3]], dtype=float)
    with pytest.raises(TooFewLandmarksError, match="at least 3 distinct"):
        register_landmarks(pairs_of(points[:2], points[:2]))
    with pytest.raises(TooFewLandmarksError, match="at least 3 distinct"):
        register_landmarks(pairs_of(points[[0, 1, 1, 0]], points[[0, 1, 1, 0]]))
    with pytest.raises(TooFewLandmarksError, match="tps expects at least 5"):
        register_landmarks(pairs_of(points, points), model="tps")
    line = np.arange(6.0)[:, None] * [1e3, 2e3, 3e3]
    with pytest.raises(DegenerateLandmarksError, match="a line"):
        register_landmarks(pairs_of(line, line))


def test_three_landmarks_give_a_map_without_an_error_estimate() -> None:
    points = np.array([[0, 0, 0], [0, 9e3, 1e3], [4e3, 1e3, 7e3]], dtype=float)
    result = register_landmarks(pairs_of(points, turned(points, scale=1.0)))
    assert result.error_estimate.kind == "none"
    assert result.status == "uncertain"
    np.testing.assert_allclose(
        result.fixed_to_moving.apply_points(points), turned(points, scale=1.0), atol=1e-5
    )


def test_coplanar_landmarks_reduce_the_model(rng) -> None:
    flat = rng.uniform(0, 1, (12, 3)) * EXTENT
    flat[:, 0] = 0.3 * flat[:, 1]
    result = register_landmarks(pairs_of(flat, turned(flat)))
    assert "landmarks.coplanar" in rules(result)
    assert result.details["model"] in ("rigid", "similarity")
    np.testing.assert_allclose(result.fixed_to_moving.apply_points(flat), turned(flat), atol=1e-4)
    with pytest.raises(DegenerateLandmarksError, match="one plane"):
        register_landmarks(pairs_of(flat, turned(flat)), model="affine")


def test_two_dimensional_landmarks_are_fitted_in_the_plane(rng) -> None:
    fixed = rng.uniform(0, 1, (40, 3)) * EXTENT
    moving = bend(fixed)
    fixed[:, 0], moving[:, 0] = 300.0, 50.0
    result = register_landmarks(pairs_of(fixed, moving))
    assert "landmarks.two-dimensional" in rules(result)
    assert result.error_estimate.median_nm < 1000
    np.testing.assert_allclose(result.fixed_to_moving.apply_points(fixed)[:, 0], 50.0)
    back = result.moving_to_fixed.apply_points(result.fixed_to_moving.apply_points(fixed))
    np.testing.assert_allclose(back, fixed, atol=0.05)


def test_explicit_smoothing_and_models(rng) -> None:
    pairs = bent_pairs(rng, 30, 200)
    fixed, moving = pairs.fixed.points_zyx_nm, pairs.moving.points_zyx_nm
    through = register_landmarks(pairs, smoothing=0.0)
    np.testing.assert_allclose(through.fixed_to_moving.apply_points(fixed), moving, atol=1e-3)
    for model in ("rigid", "similarity", "affine", "tps"):
        assert register_landmarks(pairs, model=model).details["model"] == model
    with pytest.raises(ArgumentError, match="model"):
        register_landmarks(pairs, model="cubic")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=">= 0"):
        register_landmarks(pairs, smoothing=-1.0)
    with pytest.raises(ArgumentError, match="alone smooths"):
        register_landmarks(pairs, smoothing=1.0, model="affine")
    broken = moving.copy()
    broken[4, 1] = np.nan
    with pytest.raises(ArgumentError, match="'p4'"):
        register_landmarks(pairs_of(fixed, broken))


def test_uncertain_landmarks_count_less(rng) -> None:
    fixed = rng.uniform(0, 1, (20, 3)) * EXTENT
    noise = np.where(np.arange(20) % 2, 2000.0, 20.0)[:, None]
    moving = turned(fixed) + noise * rng.normal(size=(20, 3))
    plain = pairs_of(fixed, moving)
    sigma = LandmarkSet(
        space=LM, ids=plain.ids, points_zyx_nm=moving, sigma_zyx_nm=np.tile(noise, (1, 3))
    )
    told = LandmarkPairs(moving=sigma, fixed=plain.fixed)

    def error(pairs: LandmarkPairs) -> float:
        found = register_landmarks(pairs, model="affine").fixed_to_moving.apply_points(fixed)
        return float(np.linalg.norm(found - turned(fixed), axis=1).mean())

    assert error(told) < error(plain)


def test_folding_pairs_get_a_measured_backward_fit(rng) -> None:
    fixed = rng.uniform(0, 1, (30, 3)) * EXTENT
    moving = fixed.copy()
    moving[:, 2] = 1.5 * np.abs(fixed[:, 2] - 50e3) + 0.1 * fixed[:, 2]  # folded paper
    result = register_landmarks(pairs_of(fixed, moving), smoothing=0.0, allow_reflection=True)
    assert "landmarks.folded" in rules(result)
    assert result.inverse_error_nm > 0
    assert result.status == "uncertain"


def test_same_seed_same_answer(rng) -> None:
    pairs = bent_pairs(rng, 40, 500)
    a, b = register_landmarks(pairs, seed=4), register_landmarks(pairs, seed=4)
    q = pairs.fixed.points_zyx_nm + 100
    np.testing.assert_array_equal(
        a.fixed_to_moving.apply_points(q), b.fixed_to_moving.apply_points(q)
    )
    assert a.error_estimate == b.error_estimate
    assert a.step.seed == 4
