from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from clemkit.errors import ArgumentError, DataError, NotFoundError, UnitError
from clemkit.geometry import Grid, Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.landmarks.io import write_bigwarp_csv
from clemkit.transforms import Affine, BSpline
from clemkit.transforms.inverse import numerical_inverse
from clemkit.transforms.io import write_registration_transforms
from clemkit.workflows.evaluate import (
    compare_landmarks,
    evaluate_jacobian,
    evaluate_landmarks,
    evaluate_overlap,
)

EM, LM = Space("em"), Space("lm")
FIXED = Grid(space=EM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50.0, 8.0, 10.0))
MOVING = Grid(space=LM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50.0, 8.0, 20.0))
# two voxels in y; 3 nm in x, so that no fixed voxel centre lies between two moving voxels
TO_MOVING = Affine.from_parts(np.eye(3), (0.0, 16.0, 3.0), source=EM, target=LM)


def write_registration(folder: Path, to_moving=TO_MOVING, to_fixed=None) -> Path:
    write_registration_transforms(
        folder / "transforms",
        fixed_to_moving=to_moving,
        moving_to_fixed=to_fixed or to_moving.inverse(),
        fixed_grid=FIXED,
        moving_grid=MOVING,
    )
    (folder / "registration.json").write_text(json.dumps({"status": "ok", "warnings": []}))
    return folder


@pytest.fixture
def registration(tmp_path: Path) -> Path:
    (tmp_path / "OUT").mkdir()
    return write_registration(tmp_path / "OUT")


def pairs_with_error(rng, errors_zyx_nm) -> LandmarkPairs:
    errors = np.asarray(errors_zyx_nm, dtype=float)
    fixed = FIXED.to_physical(rng.uniform(0, 5, errors.shape))
    ids = tuple(f"pt-{i}" for i in range(len(errors)))
    moving = TO_MOVING.apply_points(fixed) - errors
    return LandmarkPairs(
        moving=LandmarkSet(space=LM, ids=ids, points_zyx_nm=moving),
        fixed=LandmarkSet(space=EM, ids=ids, points_zyx_nm=fixed),
    )


def test_landmarks_are_judged_in_both_spaces(registration: Path, tmp_path: Path, rng) -> None:
    pairs = pairs_with_error(rng, [[3, 4, 0], [0, 0, 1], [0, -10, 0]])
    write_bigwarp_csv(tmp_path / "pairs.csv", pairs, unit="um")
    found = evaluate_landmarks(registration, tmp_path / "pairs.csv", units="um")
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["n"], found["n_outside"], found["space"]) == (3, 0, LM.name)
    for suffix in ("", "_fixed"):
        assert found[f"median{suffix}_nm"] == pytest.approx(5.0, abs=1e-3)
        assert found[f"max{suffix}_nm"] == pytest.approx(10.0, abs=1e-3)
        assert found[f"p95{suffix}_nm"] == pytest.approx(9.5, abs=1e-3)
        low, high = found[f"interval{suffix}_nm"]
        assert 0.99 < low <= 5.001
        assert 4.999 < high < 10.01
    first = found["per_point"][0]
    assert first["id"] == "pt-0"
    assert first["error_zyx_nm"] == pytest.approx([3, 4, 0], abs=1e-3)
    assert first["error_fixed_zyx_nm"] == pytest.approx([-3, -4, 0], abs=1e-3)
    assert found["registration_status"] == "ok"


def test_units_must_be_known(registration: Path, tmp_path: Path, rng) -> None:
    write_bigwarp_csv(tmp_path / "pairs.csv", pairs_with_error(rng, np.zeros((3, 3))), unit="um")
    with pytest.raises(UnitError, match="--units"):
        evaluate_landmarks(registration, tmp_path / "pairs.csv")
    in_mm = evaluate_landmarks(registration, tmp_path / "pairs.csv", units="mm")
    assert in_mm["median_nm"] > 1000


