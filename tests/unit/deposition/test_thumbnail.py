"""The thumbnail: large enough, in true proportions, with a bar that is as long as it says."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image

from clemkit.deposition.thumbnail import Overlay, bar_length, length_label, render_thumbnail
from clemkit.errors import DataError, MissingExtraError


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.fixture
def plane(rng):
    return rng.normal(100, 10, (60, 77))


@pytest.mark.parametrize(
    ("most", "length", "label"),
    [(1300, 1000, "1 µm"), (640, 500, "500 nm"), (2000, 2000, "2 µm"), (1.9e6, 1e6, "1 mm"),
     (99, 50, "50 nm"), (0.7, 0.5, "5 Å")],
)  # fmt: skip
def test_bars_are_one_two_or_five(most, length, label):
    assert bar_length(most) == pytest.approx(length)
    assert length_label(length) == label


@pytest.mark.parametrize(("shape", "pixel"), [((60, 77), (8.0, 10.0)), ((20, 500), (10.0, 10.0))])
def test_it_is_large_enough_and_in_proportion(rng, shape, pixel):
    picture = opened(render_thumbnail(rng.normal(0, 1, shape), pixel))
    assert min(picture.shape[:2]) >= 400
    ratio = shape[1] * pixel[1] / (shape[0] * pixel[0])
    if ratio < 3:  # longer ones show their middle
        assert picture.shape[1] / picture.shape[0] == pytest.approx(ratio, rel=0.01)


def test_the_bar_is_as_long_as_its_label_says(plane):
    picture = opened(render_thumbnail(np.zeros_like(plane), (8.0, 10.0)))
    scale = picture.shape[1] / (77 * 10.0)
    rows, columns = np.nonzero((picture == 255).all(axis=2))
    row = np.bincount(rows).argmax()
    length = np.ptp(columns[rows == row]) + 1
    assert length / scale == pytest.approx(bar_length(0.28 * 770), rel=0.02)
    assert row > 0.9 * picture.shape[0]


def test_light_is_where_the_overlay_has_it(plane):
    values = np.full(plane.shape, np.nan, np.float32)
    values[:, :40] = 5.0
    values[10:30, 5:25] = 90.0
    layer = Overlay(values=values, colour=(255, 0, 0), label="mitochondria")
    bare = opened(render_thumbnail(plane, (8.0, 10.0)))
    lit = opened(render_thumbnail(plane, (8.0, 10.0), [layer]))
    height, width = lit.shape[:2]
    inside = np.s_[height * 15 // 60 : height * 25 // 60, width * 10 // 77 : width * 20 // 77]
    outside = np.s_[height // 2 : height * 3 // 4, width // 2 : width * 3 // 5]
    assert lit[inside][..., 0].mean() > bare[inside][..., 0].mean() + 60
    assert np.abs(lit[inside][..., 1] - bare[inside][..., 1]).max() <= 1  # rounding
    assert np.abs(lit[outside] - bare[outside]).max() <= 1


def test_the_same_plane_gives_the_same_bytes(plane):
    assert render_thumbnail(plane, (8.0, 10.0)) == render_thumbnail(plane, (8.0, 10.0))


def test_an_empty_overlay_is_left_out_and_an_empty_plane_refused(plane):
    nothing = Overlay(values=np.full(plane.shape, np.nan, np.float32), colour=(0, 255, 0))
    even = Overlay(values=np.full(plane.shape, 3.0, np.float32), colour=(0, 255, 0))
    bare = render_thumbnail(plane, (8.0, 10.0))
    assert render_thumbnail(plane, (8.0, 10.0), [nothing, even]) == bare
    with pytest.raises(DataError, match="finite grey values"):
        render_thumbnail(np.full((5, 7), np.nan), (1.0, 1.0))


def test_without_pillow_the_extra_is_named(plane, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"clemkit\[report\]"):
        render_thumbnail(plane, (8.0, 10.0))
