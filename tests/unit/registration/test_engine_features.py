"""What is matched: structures stay where they are when cropped, thinned or averaged."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage as ndi

from clemkit.errors import DataError
from clemkit.geometry import Grid, Space
from clemkit.registration import features
from clemkit.registration.features import fixed_features, moving_image, reduction
from clemkit.volumes import Volume

EM = Space("em")
VOXEL, ORIGIN = (50, 8, 10), (3, -40, 7)


def volume(data, **kind) -> Volume:
    grid = Grid(space=EM, shape_zyx=data.shape[-3:], voxel_size_zyx_nm=VOXEL, origin_zyx_nm=ORIGIN)
    return Volume(data=data, grid=grid, modality=kind.pop("modality", "em"), **kind)


def centroid(mask: np.ndarray, grid: Grid) -> np.ndarray:
    return grid.points()[np.asarray(mask).ravel() > 0].mean(axis=0)


@pytest.fixture
def labels() -> np.ndarray:
    """Two objects in a corner of an odd field."""
    out = np.zeros((31, 75, 67), np.uint16)
    out[2:4, 5:12, 8:15] = 9
    out[3:6, 14:19, 17:24] = 4
    return out


def test_empty_borders_are_cropped_and_the_rest_stays_in_place(labels):
    whole = volume(labels, role="labels")
    found = fixed_features(whole, whole, 0, radius_nm=10.0)
    # margin of four radii, in voxels of each axis: 1, 5 and 4
    assert found.grid.shape_zyx == (6, 19 + 5, 24 + 4 - 4)
    assert found.labels.shape == found.image.shape == found.grid.shape_zyx
    for number, value in ((1, 4), (2, 9)):
        np.testing.assert_allclose(
            centroid(found.labels == number, found.grid), centroid(labels == value, whole.grid)
        )
    assert np.array_equal(found.image, found.labels > 0)
    assert found.radius_nm == 10


def test_a_filled_field_is_not_cropped(labels):
    labels[27:30, 65:70, 55:60] = 2
    found = fixed_features(volume(labels), volume(labels), 0, radius_nm=10.0)
    assert found.grid.shape_zyx == labels.shape


def test_the_radius_comes_from_the_labels(labels):
    found = fixed_features(volume(labels), volume(labels), 0, None)
    assert 15 < found.radius_nm < 45


def test_large_labels_are_thinned_in_place(labels, monkeypatch):
    monkeypatch.setattr(features, "_LABEL_VOXELS", labels.size // 10)
    labels[28:31, 60:75, 50:67] = 2
    whole = volume(labels)
    found = fixed_features(whole, whole, 0, radius_nm=30.0)
    assert found.grid.size <= labels.size // 10 * 1.3  # rounded up at odd ends
    assert "read at every" in found.notes[0]
    factor = np.array(found.grid.voxel_size_zyx_nm) / VOXEL
    assert np.all(factor[1:] >= 2)
    for number, value in ((1, 2), (2, 4), (3, 9)):
        gap = centroid(found.labels == number, found.grid) - centroid(labels == value, whole.grid)
        assert np.all(np.abs(gap) <= found.grid.voxel_size_zyx_nm)


def test_blocks_stay_below_the_wanted_voxel_and_spare_single_planes():
    grid = Grid(space=EM, shape_zyx=(1, 30, 31), voxel_size_zyx_nm=(50, 8, 10))
    assert reduction(grid, 24.0) == (1, 3, 2)
    assert reduction(grid, 3.0) == (1, 1, 1)


@pytest.mark.parametrize("sigma", [2.0, 4.0])
def test_detail_of_an_image_grows_with_its_blur(rng, sigma):
    noise = rng.normal(size=(1, 120, 130))
    image = ndi.gaussian_filter(noise, (0, sigma, sigma * 0.8)).astype(np.float32)
    found = fixed_features(volume(image), None, 0, None)
    assert found.labels is None
    # of Gaussian-filtered noise, variance over gradient variance is two sigma squared
    blurred = np.sqrt((sigma * 8) ** 2 + (2 * 8) ** 2)  # the measure averages pairs and blurs
    assert found.radius_nm == pytest.approx(np.sqrt(2) * blurred / 2, rel=0.3)


def test_template_is_normalised_on_blocks(labels):
    found = fixed_features(volume(labels), volume(labels), 0, radius_nm=20.0)
    image, grid = found.template(25.0, np.array([50.0, 20.0, 20.0]))
    assert grid == found.grid.downsample((1, 3, 2))
    assert image.shape == grid.shape_zyx
    inside = ndi.zoom(found.image, np.array(image.shape) / found.image.shape, order=0) > 0
    assert image[inside].mean() > image[~inside].mean() + 0.5


def test_moving_image_is_normalised_where_it_lies(rng):
    data = rng.poisson(30, (2, 9, 30, 31)).astype(np.uint16)
    data[1, 3:6, 12:18, 16:22] += 200
    found = moving_image(volume(data, modality="lm"), None, 1, 16.0, 120.0)
    assert found.grid == volume(data).grid.downsample((1, 2, 1))
    brightest = found.grid.points()[found.image.argmax()]
    assert np.all(np.abs(brightest - [3 + 4 * 50, -40 + 14.5 * 8, 7 + 18.5 * 10]) <= [60, 30, 35])
    brighter = moving_image(volume(5 * data + 900, modality="lm"), None, 1, 16.0, 120.0)
    np.testing.assert_allclose(brighter.image, found.image, atol=0.01)


def test_moving_labels_are_taken_as_a_mask(labels):
    numbered = moving_image(volume(labels), volume(labels), 0, 20.0, 120.0)
    mask = (labels > 0).astype(np.uint8)
    plain = moving_image(volume(mask), volume(mask), 0, 20.0, 120.0)
    np.testing.assert_array_equal(numbered.image, plain.image)
    assert numbered.image.max() > 0.5


def test_broken_images_are_named(labels):
    broken = np.ones((5, 6, 7), np.float32)
    with pytest.raises(DataError, match=r"fixed image: .*same value"):
        fixed_features(volume(broken), None, 0, None)
    broken[0, 0, 0] = np.nan
    with pytest.raises(DataError, match=r"moving image: .*1 NaN"):
        moving_image(volume(broken), None, 0, 10.0, 100.0)
