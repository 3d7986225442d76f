"""Block means, blur, normalisation and padding."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from clemkit.geometry import Grid, Space
from clemkit.registration.intensity import (
    block_mean,
    gaussian_blur_nm,
    local_normalise,
    oriented_blur,
    recorded_field,
    stabilise,
)

GRID = Grid(
    space=Space("em"),
    shape_zyx=(7, 11, 13),
    voxel_size_zyx_nm=(50, 8, 10),
    origin_zyx_nm=(3, -40, 7),
)


def test_block_mean_averages_whole_and_incomplete_blocks(rng):
    image = rng.integers(0, 255, GRID.shape_zyx, dtype=np.uint8)
    found, grid = block_mean(image, GRID, (2, 3, 5))
    assert found.shape == grid.shape_zyx == (4, 4, 3)
    assert found.dtype == np.float32
    assert found[1, 2, 1] == pytest.approx(image[2:4, 6:9, 5:10].mean())
    assert found[3, 3, 2] == pytest.approx(image[6:, 9:, 10:].mean())
    assert grid.voxel_size_zyx_nm == (100, 24, 50)
    assert grid.origin_zyx_nm == (28, -32, 27)


def test_block_mean_keeps_a_ramp_where_it_is():
    ramp = GRID.points()[:, 2].reshape(GRID.shape_zyx)
    found, grid = block_mean(ramp, GRID, (1, 2, 4))
    whole = found[:, :5, :3]
    expected = grid.points()[:, 2].reshape(grid.shape_zyx)[:, :5, :3]
    np.testing.assert_allclose(whole, expected, rtol=1e-6)


def test_blur_is_given_in_nanometres_and_spares_single_planes():
    image = np.zeros((21, 41, 41), np.float32)
    image[10, 20, 20] = 1
    found = gaussian_blur_nm(image, (100.0, 30.0, 20.0), (50, 8, 10))
    index = np.indices(image.shape) - np.array([10, 20, 20])[:, None, None, None]
    sigma = np.sqrt((found * index**2).sum(axis=(1, 2, 3))) * (50, 8, 10)
    np.testing.assert_allclose(sigma, (100, 30, 20), rtol=0.02)
    flat = np.zeros((1, 41, 41), np.float32)
    flat[0, 20, 20] = 1
    assert gaussian_blur_nm(flat, 30.0, (50, 8, 10)).sum() == pytest.approx(1, rel=1e-3)


def test_oriented_blur_along_the_axes_is_the_ordinary_one(rng):
    image = rng.normal(size=(9, 21, 23)).astype(np.float32)
    sigma = np.array([0.8, 1.7, 2.3])
    found = oriented_blur(image, np.diag(sigma**2))
    expected = ndi.gaussian_filter(image, sigma, mode="constant", truncate=6)
    # sampled and spectral Gaussians differ a little where the kernel is narrow
    assert np.abs(found - expected).max() < 0.01 * np.abs(image).max()


def test_oriented_blur_has_its_covariance_and_moves_nothing():
    image = np.zeros((27, 29, 31), np.float32)
    image[12, 14, 16] = 2
    cov = np.array([[3.0, 1.0, -0.8], [1.0, 4.0, 1.5], [-0.8, 1.5, 2.5]])
    found = oriented_blur(image, cov).astype(float)
    index = np.indices(image.shape).reshape(3, -1).T
    weight = found.ravel() / found.sum()
    mean = weight @ index
    assert found.sum() == pytest.approx(2, rel=1e-3)
    np.testing.assert_allclose(mean, (12, 14, 16), atol=2e-3)
    spread = (index - mean).T @ (weight[:, None] * (index - mean))
    np.testing.assert_allclose(spread, cov, atol=0.03)


def test_oriented_blur_does_not_wrap_round():
    image = np.zeros((9, 11, 13), np.float32)
    image[0] = 1
    found = oriented_blur(image, np.diag([4.0, 1.0, 1.0]))
    assert np.abs(found[8]).max() < 1e-3
    assert found[0, 5, 6] == pytest.approx(1 / np.sqrt(8 * np.pi), rel=0.01)


def test_oriented_blur_leaves_a_single_plane_in_its_plane():
    image = np.zeros((1, 31, 33), np.float32)
    image[0, 15, 16] = 1
    cov = np.array([[9.0, 2.0, 2.0], [2.0, 4.0, 1.0], [2.0, 1.0, 4.0]])
    assert oriented_blur(image, cov).sum() == pytest.approx(1, rel=1e-3)
    assert cov[0, 0] == 9.0  # the argument is not changed


def test_normalisation_evens_out_slow_shading(rng):
    detail = ndi.gaussian_filter(rng.normal(size=(1, 80, 90)), (0, 1, 1)).astype(np.float32)
    ramp = np.linspace(1, 4, 90, dtype=np.float32)
    found = local_normalise(detail * ramp + 10 * ramp, (50, 10, 10), 50.0)
    assert np.abs(found.mean()) < 0.02
    left, right = found[..., 10:30].std(), found[..., 60:80].std()
    assert right / left == pytest.approx(1, abs=0.25)
    assert detail[..., 60:80].std() * 3 / detail[..., 10:30].std() > 2  # it was uneven before


def test_unrecorded_voxels_do_not_enter_the_means(rng):
    image = rng.normal(100, 5, (7, 30, 31)).astype(np.float32)
    recorded = np.ones(image.shape, bool)
    recorded[..., :9] = False
    zero, bright = (np.where(recorded, image, v).astype(np.float32) for v in (0.0, 3000.0))
    a = local_normalise(zero, (50, 10, 10), 60.0, recorded=recorded)
    b = local_normalise(bright, (50, 10, 10), 60.0, recorded=recorded)
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert not a[..., :9].any()
    plain = local_normalise(zero, (50, 10, 10), 60.0)
    assert np.abs(plain[..., 9:12]).mean() > 1.3 * np.abs(a[..., 9:12]).mean()  # an edge effect


def test_padding_is_found_and_dark_structure_is_not(rng):
    image = rng.uniform(10, 200, (7, 40, 41)).astype(np.float32)
    assert recorded_field(image) is None
    image[1:6, 12:28, 12:28] = 0  # dark, but inside
    assert recorded_field(image) is None
    image[:, :, :6] = 0
    found = recorded_field(image)
    assert not found[:, :, :7].any()  # and one voxel further in
    assert found[:, :, 7:].all()


def test_stabilising_evens_out_photon_noise(rng):
    level = np.repeat([20.0, 20.0, 2000.0], 4000).reshape(1, 3, 4000)
    photons = rng.poisson(level).astype(np.float32)
    found = stabilise(photons)
    plain = photons[0, 2].std() / photons[0, 0].std()
    assert plain == pytest.approx(10, rel=0.1)
    assert 0.5 < found[0, 2].std() / found[0, 0].std() < 2.0
    np.testing.assert_allclose(stabilise(photons + 500), found, rtol=1e-3)
    assert stabilise(np.full((2, 3, 4), 7, np.float32)).std() == 0


@pytest.mark.parametrize("sigma", [6.0, 7.3, 12.0, 25.0])
def test_wide_blurs_on_blocks_agree_with_the_plain_ones(sigma):
    image = np.zeros((31, 83, 97), np.float32)
    image[11:, 40:, 29:] = 1  # a corner
    sigmas = (sigma / 3, sigma, 0.8 * sigma)
    plain = ndi.gaussian_filter(image, sigmas, mode="nearest")
    assert np.abs(gaussian_blur_nm(image, sigmas, (1.0, 1.0, 1.0)) - plain).max() < 0.02
