from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from clemkit.errors import ArgumentError
from clemkit.evaluation.canvas import nice_length
from clemkit.evaluation.figures import zoom_to_content
from clemkit.evaluation.planes import (
    blend,
    checkerboard,
    choose_centre,
    content_box,
    orthogonal_planes,
    stretch,
)
from clemkit.evaluation.plots import write_preview
from clemkit.evaluation.report_data import ReportImages
from clemkit.geometry import Box, Grid, Space

GRID = Grid(
    space=Space("em"),
    shape_zyx=(7, 11, 13),
    voxel_size_zyx_nm=(50.0, 8.0, 10.0),
    origin_zyx_nm=(500.0, -40.0, 30.0),
)


def test_planes_show_the_right_voxels_in_the_right_direction(rng) -> None:
    volume = rng.normal(size=GRID.shape_zyx)
    centre = tuple(GRID.to_physical([[2, 3, 5]])[0])
    planes = orthogonal_planes(volume, GRID, centre)
    np.testing.assert_array_equal(planes["xy"].image, volume[2])
    np.testing.assert_array_equal(planes["xz"].image, volume[:, 3, :])
    np.testing.assert_array_equal(planes["zy"].image, volume[:, :, 5].T)
    assert [planes[n].across for n in ("xy", "xz", "zy")] == ["z", "y", "x"]
    assert planes["xy"].position_nm == 600.0
    xz = planes["xz"]
    assert (xz.left_nm, xz.right_nm, xz.top_nm, xz.bottom_nm) == (25.0, 155.0, 475.0, 825.0)


def test_a_centre_beyond_the_volume_shows_its_rim(rng) -> None:
    volume = rng.normal(size=GRID.shape_zyx)
    planes = orthogonal_planes(volume, GRID, (1e6, -1e6, 0.0))
    np.testing.assert_array_equal(planes["xy"].image, volume[-1])
    np.testing.assert_array_equal(planes["xz"].image, volume[:, 0, :])


def test_the_centre_is_where_both_have_content() -> None:
    first, second = np.zeros(GRID.shape_zyx), np.zeros(GRID.shape_zyx)
    first[2, 3, 9] = first[5, 8, 2] = 1
    second[2, 3, 9] = 1
    index = GRID.to_index([choose_centre(first, second, GRID)])[0]
    np.testing.assert_allclose(index, [2, 3, 9])
    middle = GRID.to_index([choose_centre(first, 0 * first, GRID)])[0]
    np.testing.assert_allclose(middle, [3, 5, 6])


def test_stretch_spans_zero_to_one_and_hides_what_is_missing(rng) -> None:
    values = rng.normal(1000, 50, GRID.shape_zyx)
    values[0] = np.nan
    values[1] = 0
    shown = stretch(values)
    assert shown.min() == 0
    assert shown.max() == 1
    assert not shown[:2].any()
    assert 0.3 < np.median(shown[2:]) < 0.7
    mask = np.zeros((3, 3, 3), np.uint8)
    mask[1] = 255
    np.testing.assert_array_equal(stretch(mask), mask / 255)


def test_agreement_is_white() -> None:
    fixed, moving = np.array([[1.0, 0.0, 1.0, 0.0]]), np.array([[0.0, 1.0, 1.0, 0.0]])
    expected = [[[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 0]]]
    np.testing.assert_array_equal(blend(fixed, moving), expected)


def test_checkerboard_tiles_are_square_in_nanometres() -> None:
    ones, zeros = np.ones(GRID.shape_zyx), np.zeros(GRID.shape_zyx)
    centre = tuple(GRID.centre_zyx_nm)
    fixed = orthogonal_planes(ones, GRID, centre)["xy"]
    moving = orthogonal_planes(zeros, GRID, centre)["xy"]
    shown = checkerboard(fixed, moving, 40.0)[..., 0] == 1  # 5 rows of 8 nm, 4 columns of 10 nm
    assert shown[:5, :4].all()
    assert not shown[:5, 4:8].any()
    assert not shown[5:10, :4].any()
    assert shown[5:10, 4:8].all()


@pytest.mark.parametrize(
    ("upper", "bar"), [(1, 1), (1.9, 1), (2, 2), (4999, 2000), (5e3, 5e3), (0.03, 0.02)]
)
def test_scale_bars_are_round(upper: float, bar: float) -> None:
    assert nice_length(upper) == pytest.approx(bar)


def test_a_preview_shows_fixed_magenta_and_moving_green(tmp_path) -> None:
    fixed, moving = np.zeros((2, *GRID.shape_zyx))
    fixed[:, :, :4] = 1
    moving[:, :, 8:] = 1
    path = write_preview(tmp_path / "preview.png", fixed, moving, GRID)
    pixels = np.asarray(Image.open(io.BytesIO(path.read_bytes())))
    assert (pixels == [255, 0, 255]).all(axis=-1).sum() > 1000
    assert (pixels == [0, 255, 0]).all(axis=-1).sum() > 1000
    magenta = np.argwhere((pixels == [255, 0, 255]).all(axis=-1))[:, 1]
    with pytest.raises(ArgumentError, match="expected no file"):
        write_preview(path, fixed, moving, GRID)
    assert magenta.min() < pixels.shape[1] / 3


def test_the_view_closes_in_on_the_content() -> None:
    shape = (40, 50, 60)
    grid = Grid(space=Space("em"), shape_zyx=shape, voxel_size_zyx_nm=(50.0, 8.0, 10.0))
    fixed, moving = np.zeros(shape), np.zeros(shape)
    fixed[10:20, 5:15, 30:40] = 1
    moving[12:22, 5:15, 28:38] = 1
    fixed[39, 49, 59] = 1  # a speck does not count
    assert content_box(fixed, moving) == Box((9, 4, 27), (23, 16, 41))
    images = ReportImages(grid=grid, fixed=fixed, after=moving, fixed_labels=fixed > 0)
    closer = zoom_to_content(images)
    assert closer.grid == grid.crop(Box((9, 4, 27), (23, 16, 41)))
    np.testing.assert_array_equal(closer.after, moving[9:23, 4:16, 27:41])
    assert closer.before is None


def test_full_and_empty_volumes_are_shown_whole(rng) -> None:
    noise = rng.uniform(size=GRID.shape_zyx)
    whole = Box((0, 0, 0), GRID.shape_zyx)
    assert content_box(noise, 0 * noise) == whole
    assert content_box(0 * noise, 0 * noise) == whole
    images = ReportImages(grid=GRID, fixed=noise, after=noise)
    assert zoom_to_content(images) is images
