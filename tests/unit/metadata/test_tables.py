"""Workbooks and CSV files: nothing is lost, and what people do to them is understood."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from clemkit.errors import DataError, FormatError, NotFoundError
from clemkit.metadata.load import read_document
from clemkit.metadata.model_map import GENERATED, model_map
from clemkit.metadata.models import build, to_plain
from clemkit.metadata.tables.csv_files import read_csv, read_csv_folder, write_csv_folder
from clemkit.metadata.tables.layout import people_sheets, root_sheets, sheet_class
from clemkit.metadata.tables.merge import merged
from clemkit.metadata.tables.read import data_from_tables
from clemkit.metadata.tables.table import Row, Table, cell_name
from clemkit.metadata.tables.workbook import (
    blank_columns,
    read_workbook,
    workbook_bytes,
    write_workbook,
)
from clemkit.metadata.tables.write import tables_from_data

sys.path.insert(0, str(Path(__file__).parent))
from any_experiment import experiments  # beside this file

openpyxl = pytest.importorskip("openpyxl")
ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples" / "metadata").glob("*.yaml"))
FIB_SEM = next(p for p in EXAMPLES if p.stem == "fib-sem-confocal")
PHASES = [p for p in Phase if p is not Phase.shrink]
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)


def table(name: str, *rows: dict, columns: tuple[str, ...] = ()) -> Table:
    names = dict.fromkeys([*columns, *(key for row in rows for key in row)])
    return Table(name, tuple(names), tuple(Row(i, row) for i, row in enumerate(rows, 2)))


def experiment(*tables: Table):
    return data_from_tables([table("experiment", {"id": "x"}), *tables])


def image(**cells):
    """What one row of the images says, with the findings."""
    reading = experiment(table("images", {"id": "i", **cells}))
    found = {k: v for k, v in reading.data["images"][0].items() if k != "id"}
    return found, [(*p.location, p.rule, p.severity) for p in reading.problems]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_come_back_from_a_workbook(path, tmp_path):
    data = read_document(path).data
    write_workbook(tables_from_data(data, blank_columns()), tmp_path / "x.xlsx")
    reading = data_from_tables(read_workbook(tmp_path / "x.xlsx"))
    assert reading.data == data
    assert reading.problems == ()
    with pytest.raises(FileExistsError):
        write_workbook([], tmp_path / "x.xlsx")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_come_back_from_csv(path, tmp_path):
    data = read_document(path).data
    written = write_csv_folder(tables_from_data(data, blank_columns()), tmp_path)
    assert tmp_path / "images.csv" in written
    assert data_from_tables(read_csv_folder(tmp_path)).data == data
    with pytest.raises(FileExistsError, match="--overwrite"):
        write_csv_folder(tables_from_data(data), tmp_path)


@given(experiments())
@settings(QUICK, max_examples=40)
def test_any_experiment_comes_back_from_tables(data):
    plain = to_plain(build(data))
    reading = data_from_tables(tables_from_data(plain))
    assert reading.data == plain
    assert reading.problems == ()


@given(data=experiments())
@settings(QUICK, max_examples=6)
def test_any_experiment_comes_back_from_files(data, tmp_path_factory):
    plain = to_plain(build(data))
    folder = tmp_path_factory.mktemp("any")
    tables = tables_from_data(plain)
    write_workbook(tables, folder / "x.xlsx")
    write_csv_folder(tables, folder)
    assert data_from_tables(read_workbook(folder / "x.xlsx")).data == plain
    assert data_from_tables(read_csv_folder(folder)).data == plain


@pytest.mark.parametrize(
    "text",
    ["", " outer ", "=1+1", '"quoted"', "[1, 2]", "{}", "a\rb", "a\x01b", "_x000D_", "\u2028",
     "+49 6221", "0012", "1e5", "2026-01-31", "MARCH1", "a;b", "tab\tin", "line\nin", "ä" * 70_000,
     "TRUE", "'", "\ufffe"],
)  # fmt: skip
def test_texts_stay_as_they_are(text, tmp_path):
    data = {"id": "x", "name": text, "study": {"id": "s", "title": text, "keywords": [text, "b"]}}
    tables = tables_from_data(data)
    write_workbook(tables, tmp_path / "x.xlsx")
    write_csv_folder(tables, tmp_path)
    assert data_from_tables(read_workbook(tmp_path / "x.xlsx")).data == data
    assert data_from_tables(read_csv_folder(tmp_path)).data == data


@pytest.mark.parametrize("number", [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, 0.0, 8.0])
def test_numbers_keep_every_digit(number, tmp_path):
    acquisition = {"id": "a", "type": "LightAcquisition", "imaging_method": "confocal"}
    acquisition |= {"view_angles": [number, 1.5], "pinhole_airy_units": abs(number)}
    size = {"value": number, "unit": "nm"}
    data = {"id": "x", "images": [{"id": "i", "voxel_size_x": size}], "acquisitions": [acquisition]}
    write_workbook(tables_from_data(data), tmp_path / "x.xlsx")
    again = data_from_tables(read_workbook(tmp_path / "x.xlsx")).data
    assert json.dumps(again, sort_keys=True) == json.dumps(data, sort_keys=True)


def test_the_blank_workbook_is_what_the_model_says():
    """Committed bytes, also with another seed of hashes; `make model` writes them."""
    blank = workbook_bytes(tables_from_data({"id": "experiment"}, blank_columns()),
                           compressed=False)  # fmt: skip
    assert blank == (GENERATED / "template.xlsx").read_bytes()
    code = (
        "import hashlib\nfrom clemkit.metadata.tables.workbook import *\n"
        "from clemkit.metadata.tables.write import tables_from_data as t\n"
        "b = workbook_bytes(t({'id': 'experiment'}, blank_columns()), compressed=False)\n"
        "print(hashlib.sha256(b).hexdigest())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONHASHSEED": "7"})  # fmt: skip
    assert done.stdout.strip() == hashlib.sha256(blank).hexdigest()


@pytest.fixture(scope="module")
def blank():
    return openpyxl.load_workbook(GENERATED / "template.xlsx")


def test_every_list_of_the_experiment_has_a_sheet(blank):
    assert set(root_sheets()) <= set(people_sheets())
    assert set(people_sheets()) <= set(blank.sheetnames)
    assert {"steps", "organisms", "light_channels", "correlation_errors"} <= set(blank.sheetnames)


def test_headers_are_explained_and_required_ones_marked(blank):
    for name in people_sheets():
        for cell in blank[name][1]:
            assert cell.comment is not None, f"{name}.{cell.value}"
    header = {c.value: c for c in blank["correlations"][1]}
    assert "Required." in header["fixed_image"].comment.text
    assert header["fixed_image"].fill.start_color.rgb.endswith("FFF2CC")
    assert not header["name"].fill.start_color.rgb.endswith("FFF2CC")
    kinds = {c.value: c.comment.text for c in blank["acquisitions"][1]}
    assert "For: LightAcquisition" in kinds["pinhole_size"]
    wanted = {c.value: c.comment.text for c in blank["images"][1]}["file_format"]
    assert "Wanted by: empiar, rembi" in wanted


def test_drop_downs_of_enums_references_and_classes(blank):
    def source(sheet: str, column: str) -> str:
        letters = next(c.column_letter for c in blank[sheet][1] if c.value == column)
        rules = blank[sheet].data_validations.dataValidation
        (found,) = [r for r in rules if str(r.sqref).startswith(f"{letters}2:")]
        return str(found.formula1)

    def values(address: str) -> list[str]:
        sheet, _, cells = address.lstrip("=").partition("!")
        return [c[0].value for c in blank[sheet][cells.replace("$", "")]]

    enums = model_map()["enums"]
    assert values(source("images", "data_type")) == list(enums["DataType"]["values"])
    assert source("correlations", "fixed_image").startswith("=images!$A$2")
    assert source("study", "licence")
    assert "FibSemAcquisition" in values(source("acquisitions", "type"))
    assert source("images", "contrast_inverted") == '"TRUE,FALSE"'


def test_no_field_is_called_like_the_columns_of_tables():
    assert not {"parent", "number", "column", "text"} & set(model_map()["slots"])
    assert all(len(s) <= 31 for s in model_map()["slots"] if s in people_sheets())
    assert {sheet_class(s) for s in people_sheets()} <= set(model_map()["classes"])


NM = {"value": 5.5, "unit": "nm"}
POINT = ("images", "B2", "L0-decimal-comma", "warning")


@pytest.mark.parametrize(
    ("column", "cell", "value", "found"),
    [
        ("voxel_size_x", "5.5 nm ", NM, []),
        ("voxel_size_x", "5,5 nm", NM, [POINT]),
        ("voxel_size_x", "5.5nm", NM, []),
        ("voxel_size_x [nm]", 5.5, NM, []),
        ("voxel_size_x [nm]", "5,5", NM, [POINT]),
        ("Voxel_Size_X", "5.5\u00a0nm", NM, []),
        ("voxel size x *", "5.5 nm", NM, []),
        ("size_x", "1024", 1024, []),
        ("size_x", 1024.0, 1024, []),
        ("file_format", "OME-TIFF", "ome_tiff", []),
        ("file_format", " ome tiff", "ome_tiff", []),
        ("contrast_inverted", "ja", True, []),
        ("contrast_inverted", False, False, []),
        ("image_of", "a, b;c", ["a", "b", "c"], []),
        ("missing_slices", "3, 5", [3, 5], []),
        ("missing_slices", 4, [4], []),
        ("name", 12.0, "12", []),
        ("name", datetime(2026, 3, 1), "2026-03-01T00:00:00", [
            ("images", "B2", "L0-cell", "warning")]),
    ],
)  # fmt: skip
def test_what_people_write_is_understood(column, cell, value, found):
    data, problems = image(**{column: cell})
    assert list(data.values()) == [value]
    assert problems == found


def test_dates_of_a_spreadsheet():
    row = {"id": "s", "title": "t", "release_date": datetime(2027, 3, 1)}
    assert experiment(table("study", row)).data["study"]["release_date"] == "2027-03-01"
    row = {"id": "s", "title": "t", "release_date": date(2027, 3, 1)}
    assert experiment(table("study", row)).data["study"]["release_date"] == "2027-03-01"
    reading = experiment(table("sessions", {"id": "s", "started": datetime(2026, 5, 4, 10)}))
    assert reading.data["sessions"][0]["started"] == "2026-05-04T10:00:00"
    assert [p.rule for p in reading.problems] == ["L0-cell"]
    assert "+01:00" in reading.problems[0].hint


def test_a_term_with_its_label_in_one_cell():
    cell = "FBbi:00000585 SBF-SEM; http://purl.obolibrary.org/obo/FBbi_00000251"
    reading = experiment(table("study", {"id": "s", "title": "t", "study_types": cell}))
    assert reading.data["study"]["study_types"] == [
        {"term": "FBbi:00000585", "term_label": "SBF-SEM"}, {"term": "FBbi:00000251"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tables", "cell", "rule", "words"),
    [
        ([table("imagess", {"id": "i"})], ("imagess", "A1"), "L0-sheet", "'images'"),
        ([table("images", {"id": "i", "modalty": "em"})], ("images", "B1"), "L0-column",
         "'modality'"),
        ([table("images", {"id": "i", "my column": 1})], ("images", "B1"), "L0-column", "not read"),
        ([table("images", {"id": "i", "size_x": 1, "Size_X": 2})], ("images", "C1"), "L0-column",
         "once"),
        ([table("channels", {"parent": "em", "channel_index": 0})], ("channels", "A2"),
         "L0-parent", "'em'"),
        ([table("images", {"id": "em-raw"}), table("channels", {"parent": "em-row"})],
         ("channels", "A2"), "L0-parent", "did you mean 'em-raw'"),
        ([table("images", {"id": "i"}), table("steps", {"parent": "i"})], ("steps", "A2"),
         "L0-parent", "steps"),
        ([table("study", {"id": "s", "title": "t"}, {"id": "u", "title": "v"})], ("study", "A3"),
         "L0-cell", "one row"),
        ([table("images", {"id": "i"}), table("channels", {"parent": "i", "number": 1},
                                              {"parent": "i", "number": 1})],
         ("channels", "B3"), "L0-cell", "once"),
        ([table("images", {"id": "i"}), table("channels", {"parent": "i", "number": "first"})],
         ("channels", "B2"), "L0-cell", "position"),
    ],
)  # fmt: skip
def test_findings_name_sheet_and_cell(tables, cell, rule, words):
    (found,) = experiment(*tables).problems
    assert (found.location, found.rule) == (cell, rule)
    assert words in f"{found.message} {found.hint}"


def test_without_an_experiment_there_is_no_description():
    (found,) = data_from_tables([table("images", {"id": "i"})]).problems
    assert (found.rule, found.severity) == ("L1-missing-field", "error")


def test_order_of_rows_counts_where_numbers_are_empty():
    rows = [{"parent": "i", "channel_index": n} for n in (2, 0, 1)]
    reading = experiment(table("images", {"id": "i"}), table("channels", *rows))
    assert [c["channel_index"] for c in reading.data["images"][0]["channels"]] == [2, 0, 1]
    rows = [{"parent": "i", "channel_index": n, "number": 3 - n} for n in (0, 1, 2)]
    reading = experiment(table("images", {"id": "i"}), table("channels", *rows))
    assert [c["channel_index"] for c in reading.data["images"][0]["channels"]] == [2, 1, 0]


def test_terms_of_a_cell_and_of_rows_are_joined():
    cell = {"id": "b", "biological_entities": "CL:0000000 cell"}
    row = {"parent": "b", "term": "GO:0005739", "verbatim": "mito"}
    reading = experiment(table("biological_samples", cell), table("biological_entities", row))
    assert reading.data["biological_samples"][0]["biological_entities"] == [
        {"term": "CL:0000000", "term_label": "cell"}, {"term": "GO:0005739", "verbatim": "mito"},
    ]  # fmt: skip
    assert reading.problems == ()


def test_columns_in_another_order_are_found():
    rows = table("channels", {"channel_index": 0, "parent": "nobody"})
    (found,) = experiment(rows).problems
    assert found.location == ("channels", "B2")


def test_cells_of_places():
    rows = {"parent": "p", "number": 1, "type": "Dehydration"}
    ladder = {"parent": "p/steps/1", "stage_concentration": "30 %"}
    reading = experiment(
        table("ladder", ladder), table("steps", rows), table("protocols", {"id": "p"})
    )
    place = ("protocols", 0, "steps", 0, "ladder", 0, "stage_concentration")
    assert reading.cell_of(place) == "ladder!B2"
    assert reading.cell_of((*place, "unit")) == "ladder!B2"
    assert reading.cell_of(("protocols", 0, "steps", 0)) == "steps!A2"


def test_two_things_with_one_id_have_no_table():
    data = {"id": "x", "images": [{"id": "i"}, {"id": "i"}]}
    with pytest.raises(DataError, match="expected each id once; found 'i' twice"):
        tables_from_data(data)


def test_a_row_of_many_samples_is_brought_in():
    data = read_document(FIB_SEM).data
    rows = [
        {"id": "em-raw", "voxel_size_z [nm]": "8.3", "name": ""},
        {"id": "em-2", "voxel_size_z [nm]": "9", "file_set.directory": "data/2"},
    ]
    rows = [{k: v for k, v in row.items() if v} for row in rows]
    reading = merged(data, [table("images", *rows)])
    images = {i["id"]: i for i in reading.data["images"]}
    assert reading.problems == ()
    assert images["em-raw"] == {**data["images"][1], "voxel_size_z": {"value": 8.3, "unit": "nm"}}
    assert images["em-2"]["voxel_size_z"] == {"value": 9.0, "unit": "nm"}
    assert images["em-2"]["file_set"] == {"directory": "data/2"}
    assert {k: v for k, v in reading.data.items() if k != "images"} == {
        k: v for k, v in data.items() if k != "images"
    }


def test_a_row_below_a_thing_of_the_description():
    data = read_document(FIB_SEM).data
    rows = [{"parent": "em-raw", "channel_index": "0"}, {"parent": "nobody", "channel_index": "1"}]
    reading = merged(data, [table("channels", *rows)])
    assert reading.data["images"][1]["channels"] == [{"channel_index": 0}]
    (found,) = reading.problems
    assert (found.location, found.rule) == (("channels", "A3"), "L0-parent")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_csv_of_several_countries(mark, tmp_path):
    with (tmp_path / "images.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=mark).writerows(
            [["id", "name", "voxel_size_z"], ["i", "Größe; zwei", "5,5 nm"], ["", "", ""]]
        )
    reading = experiment(read_csv(tmp_path / "images.csv"))
    (found,) = reading.data["images"]
    assert found == {"id": "i", "name": "Größe; zwei", "voxel_size_z": NM}


def test_unreadable_files(tmp_path):
    (tmp_path / "latin.csv").write_bytes("id\nMüller\n".encode("latin-1"))
    (tmp_path / "wide.csv").write_text("id,name\na,b,c\n")
    (tmp_path / "x.xlsx").write_text("no workbook")
    with pytest.raises(FormatError, match="save it as CSV UTF-8"):
        read_csv(tmp_path / "latin.csv")
    with pytest.raises(FormatError, match="expected 2 cells in row 2; found 3"):
        read_csv(tmp_path / "wide.csv")
    with pytest.raises(FormatError, match="expected a workbook"):
        read_workbook(tmp_path / "x.xlsx")
    for function in (read_csv, read_csv_folder, read_workbook):
        with pytest.raises(NotFoundError):
            function(tmp_path / "absent")


def test_formulas_give_their_value_or_are_refused(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "experiment"
    for row in (["id", "name"], ["x", "=1+1"]):
        book.active.append(row)
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(FormatError, match="formula of experiment!B2, never computed"):
        read_workbook(tmp_path / "x.xlsx")
    sheet = "xl/worksheets/sheet1.xml"
    with (
        zipfile.ZipFile(tmp_path / "x.xlsx") as old,
        zipfile.ZipFile(tmp_path / "y.xlsx", "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == sheet:
                content = content.replace(b"<v></v>", b"<v>2</v>").replace(b"<v />", b"<v>2</v>")
            new.writestr(name, content)
    assert data_from_tables(read_workbook(tmp_path / "y.xlsx")).data == {"id": "x", "name": "2"}


@pytest.mark.parametrize(
    ("column", "row", "name"), [(1, 1, "A1"), (26, 2, "Z2"), (27, 3, "AA3"), (703, 4, "AAA4")]
)
def test_names_of_cells(column, row, name):
    assert cell_name(column, row) == name
