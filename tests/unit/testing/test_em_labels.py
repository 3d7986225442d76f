from __future__ import annotations

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.testing import PhantomSpec
from clemkit.testing.em_labels import segmented_nodes, segmented_volume, true_labels
from clemkit.testing.organelles import NODE_NM, Tubes
from clemkit.testing.rendering import render_tubes

GRID = Grid(space=Space("em"), shape_zyx=(24, 80, 100), voxel_size_zyx_nm=(120.0, 90.0, 80.0))
LOW, HIGH = np.zeros(3), GRID.extent_zyx_nm


@pytest.fixture
def rods():
    """Twenty parallel rods of 50 nodes, 0.68 um apart in y and 1.4 um in z."""
    along = np.arange(50) * NODE_NM + 2000
    seats = [(z, y) for z in (700.0, 2100.0) for y in 400 + 680.0 * np.arange(10)]
    points = np.concatenate([np.c_[np.full(50, z), np.full(50, y), along] for z, y in seats])
    n = len(points)
    return Tubes(
        points,
        np.tile([0.0, 0.0, 1.0], (n, 1)),
        np.full(n, 240.0),
        np.tile(along - 2000, len(seats)),
        np.repeat(np.arange(1, len(seats) + 1), 50),
        np.zeros(n, dtype=np.int64),
    )


def spec(**shares):
    none = dict.fromkeys(
        ("missed_fraction", "false_fraction", "merged_fraction", "split_fraction"), 0.0
    )
    return PhantomSpec(**{**none, **shares})


def test_without_errors_labels_are_the_rods(rods, rng):
    labels = true_labels(render_tubes(rods, GRID, 200.0), rods)
    volume = np.bincount(labels.ravel())[1:] * np.prod(GRID.voxel_size_zyx_nm)
    expected = np.pi * 240.0**2 * 49 * NODE_NM + 4 / 3 * np.pi * 240.0**3
    assert len(volume) == 20
    # a rod along an axis is quantised; over all positions that averages out
    assert volume.mean() == pytest.approx(expected, rel=0.04)
    np.testing.assert_allclose(volume, expected, rtol=0.25)
    same, made = segmented_nodes(rng, rods, spec(), LOW, HIGH)
    assert made == {"objects": 20, "missed": 0, "split": 0, "merged": 0, "false": 0}
    assert np.array_equal(segmented_volume(rng, same, GRID, 0.0), labels)


def test_missed_objects_vanish_whole(rods, rng):
    left, made = segmented_nodes(rng, rods, spec(missed_fraction=0.2), LOW, HIGH)
    assert made["missed"] == 4
    assert np.array_equal(np.unique(left.objects, return_counts=True)[1], np.full(16, 50))


def test_split_objects_become_two_with_a_gap(rods, rng):
    left, made = segmented_nodes(rng, rods, spec(split_fraction=0.25), LOW, HIGH)
    assert made["split"] == 5
    assert len(np.unique(left.objects)) == 25
    assert len(left) < len(rods)


def test_merged_objects_are_joined_by_a_bridge(rods, rng):
    left, made = segmented_nodes(rng, rods, spec(merged_fraction=0.1), LOW, HIGH)
    assert made["merged"] == 2
    assert len(np.unique(left.objects)) == 18
    assert len(left) > len(rods)


def test_false_objects_keep_away_from_real_ones(rods, rng):
    left, made = segmented_nodes(rng, rods, spec(false_fraction=0.3), LOW, HIGH)
    false = left.points_zyx_nm[left.objects > 20]
    assert made["false"] >= 1
    gaps = np.linalg.norm(false[:, None] - rods.points_zyx_nm[None], axis=2).min(axis=1)
    assert gaps.min() > 500


def test_jitter_moves_boundaries_only(rods, rng):
    labels = true_labels(render_tubes(rods, GRID, 200.0), rods)
    rough = segmented_volume(rng, rods, GRID, 60.0)
    both = (labels > 0) & (rough > 0)
    assert np.array_equal(labels[both], rough[both])
    overlap = 2 * both.sum() / ((labels > 0).sum() + (rough > 0).sum())
    assert 0.7 < overlap < 0.97
