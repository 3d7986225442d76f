from dataclasses import replace

import numpy as np
import pytest

from clemkit.errors import (
    ArgumentError,
    FoldingError,
    NotInvertibleError,
    OutsideDomainError,
    SpaceMismatchError,
)
from clemkit.geometry import Grid, Space
from clemkit.transforms import (
    Affine,
    BSpline,
    CertifiedInverse,
    Identity,
    Transform,
    compose,
    fit_thin_plate_spline,
    numerical_inverse,
    numerical_jacobian,
    sample,
)

LM, EM, CT = Space("lm"), Space("em"), Space("ct")
GRID = Grid(
    space=LM,
    shape_zyx=(7, 11, 13),
    voxel_size_zyx_nm=(50.0, 8.0, 10.0),
    origin_zyx_nm=(1000.0, -30.0, 77.0),
)
AFFINE = Affine.from_parts(
    [[1.3, 0.2, 0.0], [-0.3, 0.9, 0.1], [0.0, 0.05, -1.3]], [5e5, -20, 3], source=EM, target=CT
)


def spline(rng: np.random.Generator, amplitude: float = 5.0, grid: Grid = GRID) -> BSpline:
    lo, hi = grid.corners().min(axis=0), grid.corners().max(axis=0)
    flat = BSpline.covering(lo, hi, [100, 30, 40], source=LM, target=EM)
    values = rng.normal(0, amplitude, flat.coefficients_zyx_nm.shape)
    return BSpline(values, flat.lattice, LM, EM)


def inside(rng: np.random.Generator, n: int = 300) -> np.ndarray:
    return GRID.to_physical(rng.uniform(-0.5, np.array(GRID.shape_zyx) - 0.5, (n, 3)))


def thin_plate(rng: np.random.Generator) -> Transform:
    x = inside(rng, 30)
    moved = x + rng.normal(0, 2, x.shape)
    return fit_thin_plate_spline(x, moved, source=LM, target=EM, smoothing=20.0)


@pytest.mark.parametrize(
    "make",
    [
        spline,
        thin_plate,
        lambda rng: sample(spline(rng), GRID),
        lambda rng: compose(spline(rng), AFFINE),  # a mirror, far away
    ],
    ids=["bspline", "thin plate", "field", "chain"],
)
def test_round_trips_stay_within_the_certificate(make, rng):
    forward = make(rng)
    inverse = numerical_inverse(forward, domain=GRID, tolerance_nm=0.01)
    assert 0 < inverse.max_error_nm <= 0.01
    assert (inverse.source, inverse.target) == (forward.target, LM)
    points = inside(rng)
    there = forward.apply_points(points)
    assert np.linalg.norm(inverse.apply_points(there) - points, axis=1).max() <= 0.01
    assert inverse.inverse() is forward
    assert isinstance(inverse, Transform)


def test_a_finer_tolerance_is_reached(rng):
    assert numerical_inverse(spline(rng), domain=GRID, tolerance_nm=1e-7).max_error_nm <= 1e-7


@pytest.mark.parametrize("forward", [Identity(LM, EM), Affine(AFFINE.matrix, LM, EM)])
def test_affine_maps_are_inverted_exactly(forward, rng):
    inverse = numerical_inverse(forward, domain=GRID)
    points = inside(rng) + 1e5  # an affine has no edge
    assert inverse.exact
    assert inverse.max_error_nm == 0.0
    there = forward.apply_points(points)
    assert np.allclose(inverse.apply_points(there), points, atol=1e-6)
    assert inverse.apply_points_checked(there)[1].all()


def test_a_chain_of_invertible_parts_is_measured(rng):
    forward = spline(rng)
    back = numerical_inverse(forward, domain=GRID)
    middle = Grid(
        space=EM, shape_zyx=(3, 3, 3), voxel_size_zyx_nm=(20, 8, 8), origin_zyx_nm=(1150, 10, 130)
    )
    again = numerical_inverse(back, domain=middle)
    assert 0 < again.max_error_nm <= 0.01
    points = inside(rng)
    assert np.array_equal(again.apply_points(points), forward.apply_points(points))


