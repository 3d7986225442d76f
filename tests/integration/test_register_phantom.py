"""A small phantom through files: what lies in the folder, and that it says the truth."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from clemkit.cli.main import main
from clemkit.geometry import Space
from clemkit.landmarks.io import read_landmark_pairs
from clemkit.testing import PhantomSpec, make_clem_phantom, write_phantom
from clemkit.transforms import fit_thin_plate_spline
from clemkit.volumes import open_volume
from clemkit.workflows.evaluate import evaluate_landmarks
from clemkit.workflows.open_registration import open_registration
from clemkit.workflows.register import register_files

FIXED, MOVING = Space("fixed"), Space("moving")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> SimpleNamespace:
    """One registration of a small phantom's files."""
    folder = tmp_path_factory.mktemp("phantom")
    spec = PhantomSpec.small(
        2,
        em_size_zyx_nm=(4000.0, 8000.0, 9000.0),
        em_voxel_zyx_nm=(125.0, 100.0, 100.0),
        mitochondria_per_cell=700,
        cell_spacing_nm=12000.0,
    )
    files = write_phantom(make_clem_phantom(spec), folder / "phantom")
    stages = []
    found = register_files(
        files["em"],
        files["lm"],
        folder / "OUT",
        fixed_labels=files["em_mitochondria"],
        structure="mitochondria",
        seed=5,
        workers=2,
        progress=lambda stage, fraction, message="": stages.append((stage, fraction)),
    )
    return SimpleNamespace(
        folder=folder, files=files, out=folder / "OUT", found=found, stages=stages
    )


def test_the_folder_is_whole(run):
    names = {path.name for path in run.out.iterdir()}
    assert names == {
        "transforms", "bigwarp_landmarks.csv", "warped.ome.zarr", "jacobian.ome.zarr",
        "uncertainty.ome.zarr", "misfit.csv", "registration.json", "provenance.json",
        "report.html", "preview.png",
    }  # fmt: skip
    assert {path.name for path in run.folder.iterdir()} == {"phantom", "OUT"}  # no temporary left


def test_the_record_holds_the_contract(run):
    text = (run.out / "registration.json").read_text()
    record = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert run.found == record | {"output": str(run.out)}
    assert record["status"] == "ok"
    assert 0 < record["confidence"] <= 1
    tre = record["tre_estimate_nm"]
    assert 0 < tre["low"] < tre["median"] < tre["high"]
    assert tre["median"] < tre["p90"]
    assert record["jacobian"]["min"] > 0
    assert record["jacobian"]["folded_fraction"] == 0
    assert 0 <= record["inverse_error_nm"] < 1
    assert record["reflection"] is False
    assert {stage["name"] for stage in record["stages"]} >= {"pose search", "deformation"}
    assert all(stage["cpu_seconds"] >= 0 for stage in record["stages"])
    assert record["peak_memory_mb"] > 50
    assert record["seed"] == 5
    assert record["fixed_grid"]["shape_zyx"] == [32, 80, 90]
    assert record["moving_grid"]["voxel_size_zyx_nm"] == [250.0, 100.0, 100.0]
    assert record["inputs"]["moving"]["modality"] == "lm"
    assert any("--structure" in text for text in record["warnings"])


def test_the_error_is_small_and_the_estimate_honest(run):
    scores = evaluate_landmarks(run.out, run.files["landmarks"], units="um")
    tre = run.found["tre_estimate_nm"]
    assert scores["n"] > 300
    assert scores["median_nm"] < 250  # one LM voxel is 100 x 250 nm
    assert 0.4 < scores["median_nm"] / tre["median"] < 2.5


def test_transforms_agree_with_the_record(run):
    registered = open_registration(run.out)
    points = registered.fixed_grid.points()[::3001]
    there = registered.fixed_to_moving.apply_points(points)
    back = registered.moving_to_fixed.apply_points(there)
    assert np.linalg.norm(back - points, axis=1).max() <= run.found["inverse_error_nm"] + 0.01


def test_bigwarps_spline_rebuilds_the_transform(run):
    pairs = read_landmark_pairs(
        run.out / "bigwarp_landmarks.csv", unit="um", moving_space=MOVING, fixed_space=FIXED
    )
    spline = fit_thin_plate_spline(
        pairs.fixed.points_zyx_nm,
        pairs.moving.points_zyx_nm,
        source=FIXED,
        target=MOVING,
        kernel="r2_log_r",
    )
    registered = open_registration(run.out)
    points = registered.fixed_grid.points()[::997]
    gap = spline.apply_points(points) - registered.fixed_to_moving.apply_points(points)
    assert np.linalg.norm(gap, axis=1).max() <= 1.5 * run.found["bigwarp"]["max_nm"] + 0.1
    assert run.found["bigwarp"]["max_nm"] < 50


