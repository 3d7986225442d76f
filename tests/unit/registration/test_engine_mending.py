"""Regions caught in a wrong match are released and refitted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from clemkit.geometry import Grid, Space
from clemkit.registration.features import FixedFeatures
from clemkit.registration.ffd_lattice import FfdLattice
from clemkit.registration.intensity import local_normalise
from clemkit.registration.mending import local_correlation, mend_regions
from clemkit.registration.pull import AffineMap
from clemkit.registration.refine import MovingCrop

VOXEL = (120.0, 100.0, 100.0)
SAME = AffineMap(np.eye(3), np.zeros(3))


def texture(shape: tuple[int, int, int], seed: int = 4) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape)
    return ndi.gaussian_filter(noise, 1.6).astype(np.float32)


def test_correlation_is_local():
    a = texture((17, 40, 44))
    b = a.copy()
    b[:, :, 22:] = texture((17, 40, 44), 9)[:, :, 22:]
    inside = np.ones_like(a)
    found, structure = local_correlation(a, b, inside, np.array([3.0, 3.0, 3.0]))
    assert found[:, :, :12].min() > 0.95
    assert np.abs(found[:, :, 34:]).mean() < 0.4
    assert structure.min() > 0


def scene() -> tuple[FixedFeatures, MovingCrop]:
    grid = Grid(space=Space("em"), shape_zyx=(14, 48, 56), voxel_size_zyx_nm=VOXEL,
                origin_zyx_nm=(40.0, -700.0, 300.0))  # fmt: skip
    image = texture(grid.shape_zyx)
    fixed = FixedFeatures(None, image, grid, 320.0, ())
    moving = Grid(space=Space("lm"), shape_zyx=grid.shape_zyx, voxel_size_zyx_nm=VOXEL,
                  origin_zyx_nm=grid.origin_zyx_nm)  # fmt: skip
    normal = local_normalise(image, VOXEL, fixed.normalisation_nm)
    return fixed, MovingCrop(image, normal, moving, 1)


def mend(displacement: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    fixed, moving = scene()
    lattice = FfdLattice(grid=fixed.grid, spacing_zyx_nm=(1100.0,) * 3, margin_zyx_nm=(275.0,) * 3)
    points = fixed.grid.points()
    rows = lattice.rows(points)
    wanted = displacement.reshape(-1)
    start = np.zeros((3, *lattice.shape))
    start[2] = np.linalg.lstsq(rows, wanted, rcond=1e-6)[0].reshape(lattice.shape)
    found = mend_regions(
        fixed, moving, SAME, lattice, start,
        blur_zyx_nm=np.array([60.0] * 3), blur_nm=150.0, voxel_nm=150.0, spacing_nm=1100.0,
        window_nm=500.0, stiffness=1e-6,
    )  # fmt: skip
    if found is None:
        return None
    level, coefficients = found
    inner = points[
        (np.abs(points - fixed.grid.centre_zyx_nm) < 0.42 * fixed.grid.extent_zyx_nm).all(1)
    ]
    after = level.rows(inner) @ coefficients.reshape(3, -1).T
    before = lattice.rows(inner) @ start.reshape(3, -1).T
    return before, after


def test_a_corner_that_slipped_comes_back():
    fixed, _ = scene()
    _, y, x = fixed.grid.points().T
    slipped = 1100.0 / (1 + np.exp(-((y - y.mean()) / 250 + (x - x.mean()) / 250 - 3.5)))
    out = mend(slipped)
    assert out is not None
    before, after = (np.linalg.norm(d, axis=1) for d in out)
    assert np.percentile(before, 95) > 700
    assert np.percentile(after, 95) < 0.25 * np.percentile(before, 95)


def test_nothing_happens_where_all_agrees():
    fixed, _ = scene()
    assert mend(np.zeros(fixed.grid.size)) is None


@pytest.mark.parametrize("axis", [0, 1])
def test_a_flat_axis_has_no_window(axis):
    shape = [9, 40, 44]
    shape[axis] = 1
    image = texture((shape[0], shape[1], shape[2]))
    sigma = np.array([0.0 if n == 1 else 3.0 for n in shape])
    found, _ = local_correlation(image, image, np.ones_like(image), sigma)
    assert found.min() > 0.99
