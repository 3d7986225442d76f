from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import ArgumentError
from clemkit.evaluation.tre import bootstrap_median, landmark_errors, target_registration_error
from clemkit.geometry import Grid, Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.transforms import Affine

EM, LM = Space("em"), Space("lm")


def affine(linear=((1, 0, 0), (0, 1, 0), (0, 0, 1)), shift=(0.0, 0.0, 0.0)) -> Affine:
    return Affine.from_parts(linear, shift, source=EM, target=LM)


def test_a_known_shift_is_the_error_of_every_point(rng) -> None:
    points = rng.uniform(-500, 900, (11, 3))
    errors = target_registration_error(affine(shift=(3.0, -4.0, 12.0)), points, points)
    np.testing.assert_allclose(errors.vectors_zyx_nm, np.tile([3.0, -4.0, 12.0], (11, 1)))
    for figure in (errors.median_nm, errors.mean_nm, errors.p90_nm, errors.p95_nm, errors.max_nm):
        assert figure == pytest.approx(13.0)
    assert (errors.low_nm, errors.high_nm) == pytest.approx((13.0, 13.0))
    assert errors.n == 11
    assert errors.n_outside == 0


def test_figures_of_hand_made_errors() -> None:
    target = np.zeros((5, 3))
    source = np.array([[1.0, 0, 0], [0, 2, 0], [0, 0, 3], [4, 0, 0], [0, 30, 40]])
    errors = target_registration_error(affine(), source, target, ids="abcde")
    np.testing.assert_allclose(errors.lengths_nm, [1, 2, 3, 4, 50])
    assert errors.ids == ("a", "b", "c", "d", "e")
    assert (errors.median_nm, errors.mean_nm, errors.max_nm) == (3.0, 12.0, 50.0)
    assert errors.p90_nm == pytest.approx(4 + 0.6 * 46)
    assert errors.p95_nm == pytest.approx(4 + 0.8 * 46)
    assert errors.low_nm <= 3.0 <= errors.high_nm


def test_points_outside_are_flagged_but_counted() -> None:
    domain = Grid(
        space=EM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(100, -40, 5)
    )
    points = np.array([[100.0, -40, 5], [400, 40, 125], [426, 0, 50], [200, 0, -1]])
    shifted = points + np.array([[0, 0, 1], [0, 0, 1], [0, 0, 9], [0, 0, 1]])
    errors = target_registration_error(affine(), points, shifted, domain=domain)
    assert errors.outside.tolist() == [False, False, True, True]
    assert errors.max_nm == pytest.approx(9.0)
    inside = errors.inside()
    assert inside.ids == ("1", "2")
    assert inside.max_nm == pytest.approx(1.0)


class _Undefined:
    source, target = EM, LM

    def apply_points(self, points_zyx_nm, /):
        points = np.array(points_zyx_nm, dtype=float)
        points[points[:, 2] > 10] = np.nan
        return points

    def jacobian(self, points_zyx_nm, /):
        raise AssertionError

    def inverse(self):
        raise AssertionError


def test_points_without_a_position_are_outside_and_not_counted() -> None:
    errors = target_registration_error(_Undefined(), [[0, 0, 5], [0, 0, 20]], [[0, 0, 7]] * 2)
    assert errors.outside.tolist() == [False, True]
    assert errors.n == 1
    assert errors.median_nm == pytest.approx(2.0)
    assert np.isnan(errors.low_nm)


def test_no_points_and_uneven_points_are_refused() -> None:
    for source, target in (([], []), ([[0, 0, 0]], [[0, 0, 0], [1, 1, 1]])):
        with pytest.raises(ArgumentError, match="as many source as target"):
            target_registration_error(affine(), source, target)


def test_bootstrap_interval_covers_the_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    truth = np.log(2)  # median of the unit exponential
    hits = 0
    for trial in range(150):
        low, high = bootstrap_median(rng.exponential(size=40), seed=trial, resamples=200)
        hits += low <= truth <= high
    assert 0.82 < hits / 150 < 0.97


def test_bootstrap_is_reproducible_and_seeded(rng) -> None:
    lengths = rng.exponential(size=25)
    few = {"resamples": 20}
    assert bootstrap_median(lengths, seed=3, **few) == bootstrap_median(lengths, seed=3, **few)
    assert bootstrap_median(lengths, seed=3, **few) != bootstrap_median(lengths, seed=4, **few)
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        bootstrap_median(lengths, level=90)


def test_direction_follows_from_the_spaces(rng) -> None:
    linear = np.diag([2.0, 1.0, 0.5])
    fixed = rng.uniform(0, 100, (6, 3))
    forward = affine(linear, (5.0, 6.0, 7.0))
    moving = forward.apply_points(fixed) + np.array([[8.0, 0.0, 0.0]])
    ids = tuple("abcdef")
    pairs = LandmarkPairs(
        moving=LandmarkSet(space=LM, ids=ids, points_zyx_nm=moving),
        fixed=LandmarkSet(space=EM, ids=ids, points_zyx_nm=fixed),
    )
    assert landmark_errors(forward, pairs).median_nm == pytest.approx(8.0)
    assert landmark_errors(forward.inverse(), pairs).median_nm == pytest.approx(4.0)
    other = Affine.identity(EM, Space("ct"))
    with pytest.raises(ArgumentError, match="between the landmarks' spaces"):
        landmark_errors(other, pairs)
