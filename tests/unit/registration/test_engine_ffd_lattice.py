"""The lattice's separable algebra against plain sums and against the point transform."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.transforms import BSpline

EM, OUT = Space("em"), Space("em bent")
GRID = Grid(
    space=EM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(3, -40, 7)
)
FLAT = Grid(
    space=EM, shape_zyx=(1, 11, 13), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(3, -40, 7)
)


def lattice(grid=GRID, spacing=(130.0, 37.0, 41.0), margin=(20.0, 5.0, 9.0)) -> FfdLattice:
    return FfdLattice(grid=grid, spacing_zyx_nm=spacing, margin_zyx_nm=margin)


def dense_basis(ffd: FfdLattice) -> np.ndarray:
    """Return ``(voxels, control points)`` by products of the one-dimensional bases."""
    z, y, x = ffd.basis
    return np.einsum("ai,bj,ck->abcijk", z, y, x).reshape(ffd.grid.size, -1)


@pytest.mark.parametrize("grid", [GRID, FLAT], ids=["volume", "section"])
def test_field_is_the_bspline_transform_at_voxel_centres(rng, grid):
    ffd = lattice(grid)
    values = rng.normal(0, 20, (3, *ffd.shape))
    points = grid.points()
    moved = ffd.to_transform(values, OUT).apply_points(points) - points
    field = ffd.field(values).reshape(3, -1).T
    assert np.abs(moved).max() > 5
    np.testing.assert_allclose(field, moved, atol=1e-4)


def test_domain_covers_the_voxel_centres_and_the_margin():
    ffd = lattice()
    low, high = ffd.to_transform(np.zeros((3, *ffd.shape)), OUT).domain_zyx_nm
    centres = GRID.points()
    assert np.all(low <= centres.min(axis=0) - (20, 5, 9) + 1e-6)
    assert np.all(high >= centres.max(axis=0) + np.array([20, 5, 9]) - 1e-6)
    np.testing.assert_allclose((low + high) / 2, GRID.centre_zyx_nm)
    assert ffd.size == 3 * np.prod(ffd.shape)


def test_single_section_has_four_controls_in_z():
    assert lattice(FLAT, margin=(0.0, 5.0, 9.0)).shape[0] == 4


def test_gram_is_the_weighted_sum_of_basis_products(rng):
    ffd = lattice()
    weight = rng.uniform(0.1, 2.0, GRID.shape_zyx).astype(np.float32)
    basis = dense_basis(ffd)
    expected = basis.T @ (weight.ravel()[:, None] * basis)
    np.testing.assert_allclose(ffd.gram(weight).toarray(), expected, atol=2e-5)


def test_normal_matrix_is_that_of_the_linear_problem(rng):
    ffd = lattice()
    gradient = rng.normal(size=(3, *GRID.shape_zyx)).astype(np.float32)
    weight = rng.uniform(0.1, 2.0, GRID.shape_zyx).astype(np.float32)
    basis = dense_basis(ffd)
    design = np.concatenate([g.ravel()[:, None] * basis for g in gradient], axis=1)
    expected = design.T @ (weight.ravel()[:, None] * design)
    found = ffd.normal_matrix(gradient, weight).toarray()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_rows_give_the_displacement_at_points_and_clamp_outside(rng):
    ffd = lattice()
    values = rng.normal(0, 20, (3, *ffd.shape))
    low, high = GRID.corners().min(axis=0), GRID.corners().max(axis=0)
    points = rng.uniform(low - 300, high + 300, (50, 3))
    transform = ffd.to_transform(values, OUT)
    assert not transform.contains(points).all()
    expected = transform.apply_points(points) - points
    found = ffd.rows(points) @ values.reshape(3, -1).T
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(ffd.rows(points).sum(axis=1), 1.0)


def test_bending_is_the_integral_of_squared_second_derivatives(rng):
    ffd = lattice()
    values = rng.normal(0, 20, (3, *ffd.shape))
    spline: BSpline = ffd.to_transform(values, OUT)
    low, high = spline.domain_zyx_nm
    # four Gauss nodes a cell integrate squares of cubic pieces exactly
    nodes, shares = np.polynomial.legendre.leggauss(4)
    axes, weights = [], []
    for lo, hi, n in zip(low, high, ffd.shape, strict=True):
        cells = n - 3
        place = (np.arange(cells)[:, None] + (nodes + 1) / 2).ravel() / cells
        axes.append(lo + (hi - lo) * place)
        weights.append(np.tile(shares / 2, cells) / cells)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    weight = np.einsum("a,b,c->abc", *weights).ravel()
    total = 0.0
    for axis in range(3):
        step = np.zeros(3)
        step[axis] = 1e-3
        second = (spline.jacobian(points + step) - spline.jacobian(points - step)) / 2e-3
        total += float((second**2).sum(axis=(1, 2)) @ weight)
    # per nm of displacement and nm of length; the matrix counts lengths in micrometres
    volume = float(np.prod((high - low) / 1000))
    c = values.ravel()
    assert c @ (ffd.bending @ c) == pytest.approx(total * 1e12 * volume, rel=1e-4)


def test_bending_is_free_for_affine_displacements():
    ffd = lattice()
    points = ffd.lattice.points()
    affine = points @ np.array([[0.1, 0.02, 0], [0.0, -0.1, 0.05], [0.03, 0.1, 0.2]]).T + 30
    c = affine.T.ravel()
    bent = (points**2 / 500).T.ravel()
    assert abs(c @ (ffd.bending @ c)) < 1e-8 * (bent @ (ffd.bending @ bent))


def test_a_refined_lattice_reproduces_the_field(rng):
    coarse = lattice(spacing=(150.0, 40.0, 60.0), margin=(75.0, 20.0, 30.0))
    values = rng.normal(0, 20, (3, *coarse.shape))
    fine_map = coarse.to_transform(values, OUT).refine()
    fine = FfdLattice(grid=GRID, spacing_zyx_nm=(75.0, 20.0, 30.0), margin_zyx_nm=(75, 20, 30))
    assert fine.lattice.shape_zyx == fine_map.lattice.shape_zyx
    np.testing.assert_allclose(fine.lattice.origin_zyx_nm, fine_map.lattice.origin_zyx_nm)
    found = fine.resample_from(coarse, values)
    expected = np.moveaxis(fine_map.coefficients_zyx_nm, -1, 0)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_resampling_to_a_lattice_that_does_not_nest_stays_close(rng):
    coarse = lattice(spacing=(200.0, 60.0, 80.0))
    values = rng.normal(0, 20, (3, *coarse.shape))
    fine = lattice(spacing=(70.0, 21.0, 27.0))
    gap = fine.field(fine.resample_from(coarse, values)) - coarse.field(values)
    assert np.abs(gap).max() < 0.02 * np.abs(coarse.field(values)).max()
