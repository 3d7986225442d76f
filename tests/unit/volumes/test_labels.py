from __future__ import annotations

import numpy as np
import pytest

from clemkit.errors import DataError
from clemkit.volumes.labels import as_labels, connected_components, looks_wrapped


def scattered(ids, count, dtype="u1"):
    """Labels in which every id sits in *count* separate voxels."""
    labels = np.zeros((9, 12, 15), dtype)
    places = [(z, y, x) for z in range(0, 9, 2) for y in range(0, 12, 2) for x in range(0, 15, 2)]
    for i, place in enumerate(places[: len(ids) * count]):
        labels[place] = ids[i % len(ids)]
    return labels


def test_wrapped_ids():
    assert looks_wrapped(scattered(range(247, 256), 6))
    assert looks_wrapped(scattered(range(65500, 65510), 3, "u2"))


@pytest.mark.parametrize(
    "labels",
    [
        scattered(range(1, 10), 6),  # low ids
        scattered(range(247, 256), 1),  # one piece each
        scattered([255], 6),  # a mask
        scattered(range(20, 256), 1),  # many ids
        scattered([1, 250, 251], 6),  # spread
        np.zeros((3, 4, 5), "u1"),
        scattered([0.5, 1.0], 3, "f4"),
    ],
)
def test_not_wrapped(labels):
    assert not looks_wrapped(labels)


def test_components_by_faces_or_corners():
    mask = np.zeros((4, 5, 6), bool)
    mask[0, 0, :3] = mask[1, 1, 3] = mask[3, 4, 5] = True
    labels, count = connected_components(mask)
    assert count == 3
    assert (labels[0, 0, 0], labels[1, 1, 3], labels[3, 4, 5]) == (1, 2, 3)
    assert connected_components(mask, connectivity=3)[1] == 2
    assert labels.dtype == np.int64


def test_integers_stay_what_they_are(cube):
    assert as_labels(cube, "x") is cube


def test_whole_floats_become_integers(cube):
    source = as_labels(cube.astype("f4"), "a.nii")
    assert np.dtype(source.dtype) == np.int64
    np.testing.assert_array_equal(source[2:4, ..., 3], cube[2:4, ..., 3])


@pytest.mark.parametrize("value", [1.5, np.nan])
def test_broken_floats_are_refused_where_they_are_read(cube, value):
    data = cube.astype("f4")
    data[5, 6, 7] = value
    source = as_labels(data, "a.nii")
    np.testing.assert_array_equal(source[:5], cube[:5])
    with pytest.raises(DataError, match=r"a.nii: expected labels \(whole numbers\); found"):
        source[5]


def test_complex_voxels_are_no_labels(cube):
    with pytest.raises(DataError, match="expected integer labels; found complex64"):
        as_labels(cube.astype("c8"), "x")
