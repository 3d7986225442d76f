"""One door for all kinds of protocol files; the content says what a file is."""

from __future__ import annotations

import json
import shlex
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from clemkit.errors import ArgumentError, FormatError, InvalidMetadataError, NotFoundError
from clemkit.metadata.models import build, to_plain
from clemkit.metadata.protocols.grounded import grounded
from clemkit.metadata.protocols.readers import KINDS, kind_of, read_protocol
from clemkit.metadata.protocols.reading import ProtocolReading
from clemkit.metadata.protocols.spw import read_spw, to_spw
from clemkit.metadata.protocols.spw_differences import same

sys.path.insert(0, str(Path(__file__).parent))
from spw_documents import form_documents  # beside this file

PHASES = [p for p in Phase if p is not Phase.shrink]
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
PROSE = "The tissue was fixed in 2.5 % glutaraldehyde for 2 h and washed 3 x 10 min in PBS.\n"
SPW = {
    "metadata": {"name": "N", "imagingmethod": "TEM"},
    "data": [
        {
            "method": "Staining", "ordernumber": 1,
            "reagentlist": [{"reagentdetail": {"reagent": "Osmium Tetroxide", "solvent": "ddH2O"}}],
        }
    ],
}  # fmt: skip
IO = {"title": "T", "steps": [{"guid": "a", "components": [
    {"type_id": 1, "source": {"description": "<p>Fix in 2.5 % glutaraldehyde.</p>"}},
]}]}  # fmt: skip
DESCRIPTION = "id: e\nprotocols:\n- {id: p, steps: [{type: Rinsing, duration: 10 min}]}\n"


@pytest.fixture
def made(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("name", "content", "kind", "classes"),
    [
        ("a.json", SPW, "spw", ["Staining"]),
        ("a", SPW, "spw", ["Staining"]),
        ("b.json", IO, "protocols.io", ["ChemicalFixation"]),
        ("c.yaml", DESCRIPTION, "description", ["Rinsing"]),
        ("c", DESCRIPTION, "description", ["Rinsing"]),
        ("d.txt", PROSE, "text", ["ChemicalFixation", "Rinsing"]),
        ("d", PROSE, "text", ["ChemicalFixation", "Rinsing"]),
        ("e.md", "# HPF\n\n" + PROSE, "markdown", ["ChemicalFixation", "Rinsing"]),
        ("e", "# HPF\n\n" + PROSE, "markdown", ["ChemicalFixation", "Rinsing"]),
    ],
)
def test_content_says_what_a_file_is(made, name, content, kind, classes):
    path = made(name, content)
    assert kind_of(path) == kind
    reading = read_protocol(path)
    build(reading.data)
    steps = reading.data["protocols"][0]["steps"]
    assert [s["type"] for s in steps if s["type"] != "UnparsedStep"] == classes


def test_the_kind_can_be_chosen(made):
    path = made("notes.json", PROSE)
    steps = read_protocol(path, kind="text").data["protocols"][0]["steps"]
    assert steps[0]["type"] == "ChemicalFixation"
    with pytest.raises(ArgumentError, match="found 'word'"):
        read_protocol(path, kind="word")
    assert set(KINDS) >= {"spw", "text", "docx", "table"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", {"title": "x", "other": 1}, "found title, other"),
        ("a.json", [1], "found no object"),
        ("a.json", "{", "expected JSON"),
        ("a.yaml", "id: e\n", "with protocols"),
    ],
)
def test_files_of_no_known_shape(made, name, content, words):
    with pytest.raises(FormatError, match=words):
        read_protocol(made(name, content))


def test_files_that_cannot_be_read(tmp_path, made):
    with pytest.raises(NotFoundError, match="no such file"):
        read_protocol(tmp_path / "absent.txt")
    latin = tmp_path / "latin.txt"
    latin.write_bytes("4 °C".encode("latin-1"))
    with pytest.raises(FormatError, match="expected UTF-8; found byte 0xb0 at 2"):
        read_protocol(latin)
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("a.txt", "x")
    with pytest.raises(FormatError, match="another ZIP"):
        read_protocol(archive)
    with pytest.raises(FormatError, match="JSON object"):
        read_protocol(made("a.json", [1]), kind="spw")
    with pytest.raises(InvalidMetadataError, match=r"a\.yaml:2"):
        read_protocol(made("a.yaml", "id: e\nprotocolls: []\n"))


