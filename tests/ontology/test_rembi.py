"""Each of REMBI's 34 attributes has a place in the model, and the mapping file names it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from clemkit.metadata.load import read_document
from clemkit.metadata.model_map import model_map

ROOT = Path(__file__).parents[2]
REMBI = {
    "Study": {
        "study type": "study.study_types",
        "study description": "study.description",
        "general dataset information": "study.contributions",
    },
    "Study component": {
        "imaging method": "study_components.imaging_methods",
        "description": "study_components.description",
    },
    "Biosample": {
        "identity": "biological_samples.id",
        "biological entity": "biological_samples.biological_entities",
        "organism": "biological_samples.organisms",
        "intrinsic variable": "biological_samples.intrinsic_variables",
        "extrinsic variable": "biological_samples.extrinsic_variables",
        "experimental variables": "biological_samples.experimental_variables",
    },
    "Specimen": {
        "experimental status": "specimens.experimental_status",
        "location within biosample": "specimens.location_in_biosample",
        "preparation method": "specimens.preparations",
        "signal/contrast mechanism": "specimens.contrast_mechanisms",
        "channel content": "specimens.labels",
        "channel biological entity": "specimens.labels.label_target",
    },
    "Image acquisition": {
        "instrument attributes": "acquisitions.instrument",
        "image acquisition parameters": "acquisitions.acquisition_summary",
    },
    "Image data": {
        "type": "images.image_kind",
        "format and compression": "images.file_format",
        "dimension extents": "images.size_x",
        "size description": "images.size_description",
        "pixel/voxel size": "images.voxel_size_x",
        "channel information": "images.channels",
        "image processing method": "images.processing_summary",
        "contrast inversion": "images.contrast_inverted",
    },
    "Image correlation": {
        "spatial and temporal alignment": "correlations.temporal_alignment",
        "fiducials used": "correlations.fiducials_used",
        "transformation matrix": "correlations.transforms.matrix",
        "related images and relationship": "correlations.image_relationship",
    },
    "Analysed data": {
        "analysis result type": "analysis_results.analysis_result_kind",
        "data used for analysis": "analysis_results.analysed_images",
        "analysis method": "analysis_results.analysis_method",
    },
}
ATTRIBUTES = [(m, a, path) for m, found in REMBI.items() for a, path in found.items()]


@pytest.fixture(scope="module")
def example():
    return read_document(ROOT / "examples" / "metadata" / "fib-sem-confocal.yaml").data


@pytest.fixture(scope="module")
def mapping_rows():
    lines = (ROOT / "ontology" / "mappings" / "rembi.sssom.tsv").read_text().splitlines()
    return list(csv.DictReader((x for x in lines if x[0] != "#"), delimiter="\t"))


def test_there_are_8_modules_and_34_attributes():
    assert (len(REMBI), len(ATTRIBUTES)) == (8, 34)


@pytest.mark.parametrize(("module", "attribute", "path"), ATTRIBUTES)
def test_attribute_has_a_place_in_the_model_and_in_the_example(module, attribute, path, example):
    values, declared = [example], model_map()["root"]
    for name in path.split("."):
        classes = model_map()["classes"]
        below = classes[declared]["concrete"]
        assert any(name in classes[c]["slots"] for c in below), f"{declared} lacks {name}"
        values = [v[name] for v in values if name in v]
        values = [x for v in values for x in (v if isinstance(v, list) else [v])]
        declared = model_map()["slots"][name]["range"]
    assert values, f"{module}: {attribute} is not in the example"


@pytest.mark.parametrize(("module", "attribute", "path"), ATTRIBUTES)
def test_attribute_is_in_the_mapping(module, attribute, path, mapping_rows):
    rows = [
        r for r in mapping_rows
        if (r["object_category"], r["object_label"]) == (module, attribute)
    ]  # fmt: skip
    assert rows
    for row in rows:
        slot = row["subject_id"].removeprefix("clemkit:")
        entry = model_map()["classes"][row["subject_category"]]
        assert slot in entry["slots"]
    assert path.split(".")[-1] in {r["subject_id"].removeprefix("clemkit:") for r in rows}
