"""The tables of names: what is shipped is what they say, and faults in them are found."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from clemkit.metadata.model_map import model_map
from clemkit.metadata.protocols.lexicon import lexicon as shipped
from clemkit.metadata.validate.terms import pinned_terms

ONTOLOGY = Path(__file__).parents[2] / "ontology"


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """The reader of the tables, on a copy of them, and the folder of the copy."""
    spec = importlib.util.spec_from_file_location("lexicon_table", ONTOLOGY / "lexicon_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path / "lexicon"
    shutil.copytree(ONTOLOGY / "lexicon", folder)
    monkeypatch.setattr(module, "TABLES", folder)
    return module, folder


def read(module):
    return module.lexicon(model_map(), pinned_terms())


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_shipped_names_are_those_of_the_tables(tables):
    assert json.loads(json.dumps(read(tables[0]))) == shipped()


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        ("materials", "\tCHEBI:88215\t", "\tCHEBI:88216\t", "CHEBI:88216 is not pinned"),
        ("materials", "\tosmium tetroxide\t\tOsO4", "\tosmium oxide\t\tOsO4", "is not that of"),
        ("materials", "\tfixative\texact\tCHEBI:64", "\tfixer\texact\tCHEBI:64", "role 'fixer'"),
        ("materials", "\texact\tCHEBI:64276", "\tperfect\tCHEBI:64276", "match 'perfect'"),
        ("materials", "\texact\tCHEBI:64276", "\tlocal\tCHEBI:64276", "disagree"),
        ("materials", "\tGA|GTA", "\tPFA|GTA", "'PFA' is"),
        ("materials", "acrolein\treagent", "acrolein", "wrong number of cells"),
        ("components", "\t137 mM", "\t137 millimoles", "is no quantity"),
        ("components", "\tsodium chloride\t", "\tkitchen salt\t", "not in the tables"),
        ("ambiguous", "phosphate buffer: buffer", "phosphate puffer: buffer", "unknown"),
        ("instruments", "\thigh_pressure_freezer\t", "\tfreezer\t", "kind 'freezer'"),
        ("processes", "\tRinsing\t", "\tRinse\t", "step 'Rinse'"),
        ("states", "cryofixed\t", "frozen\t", "value 'frozen'"),
    ],
)  # fmt: skip
def test_a_fault_ends_the_run(tables, table, old, new, message):
    module, folder = tables
    change(folder / f"{table}.tsv", old, new)
    with pytest.raises(SystemExit, match=message):
        read(module)


def test_a_local_term_needs_a_definition_and_a_name_of_its_own(tables):
    module, folder = tables
    change(folder / "materials.tsv", "clemkit:glyoxal", "clemkit:fixative_role")
    taken = {"clemkit:fixative_role": "fixative"}
    with pytest.raises(SystemExit, match="clemkit:fixative_role is fixative"):
        list(module.local_terms(read(module), taken))
