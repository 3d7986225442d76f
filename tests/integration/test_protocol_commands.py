"""``clemkit protocol`` on files: what comes out, where it goes, and the exit status."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clemkit.cli.main import main
from clemkit.metadata.load import read_document
from clemkit.metadata.models import build, canonical
from clemkit.metadata.protocols.spw_differences import same
from clemkit.metadata.rdf import parse

EXAMPLES = Path(__file__).parents[2] / "examples"
FIB_SEM = EXAMPLES / "metadata" / "fib-sem-confocal.yaml"
PROSE = """\
The tissue was fixed in 2.5 % glutaraldehyde for 2 h at 4 °C and washed 3 x 10 min in PBS.
It was dehydrated in 50, 70 and 100 % ethanol, 10 min each, infiltrated with Epon for 12 h and
cured at 60 °C for 48 h.
"""
CLASSES = ["ChemicalFixation", "Rinsing", "Dehydration", "Infiltration", "OvenCuring"]
SPW = {
    "user": {"name": "Ada Lovelace", "email": "ada@example.org"},
    "metadata": {"name": "N", "imagingmethod": "TEM"},
    "data": [
        {"method": "Rinsing", "ordernumber": 1, "isundervaccum": True, "colour": "red",
         "duration": {"duration": "5", "durationunit": "Min"}}
    ],
}  # fmt: skip


@pytest.fixture
def prose(tmp_path):
    path = tmp_path / "methods.txt"
    path.write_text(PROSE, "utf-8")
    return path


@pytest.fixture
def spw(tmp_path):
    path = tmp_path / "spw.json"
    path.write_text(json.dumps(SPW), "utf-8")
    return path


@pytest.fixture
def run(capsys):
    def call(*arguments):
        status = main(["protocol", *map(str, arguments)])
        written = capsys.readouterr()
        return status, written.out, written.err

    return call


def test_read_writes_a_description(prose, tmp_path, run):
    output = tmp_path / "new" / "protocol.yaml"
    status, out, _ = run("read", prose, "-o", output)
    assert (status, out.strip()) == (0, str(output))
    protocol = read_document(output).data["protocols"][0]
    assert [s["type"] for s in protocol["steps"] if s["type"] != "UnparsedStep"] == CLASSES
    assert protocol["source_text"] == PROSE
    assert main(["validate", str(output)]) == 0
    assert run("read", prose, "-o", output)[0] == 2
    assert run("read", prose, "-o", output, "--overwrite", "-q")[1] == ""


def test_read_to_stdout_and_json(prose, run):
    status, out, _ = run("read", prose)
    assert status == 0
    assert out.startswith("id: methods\n")
    found = json.loads(run("read", prose, "--json")[1])
    assert found["description"]["protocols"][0]["steps"][0]["type"] == "ChemicalFixation"
    assert found["written"] is None


def test_a_dry_run_writes_nothing(prose, tmp_path, run):
    for command in ("read", "to-rdf", "to-spw", "to-text"):
        output = tmp_path / f"{command}.out"
        status, out, _ = run(command, prose, "-o", output, "--dry-run")
        assert (status, out.strip()) == (0, f"would write {output}")
        assert not output.exists()


def test_show_is_a_table_of_steps(prose, run):
    status, out, _ = run("show", prose)
    assert status == 0
    assert out.splitlines()[0].split()[:3] == ["1", "chemical", "fixation"]
    assert "3 × 10 min" in out
    rows = json.loads(run("show", prose, "--json")[1])["steps"]
    assert [r["number"] for r in rows] == list(range(1, len(rows) + 1))
    status, out, _ = run("show", FIB_SEM, "--protocol", "hpf-fs")
    assert "[critical]" in out
    assert "[pause point]" in out
    assert run("show", FIB_SEM, "--protocol", "other")[0] == 2


@pytest.mark.parametrize(
    ("name", "syntax"), [("p.ttl", "turtle"), ("p.nt", "nt"), ("p.jsonld", "jsonld")]
)
def test_linked_data_comes_back(prose, tmp_path, run, name, syntax):
    description, output = tmp_path / "p.yaml", tmp_path / name
    assert run("read", prose, "-o", description)[0] == 0
    assert run("to-rdf", prose, "-o", output)[0] == 0
    text = output.read_text("utf-8")
    assert "p-plan" in text
    assert parse(text, syntax) == canonical(build(read_document(description).data))
    assert run("to-rdf", prose, "--format", "rdfxml")[0] == 2


def test_spw_there_and_back(spw, tmp_path, run):
    description, output = tmp_path / "p.yaml", tmp_path / "again.json"
    status, _, err = run("read", spw, "-o", description)
    assert status == 0
    assert "colour" in err
    assert run("to-spw", description, "-o", output)[0] == 0
    assert same(json.loads(output.read_text("utf-8")), SPW)
    assert same(json.loads(run("to-spw", spw, "-q")[1]), SPW)


def test_to_spw_says_what_the_form_cannot_hold(run):
    status, out, err = run("to-spw", FIB_SEM)
    assert status == 0
    assert [s["method"] for s in json.loads(out)["data"]][:2] == [
        "High Pressure Freezing", "Freeze Substitution",
    ]  # fmt: skip
    assert "warning: step 1: " in err
    assert "critical [spw-in-notes]" in err


def test_words_for_people(prose, tmp_path, run):
    assert "glutaraldehyde" in run("to-text", prose)[1]
    assert len(run("to-text", prose, "--format", "summary")[1]) < 601
    assert "glutaraldehyde" in run("to-text", prose, "--format", "markdown")[1]
    page = tmp_path / "p.html"
    assert run("to-text", prose, "--format", "html", "-o", page)[0] == 0
    assert page.read_text("utf-8").lstrip().lower().startswith("<!doctype html")
    assert run("to-text", prose, "--format", "pdf")[0] == 2


def test_check_has_findings_or_not(prose, tmp_path, run):
    falling = tmp_path / "falling.txt"
    falling.write_text(PROSE.replace("50, 70 and 100", "100, 70 and 50"), "utf-8")
    status, out, _ = run("check", falling)
    assert status == 1
    assert "step 3" in out
    problems = json.loads(run("check", falling, "--json")[1])["problems"]
    assert problems[0]["location"][:3] == ["protocols", 0, "steps"]


def test_diff_names_the_field(prose, tmp_path, run):
    other = tmp_path / "other.txt"
    other.write_text(PROSE.replace("2 h at", "90 min at"), "utf-8")
    status, out, _ = run("diff", prose, other)
    assert status == 1
    assert "90 min" in out
    assert run("diff", prose, prose)[0] == 0
    found = json.loads(run("diff", prose, other, "--json")[1])
    assert [s["fields"][0]["field"] for s in found["steps"]] == ["duration"]


def test_a_protocol_goes_into_a_description(prose, tmp_path, run):
    target, output = tmp_path / "experiment.yaml", tmp_path / "with.yaml"
    shutil.copy(FIB_SEM, target)
    text = "# a comment\n" + target.read_text("utf-8")
    target.write_text(text, "utf-8")
    status, out, _ = run("read", prose, "--into", target)
    assert status == 0
    assert "+  - id: methods-protocol" in out.replace("+- id", "+  - id")
    assert not [line for line in out.splitlines() if line[:1] == "-" and line[:3] != "---"]
    assert target.read_text("utf-8") == text
    assert run("read", prose, "--into", target, "-o", output, "-q")[0] == 0
    assert run("read", prose, "--into", target, "-o", target)[0] == 2
    made = output.read_text("utf-8")
    assert made.startswith("# a comment\n")
    ids = [p["id"] for p in read_document(output).data["protocols"]]
    assert ids == ["hpf-fs", "methods-protocol"]
    assert main(["validate", str(output)]) == 0


def test_what_cannot_be_read(tmp_path, run):
    assert run("show", tmp_path / "absent.txt")[0] == 2
    broken = tmp_path / "a.json"
    broken.write_text("{", "utf-8")
    status, _, err = run("show", broken)
    assert (status, err.count("\n")) == (3, 1)
    assert "expected JSON" in err
    assert run("show", broken, "--from", "word")[0] == 2


def test_the_document_shows_what_comes_out(tmp_path, run, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text("utf-8")
    words, *shown = re.findall(r"^```text\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("brain.txt").write_text(words, "utf-8")
    better = words.replace("100, 90, 70 and 50", "50, 70, 90 and 100").replace("90 min", "60 min")
    Path("better.txt").write_text(better, "utf-8")
    commands = [
        ("show", "brain.txt"), ("check", "brain.txt"), ("diff", "brain.txt", "better.txt"),
        ("to-text", "better.txt"),
    ]  # fmt: skip
    assert [run(*c)[1].rstrip("\n") for c in commands] == shown


def test_help_is_light():
    code = (
        "import sys; from clemkit.cli.main import main; assert main(['protocol', '--help']) == 0;"
        "heavy = {'numpy', 'rdflib', 'yaml', 'docx', 'openpyxl', 'clemkit.metadata'}; "
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.splitlines()[-1] == "[]"
