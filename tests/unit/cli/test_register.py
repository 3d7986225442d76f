"""``clemkit register``: what reaches the workflow, what is shown, how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clemkit.errors import RegistrationError
from clemkit.workflows.register_guidance import StructureFiles

FOUND = {
    "status": "ok",
    "confidence": 0.93,
    "tre_estimate_nm": {"median": 84.0, "p90": 1210.0, "low": 70.2, "high": 99.6},
    "jacobian": {"min": 0.81, "max": 1.22, "folded_fraction": 0.0},
    "inverse_error_nm": 0.25,
    "reflection": False,
    "stages": [],
    "peak_memory_mb": 400.0,
    "warnings": ["weak in the lower third"],
}
VOLUMES = ["--fixed", "em.zarr", "--moving", "lm.tif"]


@pytest.fixture
def fakes(workflow):
    found = workflow("register", "register_files", "register_landmark_file")
    found.register_files.answer = FOUND
    found.register_landmark_file.answer = FOUND
    return found


def test_every_flag_of_the_contract_reaches_the_workflow(run, fakes):
    found = run(
        "register", *VOLUMES, "--fixed-labels", "em-mito.zarr", "--moving-labels", "lm-mito.tif",
        "--structure", "mitochondria", "--fixed-voxel-size", "50,8,8",
        "--moving-voxel-size", "300,100,100", "--fixed-channel", "0", "--moving-channel", "RFP",
        "--allow-reflection", "--seed", "7", "--workers", "3", "--json", "-o", "OUT",
        "--initial", "start.json", "--trust-initial", "--landmarks", "p.csv", "--units", "um",
        "--hard-landmarks", "--preset", "cell", "--preview",
    )  # fmt: skip
    assert found.status == 0
    assert json.loads(found.out) == FOUND
    call = fakes.register_files
    assert call.args == (Path("em.zarr"), Path("lm.tif"), Path("OUT"))
    progress = call.kwargs.pop("progress")
    assert callable(progress)
    assert call.kwargs == {
        "fixed_labels": Path("em-mito.zarr"),
        "moving_labels": Path("lm-mito.tif"),
        "structure": "mitochondria",
        "fixed_voxel_size_zyx_nm": (50.0, 8.0, 8.0),
        "moving_voxel_size_zyx_nm": (300.0, 100.0, 100.0),
        "fixed_channel": 0,
        "moving_channel": "RFP",
        "allow_reflection": True,
        "engine": "clemkit",
        "preset": "cell",
        "settings": None,
        "initial": Path("start.json"),
        "trust_initial": True,
        "landmarks": Path("p.csv"),
        "hard_landmarks": True,
        "units": "um",
        "structures": [],
        "preview": True,
        "seed": 7,
        "workers": 3,
        "overwrite": False,
        "dry_run": False,
    }


def test_the_figures_that_decide_are_shown(run, fakes):
    lines = run("register", *VOLUMES, "-o", "OUT").out.splitlines()
    assert lines == [
        "status      ok (confidence 0.93)",
        "error       median 84.0 nm, 90 % interval 70.2 nm to 99.6 nm, 90th percentile 1.21 µm",
        "volume      Jacobian 0.81 to 1.22, folded 0 %",
        "inverse     round trip 0.25 nm",
        "warning     weak in the lower third",
        "output      OUT",
    ]


def test_a_refused_registration_exits_one_and_says_why(run, fakes):
    nothing = {"median": None, "p90": None, "low": None, "high": None}
    fakes.register_files.answer = FOUND | {
        "status": "failed",
        "tre_estimate_nm": nothing,
        "warnings": ["the volumes do not overlap"],
    }
    found = run("register", *VOLUMES, "-o", "OUT")
    assert found.status == 1
    assert "failed" in found.out
    assert "the volumes do not overlap" in found.out
    assert found.err.splitlines()[-1] == "clemkit: the volumes do not overlap"


def test_a_refusal_is_said_in_one_line_even_when_quiet(run, fakes):
    fakes.register_files.answer = FOUND | {"status": "failed", "reason": "no pose\nstands out"}
    found = run("register", *VOLUMES, "-q", "-o", "OUT")
    assert (found.status, found.out, found.err) == (1, "", "clemkit: no pose stands out\n")


def test_engine_and_settings_reach_the_workflow(run, fakes):
    run("register", *VOLUMES, "--engine", "elastix", "--settings", "s.yaml", "-o", "OUT", "-q")
    assert fakes.register_files.kwargs["engine"] == "elastix"
    assert fakes.register_files.kwargs["settings"] == Path("s.yaml")


def test_a_registration_that_cannot_start_exits_one(run, fakes):
    fakes.register_files.answer = RegistrationError("em-mito.zarr: no object; nothing to match")
    found = run("register", *VOLUMES, "-o", "OUT")
    assert (found.status, found.out) == (1, "")
    assert found.err == "clemkit: em-mito.zarr: no object; nothing to match\n"


def test_an_uncertain_registration_is_a_result(run, fakes):
    fakes.register_files.answer = FOUND | {"status": "uncertain"}
    assert run("register", *VOLUMES, "-o", "OUT").status == 0


def test_landmarks_alone(run, fakes):
    found = run(
        "register", "--landmarks", "pairs.csv", "--units", "um", "--seed", "2", "-o", "OUT", "-q"
    )
    assert (found.status, found.out, found.err) == (0, "", "")
    call = fakes.register_landmark_file
    assert call.args == (Path("pairs.csv"), Path("OUT"))
    call.kwargs.pop("progress")
    assert call.kwargs == {
        "units": "um",
        "model": "auto",
        "allow_reflection": False,
        "seed": 2,
        "overwrite": False,
        "dry_run": False,
    }


def test_dry_run_prints_the_plan(run, fakes):
    fakes.register_files.answer = {"stages": ["coarse", "affine"], "memory_mb": 300.0}
    found = run("register", *VOLUMES, "--dry-run", "-o", "OUT")
    assert found.status == 0
    assert fakes.register_files.kwargs["dry_run"] is True
    assert found.out.splitlines() == ["stages     coarse, affine", "memory_mb  300"]


def test_settings_of_a_plan_are_read_in_one_line_each(run, fakes):
    entry = {"value": 612.5, "unit": "nm", "from": "data"}
    switch = {"value": False, "unit": "", "from": "given"}
    fakes.register_files.answer = {
        "settings": {"search_voxel_nm": entry, "any_orientation": switch}
    }
    lines = run("register", *VOLUMES, "--dry-run", "-o", "OUT").out.splitlines()
    assert lines == [
        "settings",
        "  search_voxel_nm  612.5 nm (from the data)",
        "  any_orientation  no (given)",
    ]


def test_several_structures_reach_the_workflow_as_files(run, fakes):
    run(
        "register", *VOLUMES, "-o", "OUT", "-q",
        "--structure", "labels=em,1.tif,channel=mito",
        "--structure", "labels=nuclei.tif,moving-labels=lm-nuclei.tif,weight=0.5",
    )  # fmt: skip
    call = fakes.register_files.kwargs
    assert call["structure"] is None
    assert call["structures"] == [
        StructureFiles(labels=Path("em,1.tif"), channel="mito"),
        StructureFiles(labels=Path("nuclei.tif"), moving_labels=Path("lm-nuclei.tif"), weight=0.5),
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--fixed", "em.zarr"], "expected --fixed and --moving, or --landmarks, or --graph"),
        ([], "expected --fixed and --moving, or --landmarks, or --graph"),
        (["--landmarks", "p.csv", "--initial", "t.json"], "--initial cannot go with --landmarks"),
        ([*VOLUMES, "--landmarks", "p.csv", "--model", "tps"], "--model cannot go with --fixed"),
        ([*VOLUMES, "--structure", "labels=a.tif,weight=-1"], "weight a number > 0; found"),
        ([*VOLUMES, "--structure", "nuclei", "--structure", "mito"], "expected labels=PATH"),
        ([*VOLUMES, "--units", "nm"], "--units cannot go with --fixed and --moving"),
        ([*VOLUMES, "--fixed-voxel-size", "50,8"], "--fixed-voxel-size: expected Z,Y,X"),
        ([*VOLUMES, "--engine", "ants"], "expected clemkit, elastix or greedy; found 'ants'"),
        (["--landmarks", "p.csv", "--settings", "s.yaml"], "--settings cannot go with --landmarks"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(run, fakes, arguments, reason):
    found = run("register", *arguments, "-o", "OUT")
    assert found.status == 2
    assert reason in found.err
    assert fakes.register_files.args == fakes.register_landmark_file.args == ()
