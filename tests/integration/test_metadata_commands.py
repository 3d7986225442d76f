"""The commands of a description, on files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from clemkit.cli.main import main

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "metadata").glob("*.yaml"))
FIB_SEM = str(next(p for p in EXAMPLES if p.stem == "fib-sem-confocal"))
GOLD = json.loads(
    (Path(__file__).parents[1] / "golden" / "metadata" / "queries.json").read_text(encoding="utf-8")
)


def test_validate_of_the_examples(capsys):
    assert main(["validate", *map(str, EXAMPLES), "--profile", "all", "--strict"]) == 0
    assert capsys.readouterr().out.count("nothing found") == len(EXAMPLES)


def test_validate_finds_and_says_where(tmp_path, capsys):
    path = tmp_path / "experiment.yaml"
    path.write_text("id: x\nimages:\n- {id: i, size_x: 0}\n")
    assert main(["validate", str(path)]) == 1
    out = capsys.readouterr().out
    assert f"{path}:3: error: images/0/size_x: expected 1 to …; found 0 [L1-range]" in out
    assert main(["validate", str(path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["reports"][0]["ok"] is False
    assert main(["validate", str(path), "--sarif"]) == 1
    assert json.loads(capsys.readouterr().out)["version"] == "2.1.0"


def test_validate_refuses(tmp_path, capsys):
    assert main(["validate", str(tmp_path / "absent.yaml")]) == 2
    assert main(["validate", FIB_SEM, "--profile", "rembo"]) == 2
    path = tmp_path / "list.yaml"
    path.write_text("- a\n")
    assert main(["validate", str(path)]) == 1
    printed = capsys.readouterr().out
    assert "expected a mapping" in printed
    assert "L0-syntax" in printed


@pytest.fixture
def stack(tmp_path):
    """A described stack of seven planes of 11 x 13, 8 nm."""
    tifffile = pytest.importorskip("tifffile")
    folder = tmp_path / "data"
    folder.mkdir()
    for n in range(1, 8):
        plane = np.full((11, 13), n, np.uint8)
        tifffile.imwrite(
            folder / f"s_{n:03}.tif", plane, resolution=(1e7 / 8, 1e7 / 8),
            resolutionunit="CENTIMETER",
        )  # fmt: skip
    path = tmp_path / "experiment.yaml"
    path.write_text(
        "id: x\nimages:\n- id: i\n  image_kind: processed\n  derived_from_images: [raw]\n"
        "  file_format: tiff\n  data_type: uint8\n  size_x: 13\n  size_y: 11\n  size_z: 7\n"
        "  voxel_size_x: 8 nm\n  voxel_size_y: 8 nm\n  voxel_size_z: 50 nm\n"
        "  file_set: {directory: data, file_pattern: 's_*.tif', file_count: 7}\n"
        "- {id: raw, acquired_by: a}\n"
        "acquisitions:\n- {id: a, type: SbfSemAcquisition, imaging_method: sbf_sem}\n"
    )
    return path


def rules(path, capsys) -> set[str]:
    main(["validate", str(path), "--files", "--json"])
    problems = json.loads(capsys.readouterr().out)["reports"][0]["problems"]
    return {p["rule"] for p in problems}


def test_files_that_agree(stack, capsys):
    assert rules(stack, capsys) == set()


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("size_x: 13", "size_x: 12", "L4-size"),
        ("size_z: 7", "size_z: 8", "L4-size"),
        ("data_type: uint8", "data_type: uint16", "L4-data-type"),
        ("voxel_size_x: 8 nm", "voxel_size_x: 8 angstrom", "L4-voxel-size"),
        ("file_count: 7", "file_count: 9", "L4-count"),
        ("file_format: tiff", "file_format: mrc", "L4-format"),
        ("directory: data", "directory: date", "L4-absent"),
    ],
)
def test_a_wrong_description_is_found_in_the_headers(stack, capsys, old, new, rule):
    stack.write_text(stack.read_text().replace(old, new))
    assert rules(stack, capsys) == {rule}


def test_a_lost_an_empty_and_a_broken_file(stack, capsys):
    folder = stack.parent / "data"
    (folder / "s_003.tif").unlink()
    (folder / "s_005.tif").write_bytes(b"")
    (folder / "s_006.tif").write_bytes(b"not a picture")
    assert {"L4-gap", "L4-count", "L4-empty", "L4-unreadable"} <= rules(stack, capsys)


@pytest.mark.parametrize(
    ("ending", "sign"),
    [("ttl", "@prefix"), ("nt", "<https://"), ("jsonld", "{"), ("trig", "@prefix")],
)
def test_rdf_and_back(tmp_path, capsys, ending, sign):
    from clemkit.metadata.load import read_document
    from clemkit.metadata.models import build, canonical
    from clemkit.metadata.rdf import parse

    target = tmp_path / f"experiment.{ending}"
    assert main(["rdf", FIB_SEM, "-o", str(target)]) == 0
    text = target.read_text(encoding="utf-8")
    assert text.lstrip().startswith(sign)
    syntax = {"ttl": "turtle"}.get(ending, ending)
    assert parse(text, syntax) == canonical(build(read_document(FIB_SEM).data))
    assert main(["rdf", FIB_SEM, "-o", str(target)]) == 2
    assert "pass --overwrite" in capsys.readouterr().err


def test_rdf_refuses_what_does_not_fit(tmp_path, capsys):
    path = tmp_path / "experiment.yaml"
    path.write_text("id: x\nimagess: []\n")
    assert main(["rdf", str(path)]) == 3
    assert "does not fit the model in 1 places" in capsys.readouterr().err
    assert main(["rdf", FIB_SEM, "--syntax", "rdfxml"]) == 2


@pytest.mark.parametrize("name", sorted(GOLD))
def test_shipped_queries_give_the_gold_answers(name, capsys):
    assert main(["query", name, *map(str, EXAMPLES), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == GOLD[name]


def test_every_shipped_query_has_a_gold_answer():
    from clemkit.metadata.query import named_queries

    assert set(GOLD) == set(named_queries())
    assert len(GOLD) >= 15
    assert all(GOLD[name]["rows"] for name in GOLD if "without" not in name)


def test_query_over_rdf_and_descriptions(tmp_path, capsys):
    target = tmp_path / "one.ttl"
    assert main(["rdf", FIB_SEM, "-o", str(target)]) == 0
    capsys.readouterr()
    ask = "ASK { ?image a clemkit:Image ; clemkit:data_type clemkit:uint16 }"
    assert main(["query", ask, str(target)]) == 0
    assert capsys.readouterr().out.splitlines() == ["answer", "yes"]


@pytest.mark.parametrize(
    "text", ["no-such-query", "SELECT ?x WHERE {", "DESCRIBE ?x WHERE { ?x a ?y }"]
)
def test_query_refuses(text, capsys):
    assert main(["query", text, FIB_SEM]) == 2
    assert "query: expected" in capsys.readouterr().err
