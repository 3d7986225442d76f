"""The picture after the coarse stage."""

from __future__ import annotations

import io

import numpy as np
import pytest

from clemkit.evaluation.coarse_preview import coarse_preview
from clemkit.geometry import Grid, Space

pytest.importorskip("matplotlib")
GRID = Grid(
    space=Space("em"), shape_zyx=(9, 31, 42), voxel_size_zyx_nm=(120, 80, 80),
    origin_zyx_nm=(50, -300, 700),
)  # fmt: skip
ORANGE = np.array([255, 127, 42])


def picture(labels):
    from PIL import Image

    rng = np.random.default_rng(1)
    light = rng.normal(10, 1, GRID.shape_zyx).astype(np.float32)
    light[2:6, 8:20, 10:30] += 30
    fixed = rng.normal(100, 5, GRID.shape_zyx).astype(np.float32)
    png = coarse_preview(fixed, light, labels, GRID, title="A on B", subtitle="coarse")
    return np.asarray(Image.open(io.BytesIO(png))).astype(int)


def orange(image) -> int:
    return int((np.abs(image - ORANGE).sum(axis=-1) < 60).sum())


def test_fixed_structures_are_outlined_over_the_light():
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    labels[2:6, 8:20, 10:30] = 1
    with_labels, empty = picture(labels), picture(np.zeros_like(labels))
    assert orange(with_labels) > orange(empty) + 300  # what is left is the legend
    assert orange(empty) > 20
    assert with_labels.shape[1] >= 600


def test_without_labels_the_brighter_half_is_outlined():
    assert orange(picture(None)) > 300