def test_points_outside_a_deformation_are_flagged(rng) -> None:
    flat = BSpline.covering((0, 0, 0), (300, 80, 120), (100, 40, 40), source=EM, target=LM)
    bent = rng.normal(0, 2, flat.coefficients_zyx_nm.shape)
    spline = replace(flat, coefficients_zyx_nm=bent)
    pairs = pairs_with_error(rng, np.zeros((2, 3)))
    fixed = np.array([[100.0, 40.0, 60.0], [100.0, 40.0, 5000.0]])
    far = LandmarkPairs(
        moving=LandmarkSet(space=LM, ids=pairs.ids, points_zyx_nm=fixed),
        fixed=LandmarkSet(space=EM, ids=pairs.ids, points_zyx_nm=fixed),
    )
    inverse = numerical_inverse(spline, domain=FIXED, tolerance_nm=0.01)
    found = compare_landmarks(spline, inverse, far)
    assert [row["outside"] for row in found["per_point"]] == [False, True]
    assert [row["outside_fixed"] for row in found["per_point"]] == [False, True]
    assert found["n_outside"] == 1


def test_labels_are_warped_and_compared(registration: Path, tmp_path: Path) -> None:
    moving = np.zeros(MOVING.shape_zyx, np.uint16)
    moving[2:5, 4:8, 1:5] = 7
    fixed = np.zeros(FIXED.shape_zyx, np.uint16)
    nearest = np.rint((np.arange(13) * 10.0 + 3.0) / 20.0)
    columns = (nearest >= 1) & (nearest < 5)
    fixed[2:5, 2:6, columns] = 7
    tifffile.imwrite(tmp_path / "fixed.tif", fixed)
    tifffile.imwrite(tmp_path / "moving.tif", moving)
    sizes = {
        "fixed_voxel_size_zyx_nm": FIXED.voxel_size_zyx_nm,
        "moving_voxel_size_zyx_nm": MOVING.voxel_size_zyx_nm,
    }
    paths = (registration, tmp_path / "fixed.tif", tmp_path / "moving.tif")
    found = evaluate_overlap(*paths, per_label=True, **sizes)
    assert found["fixed_voxels"] == np.count_nonzero(fixed)
    assert found["dice"] == 1.0
    assert found["labels"]["7"]["dice"] == 1.0
    assert found["surface"]["max_nm"] == 0.0
    fixed[2:5, 6:8, columns] = 7  # half as much again
    tifffile.imwrite(tmp_path / "fixed.tif", fixed)
    more = evaluate_overlap(*paths, surfaces=False, workers=2, **sizes)
    assert more["dice"] == pytest.approx(2 * 4 / (4 + 6))
    assert more["surface"] is None
    tifffile.imwrite(tmp_path / "fixed.tif", np.ones_like(fixed))
    filled = evaluate_overlap(*paths, **sizes)
    assert filled["dice"] > 0
    assert filled["surface"] is None
    assert "fills the volume" in filled["findings"][0]
    tifffile.imwrite(tmp_path / "moving.tif", 0 * moving)
    nothing = evaluate_overlap(*paths, **sizes)
    assert nothing["dice"] == 0.0
    assert "lies in the fixed volume" in nothing["findings"][0]
    tifffile.imwrite(tmp_path / "fixed.tif", 0 * fixed)
    with pytest.raises(DataError, match="expected structures"):
        evaluate_overlap(*paths, **sizes)


def test_volume_change_is_summarised(registration: Path, tmp_path: Path) -> None:
    found = evaluate_jacobian(registration, FIXED)
    assert (found["min"], found["max"]) == pytest.approx((1.0, 1.0))
    assert found["folded_fraction"] == 0
    assert found["n_positions"] == FIXED.size


def test_what_is_no_registration_is_refused(registration: Path, tmp_path: Path, rng) -> None:
    csv = tmp_path / "pairs.csv"
    write_bigwarp_csv(csv, pairs_with_error(rng, np.zeros((3, 3))), unit="um")
    with pytest.raises(NotFoundError, match="registration folder"):
        evaluate_landmarks(tmp_path / "nowhere", csv, units="um")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="transforms"):
        evaluate_landmarks(tmp_path / "empty", csv, units="um")
    reason = {"status": "failed", "warnings": ["only one object"]}
    (tmp_path / "empty" / "registration.json").write_text(json.dumps(reason))
    with pytest.raises(ArgumentError, match="only one object"):
        evaluate_landmarks(tmp_path / "empty", csv, units="um")
