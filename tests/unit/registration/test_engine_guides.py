"""Given fields on lattices, landmarks as evidence, several images at once."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import ArgumentError
from clemkit.geometry import Grid, Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.registration.initial import split_initial
from clemkit.registration.landmark_guide import LandmarkGuide, landmark_start
from clemkit.registration.pull import AffineMap
from clemkit.transforms import Affine, compose, fit_thin_plate_spline

EM, LM = Space("em"), Space("lm")
FIELD = Grid(
    space=EM, shape_zyx=(14, 30, 33), voxel_size_zyx_nm=(100, 80, 80), origin_zyx_nm=(40, -700, 300)
)
MOVING = Grid(space=LM, shape_zyx=(20, 40, 50), voxel_size_zyx_nm=(250, 100, 110))
LINEAR = np.array([[1.05, 0.02, 0.0], [0.03, 0.3, 1.0], [0.0, -1.1, 0.35]])
AFFINE = AffineMap(LINEAR, np.array([300.0, 900.0, -400.0]))


def points(rng, count: int) -> np.ndarray:
    low, high = FIELD.corners()[0], FIELD.corners()[-1]
    return low + rng.uniform(0.05, 0.95, (count, 3)) * (high - low)


def pairs(fixed, moving, sigma_zyx_nm=None) -> LandmarkPairs:
    ids = tuple(f"p{k}" for k in range(len(fixed)))
    return LandmarkPairs(
        moving=LandmarkSet(space=LM, ids=ids, points_zyx_nm=moving),
        fixed=LandmarkSet(space=EM, ids=ids, points_zyx_nm=fixed, sigma_zyx_nm=sigma_zyx_nm),
    )


def bend(rng):
    """Return a smooth displacement within the fixed space."""
    nodes = np.stack(np.meshgrid(*[[0.0, 0.5, 1.0]] * 3, indexing="ij"), -1).reshape(-1, 3)
    low, high = FIELD.corners()[0], FIELD.corners()[-1]
    nodes = low + nodes * (high - low)
    return fit_thin_plate_spline(
        nodes, nodes + rng.normal(0, 60, nodes.shape), source=EM, target=EM
    )


def test_a_transform_becomes_its_affine_part_and_a_rest(rng):
    given = compose(bend(rng), AFFINE.to_transform(EM, LM))
    found = split_initial(given, FIELD, 500.0)
    inside = points(rng, 200)
    rest = found.lattice.to_transform(found.coefficients, EM)
    rebuilt = found.affine.apply(rest.apply_points(inside))
    assert np.linalg.norm(rebuilt - given.apply_points(inside), axis=1).max() < 8
    alone = found.affine.apply(inside) - given.apply_points(inside)
    assert np.linalg.norm(alone, axis=1).max() > 40


def test_an_affine_leaves_no_rest():
    found = split_initial(AFFINE.to_transform(EM, LM), FIELD, 500.0, trusted=True)
    assert found.lattice is None
    assert found.trusted
    np.testing.assert_allclose(found.affine.linear, LINEAR, atol=1e-9)


def test_a_transform_without_values_in_the_field_is_refused():
    class Nowhere:
        source, target = EM, LM

        def apply_points(self, where):
            return np.full_like(where, np.nan)

    with pytest.raises(ArgumentError, match=r"fixed field, 1.4 x 2.4 x 2.64 µm"):
        split_initial(Nowhere(), FIELD, 500.0)


def test_landmark_evidence_is_the_derivative_of_its_cost(rng):
    fixed = points(rng, 5)
    moving = AFFINE.apply(fixed + rng.normal(0, 80, fixed.shape))
    guide = LandmarkGuide.build(pairs(fixed, moving), AFFINE, FIELD, MOVING, "soft")
    lattice = split_initial(compose(bend(rng), AFFINE.to_transform(EM, LM)), FIELD, 700.0).lattice
    term = guide.on_model(lattice, None)
    current = rng.normal(0, 20, (3, *lattice.shape))
    matrix, pull = term.evaluate(current)

    def cost(coefficients):
        """Half the squared distances in the moving frame over a moving voxel each."""
        moved = fixed + lattice.rows(fixed) @ coefficients.reshape(3, -1).T
        gap = (AFFINE.apply(moved) - moving) / MOVING.voxel_size_zyx_nm
        return 0.5 * float((gap**2).sum())

    step = rng.normal(0, 1, current.shape)
    slope = (cost(current + 1e-3 * step) - cost(current - 1e-3 * step)) / 2e-3
    assert -float(pull @ step.ravel()) == pytest.approx(slope, rel=1e-3)
    curve = cost(current + step) + cost(current - step) - 2 * cost(current)
    assert float(step.ravel() @ matrix @ step.ravel()) == pytest.approx(curve, rel=1e-3)


def test_stated_deviations_replace_the_voxel(rng):
    fixed = points(rng, 3)
    both = np.full((3, 3), 30.0)
    guide = LandmarkGuide.build(
        pairs(fixed, AFFINE.apply(fixed), both), AFFINE, FIELD, MOVING, "soft"
    )
    np.testing.assert_allclose(guide.covariance_nm2[0], 900 * np.eye(3), atol=0.1)


def test_landmarks_outside_the_field_are_named(rng):
    fixed = np.vstack([points(rng, 2), FIELD.corners()[-1] + 500])
    guide = LandmarkGuide.build(pairs(fixed, AFFINE.apply(fixed)), AFFINE, FIELD, MOVING, "hard")
    assert guide.outside == ("p2",)
    assert guide.pairs.ids == ("p0", "p1")


def test_landmarks_start_only_where_they_span_a_volume_and_agree(rng):
    fixed = points(rng, 7)
    moving = AFFINE.apply(fixed)
    found = landmark_start(pairs(fixed, moving), FIELD, MOVING, allow_reflection=False)
    assert isinstance(found, Affine)
    np.testing.assert_allclose(found.linear, LINEAR, atol=1e-6)

    def start(a, b):
        return landmark_start(pairs(a, b), FIELD, MOVING, allow_reflection=False)

    assert start(fixed[:3], moving[:3]) is None
    plane = fixed * [0, 1, 1] + [500, 0, 0]
    assert start(plane, AFFINE.apply(plane)) is None
    wrong = moving.copy()
    wrong[2] += 2500
    assert start(fixed, wrong) is None
