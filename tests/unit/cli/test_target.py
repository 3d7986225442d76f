"""``clemkit target`` and ``clemkit register --graph``: what reaches the workflow, what is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def figure(value, low, high):
    return {"value": value, "low": low, "high": high}


FOUND = {
    "depth_nm": figure(38210.0, 37170.0, 39240.0),
    "right_nm": figure(-4000.0, -5000.0, -3000.0),
    "up_nm": figure(0.0, -900.0, 900.0),
    "tilt_deg": figure(2.22, 1.9, 2.5),
    "knife_deg": figure(-1.18, -1.5, -0.9),
    "total_deg": 2.51,
    "approach_nm": figure(41000.0, 40000.0, 42000.0),
    "wanted_plane": "planes of lm",
    "error_nm": {"median": 620.0, "p90": 1100.0},
    "face": {"origin": "middle of the face", "how": "4 picked points"},
    "findings": ["the registration is uncertain"],
}
GRAPH = {
    "status": "ok",
    "edges": [
        {"name": "ct-to-em", "state": "done", "status": "ok",
         "error_nm": {"median": 80.0, "low": 70.0, "high": 95.0}},
        {"name": "lm-to-ct", "state": "refused", "status": "failed"},
    ],
    "pairs": [
        {"path": ["em", "ct", "lm"], "edges": ["ct-to-em", "x"],
         "error_nm": {"median": None, "low": None, "high": None}},
    ],
    "loop_closures": [{"is_open": False, "sentence": "loop em - ct - em: closes to 20 nm"}],
    "findings": ["lm-to-ct: no pose stands out"],
    "unreachable": [{"images": ["em", "lm"], "because": ["lm-to-ct"]}],
    "output": "OUT",
}  # fmt: skip


def test_every_option_reaches_the_workflow(run, workflow):
    fake = workflow("trimming", "predict_target").predict_target
    fake.answer = FOUND
    found = run(
        "target", "--registration", "G", "--point=-1,2.5,3", "--from", "lm", "--to", "ct", "--face",
        "f.csv", "--face-side", "y+", "--edge", "e.csv", "--plane", "p.csv", "--units", "um",
        "--pick-error", "900", "--picture", "t.png", "-o", "t.json", "--seed", "3", "--json",
    )  # fmt: skip
    assert found.status == 0
    assert json.loads(found.out) == FOUND
    assert fake.args == (Path("G"),)
    assert fake.kwargs == {
        "point_zyx_nm": (-1.0, 2.5, 3.0), "labels": None, "label": None, "source": "lm",
        "xray_space": "ct", "face_points": Path("f.csv"), "xray": None, "face_side": "y+",
        "threshold": None, "bright_air": False, "edge": Path("e.csv"), "plane": Path("p.csv"),
        "units": "um", "pick_error_nm": 900.0, "output": Path("t.json"),
        "picture": Path("t.png"), "seed": 3, "overwrite": False,
    }  # fmt: skip


def test_the_numbers_for_the_bench_are_shown(run, workflow):
    workflow("trimming", "predict_target").predict_target.answer = FOUND
    lines = run("target", "--registration", "R", "--labels", "l.tif", "--label", "4").out
    assert lines.splitlines() == [
        "depth     38.2 µm (37.2 µm to 39.2 µm)  below the face",
        "right     -4.00 µm (-5.00 µm to -3.00 µm)  of the middle of the face, seen from the knife",
        "up        0.00 nm (-900 nm to 900 nm)",
        "tilt      +2.22° (+1.90° to +2.50°)  positive: upper edge of the face to the knife",
        "knife     -1.18° (-1.50° to -0.90°)  positive: deeper on the right",
        "approach  41.0 µm (40.0 µm to 42.0 µm)  from the first touch, so turned",
        "plane     planes of lm; 2.51° from the face",
        "face      4 picked points",
        "error     of the registration: median 620 nm, 90th percentile 1.10 µm; intervals are 90 %",
        "finding   the registration is uncertain",
    ]


@pytest.mark.parametrize("text", ["1,2", "a,b,c", "1,2,nan"])
def test_a_point_is_three_numbers(run, workflow, text):
    fake = workflow("trimming", "predict_target").predict_target
    found = run("target", "--registration", "R", f"--point={text}")
    assert found.status == 2
    assert "expected Z,Y,X in nanometres" in found.err
    assert fake.args == ()


def test_a_graph_reaches_the_workflow(run, workflow):
    fake = workflow("register_graph", "register_graph").register_graph
    fake.answer = GRAPH
    found = run("register", "--graph", "e.yaml", "--settings", "s.yaml", "--seed", "2", "-o", "OUT")
    assert found.status == 0
    assert fake.args == (Path("e.yaml"), Path("OUT"))
    fake.kwargs.pop("progress")
    assert fake.kwargs == {"settings": Path("s.yaml"), "seed": 2, "workers": None,
                           "overwrite": False, "dry_run": False}  # fmt: skip
    assert found.out.splitlines() == [
        "ct-to-em  done     ok         error 80.0 nm, 90 % interval 70.0 nm to 95.0 nm",
        "lm-to-ct  refused  failed",
        "lm - ct - em  error not known (combined)",
        "loop em - ct - em: closes to 20 nm",
        "finding  lm-to-ct: no pose stands out",
        "not joined  em and lm (needs lm-to-ct)",
        "report  OUT/graph.html",
    ]


def test_an_incomplete_graph_exits_one(run, workflow):
    fake = workflow("register_graph", "register_graph").register_graph
    fake.answer = GRAPH | {"status": "incomplete"}
    assert run("register", "--graph", "e.yaml", "-o", "OUT", "-q").status == 1


def test_the_plan_of_a_graph_is_shown(run, workflow):
    fake = workflow("register_graph", "register_graph").register_graph
    fake.answer = {
        "edges": [{"name": "a", "state": "planned", "moving": "ct", "fixed": "em",
                   "steps": ["register:a"], "reason": None}],
        "composed": [["em", "lm"]], "output": "OUT", "dry_run": True,
    }  # fmt: skip
    found = run("register", "--graph", "e.yaml", "-o", "OUT", "--dry-run")
    assert found.out.splitlines() == [
        "a  planned     ct on em  register:a",
        "composed  em and lm",
        "plan of OUT",
    ]


@pytest.mark.parametrize("surplus", [["--fixed", "em.tif"], ["--landmarks", "p.csv"],
                                     ["--allow-reflection"], ["--engine", "greedy"]])  # fmt: skip
def test_a_graph_says_everything_in_its_description(run, workflow, surplus):
    fake = workflow("register_graph", "register_graph").register_graph
    found = run("register", "--graph", "e.yaml", *surplus, "-o", "OUT")
    assert found.status == 2
    assert f"{surplus[0]} cannot go with --graph" in found.err
    assert fake.args == ()
