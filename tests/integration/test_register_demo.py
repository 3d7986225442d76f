"""``clemkit demo``: the whole experiment in one command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clemkit.cli.main import main
from clemkit.errors import ArgumentError, NotFoundError
from clemkit.workflows.demo import run_demo


def test_what_is_no_demonstration_stays(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "data.tif").write_text("precious")
    with pytest.raises(ArgumentError, match="--overwrite"):
        run_demo(tmp_path / "work")
    with pytest.raises(ArgumentError, match="found something else"):
        run_demo(tmp_path / "work", overwrite=True)
    assert (tmp_path / "work" / "data.tif").read_text() == "precious"
    with pytest.raises(NotFoundError, match="make it first"):
        run_demo(tmp_path / "absent" / "demo")


@pytest.mark.slow
def test_the_demo_finds_the_pose_and_tells_its_error(tmp_path, capsys):
    assert main(["demo", "-o", str(tmp_path / "demo"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "demo" / "demo.json").read_text())
    assert found["status"] == "ok"
    assert Path(found["report"]).is_file()
    assert found["true_error_nm"]["median"] < 150
    assert found["true_error_nm"]["p95"] < 500
    estimate = found["estimated_error_nm"]
    assert estimate["low"] < found["true_error_nm"]["median"] < estimate["high"]
