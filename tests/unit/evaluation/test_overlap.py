from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import ArgumentError, DataError
from clemkit.evaluation.overlap import label_overlap, mask_overlap, surface_distances

SHAPE = (7, 11, 13)
VOXEL = (50.0, 8.0, 10.0)


def box(z, y, x, value=1, dtype=np.uint16):
    volume = np.zeros(SHAPE, dtype)
    volume[slice(*z), slice(*y), slice(*x)] = value
    return volume


def test_dice_and_jaccard_of_two_boxes() -> None:
    first = box((1, 4), (2, 6), (3, 8))  # 3*4*5 = 60
    second = box((1, 4), (2, 6), (6, 10))  # 3*4*4 = 48, common 3*4*2 = 24
    scores = mask_overlap(first, second)
    assert (scores.first, scores.second, scores.both) == (60, 48, 24)
    assert scores.dice == pytest.approx(48 / 108)
    assert scores.jaccard == pytest.approx(24 / 84)


@pytest.mark.parametrize("slab_voxels", [1, 143, 500, 10**9])
def test_block_size_changes_nothing(rng, slab_voxels: int) -> None:
    first = rng.integers(0, 4, SHAPE).astype(np.uint8)
    second = rng.integers(0, 4, SHAPE).astype(np.int32)
    whole = (first > 0, second > 0)
    scores = mask_overlap(first, second, slab_voxels=slab_voxels)
    assert scores.dice == pytest.approx(
        2 * np.sum(whole[0] & whole[1]) / (whole[0].sum() + whole[1].sum())
    )
    labels = label_overlap(first, second, slab_voxels=slab_voxels)
    assert sorted(labels) == [1, 2, 3]
    for value, found in labels.items():
        assert found.both == np.sum((first == value) & (second == value))
    distances = surface_distances(first, second, VOXEL, slab_voxels=slab_voxels)
    assert distances == surface_distances(first, second, VOXEL)


def test_labels_are_compared_value_by_value() -> None:
    first = box((0, 2), (0, 2), (0, 2), 5) + box((4, 6), (4, 6), (4, 6), 9)
    second = box((0, 2), (0, 2), (0, 2), 9) + box((4, 6), (4, 6), (4, 5), 9)
    scores = label_overlap(first, second)
    assert scores[5].dice == 0.0
    assert (scores[9].first, scores[9].second, scores[9].both) == (8, 12, 4)
    assert list(label_overlap(first, second, labels=[7])) == [7]
    with pytest.raises(ArgumentError, match="integer labels"):
        label_overlap(first.astype(float), second)


def test_empty_masks_have_no_dice() -> None:
    nothing = np.zeros(SHAPE, bool)
    assert np.isnan(mask_overlap(nothing, nothing).dice)
    assert mask_overlap(nothing, nothing).to_dict()["dice"] is None
    assert mask_overlap(nothing, box((0, 1), (0, 1), (0, 1))).dice == 0.0


def test_uneven_shapes_are_refused() -> None:
    with pytest.raises(ArgumentError, match="equal \\(z, y, x\\) shapes"):
        mask_overlap(np.zeros(SHAPE), np.zeros((7, 11, 12)))


@pytest.mark.parametrize(("axis", "step"), [(0, 1), (1, 3), (2, 2)])
def test_flat_slabs_shifted_along_an_axis_are_that_far_apart(axis: int, step: int) -> None:
    """A half space and the same one shifted: every surface voxel is `step` voxels away."""
    first, second = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    cut = [slice(None)] * 3
    cut[axis] = slice(0, 3)
    first[tuple(cut)] = True
    cut[axis] = slice(0, 3 + step)
    second[tuple(cut)] = True
    distances = surface_distances(first, second, VOXEL)
    for figure in (distances.mean_nm, distances.hd95_nm, distances.max_nm):
        assert figure == pytest.approx(step * VOXEL[axis])
    assert distances.sampled_fraction == 1.0


def test_one_voxel_outlier_sets_the_maximum_but_not_the_95th_percentile() -> None:
    first = box((1, 6), (1, 9), (1, 9))
    second = first.copy()
    second[3, 5, 12] = 1  # 4 voxels from the face at x = 8
    distances = surface_distances(first, second, VOXEL)
    assert distances.max_nm == pytest.approx(40.0)
    assert distances.hd95_nm == 0.0


def test_sampling_is_announced() -> None:
    first, second = box((1, 6), (1, 9), (1, 9)), box((1, 6), (2, 10), (1, 9))
    distances = surface_distances(first, second, VOXEL, max_queries=50)
    assert 0 < distances.sampled_fraction < 1
    assert distances.max_nm <= surface_distances(first, second, VOXEL).max_nm


@pytest.mark.parametrize("mask", [np.zeros(SHAPE), np.ones(SHAPE)])
def test_a_mask_without_surface_is_refused(mask) -> None:
    with pytest.raises(DataError, match="second mask"):
        surface_distances(box((1, 3), (1, 3), (1, 3)), mask, VOXEL)


def test_a_single_section_has_no_surface_above_and_below() -> None:
    disc = np.zeros((1, 11, 13), bool)
    disc[0, 2:7, 3:9] = True
    hole = disc.copy()
    hole[0, 4, 5] = False  # its neighbour at x = 6 is two rows from the old rim
    assert surface_distances(disc, hole, VOXEL).max_nm == pytest.approx(16.0)


def test_the_foreground_threshold_suits_smoothed_masks() -> None:
    first = box((1, 4), (2, 6), (3, 8), 255)
    second = first.copy()
    second[0] = 100  # a faint rim
    assert mask_overlap(first, second).dice < 0.6
    assert mask_overlap(first, second, above=127).dice == 1.0
    assert surface_distances(first, second, VOXEL, above=127).max_nm == 0.0
    assert surface_distances(first, second, VOXEL).max_nm > 0.0
