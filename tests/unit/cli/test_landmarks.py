"""``clemkit landmarks``: what reaches the workflow, and the real workflow on small files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

BIGWARP = '"Pt-0","true","1.0","2.0","3.0","10.0","20.0","30.0"\n'


def test_every_option_of_sample_reaches_the_workflow(run, workflow):
    fake = workflow("landmarks", "sample_landmarks", "convert_landmarks").sample_landmarks
    fake.answer = {"landmarks": 3, "warnings": ["ids look wrapped"]}
    found = run(
        "landmarks", "sample", "mito.zarr", "--kind", "surface", "--voxel-size", "50,8,8",
        "--components", "--count", "200", "--spacing", "120", "--min-voxels", "9", "--seed", "4",
        "-o", "p.csv",
    )  # fmt: skip
    assert found.status == 0
    assert found.out.splitlines() == ["landmarks  3", "finding  ids look wrapped"]
    assert fake.args == (Path("mito.zarr"), Path("p.csv"))
    assert fake.kwargs == {
        "kind": "surface",
        "voxel_size_zyx_nm": (50.0, 8.0, 8.0),
        "components": True,
        "count": 200,
        "spacing_nm": 120.0,
        "min_voxels": 9,
        "seed": 4,
        "overwrite": False,
        "dry_run": False,
    }


def test_every_option_of_convert_reaches_the_workflow(run, workflow):
    fake = workflow("landmarks", "convert_landmarks").convert_landmarks
    fake.answer = {"landmarks": 3, "warnings": []}
    found = run(
        "landmarks", "convert", "a.csv", "--units", "um", "--fixed-units", "nm",
        "--output-units", "mm", "--format", "named-pairs", "--fixed", "b.txt", "-o", "c.csv",
    )  # fmt: skip
    assert found.status == 0
    assert fake.args == (Path("a.csv"), Path("c.csv"))
    assert fake.kwargs == {
        "units": "um",
        "fixed_units": "nm",
        "output_units": "mm",
        "output_format": "named-pairs",
        "fixed": Path("b.txt"),
        "overwrite": False,
        "dry_run": False,
    }


@pytest.fixture
def labels(tmp_path):
    data = np.zeros((7, 11, 13), np.uint8)
    data[1:3, 2:5, 3:7] = 4
    data[5, 8, 9:12] = 9
    path = tmp_path / "labels.tif"
    tifffile.imwrite(path, data, metadata={"axes": "ZYX"}, imagej=True)
    return path


def test_centroids_of_real_labels(run, labels, tmp_path):
    output = tmp_path / "points.csv"
    call = ["landmarks", "sample", labels, "--voxel-size", "50,8,10", "-o", output, "--json"]
    assert json.loads(run(*call).out)["landmarks"] == 2
    rows = [line.split(",") for line in output.read_text().splitlines()]
    header = rows[0]
    columns = [header.index(name) for name in ("z_nm", "y_nm", "x_nm", "label")]
    found = {row[columns[3]]: [float(row[c]) for c in columns[:3]] for row in rows[1:]}
    assert found["4"] == pytest.approx([75.0, 24.0, 45.0])
    assert found["9"] == pytest.approx([250.0, 64.0, 100.0])


def test_labels_without_objects_are_a_finding(run, labels, tmp_path):
    tifffile.imwrite(labels, np.zeros((7, 11, 13), np.uint8), metadata={"axes": "ZYX"})
    found = run(
        "landmarks", "sample", labels, "--voxel-size", "50,8,10", "-o", tmp_path / "points.csv"
    )
    assert found.status == 1
    assert [p.name for p in tmp_path.iterdir()] == ["labels.tif"]


def test_landmarks_without_unit_are_refused_with_the_flag(run, tmp_path):
    source = tmp_path / "bigwarp.csv"
    source.write_text(BIGWARP)
    found = run("landmarks", "convert", source, "-o", tmp_path / "pairs.json")
    assert found.status == 2
    assert "--units" in found.err


def test_bigwarp_csv_becomes_bigwarp_json(run, tmp_path):
    source, output = tmp_path / "bigwarp.csv", tmp_path / "pairs.json"
    source.write_text(BIGWARP)
    found = run("landmarks", "convert", source, "--units", "um", "-o", output, "--json")
    assert found.status == 0, found.err
    assert json.loads(found.out)["landmarks"] == 1
    assert json.loads(output.read_text())["landmarks"]["movingPoints"] == [[1.0, 2.0, 3.0]]


def test_an_unknown_kind_is_refused(run, tmp_path):
    found = run("landmarks", "sample", "x.tif", "--kind", "corner", "-o", "p.csv")
    assert found.status == 2
    assert "--kind: expected centroid, surface or skeleton" in found.err
