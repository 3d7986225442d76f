"""The final fit on a synthetic label and light pair with a known displacement."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.registration.appearance import Appearance
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.grey_appearance import GreyAppearance
from clemkit.registration.intensity import local_normalise, oriented_blur
from clemkit.registration.model_fit import ModelFit, fit_model
from clemkit.registration.normalised_fit import fit_normalised
from clemkit.registration.pull import AffineMap, Pull
from clemkit.registration.structures import Structures

EM, LM = Space("em"), Space("lm")
WORK = Grid(
    space=EM, shape_zyx=(16, 30, 33), voxel_size_zyx_nm=(100, 80, 80), origin_zyx_nm=(40, -700, 300)
)
MOVING = Grid(
    space=LM, shape_zyx=(20, 34, 37), voxel_size_zyx_nm=(100, 80, 80),
    origin_zyx_nm=(-200, -860, 140),
)  # fmt: skip
RADIUS, BLUR = 170.0, np.array([160.0, 110.0, 110.0])
SAME = AffineMap(np.eye(3), np.zeros(3))
CENTRE, HALF = WORK.centre_zyx_nm, WORK.extent_zyx_nm / 2


def balls() -> np.ndarray:
    """Return centres of balls that do not touch, (N, 3) nm."""
    rng = np.random.default_rng(11)
    low, high = WORK.corners().min(axis=0) + RADIUS, WORK.corners().max(axis=0) - RADIUS
    chosen: list[np.ndarray] = []
    for point in rng.uniform(low, high, (600, 3)):
        if all(np.linalg.norm(point - c) > 2.6 * RADIUS for c in chosen):
            chosen.append(point)
    return np.array(chosen)


BALLS = balls()
LIGHT = np.r_[0.0, np.random.default_rng(12).uniform(300, 1200, len(BALLS))]


def ball_fractions(grid: Grid, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ball that owns each voxel and the share of the voxel inside it."""
    part = (np.arange(3) - 1) / 3
    offsets = np.stack(np.meshgrid(part, part, part, indexing="ij"), -1).reshape(-1, 3)
    owner = np.zeros(grid.size, np.int32)
    share = np.zeros(grid.size, np.float32)
    points = grid.points()
    voxel = np.array(grid.voxel_size_zyx_nm)
    for k, centre in enumerate(centres):
        near = np.flatnonzero((np.abs(points - centre) < RADIUS + voxel).all(axis=1))
        sub = points[near][:, None] + offsets[None] * voxel
        inside = (np.linalg.norm(sub - centre, axis=2) <= RADIUS).mean(axis=1)
        better = near[inside > share[near]]
        owner[better] = k + 1
        share[better] = inside[inside > share[near]]
    return owner.reshape(grid.shape_zyx), share.reshape(grid.shape_zyx)


def affine_truth(points: np.ndarray) -> np.ndarray:
    strain = np.array([[0.01, 0.0, -0.01], [0.01, -0.02, 0.01], [0.0, 0.015, 0.02]])
    return (points - CENTRE) @ strain.T + np.array([20.0, -35.0, 25.0])


def bent_truth(points: np.ndarray) -> np.ndarray:
    z, y, x = ((points - CENTRE) / HALF).T
    return np.stack([30 * y * x, 70 * np.sin(2 * x) * y, 75 * y**2 - 45 * z * x], axis=1)


@pytest.fixture(scope="module")
def structures() -> Structures:
    owner, share = ball_fractions(WORK, BALLS)
    centres = np.vstack([np.zeros(3), BALLS])
    return Structures(WORK, share, owner, len(BALLS), np.arange(len(BALLS) + 1), centres)


def pull(truth) -> Pull:
    """Return the moving image: each ball moved by the displacement at its centre, blurred."""
    owner, share = ball_fractions(MOVING, BALLS + truth(BALLS))
    voxel = np.array(MOVING.voxel_size_zyx_nm)
    light = oriented_blur((LIGHT[owner] * share).astype(np.float32), np.diag((BLUR / voxel) ** 2))
    rng = np.random.default_rng(13)
    image = light + 60 + rng.normal(0, 6, light.shape)
    return Pull(image.astype(np.float32), MOVING, WORK, SAME)


def lattice() -> FfdLattice:
    return FfdLattice(grid=WORK, spacing_zyx_nm=(800.0,) * 3, margin_zyx_nm=(100.0,) * 3)


