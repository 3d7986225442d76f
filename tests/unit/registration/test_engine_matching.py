"""Gauss-Newton matching recovers known small maps of analytic blobs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg as sl

from clemkit.geometry import Grid, Space
from clemkit.registration.factor import positive_factor
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.matching import (
    coarse_grid,
    compare,
    evidence_stiffness,
    match_affine,
    match_lattice,
)
from clemkit.registration.pull import AffineMap, Pull, gradient_nm

EM, LM = Space("em"), Space("lm")
WORK = Grid(
    space=EM, shape_zyx=(15, 24, 21), voxel_size_zyx_nm=(100,) * 3, origin_zyx_nm=(40, -700, 300)
)
MOVING = Grid(
    space=LM, shape_zyx=(25, 44, 40), voxel_size_zyx_nm=(90, 80, 80), origin_zyx_nm=(-400, 130, -90)
)
TURN = np.array([[1.0, 0.0, 0.0], [0.0, 0.96, -0.28], [0.0, 0.28, 0.96]])
POSE = AffineMap(TURN, MOVING.centre_zyx_nm - TURN @ WORK.centre_zyx_nm)


def blobs(points: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(8)
    low, high = MOVING.corners().min(axis=0), MOVING.corners().max(axis=0)
    centres = rng.uniform(low, high, (140, 3))
    height = rng.uniform(0.5, 2.0, 140)
    out = np.zeros(len(points))
    for centre, h in zip(centres, height, strict=True):
        out += h * np.exp(-((points - centre) ** 2).sum(axis=1) / (2 * 170.0**2))
    return out


@pytest.fixture(scope="module")
def moving() -> np.ndarray:
    values = blobs(MOVING.points())
    return (values - values.mean()).reshape(MOVING.shape_zyx).astype(np.float32)


def template(mapped: np.ndarray, gain: float = 3.0, offset: float = 5.0) -> np.ndarray:
    return (gain * blobs(mapped) + offset).reshape(WORK.shape_zyx).astype(np.float32)


def smooth_displacement(points: np.ndarray) -> np.ndarray:
    """Return a bend of about a voxel and a half, (N, 3) nm."""
    a = (points - WORK.centre_zyx_nm) / (WORK.extent_zyx_nm / 2)
    z, y, x = a.T
    return np.stack(
        [60 * y * x - 40 * x**2, 130 * np.sin(1.5 * x) * y, 110 * y**2 - 70 * z * x], axis=1
    )


def test_compare_knows_a_match_and_its_gradient(moving):
    points = WORK.points()
    image = template(POSE.apply(points))
    match = compare(Pull(moving, MOVING, WORK, POSE), image, gradient_nm(image, WORK), None)
    assert match.correlation > 0.995
    assert match.overlap > 0.9
    # one Gauss-Newton step along x finds most of a small shift
    shifted = template(POSE.apply(points + np.array([0, 0, 40.0])))
    off = compare(Pull(moving, MOVING, WORK, POSE), shifted, gradient_nm(shifted, WORK), None)
    g = off.gradient[2]
    step = -(off.weight * off.residual * g).sum() / (off.weight * g * g).sum()
    assert step == pytest.approx(40, rel=0.15)
    assert off.correlation < match.correlation


def test_too_little_overlap_counts_as_none(moving):
    far = AffineMap(TURN, POSE.translation_zyx_nm + 1e5)
    image = template(POSE.apply(WORK.points()))
    match = compare(Pull(moving, MOVING, WORK, far), image, gradient_nm(image, WORK), None)
    assert match.correlation == match.overlap == 0
    assert not match.weight.any()


def test_affine_is_recovered(moving):
    strain = np.array([[0.03, 0.01, -0.02], [0.02, -0.04, 0.03], [-0.01, 0.03, 0.05]])
    truth = POSE.after(np.eye(3) + strain, np.array([60.0, -80, 70]) - strain @ WORK.centre_zyx_nm)
    corners = WORK.corners()
    start_gap = np.linalg.norm(POSE.apply(corners) - truth.apply(corners), axis=1).max()
    found, match, made = match_affine(
        Pull(moving, MOVING, WORK, POSE),
        template(truth.apply(WORK.points())),
        iterations=25,
        correlation_volume=8.0,
        step_limit_nm=150.0,
    )
    gap = np.linalg.norm(found.apply(corners) - truth.apply(corners), axis=1).max()
    assert start_gap > 200
    assert gap < 12  # an eighth of a voxel, at the corners
    assert match.correlation > 0.99
    np.testing.assert_allclose(made, strain, atol=0.01)


def test_the_strain_prior_holds_back(moving):
    strain = np.diag([0.0, 0.06, -0.05])
    truth = POSE.after(np.eye(3) + strain, -strain @ WORK.centre_zyx_nm)
    _, _, made = match_affine(
        Pull(moving, MOVING, WORK, POSE),
        template(truth.apply(WORK.points())),
        iterations=12,
        strain_sd=1e-4,
        correlation_volume=8.0,
        step_limit_nm=150.0,
    )
    assert np.abs(made).max() < 0.01


def test_lattice_recovers_a_smooth_displacement(moving):
    points = WORK.points()
    truth = smooth_displacement(points)
    image = template(POSE.apply(points + truth))
    lattice = FfdLattice(
        grid=WORK, spacing_zyx_nm=(700.0,) * 3, margin_zyx_nm=(100.0, 100.0, 100.0)
    )
    coefficients, match = match_lattice(
        Pull(moving, MOVING, WORK, POSE),
        image,
        lattice,
        np.zeros((3, *lattice.shape)),
        iterations=25,
        stiffness=1e-7,
        correlation_volume=8.0,
        step_limit_nm=120.0,
    )
    gap = np.linalg.norm(lattice.field(coefficients).reshape(3, -1).T - truth, axis=1)
    size = np.linalg.norm(truth, axis=1)
    assert np.percentile(size, 90) > 120
    assert np.median(gap) < 10
    assert np.percentile(gap, 95) < 30
    assert match.correlation > 0.99


def test_a_stiff_lattice_does_not_bend(moving):
    points = WORK.points()
    image = template(POSE.apply(points + smooth_displacement(points)))
    lattice = FfdLattice(grid=WORK, spacing_zyx_nm=(700.0,) * 3, margin_zyx_nm=(100.0,) * 3)
    energies = []
    for stiffness in (1e-7, 1e3):
        coefficients, _ = match_lattice(
            Pull(moving, MOVING, WORK, POSE), image, lattice, np.zeros((3, *lattice.shape)),
            iterations=8, stiffness=stiffness, correlation_volume=8.0, step_limit_nm=120.0,
        )  # fmt: skip
        c = coefficients.ravel()
        energies.append(c @ (lattice.bending @ c))
    assert energies[1] < 1e-3 * energies[0]


def test_coarse_grid_keeps_the_extent_and_single_planes():
    grid = Grid(
        space=EM, shape_zyx=(1, 11, 13), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(3, -40, 7)
    )
    found = coarse_grid(grid, 22.0)
    assert found.shape_zyx == (1, 4, 6)
    assert found.voxel_size_zyx_nm == (50, 22, 22)
    np.testing.assert_allclose(found.corners()[0], grid.corners()[0])


def test_evidence_asks_for_the_weight_that_the_bends_were_drawn_with():
    grid = Grid(space=Space("em"), shape_zyx=(9, 22, 26), voxel_size_zyx_nm=(100, 80, 90))
    ffd = FfdLattice(grid=grid, spacing_zyx_nm=(400,) * 3, margin_zyx_nm=(50,) * 3)
    rng = np.random.default_rng(3)
    bending = ffd.bending.toarray()
    data = 4.0 * np.eye(ffd.size)
    values, vectors = np.linalg.eigh(bending)
    bent = values > 1e-9 * values.max()
    for true in (1e-7, 1e-5):
        spread = np.where(bent, 1 / np.sqrt(true * np.where(bent, values, 1)), 0)
        drawn = vectors @ (spread * rng.normal(size=ffd.size))
        seen = drawn + rng.normal(size=ffd.size) / 2  # noise of the data's precision
        stiffness = 1e-6
        for _ in range(40):
            factor = positive_factor(data + stiffness * bending)
            solution = sl.cho_solve(factor, data @ seen)
            stiffness = evidence_stiffness(ffd, factor, bending, solution, stiffness, 1e-6)
        assert stiffness == pytest.approx(true, rel=0.35)
