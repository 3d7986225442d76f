"""The crate of a finished experiment: files, actions, registration, protocols; and back."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from clemkit.deposition.rocrate.crate import PROCESS_RUN, build_crate
from clemkit.deposition.rocrate.importing import import_crate, is_crate
from clemkit.errors import FormatError, IncompleteDepositionError
from clemkit.metadata.load import read_document
from clemkit.metadata.models import build

EXAMPLE = Path(__file__).parents[4] / "examples" / "metadata" / "fib-sem-confocal.yaml"
METADATA = "ro-crate-metadata.json"


@pytest.fixture
def experiment(tmp_path: Path) -> tuple[dict[str, Any], Path]:
    data = copy.deepcopy(read_document(EXAMPLE).data)
    for name, content in {
        "data/lm/cell.ome.tiff": b"light",
        "data/em-raw/slice_1.tif": b"1",
        "data/em-raw/slice_2.tif": b"22",
        "data/em-aligned/volume.ome.zarr/zarr.json": b"{}",
        "data/em-aligned/volume.ome.zarr/0/c": b"chunk",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return data, tmp_path


def nodes(made: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    return {n["@id"]: n for n in json.loads(made[METADATA])["@graph"]}


def ids(value: Any) -> list[str]:
    return [v["@id"] for v in (value if isinstance(value, list) else [value])]


def test_files_have_size_and_checksum(experiment: tuple[dict[str, Any], Path]):
    data, folder = experiment
    found = nodes(build_crate(data, folder))
    light = found["data/lm/cell.ome.tiff"]
    assert light["@type"] == "File"
    assert light["contentSize"] == "5"
    assert light["sha256"] == hashlib.sha256(b"light").hexdigest()
    assert light["encodingFormat"] == "image/tiff"
    store = found["data/em-aligned/volume.ome.zarr/"]
    assert (store["@type"], store["contentSize"]) == ("Dataset", "7")
    series = found["#em-raw"]
    assert series["@type"] == "Collection"
    assert ids(series["hasPart"]) == ["data/em-raw/slice_1.tif", "data/em-raw/slice_2.tif"]
    parts = ids(found["./"]["hasPart"])
    assert {"data/lm/cell.ome.tiff", "data/em-aligned/volume.ome.zarr/"} <= set(parts)
    assert found["./"]["conformsTo"] == {"@id": PROCESS_RUN}


def test_processing_and_registration_are_actions(experiment: tuple[dict[str, Any], Path]):
    data, folder = experiment
    data["processing_steps"][0]["operators"] = ["ada"]
    found = nodes(build_crate(data, folder))
    align = found["#align"]
    assert align["@type"] == "CreateAction"
    assert align["startTime"] == "2026-05-10T08:00:00Z"
    assert align["agent"] == {"@id": "https://orcid.org/0000-0002-1825-0097"}
    assert found[align["instrument"]["@id"]]["softwareVersion"] == "0.1.0"
    assert ids(align["object"]) == ["#em-raw", "#align-parameter-1"]
    assert found["#align-parameter-1"]["value"] == "200 nm"
    assert ids(align["result"]) == ["data/em-aligned/volume.ome.zarr/"]
    register = found["#register"]
    assert ids(register["result"]) == ["#lm-to-em"]
    assert "Median error (held out): 95 nm." in found["#lm-to-em"]["description"]
    assert {"#align", "#register"} <= set(ids(found["./"]["mentions"]))
    # what no program ran is no CreateAction
    assert found["#acq-em"]["@type"] == found["#prep-1"]["@type"] == "Action"
    assert found["#hpf-fs"]["@type"] == "LabProtocol"


def test_files_of_records_are_found_by_their_content(experiment: tuple[dict[str, Any], Path]):
    data, folder = experiment
    light = hashlib.sha256(b"light").hexdigest()
    data["processing_steps"][1]["input_files"] = [
        {"file_path": "/elsewhere/lm.tif", "sha256": light, "byte_count": 5},
        {"file_path": "/elsewhere/other.tif", "sha256": "0" * 64, "byte_count": 9},
    ]
    found = nodes(build_crate(data, folder))
    inputs = ids(found["#register"]["object"])
    assert inputs.count("data/lm/cell.ome.tiff") == 1
    (other,) = [i for i in inputs if i.startswith("#sha256-")]
    assert found[other]["name"] == "/elsewhere/other.tif"


def test_every_reference_leads_somewhere_and_the_same_comes_twice(
    experiment: tuple[dict[str, Any], Path],
):
    data, folder = experiment
    made = build_crate(data, folder)
    assert made == build_crate(data, folder)
    found = nodes(made)

    def targets(value: Any) -> list[str]:
        if isinstance(value, dict):
            inner = [t for k, v in value.items() if k != "@id" for t in targets(v)]
            return [value["@id"]] if set(value) == {"@id"} else inner
        return [t for v in value for t in targets(v)] if isinstance(value, list) else []

    # addresses of the web are no nodes
    outside = ("http://", "https://")
    for name, node in found.items():
        for target in targets(node):
            assert target in found or target.startswith(outside), (name, target)


def test_further_files_and_a_missing_licence(experiment: tuple[dict[str, Any], Path]):
    data, folder = experiment
    (folder / "experiment.yaml").write_bytes(b"id: x\n")
    found = nodes(build_crate(data, folder, further={"experiment.yaml": "The description."}))
    assert found["experiment.yaml"]["contentSize"] == "6"
    del data["study"]["licence"]
    with pytest.raises(IncompleteDepositionError, match="expected licence of the study"):
        build_crate(data, folder)


def test_a_crate_is_read_back(experiment: tuple[dict[str, Any], Path]):
    data, folder = experiment
    made = build_crate(data, folder)
    assert is_crate(made[METADATA].decode())
    back, findings = import_crate(made)
    build(back)
    study = back["study"]
    for slot in ("title", "description", "licence", "release_date", "keywords"):
        assert study[slot] == data["study"][slot]
    people = {a["id"]: a for a in back["agents"]}
    names = [people[c["contributor"]]["family_name"] for c in study["contributions"]]
    assert names == ["Example", "Sample"]
    methods = {a["imaging_method"] for a in back["acquisitions"]}
    assert methods == {"confocal", "fib_sem"}
    images = {i["name"]: i for i in back["images"]}
    assert images["Confocal stack"]["file_set"] == {
        "directory": "data/lm", "file_pattern": "cell.ome.tiff", "file_count": 1, "total_bytes": 5,
    }  # fmt: skip
    (step,) = [s for s in back["processing_steps"] if s["id"] == "align"]
    assert step["software"] == ["clemkit-0.1"]
    assert step["output_images"] == [images["FIB-SEM volume, aligned"]["id"]]
    assert step["parameters"] == [{"parameter_name": "search_radius", "parameter_json": '"200 nm"'}]
    assert findings, "steps of protocols have no reader here: they are kept, and said"


def test_what_is_no_crate_is_refused():
    assert not is_crate('{"@graph": 1}')
    with pytest.raises(FormatError, match="expected an RO-Crate"):
        import_crate({METADATA: b"{}"})
    with pytest.raises(FormatError, match="about one dataset"):
        import_crate({METADATA: b'{"@graph": [{"@id": "x"}]}'})