def test_jacobian_is_the_derivative(rng):
    forward = spline(rng)
    inverse = numerical_inverse(forward, domain=GRID, tolerance_nm=1e-8)
    points = forward.apply_points(GRID.to_physical(rng.uniform([1, 1, 1], [5, 9, 11], (50, 3))))
    numeric = numerical_jacobian(inverse, points, step_nm=0.1)
    assert np.allclose(inverse.jacobian(points), numeric, atol=1e-5)


def test_points_from_outside_are_refused_or_flagged(rng):
    forward = spline(rng)
    points = np.concatenate([forward.apply_points(inside(rng, 5)), [[9e3, 0, 100], [np.nan, 0, 0]]])
    inverse = numerical_inverse(forward, domain=GRID)
    with pytest.raises(OutsideDomainError, match="2 of 7"):
        inverse.apply_points(points)
    found, ok = inverse.apply_points_checked(points)
    assert ok.tolist() == [True] * 5 + [False, False]
    assert np.allclose(forward.apply_points(found[5:6]), points[5:6], atol=0.01)
    assert np.isnan(found[6]).all()
    extended = numerical_inverse(forward, domain=GRID, outside="extend")
    assert np.allclose(extended.apply_points(points[:6]), found[:6])
    assert extended.apply_points_checked(points)[1].tolist() == ok.tolist()
    with pytest.raises(OutsideDomainError, match="1 without any solution"):
        extended.apply_points(points)


def test_any_split_of_the_points_gives_the_same_bytes(rng):
    forward = spline(rng)
    inverse = numerical_inverse(forward, domain=GRID)
    points = forward.apply_points(inside(rng))
    parts = [inverse.apply_points(part) for part in np.array_split(points, 7)]
    assert np.array_equal(np.concatenate(parts), inverse.apply_points(points))


def test_folds_are_refused_with_where(rng):
    lo, hi = GRID.corners().min(axis=0), GRID.corners().max(axis=0)
    flat = BSpline.covering(lo, hi, [100, 30, 40], source=LM, target=EM)
    values = np.zeros_like(flat.coefficients_zyx_nm)
    values[2, 3, 2, 2] = 150.0  # throws x beyond its neighbours
    with pytest.raises(FoldingError, match=r"determinants from -.* worst at"):
        numerical_inverse(BSpline(values, flat.lattice, LM, EM), domain=GRID)


def test_a_map_that_overlaps_itself_without_folding_is_refused():
    class Spiral:  # turns by more than a full circle: locally one to one, globally not
        source, target = LM, EM

        def apply_points(self, points, /):
            z, y, x = np.asarray(points, dtype=float).T
            radius, angle = 100 + y, x / 20
            return np.column_stack([z, radius * np.cos(angle), radius * np.sin(angle)])

        def jacobian(self, points, /):
            return numerical_jacobian(self, points, 1e-4)

        def inverse(self):
            raise NotInvertibleError("no")

    with pytest.raises(NotInvertibleError, match="round trips within"):
        numerical_inverse(Spiral(), domain=GRID, samples=500)


def test_flat_volumes_are_inverted(rng):
    flat = Grid(space=LM, shape_zyx=(1, 11, 13), voxel_size_zyx_nm=(50.0, 8.0, 10.0))
    forward = spline(rng, 3.0, flat)
    inverse = numerical_inverse(forward, domain=flat)
    points = flat.points()
    assert np.allclose(inverse.apply_points(forward.apply_points(points)), points, atol=0.01)


def test_bad_arguments_are_refused(rng):
    forward = spline(rng)
    with pytest.raises(SpaceMismatchError):
        numerical_inverse(forward, domain=replace(GRID, space=EM))
    with pytest.raises(ArgumentError, match="tolerance_nm > 0"):
        numerical_inverse(forward, domain=GRID, tolerance_nm=0.0)
    with pytest.raises(ArgumentError, match="outside"):
        numerical_inverse(forward, domain=GRID, outside="ignore")
    singular = Affine.from_parts(np.diag([1.0, 1.0, 0.0]), [0, 0, 0], source=LM, target=EM)
    with pytest.raises(NotInvertibleError):
        numerical_inverse(singular, domain=GRID)


def test_the_certificate_can_be_read(rng):
    inverse = numerical_inverse(spline(rng), domain=GRID)
    assert isinstance(inverse, CertifiedInverse)
    assert inverse.domain == GRID
    assert inverse.tolerance_nm == 0.01
