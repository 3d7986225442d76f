"""The other commands: what reaches the workflow, what is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def warps(workflow):
    return workflow("warp", "warp_points", "warp_volume_file", "warp_geometry")


def test_warp_points(run, warps):
    warps.warp_points.answer = {"points": 4, "outside": 1}
    found = run(
        "warp", "--registration", "OUT", "--points", "p.csv",
        "--direction", "fixed-to-moving", "-o", "q.csv",
    )  # fmt: skip
    assert found.status == 0
    assert found.out.splitlines() == ["points   4", "outside  1"]
    assert warps.warp_points.args == (Path("OUT"), Path("p.csv"), Path("q.csv"))
    assert warps.warp_points.kwargs == {
        "direction": "fixed-to-moving",
        "units": None,
        "overwrite": False,
        "dry_run": False,
    }


def test_the_unit_of_a_mesh_given_as_points_is_passed_on(run, warps):
    found = run(
        "warp", "--registration", "OUT", "--points", "cell.obj", "--units", "um",
        "--direction", "moving-to-fixed", "-o", "q.obj",
    )  # fmt: skip
    assert found.status == 0
    assert warps.warp_points.kwargs["units"] == "um"


def test_warp_volume(run, warps):
    found = run(
        "warp", "--registration", "OUT", "--volume", "lm.tif", "--like", "em.zarr", "--labels",
        "--voxel-size", "300,100,100", "--channel", "1", "--workers", "2", "-o", "w.ome.zarr",
    )  # fmt: skip
    assert found.status == 0
    call = warps.warp_volume_file
    assert call.args == (Path("OUT"), Path("lm.tif"), Path("w.ome.zarr"))
    call.kwargs.pop("progress")
    assert call.kwargs == {
        "like": Path("em.zarr"),
        "labels": True,
        "direction": "moving-to-fixed",
        "voxel_size_zyx_nm": (300.0, 100.0, 100.0),
        "channel": 1,
        "workers": 2,
        "overwrite": False,
        "dry_run": False,
    }


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "expected one of --points, --volume, --geometry; found none"),
        (["--points", "p", "--volume", "v"], "found --points, --volume"),
        (["--points", "p"], "--points needs --direction"),
        (["--geometry", "cell.obj"], "--geometry needs --direction"),
        (["--points", "p", "--direction", "forward"], "--direction: expected fixed-to-moving or"),
        (["--points", "p", "--labels"], "--labels goes with --volume, not with --points"),
        (["--volume", "v", "--units", "nm"], "--units goes with --geometry or --points, not"),
        (["--volume", "v", "--voxel-size", "8"], "--voxel-size: expected Z,Y,X"),
    ],
)
def test_warp_refuses_what_does_not_fit(run, warps, arguments, reason):
    found = run("warp", "--registration", "OUT", "-o", "q", *arguments)
    assert found.status == 2
    assert reason in found.err
    assert warps.warp_points.args == warps.warp_volume_file.args == ()


EVALUATED = {"n": 5, "median_nm": 812.0, "p95_nm": 1490.0, "max_nm": 1502.0, "per_point": []}
EVALUATE = ["evaluate", "--registration", "OUT"]


@pytest.fixture
def evaluations(workflow):
    found = workflow("evaluate", "evaluate_landmarks", "evaluate_overlap", "evaluate_jacobian")
    found.evaluate_landmarks.answer = EVALUATED
    found.evaluate_overlap.answer = {
        "dice": 0.6123,
        "surface": {"mean_nm": 90.0, "hd95_nm": 1400.0},
    }
    found.evaluate_jacobian.answer = {"min": 0.5, "max": 1.25, "folded_fraction": 0.001}
    return found


def test_evaluate_landmarks(run, evaluations):
    assert run(*EVALUATE, "--landmarks", "pairs.csv").out.splitlines() == [
        "landmarks        5",
        "median           812 nm",
        "95th percentile  1.49 µm",
        "maximum          1.50 µm",
    ]
    found = run(*EVALUATE, "--landmarks", "pairs.csv", "--units", "um", "--json")
    assert json.loads(found.out) == EVALUATED
    assert evaluations.evaluate_landmarks.args == (Path("OUT"), Path("pairs.csv"))
    assert evaluations.evaluate_landmarks.kwargs == {"units": "um", "seed": 0}
    assert evaluations.evaluate_overlap.args == ()


def test_evaluate_shows_what_was_found_in_the_landmark_file(run, evaluations):
    evaluations.evaluate_landmarks.answer = EVALUATED | {
        "n_outside": 2,
        "findings": ["points 3 and 4 are the same"],
    }
    lines = run(*EVALUATE, "--landmarks", "pairs.csv").out.splitlines()
    assert lines[-2:] == [
        "outside          2 of the domain of the transform",
        "finding          points 3 and 4 are the same",
    ]


def test_evaluate_overlap_and_jacobian(run, evaluations, tmp_path):
    import numpy as np
    import tifffile

    image = tmp_path / "em.tif"
    tifffile.imwrite(image, np.zeros((7, 11, 13), np.uint8))
    found = run(
        *EVALUATE, "--fixed-labels", "em.zarr", "--moving-labels", "lm.zarr",
        "--moving-voxel-size", "300,100,100", "--fixed-voxel-size", "50,8,10",
        "--jacobian-on", image, "--above", "2.5",
    )  # fmt: skip
    assert found.status == 0
    assert found.out.splitlines() == [
        "Dice             0.612",
        "surfaces         mean 90.0 nm, 95th percentile 1.40 µm",
        "Jacobian         0.50 to 1.25, folded 0.1 %",
    ]
    overlap = evaluations.evaluate_overlap
    assert overlap.kwargs["above"] == 2.5
    assert overlap.args == (Path("OUT"), Path("em.zarr"), Path("lm.zarr"))
    assert overlap.kwargs["moving_voxel_size_zyx_nm"] == (300.0, 100.0, 100.0)
    registration, grid = evaluations.evaluate_jacobian.args
    assert registration == Path("OUT")
    assert grid.shape_zyx == (7, 11, 13)
    assert grid.voxel_size_zyx_nm == (50.0, 8.0, 10.0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "expected --landmarks, --fixed-labels or --jacobian-on"),
        (["--fixed-labels", "a"], "--fixed-labels and --moving-labels go together"),
        (["--landmarks", "p", "--above", "2"], "--above goes with --fixed-labels"),
        (["--landmarks", "p", "--fixed-voxel-size", "1"], "--fixed-voxel-size: expected Z,Y,X"),
    ],
)
def test_evaluate_refuses_what_does_not_fit(run, evaluations, arguments, reason):
    found = run(*EVALUATE, *arguments)
    assert found.status == 2
    assert reason in found.err


INFO = {
    "path": "em.zarr",
    "format": "ome-zarr-0.5",
    "shape": [7, 11, 13],
    "axes": "zyx",
    "dtype": "uint8",
    "voxel_size_zyx_nm": [50.0, 8.0, 10.0],
    "channels": [],
    "levels": 3,
    "warnings": ["no origin"],
    "metadata": {"vendor": {"stage": 1}},
}


def test_info_as_json(run, workflow):
    fake = workflow("convert", "volume_info").volume_info
    fake.answer = INFO
    found = run("info", "em.zarr", "--json", "--dataset", "s0", "--series", "2")
    assert (found.status, found.err) == (0, "")
    assert json.loads(found.out) == INFO
    assert fake.args == (Path("em.zarr"),)
    assert fake.kwargs == {"dataset": "s0", "series": 2}


def test_info_for_people_leaves_vendor_metadata_out(run, workflow):
    workflow("convert", "volume_info").volume_info.answer = INFO
    assert run("info", "em.zarr").out.splitlines() == [
        "path               em.zarr",
        "format             ome-zarr-0.5",
        "shape              7, 11, 13",
        "axes               zyx",
        "dtype              uint8",
        "voxel_size_zyx_nm  50, 8, 10",
        "levels             3",
        "warning            no origin",
    ]
    assert "vendor" in run("info", "em.zarr", "--verbose").out


def test_convert(run, workflow):
    fake = workflow("convert", "convert_volume").convert_volume
    found = run(
        "convert", "em.h5", "-o", "em.ome.zarr", "--voxel-size", "50,8,8", "--channel", "DAPI",
        "--series", "1", "--dataset", "t0/s0", "--time", "3", "--overwrite", "--dry-run",
    )  # fmt: skip
    assert found.status == 0
    assert fake.args == (Path("em.h5"), Path("em.ome.zarr"))
    fake.kwargs.pop("progress")
    assert fake.kwargs == {
        "voxel_size_zyx_nm": (50.0, 8.0, 8.0),
        "channel": "DAPI",
        "series": 1,
        "dataset": "t0/s0",
        "time": 3,
        "overwrite": True,
        "dry_run": True,
        "workers": None,
    }


def test_demo(run, workflow):
    fake = workflow("demo", "run_demo").run_demo
    fake.answer = {"report": "d/report.html", "tre_median_nm": 61.0, "seconds": 140.0}
    found = run("demo", "-o", "d", "--seed", "5", "--workers", "2", "--overwrite")
    assert found.status == 0
    assert "d/report.html" in found.out
    fake.kwargs.pop("progress")
    assert fake.args == (Path("d"),)
    assert fake.kwargs == {"seed": 5, "workers": 2, "overwrite": True}
