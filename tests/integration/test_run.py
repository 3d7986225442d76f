"""``clemkit run``: killed at random points it ends as an undisturbed run, byte for byte."""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from clemkit.cli.main import main
from clemkit.errors import ArgumentError, InvalidMetadataError, NotFoundError, RegistrationError
from clemkit.metadata.load import read_document
from clemkit.volumes import open_volume
from clemkit.workflows import run_steps
from clemkit.workflows.metadata import validate_file
from clemkit.workflows.run import VOLATILE, run_experiment
from clemkit.workflows.run_state import RunState

EXAMPLE = Path(__file__).parents[2] / "examples" / "06_run.py"
EPOCH = "1780000000"
# the pose search of the example takes longer than all the rest
SETTINGS = """
archives: [empiar, bia]
correlations:
  lm-to-em:
    segment: {radius_nm: 250, polarity: dark}
    settings: {any_orientation: false, max_tilt_deg: 6, candidates: 1, search_voxel_nm: 900}
    landmark_unit: um
"""
STEPS = [
    "check", "protocol:preparation", "convert:em-raw", "convert:lm-raw", "segment:lm-to-em",
    "register:lm-to-em", "warp:lm-to-em", "evaluate:lm-to-em", "describe", "validate", "rdf",
    "empiar", "bia",
]  # fmt: skip


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """The folder of an experiment as it comes from the microscopes."""
    spec = importlib.util.spec_from_file_location("example_run", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    folder = tmp_path_factory.mktemp("raw") / "experiment"
    example.make_experiment(folder)
    (folder / "run.yaml").write_text(SETTINGS)
    return folder


@pytest.fixture(scope="module")
def undisturbed(raw, tmp_path_factory) -> Path:
    """The folder of an experiment after one run from begin to end."""
    folder = tmp_path_factory.mktemp("undisturbed") / "experiment"
    shutil.copytree(raw, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        found = run_experiment(folder / "experiment.yaml", workers=2)
    assert [s["name"] for s in found["steps"]] == STEPS
    assert {s["state"] for s in found["steps"]} == {"done"}
    return folder


def is_volatile(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in VOLATILE)


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a run that has to be the same, by its name."""
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    return {name: p.read_bytes() for name, p in files.items() if not is_volatile(name)}


def without_times(path: Path) -> object:
    """A record of the registration without CPU times, memory and places."""

    def kept(value: object) -> object:
        if isinstance(value, dict):
            skip = ("seconds", "cpu_seconds", "peak_memory_mb", "path", "labels")
            return {k: kept(v) for k, v in value.items() if k not in skip}
        return [kept(v) for v in value] if isinstance(value, list) else value

    return kept(json.loads(path.read_text()))


def begin(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "clemkit.cli.main", "run", str(folder / "experiment.yaml")]
    environment = os.environ | {"SOURCE_DATE_EPOCH": EPOCH}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the modules are compiled once
    return subprocess.Popen(
        [*command, "--workers", "1"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env=environment,
    )  # fmt: skip


def kill_in(folder: Path, step: str, seconds: float) -> None:
    """Start the run and kill it some time after a step has begun."""
    with begin(folder) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith(f"{step}: 0 %"):
                break
        else:
            pytest.fail(f"{step} was never begun")
        time.sleep(seconds)
        running.kill()
        running.stderr.read()
    assert running.returncode in (-signal.SIGKILL, 0)  # the last step may be done before


def test_killed_at_random_points_it_ends_as_undisturbed(raw, undisturbed, tmp_path):
    folder = tmp_path / "experiment"
    shutil.copytree(raw, folder)
    rng = np.random.default_rng(20261121)
    longest = {"register:lm-to-em": 3.0, "empiar": 0.8, "bia": 0.5}
    # one after the other, so that the work is done once; the long steps always
    chosen = {*rng.choice(STEPS[1:5], 1), *rng.choice(STEPS[6:11], 1)}
    for step in (s for s in STEPS if s in chosen or s in longest):
        kill_in(folder, str(step), rng.uniform(0, longest.get(str(step), 0.3)))
    with begin(folder) as running:
        assert running.stderr is not None
        said = running.stderr.read()
    assert running.returncode == 0, said
    before, after = content(undisturbed / "run"), content(folder / "run")
    assert sorted(before) == sorted(after)
    assert [name for name in before if before[name] != after[name]] == []
    record = "run/registration/lm-to-em/registration.json"
    assert without_times(folder / record) == without_times(undisturbed / record)
    hidden = [p for p in (folder / "run").rglob("*") if p.name.startswith(".")]
    assert {p.name for p in hidden} == {".clemkit-run", ".clemkit-package"}  # nothing left behind


def test_a_second_run_changes_nothing(undisturbed):
    def times() -> dict[str, int]:
        files = ((str(p), p.stat().st_mtime_ns) for p in (undisturbed / "run").rglob("*"))
        return {n: t for n, t in files if "run-log" not in n and ".clemkit-run" not in n
                and not Path(n).is_dir()}  # fmt: skip

    before = times()
    found = run_experiment(undisturbed / "experiment.yaml")
    states = {s["name"]: s["state"] for s in found["steps"]}
    assert [n for n, s in states.items() if s != "kept"] == ["empiar", "bia"]  # look for themselves
    assert times() == before


def test_the_package_opens_as_its_readme_says(undisturbed, monkeypatch):
    package = undisturbed / "run" / "empiar"
    monkeypatch.chdir(package)
    text = Path("README.md").read_text()
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert block is not None
    names: dict[str, object] = {}
    exec(compile(block[1], "README.md", "exec"), names)
    raw_em = open_volume(undisturbed / "raw/em", voxel_size_zyx_nm=(125, 100, 100))
    assert np.array_equal(names["em_raw"].read(), raw_em.read())
    raw_lm = open_volume(undisturbed / "raw/lm/cell.ome.tif")
    assert np.array_equal(names["lm_raw"].read(channel=1), raw_lm.read(channel=1))
    warped = names["lm_raw_on_em_raw"]
    assert warped.grid.shape_zyx == names["em_raw"].grid.shape_zyx
    assert warped.grid.voxel_size_zyx_nm == (125.0, 100.0, 100.0)
    labels = names["lm_to_em_labels"].read()
    light = warped.read(channel=0)
    assert light[labels > 0].mean() > 1.5 * light[labels == 0].mean()
    if shutil.which("sha256sum"):
        command = re.search(r"sha256sum.*", text)
        assert command is not None
        assert subprocess.run(command[0].split(), check=False).returncode == 0


def test_the_packed_description_is_whole_by_itself(undisturbed, tmp_path):
    package = tmp_path / "elsewhere"
    shutil.copytree(undisturbed / "run" / "empiar", package)
    report = validate_file(package / "data/description/experiment.yaml", ["empiar"], files=True)
    assert [str(p) for p in report.problems if p.severity == "error"] == []
    correlation = report.document.data["correlations"][0]
    transform = correlation["transforms"][0]["transform_file"]
    assert (package / "data/description" / transform).is_file()


def test_the_description_holds_what_the_run_found(undisturbed):
    run = undisturbed / "run"
    data = read_document(run / "experiment.yaml").data
    correlation = data["correlations"][0]
    measured = json.loads((run / "evaluation/lm-to-em.json").read_text())
    errors = correlation["correlation_errors"]
    assert errors[1]["error_median"]["value"] == pytest.approx(measured["median_nm"], rel=1e-3)
    assert errors[1]["error_count"] == measured["n"] == 900
    assert correlation["correlation_status"] == "ok"
    assert measured["median_nm"] < 250
    steps = {p["id"]: p for p in data["processing_steps"]}
    assert list(steps) == [f"run-{k}" for k in (
        "convert-em-raw", "convert-lm-raw", "segment-lm-to-em", "register-lm-to-em",
        "warp-lm-to-em", "evaluate-lm-to-em",
    )]  # fmt: skip
    made = {i["id"]: i.get("generated_by_processing") for i in data["images"]}
    assert made["lm-raw-on-em-raw"] == "run-warp-lm-to-em"
    assert made["lm-to-em-labels"] == "run-segment-lm-to-em"
    assert steps["run-warp-lm-to-em"]["started"].startswith("2026-05-28T20:26:40")
    digests = steps["run-segment-lm-to-em"]["input_files"]
    assert digests == steps["run-convert-em-raw"]["output_files"]
    assert correlation["landmark_file"] == "../raw/landmarks.csv"


def test_the_protocol_was_read_into_the_description(undisturbed):
    data = read_document(undisturbed / "run/experiment.yaml").data
    protocol = next(p for p in data["protocols"] if p["id"] == "preparation")
    kinds = [step["type"] for step in protocol["steps"]]
    assert "ChemicalFixation" in kinds
    assert "Infiltration" in kinds
    assert protocol["name"] == "Preparation of cells for FIB-SEM"  # as the description has it
    assert data["protocol_executions"][0]["planned"] == "preparation"


def test_the_archives_have_no_objection(undisturbed, capsys):
    description = str(undisturbed / "run/experiment.yaml")
    assert main(["deposit", "check", description, "--archive", "empiar", "-q"]) == 0
    assert main(["deposit", "check", description, "--archive", "all", "--json", "-q"]) == 0
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert {p["rule"] for p in problems} <= {"PT-doi-missing"}  # the paper is in preparation
    document = json.loads((undisturbed / "run/empiar/empiar.json").read_text())
    assert document["experiment_type"] == 7
    folders = [s["directory"] for s in document["imagesets"]]
    assert all((undisturbed / "run/empiar" / f).is_dir() for f in folders)


def test_only_what_depends_on_a_change_is_planned_again(undisturbed, tmp_path):
    folder = tmp_path / "experiment"
    shutil.copytree(undisturbed, folder)

    def planned() -> list[str]:
        found = run_experiment(folder / "experiment.yaml", dry_run=True)
        return [s["name"] for s in found["steps"] if s["state"] == "planned"]

    last = ["empiar", "bia"]
    assert planned() == last
    changed = SETTINGS.replace("radius_nm: 250", "radius_nm: 240")
    (folder / "run.yaml").write_text(changed)
    assert planned()[0] == "segment:lm-to-em"
    (folder / "run.yaml").write_text(SETTINGS)
    (folder / "run/rdf").mkdir()  # not ours: nothing happens to it
    (folder / "run/experiment.ttl").unlink()
    assert planned() == ["rdf", *last]
    with pytest.raises(ArgumentError, match="expected check, "):
        run_experiment(folder / "experiment.yaml", start_from="warping")
    found = run_experiment(folder / "experiment.yaml", start_from="rdf", until="rdf")
    assert [s["name"] for s in found["steps"] if s["state"] == "done"] == ["rdf"]
    assert found["steps"][-1]["name"] == "rdf"


def test_a_failure_leaves_what_was_done_before(raw, tmp_path, monkeypatch):
    folder = tmp_path / "experiment"
    shutil.copytree(raw, folder)

    def fails(step: object, work: object) -> dict[str, object]:
        raise RegistrationError("lm-to-em: expected a registration; found none")

    monkeypatch.setitem(run_steps.ACTIONS, "register", fails)
    assert main(["run", str(folder / "experiment.yaml"), "-q"]) == 1
    done = RunState(folder / "run").steps
    assert list(done)[-1] == "segment:lm-to-em"
    assert (folder / "run/segmented/lm-to-em.ome.zarr").is_dir()
    assert not (folder / "run/experiment.yaml").exists()


def test_mistakes_are_found_before_any_work(raw, tmp_path, capsys):
    folder = tmp_path / "experiment"
    shutil.copytree(raw, folder)
    description = folder / "experiment.yaml"
    text = description.read_text()
    assert main(["run", str(description), "--dry-run"]) == 0
    assert not (folder / "run").exists()
    assert "register:lm-to-em" in capsys.readouterr().out
    (folder / "run.yaml").write_text("correlations: {lm-to-am: {}}\n")
    with pytest.raises(ArgumentError, match="found 'lm-to-am'"):
        run_experiment(description)
    (folder / "run.yaml").write_text("correlations: {lm-to-em: {segmnt: {}}}\n")
    with pytest.raises(ArgumentError, match="did you mean 'segment'"):
        run_experiment(description)
    (folder / "run.yaml").write_text(SETTINGS)
    description.write_text(text.replace("voxel_size_y: 100 nm", "voxel_size_y: 10 nm"))
    with pytest.raises(InvalidMetadataError, match="L4-voxel-size"):
        run_experiment(description)
    description.write_text(text.replace("raw/landmarks.csv", "raw/marks.csv"))
    with pytest.raises(NotFoundError, match=r"marks\.csv"):
        run_experiment(description)
    description.write_text(text)
    (folder / "raw/em/overview.tif").write_bytes((folder / "raw/em/slice_0001.tif").read_bytes())
    with pytest.raises(ArgumentError, match="a folder of its own"):
        run_experiment(description)
    (folder / "raw/em/overview.tif").unlink()
    (folder / "other").mkdir()
    (folder / "other/mine.txt").write_text("mine")
    with pytest.raises(ArgumentError, match="something else"):
        run_experiment(description, folder / "other")


def test_two_runs_do_not_share_a_folder(raw, tmp_path):
    folder = tmp_path / "experiment"
    shutil.copytree(raw, folder)
    with RunState(folder / "run").locked(), pytest.raises(ArgumentError, match="one at work"):
        run_experiment(folder / "experiment.yaml")
