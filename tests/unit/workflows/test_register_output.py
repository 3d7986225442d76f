"""Pieces of the output: pairs for BigWarp, grids, pictures, strict JSON, what may be replaced."""

from __future__ import annotations

import errno
import json

import numpy as np
import pytest

from clemkit.errors import ArgumentError, DataError
from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine, BSpline, compose
from clemkit.volumes import Volume
from clemkit.workflows.bigwarp_pairs import rebuild_with_pairs
from clemkit.workflows.converted_source import as_float64
from clemkit.workflows.register_images import make_overview, overview_grid, warped_grid
from clemkit.workflows.register_output import check_output, new_output
from clemkit.workflows.registration_record import failed_record, strict_json

FIXED, MOVING = Space("fixed"), Space("moving")
GRID = Grid(
    space=FIXED,
    shape_zyx=(21, 33, 39),
    voxel_size_zyx_nm=(50.0, 30.0, 25.0),
    origin_zyx_nm=(100.0, -200.0, 35.0),
)


@pytest.fixture
def affine():
    linear = np.array([[1.1, 0.02, 0.0], [-0.03, 0.9, -0.5], [0.01, 0.5, 0.95]])
    return Affine.from_parts(linear, [300.0, 900.0, -50.0], source=FIXED, target=MOVING)


@pytest.fixture
def bent(affine, rng):
    lattice = Grid(
        space=FIXED,
        shape_zyx=(6, 6, 6),
        voxel_size_zyx_nm=(400.0, 400.0, 400.0),
        origin_zyx_nm=(-400.0, -700.0, -500.0),
    )
    bend = BSpline(rng.normal(0, 25, (6, 6, 6, 3)), lattice, FIXED, FIXED)
    return compose(bend, affine)


def test_an_affine_needs_eight_pairs(affine):
    found = rebuild_with_pairs(affine, GRID, wanted_nm=1.0)
    assert len(found.pairs) <= 27
    assert found.max_nm < 1e-3


def test_a_bent_map_is_rebuilt_as_closely_as_stated(bent):
    found = rebuild_with_pairs(bent, GRID, wanted_nm=1.0)
    assert 27 < len(found.pairs) <= 700
    assert 0 < found.median_nm < found.max_nm < 12
    fixed = found.pairs.fixed.points_zyx_nm
    assert np.allclose(bent.apply_points(fixed), found.pairs.moving.points_zyx_nm)
    assert np.allclose(fixed.min(axis=0), GRID.corners()[0])
    coarse = rebuild_with_pairs(bent, GRID, wanted_nm=1e9)
    assert len(coarse.pairs) < len(found.pairs)


def test_a_plane_is_rebuilt_in_its_plane():
    flat = Grid(space=FIXED, shape_zyx=(1, 40, 50), voxel_size_zyx_nm=(70.0, 10.0, 10.0))
    turn = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    affine = Affine.from_parts(turn, [0.0, 5.0, 7.0], source=FIXED, target=MOVING)
    found = rebuild_with_pairs(affine, flat, wanted_nm=0.5)
    assert found.max_nm < 1e-3
    assert np.ptp(found.pairs.fixed.points_zyx_nm[:, 0]) == 0


def test_overviews_are_small_and_span_the_volume():
    assert overview_grid(GRID) == GRID
    big = Grid(space=FIXED, shape_zyx=(500, 4000, 5000), voxel_size_zyx_nm=(40.0, 8.0, 8.0))
    small = overview_grid(big)
    assert max(small.shape_zyx) <= 320
    assert np.allclose(small.corners()[0], big.corners()[0])
    assert small.voxel_size_zyx_nm == (125.0, 125.0, 125.0)


def test_the_warped_volume_is_bounded(affine):
    moving = Grid(space=MOVING, shape_zyx=(40, 500, 500), voxel_size_zyx_nm=(300.0, 100.0, 100.0))
    assert warped_grid(GRID, moving, affine, 2) == GRID
    em = Grid(space=FIXED, shape_zyx=(1000, 3000, 3000), voxel_size_zyx_nm=(40.0, 8.0, 8.0))
    warped = warped_grid(em, moving, affine, 2)
    assert warped.size <= 50_000_000
    scale = np.linalg.det(affine.linear) ** (1 / 3)
    assert warped.voxel_size_zyx_nm == pytest.approx((100 / scale,) * 3)
    fine = Grid(space=MOVING, shape_zyx=(40, 500, 500), voxel_size_zyx_nm=(8.0, 8.0, 8.0))
    assert 30_000_000 < warped_grid(em, fine, affine, 1).size <= 100_000_000


