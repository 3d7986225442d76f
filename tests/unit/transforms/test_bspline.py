import numpy as np
import pytest

from clemkit.errors import ArgumentError, NotInvertibleError, SpaceMismatchError
from clemkit.geometry import Grid, Space
from clemkit.transforms import BSpline, numerical_jacobian

LM, EM = Space("lm"), Space("em")
LO, HI = np.array([-310.0, 95.0, 1000.0]), np.array([420.0, 700.0, 1333.0])


def wavy(rng: np.random.Generator, amplitude: float = 8.0) -> BSpline:
    flat = BSpline.covering(LO, HI, [200.0, 90.0, 70.0], source=LM, target=EM)
    values = rng.normal(0, amplitude, flat.coefficients_zyx_nm.shape)
    return BSpline(values, flat.lattice, LM, EM)


def inside(spline: BSpline, rng: np.random.Generator, n: int = 200) -> np.ndarray:
    lo, hi = spline.domain_zyx_nm
    return rng.uniform(lo, hi, (n, 3))


def test_covering_has_a_domain_around_the_region_and_keeps_the_spacing():
    spline = BSpline.covering(LO, HI, [200.0, 90.0, 70.0], source=LM, target=EM)
    lo, hi = spline.domain_zyx_nm
    assert np.all(lo <= LO)
    assert np.all(hi >= HI)
    assert np.all((hi - lo) - (HI - LO) < [200.0, 90.0, 70.0])
    assert spline.lattice.voxel_size_zyx_nm == (200.0, 90.0, 70.0)
    assert np.array_equal(spline.apply_points([LO, HI]), [LO, HI])


def test_flat_volumes_get_one_cell_along_z():
    spline = BSpline.covering([5, 0, 0], [5, 100, 80], [40, 30, 30], source=LM, target=EM)
    assert spline.lattice.shape_zyx[0] == 4
    assert spline.contains([[5.0, 50.0, 40.0]])[0]
    assert spline.refine((False, True, True)).lattice.shape_zyx[0] == 4


def test_a_constant_lattice_is_a_translation_and_a_linear_one_is_affine(rng):
    flat = BSpline.covering(LO, HI, [200.0, 90.0, 70.0], source=LM, target=EM)
    nodes = flat.lattice.points().reshape(*flat.lattice.shape_zyx, 3)
    linear = np.array([[0.02, -0.1, 0.0], [0.03, 0.01, 0.2], [0.0, -0.04, 0.05]])
    spline = BSpline(nodes @ linear.T + [3.0, -2.0, 1.0], flat.lattice, LM, EM)
    points = inside(spline, rng)
    expected = points + points @ linear.T + [3.0, -2.0, 1.0]
    assert np.allclose(spline.apply_points(points), expected, atol=1e-9)
    assert np.allclose(spline.jacobian(points), np.eye(3) + linear, atol=1e-12)
    assert spline.bending_energy() == pytest.approx(0.0, abs=1e-18)


def test_jacobian_is_the_derivative(rng):
    spline = wavy(rng)
    points = inside(spline, rng)
    lo, hi = spline.domain_zyx_nm
    points = np.clip(points, lo + 1, hi - 1)
    numeric = numerical_jacobian(spline, points, step_nm=0.05)
    assert np.allclose(spline.jacobian(points), numeric, atol=1e-5)


def test_refine_leaves_the_map_unchanged(rng):
    spline = wavy(rng)
    fine = spline.refine()
    points = inside(spline, rng)
    assert np.allclose(fine.domain_zyx_nm, spline.domain_zyx_nm)
    assert fine.lattice.voxel_size_zyx_nm == (100.0, 45.0, 35.0)
    assert np.allclose(fine.apply_points(points), spline.apply_points(points), atol=1e-10)
    assert np.allclose(fine.jacobian(points), spline.jacobian(points), atol=1e-12)
    assert fine.bending_energy() == pytest.approx(spline.bending_energy(), rel=1e-10)


