from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from clemkit.cli import figures, options
from clemkit.cli.terminal import Terminal, json_ready, open_terminal
from clemkit.errors import ArgumentError


def test_json_is_strict(capsys):
    content = {
        "median_nm": float("nan"),
        "count": np.int64(3),
        "voxel": np.array([50.0, 8.0]),
        "path": Path("a") / "b",
        "nested": [{"x": np.float32(np.inf)}, ("a", True)],
    }
    Terminal(as_json=True).result(content, lambda: iter(["never"]))
    assert json.loads(capsys.readouterr().out, parse_constant=pytest.fail) == {
        "median_nm": None,
        "count": 3,
        "voxel": [50.0, 8.0],
        "path": "a/b",
        "nested": [{"x": None}, ["a", True]],
    }


def test_json_keeps_whole_numbers_whole():
    assert repr(json_ready(np.uint8(7))) == "7"


def test_quiet_silences_prose_but_not_json(capsys):
    Terminal(quiet=True).result({"a": 1}, lambda: iter(["prose"]))
    assert capsys.readouterr().out == ""
    Terminal(quiet=True, as_json=True).result({"a": 1}, lambda: iter(["prose"]))
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_progress_without_a_terminal_is_plain_lines_on_stderr(capsys):
    with Terminal().progress() as progress:
        for step in range(101):
            progress("affine", step / 100, f"{step} nm")
        progress("warp", 1.0)
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.splitlines() == [
        "affine: 0 %  0 nm",
        "affine: 25 %  25 nm",
        "affine: 50 %  50 nm",
        "affine: 75 %  75 nm",
        "affine: 100 %  100 nm",
        "warp: 100 %",
    ]


def test_quiet_has_no_progress(capsys):
    with Terminal(quiet=True).progress() as progress:
        progress("affine", 1.0)
    assert capsys.readouterr().err == ""


def test_bars_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Terminal().progress() as progress:
        progress("affine", 0.5, "3 nm")
        progress("affine", 1.0, "2 nm [final]")
    written = capsys.readouterr()
    assert written.out == ""
    assert "affine" in written.err
    assert "[final]" in written.err


@pytest.mark.parametrize(
    ("flags", "shown"),
    [({}, ["warning"]), ({"verbose": True}, ["info", "warning"])],
)
def test_log_messages_go_to_stderr(capsys, flags, shown):
    logger = logging.getLogger("clemkit.registration")
    handlers = list(logging.getLogger("clemkit").handlers)
    with open_terminal(**flags):
        logger.debug("debug")
        logger.info("info")
        logger.warning("warning")
    assert capsys.readouterr().err.splitlines() == [f"clemkit: {word}" for word in shown]
    assert logging.getLogger("clemkit").handlers == handlers


@pytest.mark.parametrize("text", ["50,8,10", "50.0, 8, 1e1"])
def test_a_triple_is_z_y_x(text):
    assert options.parse_triple(text, "--voxel-size") == (50.0, 8.0, 10.0)


@pytest.mark.parametrize(
    "text", ["", "50", "50,8", "50,8,10,1", "50;8;10", "50,8,x", "50,8,-10", "50,8,0", "1,nan,1"]
)
def test_anything_else_is_refused_with_the_flag(text):
    with pytest.raises(ArgumentError, match="--voxel-size: expected Z,Y,X"):
        options.parse_triple(text, "--voxel-size")


def test_channels_are_indices_or_names():
    assert options.parse_index_or_name(None) is None
    assert options.parse_index_or_name("2") == 2
    assert options.parse_index_or_name("mito-RFP") == "mito-RFP"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.14159, "3.14 nm"),
        (31.4159, "31.4 nm"),
        (314.159, "314 nm"),
        (2600.0, "2.60 µm"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_lengths_have_three_digits_and_a_unit(value, text):
    assert figures.length(value) == text


def test_tables_align_and_nest():
    content = {"shape": (7, 11), "lazy": True, "unit": None, "channel": {"name": "mito", "n": 0.5}}
    assert list(figures.table(content)) == [
        "shape    7, 11",
        "lazy     yes",
        "unit     –",
        "channel",
        "  name  mito",
        "  n     0.5",
    ]
