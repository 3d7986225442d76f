"""One line on stderr, and the exit status that scripts rely on."""

from __future__ import annotations

import warnings

import pytest

from clemkit import errors

PROBLEM = errors.Problem(("axes",), "axes-order", "error", "wrong")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ArgumentError("voxel size: expected > 0; found -1"), 2),
        (errors.UnitError("no unit; pass --voxel-size"), 2),
        (errors.NotFoundError("em.zarr: no such file"), 2),
        (errors.MissingExtraError("itk", "elastix"), 2),
        (FileExistsError(17, "File exists", "out.zarr"), 2),
        (errors.FormatError("em.tif", "truncated"), 3),
        (errors.InvalidMetadataError("em.zarr: 2 rules broken", [PROBLEM, PROBLEM]), 3),
        (OSError(28, "No space left on device", "out.zarr"), 3),
        (PermissionError(13, "Permission denied", "out.zarr"), 3),
        (MemoryError("Unable to allocate 9 TiB"), 3),
        (errors.TooFewLandmarksError("expected 4 pairs; found 2"), 1),
        (errors.FoldingError("folded"), 1),
        (KeyboardInterrupt(), 130),
        (AssertionError("a defect"), 70),
    ],
)
def test_status_and_one_line(run, workflow, error, status):
    workflow("convert", "volume_info").volume_info.answer = error
    found = run("info", "em.tif")
    assert found.status == status
    assert found.out == ""
    *traceback, line = found.err.splitlines()
    assert line.startswith("clemkit: ")
    assert str(error) in line
    assert bool(traceback) is (status == 70), "only a defect shows its traceback"


def test_a_message_of_many_lines_becomes_one(run, workflow):
    workflow("convert", "volume_info").volume_info.answer = errors.DataError("a:\n  b\n\tc")
    assert run("info", "x").err == "clemkit: a: b c\n"


def test_debug_shows_the_traceback(run, workflow):
    workflow("convert", "volume_info").volume_info.answer = errors.DataError("truncated")
    found = run("info", "x", "--debug")
    assert found.status == 3
    assert "Traceback" in found.err
    assert found.err.endswith("clemkit: truncated\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["info"], "Missing argument"),
        (["info", "a.tif", "--nonsense"], "No such option"),
        (["regsiter"], "No such command"),
        (["demo", "--seed", "-1"], "--seed"),
        (["demo", "--workers", "0"], "--workers"),
        (["demo", "--workers", "two"], "--workers"),
    ],
)
def test_wrong_usage_is_one_line_and_two(run, arguments, reason):
    found = run(*arguments)
    assert found.status == 2
    assert len(found.err.splitlines()) == 1
    assert reason in found.err


@pytest.mark.parametrize("arguments", [[], ["landmarks"]])
def test_no_command_shows_the_help(run, arguments):
    found = run(*arguments)
    assert found.status == 2
    assert found.err.startswith("Usage: clemkit")


def test_version(run):
    from clemkit import __version__

    found = run("--version")
    assert (found.status, found.out) == (0, f"clemkit {__version__}\n")


def test_a_warning_is_one_line_and_stdout_stays_json(run, workflow):
    def answer(**_):
        warnings.warn("voxel size of 3 series\ndiffers", errors.ClemkitWarning, stacklevel=2)
        return {"dtype": "uint8"}

    workflow("convert", "volume_info").volume_info.answer = answer
    found = run("info", "x", "--json")
    assert found.err == "clemkit: warning: voxel size of 3 series differs\n"
    assert found.out.startswith("{")