def run(structures: Structures, truth, **options) -> tuple[ModelFit, np.ndarray]:
    """Return the fit and its gap to the truth at the balls, (N, 3) nm."""
    model = Appearance(
        structures, blur_nm2=np.diag(BLUR**2), halo=0.0, halo_nm2=np.eye(3), background_nm=1500.0
    )
    ffd = lattice()
    fit = fit_model(
        pull(truth), model, ffd, np.zeros((3, *ffd.shape)), stiffness=1e-5, iterations=10, **options
    )
    found = ffd.rows(BALLS) @ fit.coefficients.reshape(3, -1).T
    return fit, found - truth(BALLS)


@pytest.fixture(scope="module")
def bent(structures):
    return run(structures, bent_truth, caution=1.0)  # here the model is right


@pytest.fixture(scope="module")
def straight(structures):
    return run(structures, affine_truth)


@pytest.mark.parametrize(("which", "truth"), [("bent", bent_truth), ("straight", affine_truth)])
def test_displacement_is_recovered_far_below_the_voxel(which, truth, request):
    fit, gap = request.getfixturevalue(which)
    size = np.linalg.norm(truth(BALLS), axis=1)
    assert np.median(size) > 30
    assert np.median(np.linalg.norm(gap, axis=1)) < 16  # a fifth of a voxel
    assert fit.correlation > 0.98


def test_the_evidence_stiffens_what_does_not_bend(bent, straight):
    assert straight[0].stiffness > 2 * bent[0].stiffness
    assert straight[0].freedom < bent[0].freedom - 10
    assert straight[0].freedom > 12  # affine motions stay free


def test_a_given_stiffness_stays(structures):
    fit, _ = run(structures, bent_truth, adapt=False)
    assert fit.stiffness == 1e-5
    stages = []
    run(structures, affine_truth, progress=lambda *a: stages.append(a), stage="last")
    assert stages[-1][0] == "last"
    assert "largest step" in stages[-1][2]


def test_normal_matrix_and_residual_belong_to_the_solution(bent):
    fit, _ = bent
    c = fit.coefficients.ravel()
    pulled = -fit.lattice.project(fit.weight * fit.residual * fit.gradient).ravel()
    prior = fit.stiffness * (fit.lattice.bending @ c)
    # at the solution the data pull as hard as the prior holds
    step = np.linalg.solve(
        fit.normal + fit.stiffness * fit.lattice.bending.toarray() + 1e-12 * np.eye(len(c)),
        pulled - prior,
    )
    moved = fit.lattice.field(step.reshape(fit.coefficients.shape))
    assert np.abs(moved).max() < 10
    expected = fit.lattice.normal_matrix(fit.gradient, fit.weight).toarray()
    np.testing.assert_allclose(fit.normal, expected, rtol=1e-6, atol=1e-9 * expected.max())


def test_a_grey_image_is_its_own_model(structures):
    fixed = 900 - 0.4 * pull(np.zeros_like)()[0]  # other contrast and another level
    ramp = np.linspace(0.7, 1.4, MOVING.shape_zyx[2], dtype=np.float32)
    moved = pull(bent_truth)
    moving = Pull(moved.image * ramp, MOVING, WORK, SAME)
    model = GreyAppearance(fixed, WORK, blur_nm2=np.zeros((3, 3)), window_nm=900.0)
    ffd = lattice()
    start = np.zeros((3, *ffd.shape))
    fit = fit_model(moving, model, ffd, start, stiffness=1e-5, iterations=12, caution=1.0)
    gap = ffd.rows(BALLS) @ fit.coefficients.reshape(3, -1).T - bent_truth(BALLS)
    assert np.median(np.linalg.norm(gap, axis=1)) < 16  # a fifth of a voxel
    assert fit.correlation > 0.97


def test_caution_asks_for_stiffer_deformations(structures):
    trusting, _ = run(structures, bent_truth, caution=1.0)
    cautious, _ = run(structures, bent_truth, caution=9.0)
    assert cautious.freedom < trusting.freedom - 3


def test_two_segmentations_are_fitted_like_images(structures):
    still = pull(np.zeros_like)
    moved = pull(bent_truth)
    voxel = MOVING.voxel_size_zyx_nm
    template = local_normalise(still()[0], WORK.voxel_size_zyx_nm, 700.0)
    normal = Pull(local_normalise(moved.image, voxel, 700.0), MOVING, WORK, SAME)
    ffd = lattice()
    fit = fit_normalised(
        normal, template, ffd, np.zeros((3, *ffd.shape)),
        stiffness=1e-5, correlation_volume=8.0, iterations=12, step_limit_nm=80.0,
    )  # fmt: skip
    gap = ffd.rows(BALLS) @ fit.coefficients.reshape(3, -1).T - bent_truth(BALLS)
    assert np.median(np.linalg.norm(gap, axis=1)) < 16  # a fifth of a voxel
    assert fit.correlation > 0.9
    assert fit.stiffness != 1e-5
