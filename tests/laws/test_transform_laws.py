"""What must hold for every transform, whatever its numbers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clemkit.geometry import Grid, Space
from clemkit.transforms import (
    Affine,
    BSpline,
    DisplacementField,
    Transform,
    check_folding,
    compose,
    fit_affine,
    fit_rigid,
    fit_similarity,
    fit_thin_plate_spline,
    leave_one_out_residuals,
    numerical_inverse,
    numerical_jacobian,
    reflection_evidence,
    sample,
)

A, B, C, D = (Space(name) for name in "abcd")
LAW = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    shape = tuple(draw(st.integers(1, 9)) for _ in range(3))
    voxel = tuple(draw(st.floats(2.0, 90.0)) for _ in range(3))
    origin = tuple(draw(st.floats(-1e5, 1e5)) for _ in range(3))
    return Grid(space=A, shape_zyx=shape, voxel_size_zyx_nm=voxel, origin_zyx_nm=origin)


def rotation(rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def affine(rng: np.random.Generator, source: Space = A, target: Space = B) -> Affine:
    linear = rotation(rng) @ np.diag(rng.uniform(0.3, 3, 3)) @ rotation(rng)
    return Affine.from_parts(linear, rng.normal(0, 1e5, 3), source=source, target=target)


def inside(grid: Grid, rng: np.random.Generator, n: int = 30) -> np.ndarray:
    return grid.to_physical(rng.uniform(-0.5, np.array(grid.shape_zyx) - 0.5, (n, 3)))


def bspline(rng: np.random.Generator, grid: Grid, bend: float = 0.03) -> BSpline:
    """A spline over the grid whose control displacements are *bend* of the control spacing."""
    lo, hi = grid.corners().min(axis=0), grid.corners().max(axis=0)
    spacing = (hi - lo) / rng.uniform(0.7, 4, 3)
    flat = BSpline.covering(lo, hi, spacing, source=A, target=B)
    values = rng.uniform(-bend, bend, flat.coefficients_zyx_nm.shape) * spacing
    return BSpline(values, flat.lattice, A, B)


def transforms(rng: np.random.Generator, grid: Grid) -> list[Transform]:
    spline = bspline(rng, grid)
    x = inside(grid, rng, 12)
    y = x + rng.normal(0, 1e-3, x.shape) * grid.extent_zyx_nm
    plate = fit_thin_plate_spline(x, y, source=A, target=B, smoothing=0.1, kernel="r2_log_r")
    return [affine(rng), spline, sample(spline, grid), compose(spline, affine(rng, B, C)), plate]


@LAW
@given(rng=seeds, grid=grids())
def test_inverse_after_forward_is_identity(rng, grid):
    points = inside(grid, rng)
    for forward in transforms(rng, grid):
        inverse = numerical_inverse(forward, domain=grid, tolerance_nm=1e-3, samples=300)
        back = inverse.apply_points(forward.apply_points(points))
        assert np.linalg.norm(back - points, axis=1).max() <= 1e-3
        assert inverse.max_error_nm <= 1e-3
        assert (inverse.source, inverse.target) == (forward.target, forward.source)


@LAW
@given(rng=seeds)
def test_composition_is_associative_and_equals_the_affine_product(rng):
    f, g, h = affine(rng, A, B), affine(rng, B, C), affine(rng, C, D)
    points = rng.normal(0, 1e4, (20, 3))
    left, right = compose(compose(f, g), h), compose(f, compose(g, h))
    product = Affine(h.matrix @ g.matrix @ f.matrix, A, D)
    in_turn = h.apply_points(g.apply_points(f.apply_points(points)))
    for whole in (left, right, product):
        assert np.allclose(whole.apply_points(points), in_turn, rtol=1e-12, atol=1e-5)


@LAW
@given(rng=seeds, grid=grids())
def test_composition_with_bending_is_associative(rng, grid):
    f, g, h = bspline(rng, grid), affine(rng, B, C), affine(rng, C, D)
    points = inside(grid, rng)
    in_turn = h.apply_points(g.apply_points(f.apply_points(points)))
    for whole in (compose(compose(f, g), h), compose(f, compose(g, h)), compose(f, g, h)):
        assert np.allclose(whole.apply_points(points), in_turn, rtol=1e-12, atol=1e-5)
        chain = h.jacobian(points) @ g.jacobian(points) @ f.jacobian(points)
        assert np.allclose(whole.jacobian(points), chain)


@LAW
@given(rng=seeds)
def test_rotations_preserve_distances_and_similarities_scale_them(rng):
    points = rng.normal(0, 1e4, (9, 3))
    turned = points @ rotation(rng).T + rng.normal(0, 10, points.shape)
    rigid = fit_rigid(points, turned, source=A, target=B).apply_points(points)
    alike = fit_similarity(points, 2.5 * turned, source=A, target=B)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    found = np.linalg.norm(rigid[:, None] - rigid[None], axis=2)
    assert np.allclose(found, distance, atol=1e-6)
    scale = alike.determinant ** (1 / 3)
    moved = alike.apply_points(points)
    assert np.allclose(
        np.linalg.norm(moved[:, None] - moved[None], axis=2), scale * distance, atol=1e-6
    )


@LAW
@given(rng=seeds, mirrored=st.booleans())
def test_a_fit_is_proper_whatever_the_landmarks(rng, mirrored):
    points = rng.normal(0, 1e4, (8, 3))
    target = affine(rng).apply_points(points) * [1, 1, -1 if mirrored else 1]
    target += rng.normal(0, 5e3, target.shape)
    assert fit_rigid(points, target, source=A, target=B).determinant > 0
    assert fit_similarity(points, target, source=A, target=B).determinant > 0
    free = fit_similarity(points, target, source=A, target=B, allow_reflection=True)
    evidence = reflection_evidence(points, target)
    assert (free.determinant < 0) == evidence.mirrored_is_better
    rms = np.sqrt(np.mean(np.sum((free.apply_points(points) - target) ** 2, axis=1)))
    assert rms == pytest.approx(min(evidence.proper_rms_nm, evidence.mirrored_rms_nm), rel=1e-6)


@LAW
@given(rng=seeds)
def test_more_freedom_never_fits_worse(rng):
    points = rng.normal(0, 1e4, (8, 3))
    target = points + rng.normal(0, 3e3, points.shape)
    ends = {"source": A, "target": B, "allow_reflection": True}
    errors = [
        np.sum((fit(points, target, **ends).apply_points(points) - target) ** 2)
        for fit in (fit_rigid, fit_similarity, fit_affine)
    ]
    assert errors[0] * (1 + 1e-12) >= errors[1]
    assert errors[1] * (1 + 1e-12) >= errors[2]


@LAW
@given(rng=seeds, grid=grids())
def test_refining_leaves_the_map_unchanged(rng, grid):
    spline = bspline(rng, grid)
    axes = tuple(bool(v) for v in rng.integers(0, 2, 3))
    points = inside(grid, rng)
    fine = spline.refine(axes)
    assert np.allclose(fine.apply_points(points), spline.apply_points(points), atol=1e-8)
    assert np.allclose(fine.jacobian(points), spline.jacobian(points), atol=1e-8)
    assert fine.bending_energy() == pytest.approx(spline.bending_energy(), rel=1e-8)


@LAW
@given(rng=seeds, grid=grids())
def test_the_analytic_jacobian_is_the_numerical_one(rng, grid):
    spline = bspline(rng, grid)
    at = inside(grid, rng)
    x = inside(grid, rng, 12)
    plate = fit_thin_plate_spline(x, x + rng.normal(0, 1e-3, x.shape), source=A, target=B)
    for smooth in (spline, plate, compose(spline, affine(rng, B, C))):
        step = 1e-4 * float(min(grid.voxel_size_zyx_nm))
        numeric = numerical_jacobian(smooth, at, step)
        assert np.allclose(smooth.jacobian(at), numeric, atol=1e-3)


@LAW
@given(rng=seeds, grid=grids())
def test_a_sampled_affine_is_exact_between_the_centres(rng, grid):
    points = grid.to_physical(rng.uniform(0, np.array(grid.shape_zyx) - 1, (30, 3)))
    exact = affine(rng)
    field = sample(exact, grid)
    assert np.allclose(field.apply_points(points), exact.apply_points(points), atol=1e-6)
    assert field.contains(points).all()


@LAW
@given(rng=seeds, grid=grids(), parts=st.integers(1, 30))
def test_any_split_of_the_points_gives_the_same_bytes(rng, grid, parts):
    points = inside(grid, rng)
    some = transforms(rng, grid)
    inverse = numerical_inverse(some[1], domain=grid, samples=100, outside="extend")
    for transform in [*some, inverse]:
        split = [transform.apply_points(part) for part in np.array_split(points, parts)]
        assert np.array_equal(np.concatenate(split), transform.apply_points(points))


@LAW
@given(rng=seeds, smoothing=st.floats(0, 1e5), planar=st.booleans())
def test_a_thin_plate_spline_follows_turned_and_shifted_landmarks(rng, smoothing, planar):
    x = rng.normal(0, 1e4, (12, 3)) * [0 if planar else 1, 1, 1]
    y = x + rng.normal(0, 300, x.shape)
    turn = np.eye(3)
    turn[1:, 1:] = [[0.6, -0.8], [0.8, 0.6]]
    turn = turn if planar else rotation(rng)
    shift = rng.normal(0, 1e5, 3)
    options = {"source": A, "target": B, "smoothing": smoothing, "planar": planar}
    plain = fit_thin_plate_spline(x, y, **options)
    turned = fit_thin_plate_spline(x @ turn.T + shift, y, **options)
    at = rng.normal(0, 1e4, (20, 3)) * [0 if planar else 1, 1, 1]
    found = turned.apply_points(at @ turn.T + shift)
    assert np.allclose(found, plain.apply_points(at), atol=1e-5)


@LAW
@given(rng=seeds, smoothing=st.floats(0, 1e5), kernel=st.sampled_from(["r", "r2_log_r"]))
def test_leave_one_out_equals_refitting(rng, smoothing, kernel):
    x = rng.normal(0, 1e4, (9, 3))
    y = x + rng.normal(0, 300, x.shape)
    found = leave_one_out_residuals(x, y, smoothing=smoothing, kernel=kernel)
    i = int(rng.integers(9))
    keep = np.arange(9) != i
    spline = fit_thin_plate_spline(
        x[keep],
        y[keep],
        source=A,
        target=B,
        smoothing=smoothing,
        kernel=kernel,
        allow_reflection=True,
    )
    assert np.allclose(found[i], spline.apply_points(x[[i]])[0] - y[i], rtol=1e-5, atol=1e-4)


@LAW
@given(rng=seeds)
def test_smoothing_moves_the_spline_from_the_landmarks_to_the_affine(rng):
    x = rng.normal(0, 1e4, (12, 3))
    y = x + rng.normal(0, 300, x.shape)
    ends = {"source": A, "target": B, "allow_reflection": True}
    affine_error = np.sum((fit_affine(x, y, **ends).apply_points(x) - y) ** 2)
    errors = [
        np.sum((fit_thin_plate_spline(x, y, smoothing=s, **ends).apply_points(x) - y) ** 2)
        for s in (0.0, 1e2, 1e4, 1e6, np.inf)
    ]
    assert errors[0] < 1e-8
    assert all(a < b for a, b in pairwise(errors))
    assert errors[-1] == pytest.approx(affine_error, rel=1e-9)


@LAW
@given(rng=seeds, grid=grids())
def test_small_control_displacements_cannot_fold(rng, grid):
    # Choi and Lee 2000: below 0.48 of the spacing a cubic B-spline is injective
    summary = check_folding(bspline(rng, grid, bend=0.4), grid)
    assert not summary.folds
    assert not summary.mirrored


@LAW
@given(rng=seeds, grid=grids())
def test_a_field_keeps_its_values_at_the_centres(rng, grid):
    values = rng.normal(0, 30, (*grid.shape_zyx, 3))
    field = DisplacementField(values, grid, A, B)
    moved = field.apply_points(grid.points()) - grid.points()
    assert np.allclose(moved.reshape(values.shape), values, atol=1e-8)
