"""MIFA, REMBI proposals and the sheet of a facility, on documents made here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clemkit.deposition.kept import kept
from clemkit.deposition.rembi.cai_sheet import import_cai_sheet, is_cai_sheet
from clemkit.deposition.rembi.mifa import import_mifa, is_mifa
from clemkit.deposition.rembi.proposal import import_proposal, is_proposal
from clemkit.errors import FormatError, NotFoundError
from clemkit.metadata.models import build
from clemkit.workflows.importing import import_description, import_file

STUDY = {
    "title": "Nuclei with their outlines",
    "description": "Nuclei, outlined by hand.",
    "keywords": ["nuclei"],
    "authors": [
        {
            "author_first_name": "Ada",
            "author_last_name": "Example",
            "email": "ada@example.org",
            "orcid_id": "0000-0002-1825-0097",
            "organisation": [{"organisation_name": "Institute", "address": "Street 1"}],
            "role": ["data acquisition", "conceptualization"],
        },
        {"author_first_name": "Ben", "author_last_name": "Sample", "email": "ben at home"},
    ],
    "license": "CC0",
    "ai_models_trained": "https://example.org/model",
    "funding_statement": "Paid by an agency.",
    "publications": [
        {"publication_title": "Outlines", "publication_doi": "https://doi.org/10.1234/abc"}
    ],
    "link_url": "https://example.org/old",
    "link_description": "before",
}
ANNOTATIONS = {
    "annotation_overview": "Outlines of nuclei",
    "authors": [{"author_first_name": "Ada", "author_last_name": "Example"}],
    "annotation_method": "By hand.",
    "annotation_criteria": None,
    "file_metadata": [
        {"annotation_id": "a.tif", "annotation_type": ["segmentation_mask"], "source_image_id": "b"}
    ],
}
PROPOSAL = {
    "accession_id": "EMPIAR-99999",
    "paper_doi": "https://doi.org/10.1234/abc",
    "rembis": {
        "BioSample": [
            {
                "title": "Yeast",
                "organism_classification": [
                    {"scientific_name": "Schizosaccharomyces pombe", "ncbi_id": "NCBI:txid4896"}
                ],
                "biological_entity_description": "haploid cells",
            }
        ],
        "SpecimenImagingPreparationProtocol": [
            {"title": "Milling", "protocol_description": "Milled with ions."}
        ],
        "Specimen": [
            {
                "title": "Lamella 1",
                "biosample_title": "Yeast",
                "specimen_imaging_preparation_protocol_title": "Milling",
            }
        ],
        "ImageAcquisitionProtocol": [
            {
                "title": "Tomography",
                "protocol_description": "Tilted.",
                "imaging_instrument_description": "A microscope",
                "fbbi_id": ["obo:FBbi_00000256"],
                "imaging_method_name": ["cryo-electron tomography"],
            }
        ],
        "Protocol": [{"title": "Reconstruction", "protocol_description": "Back projection."}],
    },
    "datasets": [
        {
            "title": "Frames",
            "assigned_dataset_rembis": [{"image_acquisition_protocol_title": "Tomography"}],
            "assigned_images": [
                {
                    "label_prefix": "Frames 1",
                    "file_pattern": "frames/TS_{}_{}.tif",
                    "specimen_title": "Lamella 1",
                }
            ],
        },
        {
            "title": "Tomograms",
            "assigned_images": [
                {
                    "label": "Tomogram 1",
                    "file_pattern": "tomograms/TS_1.rec",
                    "protocol_title": "Reconstruction",
                    "input_label_prefix": "Frames 1",
                }
            ],
        },
    ],
}
SHEET: list[tuple[Any, ...]] = [
    ("Annotation on the Project level", None, None),
    (None, "Title", "Localization of a protein"),
    (None, "Authors", "Ada Example, Ben Sample"),
    (None, "License", "CC-BY 4.0"),
    ("Study component", "imaging method name", "Confocal microscopy", "a comment"),
    ("Biosample", "biological entity", "leaf cell"),
    (None, "organism", "Arabidopsis thaliana"),
    (None, "organism term accession number", "http://purl.obolibrary.org/obo/NCBITaxon_3702"),
    (None, "intrinsic variable", "-"),
    ("Specimen", "experimental status", "control"),
    (None, "refractive index of mounting medium", 1.33),
    (None, "Channel 0 - content", "YFP"),
    ("Image acquisition", "Microscope model", "SPE"),
]


def test_a_mifa_study():
    assert is_mifa(STUDY)
    data, findings = import_mifa(STUDY)
    build(data)
    ada = next(a for a in data["agents"] if a.get("given_name") == "Ada")
    assert (ada["orcid"], ada["affiliations"]) == ("0000-0002-1825-0097", ["Institute"])
    assert data["study"]["contributions"][0]["roles"] == ["author", "image_acquisition"]
    assert data["study"]["publications"][0]["doi"] == "10.1234/abc"
    assert data["study"]["licence"] == "CC0-1.0"
    assert dict(kept(ada, "mifa"))["role"] == ["data acquisition", "conceptualization"]
    said = " ".join(p.message for p in findings)
    for name in ("ai_models_trained", "link_description", "address", "email"):
        assert name in said


def test_mifa_annotations_and_versions():
    assert is_mifa(ANNOTATIONS)
    data, _ = import_mifa(ANNOTATIONS)
    build(data)
    (annotations,) = data["annotation_sets"]
    assert annotations["annotation_kinds"] == ["segmentation_mask"]
    assert annotations["annotators"] == ["Ada-Example"]
    assert dict(kept(annotations, "mifa"))["file_metadata"][0]["source_image_id"] == "b"
    version = {"version": "1.1", "timestamp": "2023-03-07", "changes": "More."}
    assert is_mifa(version)
    assert dict(kept(import_mifa(version)[0]["study"], "mifa")) == version


def test_a_proposal():
    assert is_proposal(PROPOSAL)
    data, _ = import_proposal(PROPOSAL)
    build(data)
    frames, tomogram = data["images"]
    assert frames["file_set"] == {"directory": "frames", "file_pattern": "TS_*_*.tif"}
    assert frames["image_of"] == ["Lamella-1"]
    assert frames["acquired_by"] == data["acquisitions"][0]["id"]
    assert tomogram["derived_from_images"] == [frames["id"]]
    assert tomogram["generated_by_processing"] == "Reconstruction"
    assert data["acquisitions"][0]["imaging_method"] == "electron_tomography"
    assert data["biological_samples"][0]["organisms"][0]["taxon_id"] == "NCBITaxon:4896"
    assert data["study_components"][0]["component_specimens"] == ["Lamella-1"]
    assert dict(kept(frames, "rembi"))["file_pattern"] == "frames/TS_{}_{}.tif"


def test_the_sheet_of_a_facility():
    assert is_cai_sheet([*SHEET])
    assert not is_cai_sheet(SHEET[:4])
    data, findings = import_cai_sheet(SHEET)
    build(data)
    assert data["acquisitions"][0]["type"] == "LightAcquisition"
    assert [a["family_name"] for a in data["agents"]] == ["Example", "Sample"]
    assert data["specimens"][0]["labels"] == [{"label_name": "YFP", "channel_name": "channel 0"}]
    assert data["study"]["licence"] == "CC-BY-4.0"
    assert dict(kept(data["study"], "cai")) == {
        "refractive index of mounting medium": "1.33",
        "imaging method name (comment)": "a comment",
    }
    assert len(findings) == 2


def test_files_are_known_by_their_content(tmp_path: Path):
    import yaml

    study = tmp_path / "a.yaml"
    study.write_text(yaml.safe_dump(STUDY, sort_keys=False), encoding="utf-8")
    data, findings = import_file(study)
    assert data["study"]["title"] == STUDY["title"]
    (place,) = [w for w, p in findings if "link_description" in p.message]
    assert study.read_text(encoding="utf-8").splitlines()[int(place) - 1].startswith("link_desc")
    proposal = tmp_path / "b.yaml"
    proposal.write_text(yaml.safe_dump(PROPOSAL), encoding="utf-8")
    assert len(import_file(proposal)[0]["images"]) == 2
    found = import_description(proposal, tmp_path / "experiment.yaml")
    assert found.output == tmp_path / "experiment.yaml"
    with pytest.raises(FileExistsError):
        import_description(proposal, tmp_path / "experiment.yaml")
    other = tmp_path / "c.yaml"
    other.write_text("a: 1\n", encoding="utf-8")
    with pytest.raises(FormatError, match="found YAML of another kind"):
        import_file(other)
    (tmp_path / "d.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(FormatError, match="found JSON of another kind"):
        import_file(tmp_path / "d.json")
    with pytest.raises(NotFoundError):
        import_file(tmp_path / "absent")


def test_a_workbook_is_read(tmp_path: Path):
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Annotation template"
    for row in SHEET:
        book.active.append(row)
    book.save(tmp_path / "sheet.xlsx")
    data, findings = import_file(tmp_path / "sheet.xlsx")
    assert data["study"]["title"] == "Localization of a protein"
    assert ("Annotation template/11") in [place for place, _ in findings]
