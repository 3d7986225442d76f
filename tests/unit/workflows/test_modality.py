"""What made an image, and whether its numbers are labels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from clemkit.geometry import Grid, Space
from clemkit.volumes import Volume, open_volume
from clemkit.workflows.modality import (
    guess_modality,
    is_fluorescence_like,
    is_label_like,
    mask_threshold,
    sample_planes,
)


def volume(shape, voxel, channels=()):
    data = np.zeros((len(channels), *shape) if channels else shape, np.uint8)
    grid = Grid(space=Space("s"), shape_zyx=shape, voxel_size_zyx_nm=voxel)
    return Volume(data=data, grid=grid, modality="em", channels=channels)


@pytest.fixture
def em(rng):
    return np.clip(rng.normal(140, 30, (5, 60, 70)), 1, 255).astype(np.uint8)


@pytest.fixture
def fluorescence(rng):
    points = np.zeros((5, 60, 70))
    points[rng.integers(0, 5, 40), rng.integers(0, 60, 40), rng.integers(0, 70, 40)] = 1
    return rng.poisson(100 + 9000 * ndi.gaussian_filter(points, 1.5)).astype(np.uint16)


@pytest.fixture
def labels(rng):
    seeds = np.zeros((5, 60, 70), np.uint16)
    seeds[rng.integers(0, 5, 40), rng.integers(0, 60, 40), rng.integers(0, 70, 40)] = (
        np.arange(40) + 1
    )
    return ndi.grey_dilation(seeds, (1, 7, 9))


def test_distributions(em, fluorescence):
    assert is_fluorescence_like(fluorescence)
    assert not is_fluorescence_like(em)
    assert not is_fluorescence_like(255 - em)


def test_padding_is_no_dark_ground(em):
    padded = em.copy()
    padded[:, :40] = 0  # most of the picture
    assert not is_fluorescence_like(padded)


def test_labels_are_told_from_images(em, fluorescence, labels):
    assert is_label_like(labels)
    assert is_label_like((labels > 0).astype(np.uint8) * 255)
    assert is_label_like((labels > 0).astype(np.float32))
    assert not is_label_like(em)
    assert not is_label_like(fluorescence)
    assert not is_label_like(np.zeros((5, 60, 70), np.uint8))  # nothing in it


def test_a_smooth_dim_image_is_not_labels():
    """Equal neighbours and zeros, but steps of one grey level."""
    ramp = np.tile(np.arange(70) // 9, (5, 60, 1)).astype(np.uint8)
    assert np.mean(ramp[..., :-1] == ramp[..., 1:]) > 0.85
    assert not is_label_like(ramp)


def test_a_resampled_mask_gives_its_threshold(labels, em):
    sharp = np.kron((labels > 0).astype(np.float32) * 255, np.ones((1, 8, 8), np.float32))
    soft = ndi.uniform_filter(sharp, (0, 2, 2)).astype(np.uint8)
    sparse = np.concatenate([soft, np.zeros((60, *soft.shape[1:]), np.uint8)])
    sparse[:5][soft == 127] = 90
    assert mask_threshold(labels) is None
    assert mask_threshold(sharp) is None
    assert mask_threshold(em) is None
    edges = np.linspace(1, 254, 40).astype(np.uint8)
    sparse[10, 0, :40] = edges
    assert mask_threshold(sparse) == 127.5


@pytest.mark.parametrize(
    ("shape", "voxel", "channels", "default", "expected"),
    [
        ((5, 60, 70), (300, 100, 100), ("a", "b"), "xray_ct", "lm"),
        ((5, 60, 70), (50, 8, 8), (), "xray_ct", "em"),
        ((5, 60, 70), (300, 100, 100), (), "xray_ct", "lm"),
        ((5, 60, 70), (650, 650, 650), (), "xray_ct", "xray_ct"),
        ((5, 60, 70), (300, 100, 100), (), "em", "em"),
        ((1, 60, 70), (300, 100, 100), (), "xray_ct", "xray_ct"),
    ],
)
def test_voxels_and_channels_decide(em, shape, voxel, channels, default, expected):
    guess = guess_modality(volume(shape, voxel, channels), em, default)
    assert guess.modality == expected
    assert guess.reason


def test_bright_on_dark_is_light_whatever_the_side(fluorescence):
    grid = volume((5, 60, 70), (200, 200, 200))
    assert guess_modality(grid, fluorescence, "em").modality == "lm"
    assert guess_modality(grid, fluorescence, "em", labels=True).modality == "em"


def test_samples_are_few_and_central(rng):
    data = rng.integers(0, 255, (40, 11, 13), dtype=np.uint8)
    grid = Grid(space=Space("s"), shape_zyx=data.shape, voxel_size_zyx_nm=(9, 8, 7))
    planes = sample_planes(Volume(data=data, grid=grid, modality="em"))
    assert planes.shape == (9, 11, 13)
    assert np.array_equal(planes[0], data[2])
    assert np.array_equal(planes[-1], data[37])


@pytest.mark.shared
@pytest.mark.parametrize(
    ("path", "modality", "labels"),
    [
        ("mito-fibsem/image.ome.tif", "em", False),
        ("mito-fibsem/labels.ome.tif", "em", True),
        ("easifish-crop/fix.ome.tif", "lm", False),
        ("neubias-lm/xyz_8bit__mitotic_plate_calibrated.tif", "lm", False),
        ("yeast-clem-2d/fluo_green.tif", "lm", False),
        ("platy-sbem-xray/xray-segmented-neuropil.ome.tif", "xray_ct", True),
    ],
)
def test_real_files(shared_data, path, modality, labels):
    found = open_volume(shared_data / path)
    planes = sample_planes(found)
    assert is_label_like(planes) is labels
    assert guess_modality(found, planes, "xray_ct", labels=labels).modality == modality
