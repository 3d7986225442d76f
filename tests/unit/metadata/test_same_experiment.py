"""One experiment in two files: asked once, and never mixed with another of its name."""

from __future__ import annotations

import pytest

from clemkit.errors import DataError
from clemkit.metadata.rdf import parse
from clemkit.workflows.importing import import_file
from clemkit.workflows.metadata import export_rdf, query_files

pytest.importorskip("pyoxigraph")
DESCRIPTION = """\
id: lab
name: "two lines\\u2028and\\u2029 more\\u0085"
images:
  - {id: em, voxel_size_x: 4 nm, voxel_size_z: 50 nm, derived_from_images: [em2]}
  - {id: em2, voxel_size_z: 0.25 um}
"""
SYNTAXES = [".ttl", ".nt", ".jsonld", ".trig"]
QUERY = "SELECT ?v WHERE { ?i clemkit:voxel_size_z/qudt:numericValue ?v } ORDER BY ?v"


@pytest.fixture
def description(tmp_path):
    path = tmp_path / "lab.yaml"
    path.write_text(DESCRIPTION, encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", SYNTAXES)
def test_a_description_and_its_rdf_are_asked_once(description, ending):
    rdf = description.with_suffix(ending)
    export_rdf(description, rdf)
    assert query_files([description, rdf], QUERY).rows == (("0.25",), ("50.0",))
    assert query_files([rdf], QUERY).rows == (("0.25",), ("50.0",))


@pytest.mark.parametrize("ending", SYNTAXES)
def test_rdf_comes_back_as_a_description(description, ending):
    rdf = description.with_suffix(ending)
    text = export_rdf(description, rdf)
    data, findings = import_file(rdf)
    assert not findings
    assert data["name"] == "two lines\u2028and\u2029 more\u0085"
    syntax = {".ttl": "turtle"}.get(ending, ending[1:])
    assert parse(text, syntax) == parse(export_rdf(description))


def test_two_experiments_of_one_name_are_not_mixed(description, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(DESCRIPTION.replace("50 nm", "60 nm"), encoding="utf-8")
    with pytest.raises(DataError, match=r"'lab', which .*lab\.yaml is too"):
        query_files([description, other], QUERY)
    export_rdf(other, tmp_path / "other.ttl")
    with pytest.raises(DataError, match="another id"):
        query_files([description, tmp_path / "other.ttl"], QUERY)


def test_a_description_that_was_moved_takes_its_old_place(description, tmp_path):
    store = tmp_path / "store"
    query_files([description], QUERY, store=store)
    moved = description.rename(tmp_path / "moved.yaml")
    assert query_files([moved], QUERY, store=store).rows == (("0.25",), ("50.0",))
    moved.write_text(DESCRIPTION.replace("50 nm", "60 nm"), encoding="utf-8")
    assert query_files([moved], QUERY, store=store).rows == (("0.25",), ("60.0",))