def test_the_warped_volume_is_the_moving_one_on_the_fixed_grid(run):
    warped = open_volume(run.out / "warped.ome.zarr", space=FIXED, modality="lm")
    registered = open_registration(run.out)
    assert warped.grid == registered.fixed_grid
    assert warped.channels == ("mitochondria", "nuclei")
    moving = open_volume(run.files["lm"], space=MOVING, modality="lm")
    index = np.array([[10, 31, 17], [20, 60, 70], [15, 12, 55]])
    source = registered.fixed_to_moving.apply_points(warped.grid.to_physical(index))
    from scipy.ndimage import map_coordinates

    expected = map_coordinates(
        moving.read(channel=0).astype(float), moving.grid.to_index(source).T, order=1
    )
    values = warped.read(channel=0)[tuple(index.T)]
    assert np.allclose(values, expected, atol=0.03 * float(moving.read(channel=0).max()))


def test_structures_lie_on_light_after_registration(run):
    """Mitochondria of the EM are brighter in the warped LM than their surroundings."""
    warped = open_volume(run.out / "warped.ome.zarr", space=FIXED, modality="lm").read(channel=0)
    labels = open_volume(run.files["em_mitochondria"], space=FIXED, role="labels").read()
    assert warped[labels > 0].mean() > 1.6 * warped[labels == 0].mean()


def test_maps_lie_in_the_fixed_volume(run):
    for name in ("jacobian", "uncertainty"):
        volume = open_volume(run.out / f"{name}.ome.zarr", space=FIXED)
        values = volume.read()
        low, high = volume.grid.corners()[[0, -1]]
        registered = open_registration(run.out)
        assert np.all(values > 0)
        assert np.allclose(low, registered.fixed_grid.corners()[0], atol=1.0)
        assert np.all(high >= registered.fixed_grid.corners()[-1] - 1.0)


def test_misfit_has_a_row_for_each_held_out_structure(run):
    with (run.out / "misfit.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == run.found["fit_residuals_nm"]["count"]
    misfit = [[float(row[f"misfit_{axis}_nm"]) for axis in "zyx"] for row in rows]
    median = np.median(np.linalg.norm(misfit, axis=1))
    assert 0.7 < median / run.found["fit_residuals_nm"]["median"] < 1.4  # two frames, one scale


def test_provenance_names_inputs_and_outputs(run):
    record = json.loads((run.out / "provenance.json").read_text())
    assert record["activity"] == "registration"
    assert {Path(item["path"]).name for item in record["inputs"]} == {
        "em.ome.tif", "em_mitochondria.ome.tif", "lm.ome.tif",
    }  # fmt: skip
    written = {Path(item["path"]).name for item in record["outputs"]}
    assert written == {path.name for path in run.out.iterdir()} - {"provenance.json"}
    assert all(str(run.out) in item["path"] for item in record["outputs"])
    assert all(re.fullmatch("[0-9a-f]{64}", item["sha256"]) for item in record["outputs"])
    assert record["seed"] == 5
    assert record["parameters"]["structure"] == "mitochondria"


def test_the_report_is_self_contained(run):
    page = (run.out / "report.html").read_text(encoding="utf-8")
    assert "affine part only" in page
    assert "Local volume change" in page
    assert page.count("data:image/png;base64,") >= 6
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_progress_ends_at_one(run):
    assert run.stages[-1] == ("write", 1.0)
    assert "warp" in {stage for stage, _ in run.stages}


def test_other_commands_take_the_folder(run, capsys):
    points = run.folder / "phantom" / "truth" / "points_fixed.csv"
    status = main(
        ["warp", "--registration", str(run.out), "--points", str(points), "--direction",
         "fixed-to-moving", "-o", str(run.folder / "mapped.csv"), "-q"]
    )  # fmt: skip
    assert status == 0, capsys.readouterr().err
    (run.folder / "mapped.csv").unlink()
    (run.folder / "mapped.csv.provenance.json").unlink()


def test_dry_run_checks_and_writes_nothing(run):
    found = register_files(
        run.files["em"],
        run.files["lm"],
        run.folder / "PLAN",
        fixed_labels=run.files["em_mitochondria"],
        dry_run=True,
    )
    assert found["dry_run"] is True
    assert found["inputs"]["fixed"]["matched"] == "labels"
    assert found["fixed_grid"]["shape_zyx"] == [32, 80, 90]
    assert not (run.folder / "PLAN").exists()
