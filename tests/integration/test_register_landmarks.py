"""Landmark pairs through files, made here and real ones."""

from __future__ import annotations

import json

import numpy as np
import pytest

from clemkit.cli.main import main
from clemkit.geometry import Space
from clemkit.landmarks import LandmarkPairs, LandmarkSet
from clemkit.landmarks.io import write_bigwarp_csv
from clemkit.workflows.open_registration import open_registration
from clemkit.workflows.register import register_landmark_file


def write_pairs(path, moving, fixed, unit="um"):
    ids = tuple(f"Pt-{n}" for n in range(len(moving)))
    pairs = LandmarkPairs(
        moving=LandmarkSet(space=Space("moving"), ids=ids, points_zyx_nm=moving),
        fixed=LandmarkSet(space=Space("fixed"), ids=ids, points_zyx_nm=fixed),
    )
    write_bigwarp_csv(path, pairs, unit=unit)
    return path


@pytest.fixture
def linear():
    """A turn by 25 degrees about z, unequal scale and a shift, fixed to moving."""
    c, s = np.cos(np.deg2rad(25)), np.sin(np.deg2rad(25))
    matrix = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ np.diag([1.1, 1.07, 1.05])
    return matrix, np.array([4000.0, -12000.0, 7000.0])


def test_pairs_become_a_registration(tmp_path, rng, linear):
    fixed = rng.uniform([0, 0, 0], [9000, 21000, 30000], (40, 3))
    moving = fixed @ linear[0].T + linear[1] + rng.normal(0, 20, fixed.shape)
    path = write_pairs(tmp_path / "pairs.csv", moving, fixed)
    found = register_landmark_file(path, tmp_path / "OUT", units="um", seed=3)
    assert found["status"] == "ok"
    assert found["reflection"] is False
    assert 10 < found["tre_estimate_nm"]["median"] < 80
    assert found["fixed_grid"] is None
    assert {p.name for p in (tmp_path / "OUT").iterdir()} == {
        "transforms", "bigwarp_landmarks.csv", "jacobian.ome.zarr", "misfit.csv",
        "registration.json", "provenance.json", "report.html",
    }  # fmt: skip
    registered = open_registration(tmp_path / "OUT")
    test = rng.uniform([1000, 2000, 3000], [8000, 19000, 27000], (50, 3))
    error = registered.fixed_to_moving.apply_points(test) - (test @ linear[0].T + linear[1])
    assert np.median(np.linalg.norm(error, axis=1)) < 30
    affine = found["affine"]["moving_to_fixed"]
    assert abs(affine["rotation_z_deg"]) == pytest.approx(25, abs=0.5)
    assert affine["mirrored_axis"] is None


def test_flat_pairs_give_one_plane(tmp_path, rng, linear):
    fixed = rng.uniform(0, 50000, (15, 3)) * [0, 1, 1]
    moving = (fixed @ linear[0].T + linear[1] + rng.normal(0, 30, fixed.shape)) * [0, 1, 1]
    path = write_pairs(tmp_path / "pairs.csv", moving, fixed)
    found = register_landmark_file(path, tmp_path / "OUT", units="um")
    assert found["status"] in ("ok", "uncertain")
    assert found["fixed_domain"]["shape_zyx"][0] == 1
    assert found["bigwarp"]["max_nm"] < 500


def test_two_pairs_are_refused_with_a_record(tmp_path, rng, capsys):
    path = write_pairs(tmp_path / "p.csv", rng.random((2, 3)) * 1e4, rng.random((2, 3)) * 1e4)
    status = main(["register", "--landmarks", str(path), "--units", "um", "-o",
                   str(tmp_path / "OUT"), "-q"])  # fmt: skip
    assert status == 1
    record = json.loads((tmp_path / "OUT" / "registration.json").read_text())
    assert record["status"] == "failed"
    assert "found 2" in record["reason"]
    assert {p.name for p in (tmp_path / "OUT").iterdir()} == {
        "registration.json", "provenance.json",
    }  # fmt: skip


def test_a_missing_unit_is_a_usage_error(tmp_path, rng, capsys):
    path = write_pairs(tmp_path / "p.csv", rng.random((9, 3)) * 1e4, rng.random((9, 3)) * 1e4)
    status = main(["register", "--landmarks", str(path), "-o", str(tmp_path / "OUT"), "-q"])
    assert status == 2
    assert "unit" in capsys.readouterr().err
    assert not (tmp_path / "OUT").exists()


def test_a_failed_run_does_not_replace_a_good_one_unasked(tmp_path, rng, linear):
    fixed = rng.uniform(0, 20000, (12, 3))
    path = write_pairs(tmp_path / "p.csv", fixed @ linear[0].T, fixed)
    register_landmark_file(path, tmp_path / "OUT", units="um")
    before = (tmp_path / "OUT" / "registration.json").read_bytes()
    from clemkit.errors import ArgumentError

    with pytest.raises(ArgumentError, match="--overwrite"):
        register_landmark_file(path, tmp_path / "OUT", units="um")
    assert (tmp_path / "OUT" / "registration.json").read_bytes() == before
    again = register_landmark_file(path, tmp_path / "OUT", units="um", overwrite=True)
    assert again["status"] == "ok"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.shared
def test_mirrored_larva_is_refused_and_can_be_allowed(tmp_path, shared_data):
    folder = shared_data / "larva-landmarks"
    path = folder / "Brain_Lineage_Landmarks_EMtoEM_ProjectSpace.csv"
    refused = register_landmark_file(path, tmp_path / "NO", units="um")
    assert refused["status"] == "failed"
    assert "--allow-reflection" in refused["reason"]
    found = register_landmark_file(path, tmp_path / "YES", units="um", allow_reflection=True)
    assert found["status"] in ("ok", "uncertain")
    assert found["reflection"] is True
    assert found["affine"]["moving_to_fixed"]["mirrored_axis"] is not None


@pytest.mark.shared
@pytest.mark.parametrize("name", ["platy-tps-landmarks.csv", "bigwarp_mri_stack_landmarks.json"])
def test_real_bigwarp_files(tmp_path, shared_data, name):
    path = shared_data / "bigwarp-formats" / name
    found = register_landmark_file(path, tmp_path / "OUT", units="um")
    assert found["status"] in ("ok", "uncertain", "failed")
    assert found["status"] != "failed" or found["reason"]