def test_the_overview_shows_before_and_after(bent, affine, rng):
    moving_grid = Grid(
        space=MOVING, shape_zyx=(40, 70, 90), voxel_size_zyx_nm=(60.0, 40.0, 40.0),
        origin_zyx_nm=(-100.0, -900.0, -900.0),
    )  # fmt: skip
    points = moving_grid.points()
    ramp = (points @ [1.0, 2.0, 3.0]).reshape(moving_grid.shape_zyx).astype(np.float32)
    moving = Volume(data=ramp[None].repeat(2, 0), grid=moving_grid, modality="lm")
    fixed_data = rng.integers(0, 255, GRID.shape_zyx, dtype=np.uint8)
    fixed = Volume(data=fixed_data, grid=GRID, modality="em")
    labels = Volume(
        data=(fixed_data > 200).astype(np.uint16), grid=GRID, modality="em", role="labels"
    )
    found = make_overview(fixed, None, 0, labels, moving, 1, None, bent, affine)
    assert np.array_equal(found.fixed, fixed_data)
    assert np.array_equal(found.fixed_labels, fixed_data > 200)
    assert found.after_labels is None
    for image, transform in ((found.before, affine), (found.after, bent)):
        expected = transform.apply_points(GRID.points()) @ [1.0, 2.0, 3.0]
        seen = np.isfinite(image.ravel())
        inner = moving_grid.contains(transform.apply_points(GRID.points()))
        assert seen.sum() >= inner.sum() * 0.95
        gap = np.abs(image.ravel() - expected)[seen & inner]
        assert np.median(gap) < 10


def test_json_is_strict():
    value = {"a": np.float64(np.nan), "b": np.arange(3), "c": (1, None, True), 4: np.bool_(True)}
    found = strict_json(value | {"path": GRID.space, "d": [float("inf")]})
    assert json.loads(json.dumps(found, allow_nan=False))["a"] is None
    assert found["b"] == [0, 1, 2]
    assert found["c"] == [1, None, True]
    assert found["4"] is True
    assert found["d"] == [None]


def test_a_failed_record_has_every_key_of_the_contract():
    record = failed_record("no pose", inputs={}, notes=("note",), seed=3)
    assert record["status"] == "failed"
    assert record["warnings"] == ["no pose", "note"]
    assert record["reason"] == "no pose"
    for key in ("confidence", "tre_estimate_nm", "jacobian", "inverse_error_nm", "reflection",
                "stages", "peak_memory_mb"):  # fmt: skip
        assert key in record
    assert record["tre_estimate_nm"] == {"median": None, "p90": None, "low": None, "high": None}


def test_only_registrations_are_replaced(tmp_path):
    out = tmp_path / "OUT"
    check_output(out, False, ())
    out.mkdir()
    with pytest.raises(ArgumentError, match="--overwrite"):
        check_output(out, False, ())
    check_output(out, True, ())  # an empty folder holds nothing to lose
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ArgumentError, match="found something else"):
        check_output(out, True, ())
    (out / "registration.json").write_text("{}")
    check_output(out, True, ())
    with pytest.raises(ArgumentError, match="found the input"):
        check_output(out, True, (out / "notes.txt",))


def test_a_full_disk_leaves_the_old_folder(tmp_path):
    out = tmp_path / "OUT"
    out.mkdir()
    (out / "registration.json").write_text("old")

    def write(number: int) -> None:
        with new_output(out, True) as folder:
            (folder / "registration.json").write_text("new")
            raise OSError(number, "refused")

    with pytest.raises(DataError, match="No space left"):
        write(errno.ENOSPC)
    assert (out / "registration.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]
    with pytest.raises(OSError, match="refused"):
        write(errno.EIO)
    assert list(tmp_path.iterdir()) == [out]


def test_wide_numbers_are_read_as_floats():
    source = as_float64(np.array([[[2**40 + 1, -3]]], np.int64))
    assert source.dtype == np.float64
    assert source.shape == (1, 1, 2)
    assert source[0, 0].tolist() == [2**40 + 1, -3]
