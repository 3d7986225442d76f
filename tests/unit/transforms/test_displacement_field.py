import numpy as np
import pytest

from clemkit.errors import ArgumentError, NotInvertibleError, SpaceMismatchError
from clemkit.geometry import Grid, Space
from clemkit.transforms import (
    Affine,
    BSpline,
    DisplacementField,
    Identity,
    Transform,
    numerical_jacobian,
    sample,
)

LM, EM = Space("lm"), Space("em")
GRID = Grid(
    space=LM,
    shape_zyx=(7, 11, 13),
    voxel_size_zyx_nm=(50.0, 8.0, 10.0),
    origin_zyx_nm=(1000.0, -30.0, 77.0),
)


def between_centres(grid: Grid, rng: np.random.Generator, n: int = 200) -> np.ndarray:
    return grid.to_physical(rng.uniform(0, np.array(grid.shape_zyx) - 1, (n, 3)))


def test_a_field_of_an_affine_is_that_affine_inside(rng):
    linear = [[1.1, 0.2, 0.0], [-0.3, 0.9, 0.1], [0.0, 0.05, 1.3]]
    affine = Affine.from_parts(linear, [500.0, -20.0, 3.0], source=LM, target=EM)
    field = sample(affine, GRID)
    points = between_centres(GRID, rng)
    assert np.allclose(field.apply_points(points), affine.apply_points(points), atol=1e-9)
    assert np.allclose(field.jacobian(points), affine.jacobian(points), atol=1e-9)
    assert isinstance(field, Transform)


def test_sampling_in_chunks_gives_the_same_bytes(rng):
    flat = BSpline.covering([900, -50, 50], [1400, 90, 250], [90, 40, 50], source=LM, target=EM)
    values = rng.normal(0, 5, flat.coefficients_zyx_nm.shape)
    spline = BSpline(values, flat.lattice, LM, EM)
    whole = sample(spline, GRID).displacement_zyx_nm
    for chunk in (1, 5, 40, 300):
        assert np.array_equal(sample(spline, GRID, chunk_points=chunk).displacement_zyx_nm, whole)
    assert np.allclose(whole.reshape(-1, 3) + GRID.points(), spline.apply_points(GRID.points()))


def test_no_more_points_than_asked_are_in_memory_at_once():
    seen = []

    class Counting(Identity):
        def apply_points(self, points, /):
            seen.append(len(points))
            return np.array(points)

    sample(Counting(LM, EM), GRID, chunk_points=60)
    assert max(seen) <= 60
    assert sum(seen) == GRID.size


def test_jacobian_is_the_derivative_within_a_cell(rng):
    field = DisplacementField(rng.normal(0, 3, (7, 11, 13, 3)), GRID, LM, EM)
    index = rng.integers(0, [6, 10, 12], (200, 3)) + rng.uniform(0.1, 0.9, (200, 3))
    points = GRID.to_physical(index)
    numeric = numerical_jacobian(field, points, step_nm=0.05)
    assert np.allclose(field.jacobian(points), numeric, atol=1e-8)


def test_outside_is_clamped_and_flagged(rng):
    field = DisplacementField(rng.normal(0, 3, (7, 11, 13, 3)), GRID, LM, EM)
    last = GRID.to_physical([[6.0, 10.0, 12.0]])
    beyond = last + np.array([[400.0, 500.0, 600.0]])
    moved = field.apply_points(beyond) - beyond
    assert np.allclose(moved, field.displacement_zyx_nm[-1, -1, -1])
    assert np.array_equal(field.jacobian(beyond)[0], np.eye(3))
    assert field.contains(np.concatenate([last, beyond])).tolist() == [True, False]
    assert np.isnan(field.apply_points([[np.nan, 0.0, 100.0]])).any()


def test_a_flat_field_works_and_ignores_z(rng):
    flat = Grid(space=LM, shape_zyx=(1, 11, 13), voxel_size_zyx_nm=(50.0, 8.0, 10.0))
    field = DisplacementField(rng.normal(0, 3, (1, 11, 13, 3)), flat, LM, EM)
    points = np.array([[0.0, 20.0, 31.0], [9.0, 20.0, 31.0]])
    moved = field.apply_points(points) - points
    assert np.allclose(moved[0], moved[1], atol=1e-12)
    assert np.array_equal(field.jacobian(points)[:, :, 0], [[1, 0, 0], [1, 0, 0]])


def test_single_precision_is_kept(rng):
    values = rng.normal(0, 3, (7, 11, 13, 3)).astype(np.float32)
    field = DisplacementField(values, GRID, LM, EM)
    assert field.displacement_zyx_nm.dtype == np.float32
    centres = GRID.points()
    expected = centres + values.reshape(-1, 3)
    assert np.allclose(field.apply_points(centres), expected, atol=1e-6)
    assert not field.displacement_zyx_nm.flags.writeable


def test_bad_fields_are_refused(rng):
    with pytest.raises(ArgumentError, match=r"expected shape \(7, 11, 13, 3\)"):
        DisplacementField(np.zeros((13, 11, 7, 3)), GRID, LM, EM)
    holed = np.zeros((7, 11, 13, 3))
    holed[4, 0, 0, 1] = np.nan
    with pytest.raises(ArgumentError, match="plane z = 4"):
        DisplacementField(holed, GRID, LM, EM)
    with pytest.raises(SpaceMismatchError):
        DisplacementField(np.zeros((7, 11, 13, 3)), GRID, EM, LM)
    with pytest.raises(SpaceMismatchError):
        sample(Affine.identity(EM, LM), GRID)
    with pytest.raises(NotInvertibleError, match="numerical_inverse"):
        DisplacementField(np.zeros((7, 11, 13, 3)), GRID, LM, EM).inverse()
