"""BIA crates of the examples are clean; every rule has a seeded fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clemkit.deposition.bia.check import CRATE_RULES, check_bia_crate
from clemkit.deposition.bia.crate import build_bia_crate
from clemkit.deposition.crate_files import CrateFile, described_files
from clemkit.deposition.rocrate.importing import import_crate
from clemkit.errors import IncompleteDepositionError
from clemkit.metadata.load import read_document
from clemkit.metadata.models import build

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "metadata").glob("*.yaml"))
METADATA = "ro-crate-metadata.json"


def crate_of(example: Path) -> dict[str, bytes]:
    data = read_document(example).data
    files = [
        CrateFile(f"data/{thing['id']}/{number}.tif", 10 + number, thing["id"])
        for key in ("images", "annotation_sets", "analysis_results")
        for thing in data.get(key, ())
        for number in (0, 1)
    ]
    return build_bia_crate(data, files=files)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_crates_of_the_examples_are_clean(example: Path):
    assert check_bia_crate(crate_of(example)) == ()


def test_rows_say_what_a_file_belongs_to():
    crate = crate_of(next(p for p in EXAMPLES if p.stem == "fib-sem-confocal"))
    header, *rows = crate["file_list.tsv"].decode().splitlines()
    row = dict(zip(header.split("\t"), rows[0].split("\t"), strict=True))
    assert row["file_path"] == "data/em-aligned/0.tif"
    assert row["size_in_bytes"] == "10"
    assert row["dataset"] == "#sc-em"
    assert row["source_image_label"] == "FIB-SEM slices"
    assert row["associated_protocol"] == "#align"
    # a label with a comma would be read as two
    assert row["label"] == "em-aligned"
    assert "sha256" not in header


def test_what_the_archive_needs_is_asked_for():
    data = copy.deepcopy(read_document(EXAMPLES[0]).data)
    del data["study"]["release_date"]
    data["study"]["licence"] = "other_licence"
    with pytest.raises(
        IncompleteDepositionError, match="the day of release, the licence"
    ) as caught:
        build_bia_crate(data)
    assert [p.location for p in caught.value.problems] == [
        ("study", "release_date"),
        ("study", "licence"),
    ]


def test_files_are_found_where_they_lie(tmp_path: Path):
    (tmp_path / "a" / "b.zarr" / "0").mkdir(parents=True)
    (tmp_path / "a" / "b.zarr" / "zarr.json").write_bytes(b"{}")
    (tmp_path / "a" / "b.zarr" / "0" / "c").write_bytes(b"123")
    (tmp_path / "a" / "x_1.tif").write_bytes(b"1")
    data = {
        "images": [
            {"id": "zarr", "file_set": {"directory": "a", "file_pattern": "*.zarr"}},
            {"id": "tiff", "file_set": {"directory": "a", "file_pattern": "x_*.tif"}},
        ]
    }
    found = described_files(data, tmp_path)
    assert [(f.path, f.size, f.thing, f.store) for f in found] == [
        ("a/b.zarr/0/c", 3, "zarr", "a/b.zarr"),
        ("a/b.zarr/zarr.json", 2, "zarr", "a/b.zarr"),
        ("a/x_1.tif", 1, "tiff", ""),
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_a_crate_comes_back_and_goes_out_again(example: Path):
    data, _ = import_crate(crate_of(example))
    build(data)
    source = read_document(example).data
    for slot in ("title", "description", "licence", "release_date", "keywords"):
        assert data["study"].get(slot) == source["study"].get(slot)
    people = [(c["contributor"], c["roles"]) for c in data["study"]["contributions"]]
    assert [sorted(r) for _, r in people] == [
        sorted(c["roles"]) for c in source["study"]["contributions"]
    ]
    assert [a["imaging_method"] for a in data["acquisitions"]] == [
        a["imaging_method"] for a in source["acquisitions"]
    ]
    assert [s["organisms"] for s in data["biological_samples"]] == [
        s["organisms"] for s in source["biological_samples"]
    ]
    labels = {i["name"] for i in data["images"]}
    assert len(labels) == sum(
        len(source.get(k, ())) for k in ("images", "annotation_sets", "analysis_results")
    )
    files = [CrateFile(f"data/{i['id']}.tif", 9, i["id"]) for i in data["images"]]
    again, _ = import_crate(build_bia_crate(data, files=files))
    # all but the images, whose files are others now
    for key in ("id", "study", "agents", "biological_samples", "specimens", "acquisitions"):
        assert again[key] == data[key], key
    assert check_bia_crate(build_bia_crate(data, files=files)) == ()


Crate = dict[str, Any]


def node(document: Crate, kind: str) -> Crate:
    return next(n for n in document["@graph"] if kind in n["@type"])


def in_metadata(change: Callable[[Crate], Any]) -> Callable[[dict[str, bytes]], None]:
    def fault(files: dict[str, bytes]) -> None:
        document = json.loads(files[METADATA])
        change(document)
        files[METADATA] = json.dumps(document).encode()

    return fault


def in_table(old: str, new: str) -> Callable[[dict[str, bytes]], None]:
    def fault(files: dict[str, bytes]) -> None:
        text = files["file_list.tsv"].decode()
        assert old in text
        files["file_list.tsv"] = text.replace(old, new, 1).encode()

    return fault


def twice(document: Crate) -> None:
    document["@graph"].append(dict(node(document, "bia:BioSample")))


def unreferenced(document: Crate) -> None:
    document["@graph"].append({"@id": "#alone", "@type": ["bia:Protocol"],
                               "title": "x", "protocolDescription": "y"})  # fmt: skip


def without_column(document: Crate) -> None:
    for one in document["@graph"]:
        if one.get("columnName") == "file_path":
            one["propertyUrl"] = "http://bia/else"


FAULTS: list[tuple[str, Callable[[dict[str, bytes]], None]]] = [
    ("BC-json", lambda f: f.pop(METADATA)),
    ("BC-json", lambda f: f.update({METADATA: b"["})),
    ("BC-context", in_metadata(lambda d: d["@context"][1].update(title={"@id": "dc:title"}))),
    ("BC-descriptor", in_metadata(lambda d: node(d, "CreativeWork").pop("about"))),
    ("BC-dangling", in_metadata(lambda d: node(d, "bia:Study")["hasPart"].append({"@id": "#no"}))),
    ("BC-duplicate-id", in_metadata(twice)),
    ("BC-id", in_metadata(lambda d: d["@graph"].append(
        {"@id": "#a b", "@type": ["bia:Protocol"], "protocolDescription": "y"}))),
    ("BC-class", in_metadata(lambda d: node(d, "bia:BioSample")["@type"].append("bia:Dataset"))),
    ("BC-class", in_metadata(lambda d: node(d, "bia:BioSample").update({"@type": ["Thing"]}))),
    ("BC-field-missing", in_metadata(
        lambda d: node(d, "bia:BioSample").pop("biologicalEntityDescription"))),
    ("BC-field-type", in_metadata(
        lambda d: node(d, "bia:Dataset").update(associatedBiologicalEntity="#cells"))),
    ("BC-field-type", in_metadata(lambda d: node(d, "bia:Study").update(license="CC0"))),
    ("BC-field-type", in_metadata(lambda d: node(d, "bia:Study").update(datePublished="soon"))),
    ("BC-file-list", in_metadata(lambda d: node(d, "bia:FileList").update(
        {"@type": ["bia:ExternalReference"]}))),
    ("BC-file-missing", lambda f: f.pop("file_list.tsv")),
    ("BC-column-missing", in_metadata(without_column)),
    ("BC-column-unknown", in_table("file_path", "path")),
    ("BC-path", in_table("data/em-aligned/0.tif\t", "\t")),
    ("BC-duplicate-path", in_table("em-aligned/0.tif", "em-aligned/1.tif")),
    ("BC-row-reference", in_table("#sc-em", "#sc-no")),
    ("BC-row-reference", in_table("#sc-em", "#cells")),
    ("BC-source-image", in_table("FIB-SEM slices", "Another image")),
    ("BC-unreferenced", in_metadata(unreferenced)),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "fault"), FAULTS)
def test_a_seeded_fault_is_found(rule: str, fault: Callable[[dict[str, bytes]], None]):
    files = crate_of(next(p for p in EXAMPLES if p.stem == "fib-sem-confocal"))
    fault(files)
    assert rule in {p.rule for p in check_bia_crate(files)}


def test_every_rule_is_seeded():
    assert {rule for rule, _ in FAULTS} == set(CRATE_RULES)
