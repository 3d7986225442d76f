import numpy as np
import pytest

from clemkit.errors import ArgumentError, SpaceMismatchError
from clemkit.geometry import Grid, Space
from clemkit.transforms import (
    Affine,
    BSpline,
    check_folding,
    compose,
    determinant_map,
    jacobian_determinant,
)

LM, EM = Space("lm"), Space("em")
GRID = Grid(
    space=LM,
    shape_zyx=(7, 11, 45),
    voxel_size_zyx_nm=(50.0, 8.0, 10.0),
    origin_zyx_nm=(1000.0, -30.0, 77.0),
)
AFFINE = Affine.from_parts(
    [[2.0, 0.1, 0.0], [0.0, 0.5, 0.3], [0.0, 0.0, 3.0]], [1, 2, 3], source=LM, target=LM
)


def bump(height: float) -> BSpline:
    lo, hi = GRID.corners().min(axis=0), GRID.corners().max(axis=0)
    flat = BSpline.covering(lo, hi, [100, 30, 40], source=LM, target=EM)
    values = np.zeros_like(flat.coefficients_zyx_nm)
    values[2, 3, 6, 2] = height
    return BSpline(values, flat.lattice, LM, EM)


def test_determinants_are_those_of_the_matrices(rng):
    spline = bump(20.0)
    points = GRID.points()
    expected = np.linalg.det(spline.jacobian(points))
    assert np.ptp(expected) > 0.1
    assert np.allclose(jacobian_determinant(spline, points), expected, atol=1e-12)
    assert np.allclose(determinant_map(spline, GRID).ravel(), expected, atol=1e-12)
    assert jacobian_determinant(spline, np.zeros((0, 3))).shape == (0,)


def test_relative_to_the_affine_stage_only_the_bending_is_left():
    first = Affine(AFFINE.matrix, LM, LM)
    both = compose(Affine(np.diag([2.0, 2.0, 2.0, 1.0]), LM, LM), first)
    assert np.allclose(determinant_map(both, GRID), 8 * 3.0)
    assert np.allclose(determinant_map(both, GRID, relative_to=first), 8.0)


def test_a_smooth_map_does_not_fold():
    summary = check_folding(bump(20.0), GRID)
    assert not summary.folds
    assert 0 < summary.minimum < 1 < summary.maximum
    assert summary.n_voxels == GRID.size
    assert not summary.mirrored


def test_a_fold_is_found_with_its_place():
    spline = bump(150.0)
    summary = check_folding(spline, GRID)
    values = determinant_map(spline, GRID)
    assert summary.folds
    assert summary.minimum == values.min() < 0
    assert summary.maximum == values.max()
    assert summary.folded_fraction == pytest.approx(np.mean(values <= 0))
    assert jacobian_determinant(spline, [summary.worst_zyx_nm])[0] == summary.minimum


def test_a_mirror_is_not_a_fold():
    mirror = Affine.from_parts(np.diag([1.0, -1.0, 1.0]), [0, 0, 0], source=EM, target=EM)
    summary = check_folding(compose(bump(20.0), mirror), GRID)
    assert summary.mirrored
    assert not summary.folds
    folded = check_folding(compose(bump(150.0), mirror), GRID)
    assert folded.mirrored
    assert folded.folded_fraction == check_folding(bump(150.0), GRID).folded_fraction
    assert folded.worst_zyx_nm == check_folding(bump(150.0), GRID).worst_zyx_nm


def test_a_collapsed_map_folds_everywhere():
    flat = Affine.from_parts(np.diag([1.0, 1.0, 0.0]), [0, 0, 0], source=LM, target=EM)
    assert check_folding(flat, GRID).folded_fraction == 1.0


def test_bad_arguments_are_refused():
    class Broken:
        source, target = LM, EM

        def jacobian(self, points, /):
            return np.full((len(points), 3, 3), np.nan)

    with pytest.raises(ArgumentError, match="finite determinants"):
        check_folding(Broken(), GRID)
    other = Affine.identity(EM, LM)
    for call in (check_folding, determinant_map):
        with pytest.raises(SpaceMismatchError):
            call(other, GRID)
    with pytest.raises(SpaceMismatchError):
        determinant_map(bump(1.0), GRID, relative_to=other)
