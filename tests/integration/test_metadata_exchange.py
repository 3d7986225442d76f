"""`clemkit metadata`, `query` and `init` as somebody types them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from clemkit.cli.main import main
from clemkit.metadata.load import read_document

openpyxl = pytest.importorskip("openpyxl")
ROOT = Path(__file__).parents[2]
FIB_SEM = ROOT / "examples" / "metadata" / "fib-sem-confocal.yaml"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_workbook_and_back(folder, capsys):
    assert main(["metadata", "to-xlsx", str(FIB_SEM), "-o", "x.xlsx"]) == 0
    assert main(["metadata", "from-xlsx", "x.xlsx", "-o", "back.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == ["x.xlsx", "back.yaml"]
    assert read_document("back.yaml").data == read_document(FIB_SEM).data
    assert main(["metadata", "to-xlsx", str(FIB_SEM), "-o", "x.xlsx"]) == 2
    assert main(["metadata", "from-xlsx", "x.xlsx", "-o", "back.yaml"]) == 2
    assert "exists" in capsys.readouterr().err


def edited(path: Path, sheet: str, column: str, row: int, value: object) -> str:
    """Change a cell as somebody would in a spreadsheet, and return its name."""
    book = openpyxl.load_workbook(path)
    header = [c.value for c in book[sheet][1]]
    cell = book[sheet].cell(row, header.index(column) + 1)
    cell.value = value
    book.save(path)
    return f"{sheet}!{cell.coordinate}"


@pytest.mark.parametrize(
    ("sheet", "column", "value", "rule", "status"),
    [
        ("images", "voxel_size_x", "70,5 nm", "L0-decimal-comma", 0),
        ("images", "voxel_size_x", "70", "L1-unit", 1),
        ("images", "data_type", "unit16", "L1-value", 1),
        ("images", "size_x", "many", "L1-type", 1),
        ("agents", "type", "Persn", "L1-class", 1),
        ("channels", "parent", "lm-row", "L0-parent", 1),
        ("materials", "parent", "hpf-fs/steps/99", "L0-parent", 1),
    ],
)
def test_findings_of_a_workbook_name_the_cell(folder, capsys, sheet, column, value, rule, status):
    assert main(["metadata", "to-xlsx", str(FIB_SEM), "-o", "x.xlsx"]) == 0
    place = edited(folder / "x.xlsx", sheet, column, 2, value)
    capsys.readouterr()
    assert main(["metadata", "from-xlsx", "x.xlsx", "-o", "back.yaml", "--json"]) == status
    found = json.loads(capsys.readouterr().out)["findings"]
    assert (place.split("!")[0], rule) in {(f["place"].split("!")[0], f["rule"]) for f in found}
    if rule not in ("L1-class", "L0-parent"):
        assert place in {f["place"] for f in found}
    assert (folder / "back.yaml").exists() == (status == 0)


def test_dry_run_writes_nothing(folder, capsys):
    assert main(["metadata", "to-xlsx", str(FIB_SEM), "-o", "x.xlsx"]) == 0
    assert main(["metadata", "from-xlsx", "x.xlsx", "--dry-run"]) == 0
    assert not (folder / "experiment.yaml").exists()


def test_csv_and_many_images_into_a_description(folder, capsys):
    assert main(["metadata", "to-csv", str(FIB_SEM), "-o", "tables"]) == 0
    assert main(["metadata", "from-csv", "tables", "-o", "back.yaml"]) == 0
    assert read_document("back.yaml").data == read_document(FIB_SEM).data
    with open("more.csv", "w", newline="", encoding="utf-8") as stream:
        rows = [[f"em-{n:03}", "raw", "acq-em", "block", "8,3"] for n in range(200)]
        header = ["id", "image_kind", "acquired_by", "image_of", "voxel_size_z [nm]"]
        csv.writer(stream, delimiter=";").writerows([header, *rows])
    command = ["metadata", "from-csv", "more.csv", "--sheet", "images", "--into", str(FIB_SEM)]
    assert main([*command, "-o", "many.yaml"]) == 0
    images = read_document("many.yaml").data["images"]
    assert len(images) == 203
    assert images[-1]["voxel_size_z"] == {"value": 8.3, "unit": "nm"}
    assert main(["metadata", "from-csv", "tables", "--sheet", "images"]) == 2


def test_ome_xml_and_back(folder, capsys):
    pytest.importorskip("ome_types")
    assert main(["metadata", "to-ome", str(FIB_SEM)]) == 2
    assert "expected the id of one image; found lm-raw, em-raw" in capsys.readouterr().err
    assert main(["metadata", "to-ome", str(FIB_SEM), "--image", "lm-raw", "-o", "c.ome.xml"]) == 0
    assert main(["metadata", "from-ome", "c.ome.xml", "-o", "back.yaml"]) == 0
    assert read_document("back.yaml").data == read_document(FIB_SEM).data
    (folder / "broken.ome.xml").write_text("<OME>")
    capsys.readouterr()
    assert main(["metadata", "from-ome", "broken.ome.xml", "--dry-run"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_entry_of_an_archive_is_imported(folder, shared_data):
    entry = shared_data.parent / "meta" / "bia-pagetab-errors" / "S-BIAD1135_override.json"
    if not entry.is_file():
        pytest.skip(f"absent: {entry}")
    assert main(["metadata", "import", str(entry), "-o", "back.yaml"]) == 0
    assert len(read_document("back.yaml").data["study"]["title"]) > 20


def test_import_says_what_it_knows(folder, capsys):
    (folder / "letter.json").write_text('{"dear": "reader"}')
    assert main(["metadata", "import", "letter.json"]) == 3
    assert "expected PageTab" in capsys.readouterr().err


def test_queries_are_listed_and_answers_are_csv(folder, capsys):
    assert main(["query", "--list"]) == 0
    assert "lineage-of-images\tEvery image" in capsys.readouterr().out
    command = ["query", "images-by-voxel-size", str(FIB_SEM), "--store", "s"]
    assert main([*command, "--csv"]) == 0
    rows = list(csv.reader(capsys.readouterr().out.splitlines()))
    assert rows[0] == ["image", "z", "y", "x", "unit"]
    assert rows[1] == ["hela-mito-clem/em-aligned", "8.0", "5.0", "5.0", "quantity_unit:NanoM"]
    assert main(["query", "images-by-voxel-size", "--store", "s", "--csv"]) == 0
    assert list(csv.reader(capsys.readouterr().out.splitlines())) == rows
    assert main([*command, "--csv", "--json"]) == 2
    assert main(["query"]) == 2


def test_init_writes_a_workbook(folder, capsys):
    assert main(["init", "confocal", "fib_sem", "-o", "x.xlsx", "--id", "cell-7"]) == 0
    assert main(["metadata", "from-xlsx", "x.xlsx"]) == 0
    assert main(["validate", "experiment.yaml"]) == 0
    data = read_document("experiment.yaml").data
    assert data["id"] == "cell-7"
    assert [a["type"] for a in data["acquisitions"]] == ["LightAcquisition", "FibSemAcquisition"]
