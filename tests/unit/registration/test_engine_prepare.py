"""Reading in bounded memory, instances from labels of every kind, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import DataError, TooFewLandmarksError
from clemkit.geometry import Box, Grid, Space
from clemkit.registration import prepare
from clemkit.registration.intensity import block_mean
from clemkit.registration.prepare import instances, read_reduced, require_finite
from clemkit.volumes import Volume

GRID = Grid(
    space=Space("em"),
    shape_zyx=(7, 11, 13),
    voxel_size_zyx_nm=(50, 8, 10),
    origin_zyx_nm=(3, -40, 7),
)


@pytest.fixture
def islands() -> np.ndarray:
    """A mask of five separate cuboids of at least eight voxels, and one speck."""
    mask = np.zeros((7, 30, 31), np.uint8)
    for k in range(5):
        mask[1:4, 6 * k : 6 * k + 3, 2 + k : 6 + k] = 1
    mask[6, 29, 30] = 1
    return mask


def test_labels_become_consecutive(rng):
    labels = rng.choice([0, 7, 300, 65535], (7, 11, 13)).astype(np.uint16)
    found, notes = instances(labels, "labels")
    assert notes == []
    assert found.dtype == np.int32
    for value, number in ((0, 0), (7, 1), (300, 2), (65535, 3)):
        assert np.all(found[labels == value] == number)


@pytest.mark.parametrize("kind", [np.uint8, bool, np.float32])
def test_a_mask_is_split_into_its_parts(islands, kind):
    found, notes = instances(islands.astype(kind), "labels")
    assert found.max() == 5
    assert found[6, 29, 30] == 0  # a speck is no structure
    assert all(len(np.unique(found[1:4, 6 * k : 6 * k + 3, 2 + k : 6 + k])) == 1 for k in range(5))
    assert "labels: 1 label value(s) in 5 separate parts" in notes[0]


def test_parts_that_touch_by_a_corner_are_one():
    mask = np.zeros((6, 6, 6), bool)
    mask[:2, :2, :2] = mask[2:4, 2:4, 2:4] = mask[4:, 4:, 4:] = True
    found, _ = instances(mask, "labels")
    assert found.max() == 1


def test_wrapped_ids_are_split(islands):
    # eight-bit ids that came round again: each value holds several objects
    wrapped = islands * np.where(np.arange(30) % 12 < 6, 1, 2)[None, :, None]
    wrapped[1:4, 24:27, 20:24] = 1
    wrapped[5:, 0:2, 20:24] = 2
    found, notes = instances(wrapped, "labels")
    assert found.max() == 7
    assert "2 label value(s) in 7 separate parts" in notes[0]


def test_a_few_objects_in_a_few_parts_stay_as_they_are(islands):
    labels = islands * (1 + np.arange(30) // 12)[None, :, None].astype(np.uint8)
    found, notes = instances(labels, "labels")
    assert notes == []
    assert np.array_equal(found, labels)


def test_labels_that_are_none_are_refused():
    with pytest.raises(TooFewLandmarksError, match="EM labels: expected labelled structures"):
        instances(np.zeros((2, 3, 4)), "EM labels")
    with pytest.raises(DataError, match="expected whole label numbers; found fractions"):
        instances(np.full((2, 3, 4), 0.5), "EM labels")
    with pytest.raises(DataError, match="found NaN or infinity"):
        instances(np.array([[[1.0, np.nan]]]), "EM labels")


def test_images_that_cannot_work_are_refused():
    image = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    require_finite(image, "LM")
    broken = image.copy()
    broken[0, 1, :2] = np.nan, np.inf
    with pytest.raises(DataError, match="LM: expected finite values; found 2 NaN"):
        require_finite(broken, "LM")
    with pytest.raises(DataError, match=r"the same value 7 everywhere"):
        require_finite(np.full((2, 3, 4), 7, np.float32), "LM")


@pytest.mark.parametrize("slab", [1, 300, 10**6])
def test_slabs_change_nothing(rng, monkeypatch, slab):
    monkeypatch.setattr(prepare, "_SLAB_VOXELS", slab)
    data = rng.integers(0, 255, (2, *GRID.shape_zyx), dtype=np.uint8)
    volume = Volume(data=data, grid=GRID, modality="lm")
    box = Box((1, 2, 0), (7, 11, 12))
    found, grid = read_reduced(volume, 1, (2, 3, 2), box)
    expected, expected_grid = block_mean(data[1][box.slices], GRID.crop(box), (2, 3, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert grid == expected_grid
    assert read_reduced(volume, 0, (1, 1, 1))[1] == GRID
