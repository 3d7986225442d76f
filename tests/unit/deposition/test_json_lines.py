from __future__ import annotations

from pathlib import Path

import pytest

from clemkit.deposition.json_lines import read_json_lines
from clemkit.deposition.kept import keep, kept, not_in_model
from clemkit.errors import FormatError

TEXT = '{\n "a": [1, {"b": "x\\ny \\" {"},\n  null\n ],\n\n "ü": {"c": -1.5e3, "d": []}\n}\n'


def test_every_value_has_its_line():
    content, lines = read_json_lines(TEXT, Path("a.json"))
    assert content == {"a": [1, {"b": 'x\ny " {'}, None], "ü": {"c": -1500.0, "d": []}}
    assert lines == {
        (): 1,
        ("a",): 2,
        ("a", 0): 2,
        ("a", 1): 2,
        ("a", 1, "b"): 2,
        ("a", 2): 3,
        ("ü",): 6,
        ("ü", "c"): 6,
        ("ü", "d"): 6,
    }


def test_an_error_names_its_line():
    with pytest.raises(FormatError, match="in line 2"):
        read_json_lines('{\n "a": }', Path("a.json"))


def test_what_is_kept_comes_back_in_order_and_by_form():
    thing: dict[str, object] = {"id": "x"}
    keep(thing, "pagetab", "Phenotype", {"value": "CCD", "valqual": [{"name": "a"}]})
    keep(thing, "mifa", "role", ["ü"])
    keep(thing, "pagetab", "Phenotype", None)
    assert list(kept(thing, "pagetab")) == [
        ("Phenotype", {"value": "CCD", "valqual": [{"name": "a"}]}),
        ("Phenotype", None),
    ]
    assert list(kept(thing, "mifa")) == [("role", ["ü"])]
    problem = not_in_model(("a", 1), "'Phenotype'", "x")
    assert (problem.rule, problem.severity) == ("IMPORT-kept", "warning")
