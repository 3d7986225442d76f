"""PageTab as text and as JSON; the description as PageTab and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clemkit.deposition.bia.pagetab_check import check_pagetab
from clemkit.deposition.bia.pagetab_document import is_pagetab, pagetab_json, read_pagetab
from clemkit.deposition.bia.pagetab_export import export_pagetab
from clemkit.deposition.bia.pagetab_import import import_pagetab
from clemkit.deposition.bia.pagetab_tsv import pagetab_tsv, read_tsv
from clemkit.errors import FormatError, NotFoundError
from clemkit.metadata.load import read_document
from clemkit.metadata.models import build
from clemkit.workflows.metadata import repair_file, validate_file

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "metadata").glob("*.yaml"))
TSV = """\
# a comment
Submission\tS-BIAD99999
Title\tA study
ReleaseDate\t2027-03-01

Study
Keywords\tcells

Links\tDescription\tType
10.1234/abc\t"two
lines"\tdoi
EMPIAR-10988\t\tempiar

author\ta1
Name\tAda Example
<affiliation>\to1

organisation\to1
Name\tInstitute

Biosample\tb1
Title\tCells

Organism\tb1-o\tb1
Scientific name\tHomo sapiens

Study Component\tc1
Name\tStacks
File List\tlist.tsv

Associations[c1]\tBiosample\tSpecimen
\tCells\tBlock
\tCells\tOther

Experiment\te1
Phenotype\tCCD
[Score type]\tautomatic
(Ontology)\tEFO

