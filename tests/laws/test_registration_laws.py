"""Laws that hold for every lattice, rotation set and normalised image."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clemkit.geometry import Grid, Space
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.intensity import block_mean, local_normalise, oriented_blur
from clemkit.registration.prepare import instances
from clemkit.registration.rotations import optical_axis_rotations, uniform_rotations

EM = Space("em")
FEW = settings(max_examples=20, deadline=None)
seeds = st.integers(0, 2**31)
shapes = st.tuples(st.integers(1, 6), st.integers(2, 9), st.integers(2, 11))
GRID = Grid(
    space=EM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(3, -40, 7)
)


def some_lattice(seed: int, shape) -> FfdLattice:
    rng = np.random.default_rng(seed)
    grid = Grid(space=EM, shape_zyx=shape, voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(3, -40, 7))
    z, y, x = rng.uniform([60, 15, 20], [400, 90, 130])
    return FfdLattice(grid=grid, spacing_zyx_nm=(z, y, x), margin_zyx_nm=(z / 4, y / 4, x / 4))


@FEW
@given(seed=seeds, shape=shapes)
def test_project_is_the_adjoint_of_field(seed, shape):
    ffd = some_lattice(seed, shape)
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(3, *ffd.shape))
    image = rng.normal(size=(3, *shape)).astype(np.float32)
    there = float((ffd.field(values).astype(float) * image).sum())
    back = float((values * ffd.project(image)).sum())
    size = np.linalg.norm(values) * np.linalg.norm(image)
    assert abs(there - back) < 1e-5 * size


@FEW
@given(seed=seeds, shape=shapes)
def test_the_normal_matrix_is_the_energy_of_the_field(seed, shape):
    ffd = some_lattice(seed, shape)
    rng = np.random.default_rng(seed)
    gradient = rng.normal(size=(3, *shape)).astype(np.float32)
    weight = rng.uniform(0, 1, shape).astype(np.float32)
    values = rng.normal(size=(3, *ffd.shape))
    c = values.ravel()
    energy = float((weight * (gradient * ffd.field(values)).sum(axis=0) ** 2).sum())
    assert np.isclose(c @ (ffd.normal_matrix(gradient, weight) @ c), energy, rtol=1e-3, atol=1e-3)


@FEW
@given(seed=seeds, gain=st.floats(0.01, 1000), offset=st.floats(-1e3, 1e3))
def test_normalisation_ignores_gain_and_offset(seed, gain, offset):
    image = np.random.default_rng(seed).normal(size=GRID.shape_zyx).astype(np.float32)
    # offsets beyond a hundred times the contrast are lost to single precision, not to the method
    other = (gain * (image + np.clip(offset, -100, 100))).astype(np.float32)
    voxel = GRID.voxel_size_zyx_nm
    first, second = local_normalise(image, voxel, 40.0), local_normalise(other, voxel, 40.0)
    np.testing.assert_allclose(second, first, atol=2e-3)
    recorded = np.ones(GRID.shape_zyx, bool)
    recorded[:, :3] = False
    parts = [local_normalise(i, voxel, 40.0, recorded=recorded) for i in (image, other)]
    np.testing.assert_allclose(parts[1], parts[0], atol=5e-3)
    assert not parts[0][:, :3].any()


@FEW
@given(seed=seeds, factor=st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6)))
def test_block_means_keep_the_sum_and_the_place(seed, factor):
    image = np.random.default_rng(seed).uniform(size=GRID.shape_zyx).astype(np.float32)
    found, grid = block_mean(image, GRID, factor)
    assert found.shape == grid.shape_zyx
    sizes = [
        np.diff(np.r_[np.arange(0, n, f), n]) for n, f in zip(image.shape, factor, strict=True)
    ]
    counts = np.einsum("a,b,c->abc", *sizes)
    assert np.isclose((found * counts).sum(), image.sum(), rtol=1e-5)
    # the first block is whole: its centre is the mean of its voxel centres
    whole = tuple(min(f, n) for f, n in zip(factor, image.shape, strict=True))
    if whole == factor:
        first = GRID.points().reshape(*GRID.shape_zyx, 3)[: whole[0], : whole[1], : whole[2]]
        np.testing.assert_allclose(grid.origin_zyx_nm, first.reshape(-1, 3).mean(axis=0))


@FEW
@given(seed=seeds)
def test_oriented_blur_is_symmetric(seed):
    """The model fit takes the blur for its own adjoint."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(3, 3)) * 0.7
    cov = root @ root.T + 0.2 * np.eye(3)
    a, b = rng.normal(size=(2, *GRID.shape_zyx)).astype(np.float32)
    left = float((oriented_blur(a, cov).astype(float) * b).sum())
    right = float((a.astype(float) * oriented_blur(b, cov)).sum())
    assert abs(left - right) < 1e-4 * np.linalg.norm(a) * np.linalg.norm(b)


@FEW
@given(seed=seeds)
def test_instances_keep_the_partition(seed):
    rng = np.random.default_rng(seed)
    ids = rng.choice(np.arange(1, 60000), 20, replace=False).astype(np.uint16)
    labels = np.where(rng.uniform(size=GRID.shape_zyx) < 0.4, 0, rng.choice(ids, GRID.shape_zyx))
    found, notes = instances(labels.astype(np.uint16), "labels")
    assert not notes
    assert np.array_equal(found > 0, labels > 0)
    pairs = np.unique(np.stack([found.ravel(), labels.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(labels)) == len(np.unique(found))


@FEW
@given(
    step=st.floats(0.15, 1.0),
    tilt=st.floats(0.1, 0.4),
    rings=st.integers(0, 2),
    count=st.integers(1, 60),
)
def test_every_rotation_is_one(step, tilt, rings, count):
    found = optical_axis_rotations(step, tilt, rings * tilt) + uniform_rotations(count)
    matrices = np.array(found)
    np.testing.assert_allclose(
        matrices @ matrices.transpose(0, 2, 1),
        np.broadcast_to(np.eye(3), matrices.shape),
        atol=1e-9,
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0)
    turns = max(round(2 * np.pi / step), 1)
    assert len(found) == turns * (1 + 3 * rings * (rings + 1)) + count
