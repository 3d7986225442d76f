"""Commands on real files, through the real workflows."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile


@pytest.fixture
def stack(tmp_path):
    path = tmp_path / "stack.tif"
    data = np.arange(7 * 11 * 13, dtype=np.uint16).reshape(7, 11, 13)
    tifffile.imwrite(path, data, metadata={"axes": "ZYX"}, imagej=True)
    return path


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_convert_then_info(run, stack, tmp_path):
    output = tmp_path / "out.ome.zarr"
    found = run("convert", stack, "--voxel-size", "50,8,10", "-o", output, "--json", "-q")
    assert found.status == 0, found.err
    assert json.loads(found.out)["voxel_size_zyx_nm"] == [50.0, 8.0, 10.0]
    shown = json.loads(run("info", output, "--json").out)
    assert shown["shape"] == [7, 11, 13]
    assert shown["axes"] == "zyx"
    assert shown["dtype"] == "uint16"
    assert shown["voxel_size_zyx_nm"] == [50.0, 8.0, 10.0]
    assert {"channels", "format", "metadata"} <= set(shown)
    record = json.loads((tmp_path / "out.ome.zarr.provenance.json").read_text())
    assert record["activity"] == "conversion"
    assert record["inputs"][0]["sha256"]


def test_a_file_without_voxel_size_is_refused_with_the_flag(run, stack, tmp_path):
    found = run("convert", stack, "-o", tmp_path / "out.ome.zarr")
    assert found.status == 2
    assert "--voxel-size" in found.err.splitlines()[-1]
    assert names(tmp_path) == ["stack.tif"]


def test_a_truncated_file_is_data_and_leaves_nothing(run, stack, tmp_path):
    stack.write_bytes(stack.read_bytes()[:700])
    found = run("convert", stack, "--voxel-size", "50,8,10", "-o", tmp_path / "out.ome.zarr")
    assert found.status == 3
    assert "stack.tif" in found.err
    assert names(tmp_path) == ["stack.tif"]


def test_an_existing_output_is_kept(run, stack, tmp_path):
    output = tmp_path / "out.ome.tif"
    output.write_bytes(b"mine")
    call = ["convert", stack, "--voxel-size", "50,8,10", "-o", output, "-q"]
    found = run(*call)
    assert found.status == 2
    assert "--overwrite" in found.err
    assert output.read_bytes() == b"mine"
    assert run(*call, "--overwrite").status == 0
    assert tifffile.imread(output).shape == (7, 11, 13)


def test_a_dry_run_writes_nothing(run, stack, tmp_path):
    output = tmp_path / "out.ome.zarr"
    found = run("convert", stack, "--voxel-size", "50,8,10", "-o", output, "--dry-run", "--json")
    assert json.loads(found.out)["dry_run"] is True
    assert names(tmp_path) == ["stack.tif"]


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["info", "nothing.tif"], 2),
        (["evaluate", "--registration", "nowhere", "--landmarks", "p.csv"], 2),
    ],
)
def test_what_is_not_there_is_two(run, tmp_path, monkeypatch, command, status):
    monkeypatch.chdir(tmp_path)
    found = run(*command)
    assert found.status == status
    assert len(found.err.splitlines()) == 1


def test_words_are_not_an_image(run, tmp_path):
    path = tmp_path / "notes.tif"
    path.write_text("these are notes")
    found = run("info", path)
    assert found.status == 3
    assert "notes.tif" in found.err
