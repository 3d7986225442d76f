"""What a run adds to a description: paths from its folder, protocols under the described id."""

from __future__ import annotations

import json

import pytest

from clemkit.metadata.models import build
from clemkit.provenance import Step, no_progress
from clemkit.workflows.run_describe import completed_description
from clemkit.workflows.run_state import write_whole
from clemkit.workflows.run_steps import Work

READ = {
    "id": "protocol",
    "protocols": [
        {
            "id": "protocol-1",
            "name": "what the file says",
            "steps": [
                {"type": "Rinsing", "materials": [{"material": "water"}, {"material": "buffer"}]}
            ],
        }
    ],
    "reagents": [
        {"id": "water", "type": "Reagent", "name": "water"},
        {
            "id": "buffer",
            "type": "Solution",
            "name": "buffer",
            "components": [{"material": "water"}],
        },
    ],
}


@pytest.fixture
def work(tmp_path):
    output = tmp_path / "run"
    write_whole(output / "protocols/prep.json", json.dumps({"data": READ}).encode())
    data = {
        "id": "e",
        "reagents": [
            {"id": "water", "type": "Reagent", "name": "tap water"},
            {"id": "mine", "type": "Solution", "components": [{"material": "water"}]},
        ],
        "protocols": [{"id": "prep", "name": "Preparation", "source_file": "notes/p.md"}],
        "images": [
            {"id": "em", "file_set": {"directory": "raw", "file_pattern": "*.tif"}},
            {"id": "lm", "file_set": {"file_pattern": "lm.tif"}},
        ],
        "correlations": [{"id": "c", "fixed_image": "em", "moving_image": "lm"}],
        "processing_steps": [{"id": "run-convert-em", "processing_kind": "cropping"}],
    }
    record = output / "provenance/convert-em.json"
    write_whole(record, json.dumps(Step(activity="conversion").to_dict()).encode())
    return Work(
        data=data,
        description=tmp_path / "experiment.yaml",
        output=output,
        steps={"protocol:prep": {"result": {}}, "convert:em": {"result": {}}},
        records={"convert:em": record},
        workers=1,
        copy=False,
        progress=no_progress,
    )


def test_paths_lead_from_the_folder_of_the_run(work):
    data = completed_description(work)
    assert data["images"][0]["file_set"]["directory"] == "../raw"
    assert data["images"][1]["file_set"]["directory"] == ".."
    assert data["protocols"][0]["source_file"] == "../notes/p.md"
    assert work.data["images"][0]["file_set"]["directory"] == "raw"  # what was given stays


def test_a_protocol_keeps_its_described_id_and_its_materials_find_each_other(work):
    data = completed_description(work)
    protocol = data["protocols"][0]
    assert (protocol["id"], protocol["name"]) == ("prep", "Preparation")
    used = [m["material"] for m in protocol["steps"][0]["materials"]]
    assert used == ["prep-water", "buffer"]
    reagents = {r["id"]: r for r in data["reagents"]}
    assert reagents["buffer"]["components"] == [{"material": "prep-water"}]
    assert reagents["prep-water"]["name"] == "water"
    assert reagents["water"]["name"] == "tap water"
    assert reagents["mine"]["components"] == [{"material": "water"}]
    build(data)


def test_a_record_of_the_run_takes_the_place_of_an_older_one(work):
    steps = completed_description(work)["processing_steps"]
    assert [s["id"] for s in steps] == ["run-convert-em"]
    assert steps[0]["processing_kind"] == "conversion"
    assert steps[0]["input_images"] == ["em"]


def test_a_correlation_that_was_not_computed_stays(work):
    data = completed_description(work)
    assert data["correlations"] == work.data["correlations"]
    assert [i["id"] for i in data["images"]] == ["em", "lm"]
