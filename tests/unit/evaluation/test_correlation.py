from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import DataError
from clemkit.evaluation.correlation import (
    normalised_cross_correlation,
    normalised_mutual_information,
)

SHAPE = (7, 11, 13)


@pytest.mark.parametrize("slab_voxels", [1, 300, 10**9])
def test_ncc_equals_numpy_inside_the_mask(rng, slab_voxels: int) -> None:
    first = rng.normal(1e6, 1.0, SHAPE)  # a large offset shows cancellation
    second = 0.6 * first + rng.normal(0, 1.0, SHAPE)
    second[0, 0, 0] = np.nan
    mask = rng.uniform(size=SHAPE) > 0.5
    mask[0, 0, 0] = True
    use = mask & np.isfinite(second)
    expected = np.corrcoef(first[use], second[use])[0, 1]
    found = normalised_cross_correlation(first, second, mask=mask, slab_voxels=slab_voxels)
    assert found == pytest.approx(expected, rel=1e-6)


def test_ncc_knows_inverted_contrast(rng) -> None:
    image = rng.integers(0, 200, SHAPE).astype(np.uint8)
    assert normalised_cross_correlation(image, 255 - image) == pytest.approx(-1.0)


def test_nmi_is_two_for_any_relabelling_and_one_for_strangers(rng) -> None:
    image = rng.integers(0, 8, (20, 30, 40))
    relabelled = np.array([3, 7, 0, 5, 1, 6, 2, 4])[image]
    assert normalised_mutual_information(image, relabelled, bins=8) == pytest.approx(2.0)
    stranger = rng.integers(0, 8, image.shape)
    assert normalised_mutual_information(image, stranger, bins=8) == pytest.approx(1.0, abs=1e-2)


def test_nmi_of_a_hand_made_table() -> None:
    first = np.array([0, 0, 0, 0, 1, 1, 1, 1]).reshape(2, 2, 2)
    second = np.array([0, 0, 0, 1, 1, 1, 1, 0]).reshape(2, 2, 2)
    joint = np.array([3, 1, 1, 3]) / 8
    expected = 2 * np.log(2) / -(joint * np.log(joint)).sum()
    assert normalised_mutual_information(first, second, bins=2) == pytest.approx(expected)
    blocks = normalised_mutual_information(first, second, bins=2, slab_voxels=4)
    assert blocks == pytest.approx(expected)


def test_nothing_to_compare_is_refused(rng) -> None:
    image = rng.normal(size=SHAPE)
    for measure in (normalised_cross_correlation, normalised_mutual_information):
        with pytest.raises(DataError, match="expected"):
            measure(image, image, mask=np.zeros(SHAPE))
        with pytest.raises(DataError, match="constant"):
            measure(image, np.ones(SHAPE))