def test_bending_energy_agrees_with_differences_of_the_jacobian(rng):
    spline = wavy(rng)
    lo, hi = spline.domain_zyx_nm
    counts = 5 * (np.array(spline.lattice.shape_zyx) - 3)
    axes = [a + (np.arange(n) + 0.5) / n * (b - a) for a, b, n in zip(lo, hi, counts, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    total = 0.0
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = 0.1
        second = (spline.jacobian(points + step) - spline.jacobian(points - step)) / 0.2
        total += np.mean(np.sum(second**2, axis=(1, 2)))
    assert spline.bending_energy() == pytest.approx(total, rel=0.03)


@pytest.mark.parametrize(
    ("powers", "energy"),
    [
        ((2, 0, 0), 4.0),
        ((0, 2, 0), 4.0),
        ((0, 0, 2), 4.0),
        ((1, 1, 0), 2.0),
        ((1, 0, 1), 2.0),
        ((0, 1, 1), 2.0),
        ((1, 1, 1), None),
    ],
)
def test_bending_energy_of_polynomials(powers, energy):
    flat = BSpline.covering([-3, 10, 5], [4, 13, 9], [2.0, 0.9, 0.7], source=LM, target=EM)
    nodes = flat.lattice.points()
    lo, hi = flat.domain_zyx_nm
    if energy is None:  # u = zyx: the mixed derivatives are z, y and x; means of their squares
        energy = 2 * float(np.sum((lo**2 + lo * hi + hi**2) / 3))
    values = np.zeros((*flat.lattice.shape_zyx, 3))
    values[..., 1] = np.prod(nodes**powers, axis=1).reshape(flat.lattice.shape_zyx)
    spline = BSpline(values, flat.lattice, LM, EM)
    assert spline.bending_energy() == pytest.approx(energy, rel=1e-9)


def test_outside_the_domain_the_displacement_is_that_of_the_nearest_point(rng):
    spline = wavy(rng)
    lo, hi = spline.domain_zyx_nm
    points = rng.uniform(lo - 500, hi + 500, (100, 3))
    near = np.clip(points, lo, hi)
    moved = spline.apply_points(points) - points
    assert np.allclose(moved, spline.apply_points(near) - near, atol=1e-12)
    beyond = np.array([[hi[0] + 50, (lo[1] + hi[1]) / 2, (lo[2] + hi[2]) / 2]])
    assert np.array_equal(spline.jacobian(beyond)[0, :, 0], [1.0, 0.0, 0.0])
    assert np.allclose(spline.jacobian(points), numerical_jacobian(spline, points, 1e-4), atol=1e-5)


def test_nan_stays_nan_and_infinity_does_not_crash(rng):
    spline = wavy(rng)
    out = spline.apply_points([[np.nan, 100.0, 1100.0], [0.0, np.inf, 1100.0]])
    assert np.isnan(out[0]).any()
    assert np.isposinf(out[1, 1])
    assert np.isnan(spline.jacobian([[np.nan, 0.0, 0.0]])).all()


def test_no_points_give_no_points(rng):
    spline = wavy(rng)
    assert spline.apply_points(np.zeros((0, 3))).shape == (0, 3)
    assert spline.jacobian(np.zeros((0, 3))).shape == (0, 3, 3)


def test_any_split_of_the_points_gives_the_same_bytes(rng):
    spline = wavy(rng)
    points = inside(spline, rng)
    parts = [spline.apply_points(part) for part in np.array_split(points, 7)]
    assert np.array_equal(np.concatenate(parts), spline.apply_points(points))


def test_inverse_points_to_the_certified_one(rng):
    with pytest.raises(NotInvertibleError, match="numerical_inverse"):
        wavy(rng).inverse()


def test_coefficients_are_a_read_only_copy(rng):
    flat = BSpline.covering(LO, HI, [200.0, 90.0, 70.0], source=LM, target=EM)
    mine = np.zeros_like(flat.coefficients_zyx_nm)
    spline = BSpline(mine, flat.lattice, LM, EM)
    mine[:] = 5.0
    assert not spline.coefficients_zyx_nm.any()
    assert not spline.coefficients_zyx_nm.flags.writeable


def test_bad_lattices_are_refused():
    small = Grid(space=LM, shape_zyx=(3, 5, 5), voxel_size_zyx_nm=(1, 1, 1))
    with pytest.raises(ArgumentError, match="four control points"):
        BSpline(np.zeros((3, 5, 5, 3)), small, LM, EM)
    grid = Grid(space=LM, shape_zyx=(4, 5, 6), voxel_size_zyx_nm=(1, 1, 1))
    with pytest.raises(ArgumentError, match="expected shape"):
        BSpline(np.zeros((6, 5, 4, 3)), grid, LM, EM)
    with pytest.raises(ArgumentError, match="NaN"):
        BSpline(np.full((4, 5, 6, 3), np.nan), grid, LM, EM)
    with pytest.raises(SpaceMismatchError):
        BSpline(np.zeros((4, 5, 6, 3)), grid, EM, LM)
    with pytest.raises(ArgumentError, match="hi >= lo"):
        BSpline.covering(HI, LO, [1, 1, 1], source=LM, target=EM)
    with pytest.raises(ArgumentError, match="> 0"):
        BSpline.covering(LO, HI, [1, 0, 1], source=LM, target=EM)