def test_an_extractor_is_for_words(made):
    with pytest.raises(ArgumentError, match="reads words"):
        read_protocol(made("a.json", SPW), extractor="cat")


def rinsing(text):
    span = {"span_start": 0, "span_end": 6, "verbatim": text[:6], "rule_name": "mine"}
    step = {"type": "Rinsing", "spans": [span]}
    return {"id": "x", "protocols": [{"id": "x-protocol", "steps": [step]}]}


def test_an_extractor_takes_the_place_of_the_rules(made, tmp_path):
    path = made("a.txt", PROSE)
    reading = read_protocol(path, extractor=rinsing)
    steps = reading.data["protocols"][0]["steps"]
    assert [s["type"] for s in steps] == ["Rinsing", "UnparsedStep"]
    assert reading.data["protocols"][0]["source_text"] == PROSE
    program = tmp_path / "my reader.py"
    program.write_text(
        "import json, sys\n"
        "text = sys.stdin.read()\n"
        "span = {'span_start': 0, 'span_end': 6, 'verbatim': text[:6]}\n"
        "step = {'type': 'Rinsing', 'spans': [span]}\n"
        "print(json.dumps({'id': 'x', 'protocols': [{'id': 'p', 'steps': [step]}]}))\n",
        "utf-8",
    )
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(program))}"
    steps = read_protocol(path, extractor=command).data["protocols"][0]["steps"]
    assert [s["type"] for s in steps] == ["Rinsing", "UnparsedStep"]
    with pytest.raises(ArgumentError, match="expected a command"):
        read_protocol(path, extractor=" ")


def test_word_and_tables(tmp_path):
    docx = pytest.importorskip("docx")
    openpyxl = pytest.importorskip("openpyxl")
    document = docx.Document()
    document.add_paragraph(PROSE.strip())
    for name in ("a.docx", "a.zip"):  # the name does not matter
        document.save(tmp_path / name)
        assert kind_of(tmp_path / name) == "docx"
    steps = read_protocol(tmp_path / "a.docx").data["protocols"][0]["steps"]
    assert [s["type"] for s in steps] == ["ChemicalFixation", "Rinsing"]
    book = openpyxl.Workbook()
    book.active.append(["Step", "Reagent", "Duration", "Temperature"])
    book.active.append(["Fixation", "2.5 % glutaraldehyde", "2 h", "4 °C"])
    book.active.append(["Wash", "PBS", "3 x 10 min", "RT"])
    book.save(tmp_path / "a.xlsx")
    table = tmp_path / "a.csv"
    table.write_text("Step,Reagent,Duration\nFixation,2.5 % glutaraldehyde,2 h\n", "utf-8")
    for path, count in ((tmp_path / "a.xlsx", 2), (table, 1)):
        assert kind_of(path) == "table"
        reading = read_protocol(path)
        build(reading.data)
        steps = reading.data["protocols"][0]["steps"]
        known = [s["type"] for s in steps if s["type"] != "UnparsedStep"]
        assert known == ["ChemicalFixation", "Rinsing"][:count]


def test_names_of_the_widget_get_terms(made):
    data = read_protocol(made("a.json", SPW)).data
    (use,) = data["protocols"][0]["steps"][0]["materials"]
    terms = {m["id"]: m.get("substance_term", {}).get("term") for m in data["reagents"]}
    assert use["material_name"] == "Osmium Tetroxide"
    assert terms[use["material"]] == "CHEBI:88215"
    assert terms[use["solvent"]] == "CHEBI:15377"


def test_a_material_that_is_referred_to_is_not_grounded_again():
    use = {"material": "mine", "material_name": "OsO4"}
    data = {
        "id": "e",
        "reagents": [{"id": "mine", "type": "Reagent", "name": "a bottle"}],
        "protocols": [{"id": "p", "steps": [{"type": "PostFixation", "materials": [use]}]}],
    }
    made = grounded(ProtocolReading(data=data)).data
    assert made == data
    assert made is not data


@given(form_documents())
@settings(QUICK, max_examples=30)
def test_terms_do_not_change_what_is_written_back(document):
    reading = grounded(read_spw(document))
    assert same(to_spw(to_plain(build(reading.data))).document, document)


def test_a_repeated_key_is_a_finding(made):
    path = made(
        "a.json", '{"metadata": {"imagingmethod": "TEM", "name": "x"}, "data": [], "data": []}'
    )
    assert "L0-duplicate-key" in {f.rule for f in read_protocol(path).findings}