File\tresult.txt
size\t12
Format\ttext
"""


def test_text_is_read_into_the_form_of_json():
    data, lines = read_tsv(TSV)
    assert data["accno"] == "S-BIAD99999"
    root = data["section"]
    assert [s["type"] for s in root["subsections"]] == [
        "author", "organisation", "Biosample", "Study Component", "Experiment",
    ]  # fmt: skip
    assert root["links"][0] == {
        "url": "10.1234/abc",
        "attributes": [
            {"name": "Description", "value": "two\nlines"},
            {"name": "Type", "value": "doi"},
        ],
    }
    author, _, biosample, component, experiment = root["subsections"]
    assert author["attributes"][1] == {"name": "affiliation", "value": "o1", "reference": True}
    assert biosample["subsections"][0]["type"] == "Organism"
    assert [s["attributes"][1]["value"] for s in component["subsections"]] == ["Block", "Other"]
    (phenotype,) = experiment["attributes"]
    assert phenotype["valqual"] == [{"name": "Score type", "value": "automatic"}]
    assert phenotype["nmqual"] == [{"name": "Ontology", "value": "EFO"}]
    assert experiment["files"] == [
        {"path": "result.txt", "type": "file", "size": 12,
         "attributes": [{"name": "Format", "value": "text"}]}
    ]  # fmt: skip
    assert lines["section", "links", 1] == 12
    assert lines["section", "subsections", 0, "attributes", 0] == 15


def test_text_and_back_is_the_same():
    data, _ = read_tsv(TSV)
    again, _ = read_tsv(pagetab_tsv(data))
    assert again == data


names = st.from_regex(r"[A-Za-z]([A-Za-z -]{0,8}[a-z])?", fullmatch=True)
words = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('\t\n"'), max_size=20
)
qualifiers = st.lists(
    st.fixed_dictionaries({"name": names, "value": words}), min_size=1, max_size=2
)
attributes = st.lists(
    st.fixed_dictionaries(
        {"name": names},
        optional={
            "value": words.filter(bool),
            "reference": st.just(True),
            "valqual": qualifiers,
            "nmqual": qualifiers,
        },
    ),
    max_size=4,
)


@given(st.lists(st.tuples(names, attributes, attributes), max_size=3), attributes)
def test_any_text_comes_through(parts: list[tuple[str, Any, Any]], top: Any):
    reserved = {"Submission", "Link", "File", "Links", "Files"}
    children: list[dict[str, Any]] = []
    for number, (kind, own, inner) in enumerate(parts):
        if kind in reserved:
            continue
        nested = {"accno": f"n{number}", "type": kind, "attributes": inner}
        child = {"accno": f"c{number}", "type": kind, "attributes": own, "subsections": [nested]}
        children.append(child)
    root: dict[str, Any] = {"accno": "root", "type": "Study", "attributes": []}
    if children:
        root["subsections"] = children
    data = {"accno": "S-1", "attributes": top, "section": root, "type": "submission"}
    assert read_tsv(pagetab_tsv(data))[0] == data


def test_files_are_known_by_their_content(tmp_path: Path):
    data, _ = read_tsv(TSV)
    assert is_pagetab(TSV)
    assert is_pagetab(pagetab_json(data))
    assert not is_pagetab('{"section": "3"}')
    assert not is_pagetab("Submissions\t1")
    assert not is_pagetab("id: x\nsection: y\n")
    path = tmp_path / "s.json"
    path.write_text('{"section": 3}', encoding="utf-8")
    with pytest.raises(FormatError, match="expected a submission with a section"):
        read_pagetab(path)
    with pytest.raises(NotFoundError):
        read_pagetab(tmp_path / "absent.json")


def test_a_submission_as_text_is_checked_and_repaired_where_it_lies(tmp_path: Path):
    path = tmp_path / "s.tsv"
    path.write_text(TSV.replace("ReleaseDate", "DOI\tdoi:10.1234/x\nReleaseDate"), encoding="utf-8")
    report = validate_file(path)
    (doi,) = [p for p in report.problems if p.rule == "PT-doi"]
    assert report.document.line_of(doi.location) == 4
    assert "PT-doi" in report.to_sarif()
    shown = repair_file(path)
    assert "+DOI\t10.1234/x" in shown
    assert "PT-doi" not in {p.rule for p in validate_file(path).problems}
    assert repair_file(path) == ""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_a_description_is_exported_without_findings_and_comes_back(example: Path):
    data = read_document(example).data
    written = export_pagetab(data)
    assert not [f for f in check_pagetab(written) if f.problem.severity == "error"]
    back, _ = import_pagetab(json.loads(pagetab_json(written)))
    build(back)
    assert carried(back) == carried(data)
    assert export_pagetab(back) == export_pagetab(import_pagetab(export_pagetab(back))[0])
    assert import_pagetab(export_pagetab(back))[0] == back


def carried(data: dict[str, Any]) -> dict[str, Any]:
    """The part of a description that PageTab carries word for word, by ids."""
    study = data["study"]
    slots = ("title", "description", "keywords", "licence", "release_date", "acknowledgements")
    found: dict[str, Any] = {"study": {k: study[k] for k in slots if k in study}}
    by_id = {a["id"]: a for a in data["agents"]}
    found["people"] = [
        (c["contributor"], sorted(c["roles"]), by_id[c["contributor"]].get("orcid"),
         by_id[c["contributor"]].get("email"), by_id[c["contributor"]]["family_name"],
         by_id[c["contributor"]].get("affiliations"))
        for c in study["contributions"]
    ]  # fmt: skip
    found["papers"] = [
        {k: p.get(k) for k in ("publication_title", "author_names", "doi", "pubmed_id", "year")}
        for p in study.get("publications", ())
    ]
    found["grants"] = [
        (by_id[g["funder"]]["name"], g.get("grant_number")) for g in study.get("funding", ())
    ]
    for key, slots in (
        ("biological_samples", ("id", "name", "description", "biological_entity_description")),
        ("specimens", ("id", "name")),
        ("acquisitions", ("id", "name", "imaging_method", "type")),
        ("analysis_results", ("id", "name", "analysis_method")),
        ("annotation_sets", ("id", "name", "annotation_kinds", "annotation_method")),
        ("study_components", ("id", "name", "description", "component_biosamples",
                              "component_acquisitions", "file_list")),
    ):  # fmt: skip
        found[key] = [
            {k: sorted(v) if isinstance(v := t.get(k), list) else v for k in slots}
            for t in data.get(key, ())
        ]
    found["organisms"] = [s.get("organisms") for s in data["biological_samples"]]
    return found


def test_what_has_no_field_is_kept_said_and_written_back():
    data, _ = read_tsv(TSV)
    description, findings = import_pagetab(data)
    build(description)
    said = " ".join(p.message for p in findings)
    assert "'Experiment'" in said
    written = export_pagetab(description)
    (experiment,) = [s for s in written["section"]["subsections"] if s["type"] == "Experiment"]
    assert experiment == data["section"]["subsections"][-1]
    # an association that names what is not described stays as it was
    component = next(s for s in written["section"]["subsections"] if s["type"] == "Study Component")
    assert len(component["subsections"]) == 2


def test_a_licence_with_its_address_is_understood_and_keeps_it():
    text = TSV.replace(
        "Keywords\tcells", "License\tCC BY 4.0\n[URL]\thttps://a.org/by\nKeywords\tcells"
    )
    data, _ = read_tsv(text)
    description, _ = import_pagetab(data)
    assert description["study"]["licence"] == "CC-BY-4.0"
    (licence,) = [
        a for a in export_pagetab(description)["section"]["attributes"] if a["name"] == "License"
    ]
    assert licence["valqual"] == [{"name": "URL", "value": "https://a.org/by"}]
