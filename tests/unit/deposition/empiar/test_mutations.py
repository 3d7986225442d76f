"""Single faults, made systematically in a valid document: each is flagged with the right code."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clemkit.deposition.empiar import check_document
from clemkit.deposition.empiar.codes import PAIRED_FIELDS
from clemkit.deposition.empiar.fields import AUTHOR, CITATION, CONTACT, IMAGE_SET, TOP
from clemkit.deposition.empiar.schema_check import schema_problems

sys.path.insert(0, str(Path(__file__).parent))
from valid_documents import valid_document  # beside this file

PLACES = [
    ((), TOP),
    (("authors", 0), AUTHOR),
    (("corresponding_author",), CONTACT),
    (("principal_investigator", 0), CONTACT),
    (("imagesets", 0), IMAGE_SET),
    (("imagesets", 1), IMAGE_SET),
    (("citation", 0), CITATION),
    (("citation", 0, "authors", 1), AUTHOR),
]
IDENTIFIERS = {
    "author_orcid": ("empiar-orcid", [
        "0000-0002-1825-0098", "https://orcid.org/0000-0002-1825-0097", "0000000218250097",
        "0000-0002-1825-009x", "none",
    ]),
    "email": ("empiar-email", [
        "ada", "ada@", "@example.org", "ada@example", "ada@example..org", "a b@example.org",
        "ada@example.org, ben@example.org",
    ]),
    "country": ("empiar-country", ["UK", "Germany", "de", "XX", "DEU"]),
    "doi": ("empiar-doi", [
        "https://doi.org/10.1000/1", "doi:10.1000/1", "10.1000", "10.10/1", "10.1000/a b", "n/a",
    ]),
    "pubmedid": ("empiar-pubmed", ["0", "PMID 28165453", "281654531", "n/a"]),
    "directory": ("empiar-directory", [
        "em", "/em", "../data/em", "data/../../em", "data\\em", "./em", "database/em",
    ]),
    "release_date": ("empiar-value", ["re", "2026-11-21", "XX"]),
    "scale": ("empiar-value", ["0", "6", "cell"]),
    "first_name": ("empiar-name", ["Ada1", "Ada (Maria)", "Ada*"]),
    "last_name": ("empiar-name", ["Example2", "Example & Sample"]),
}  # fmt: skip


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def mutants() -> Iterator[tuple[str, tuple[Any, ...], str, Any]]:
    """Yield name, place, expected code, and the changed value (or a function of its parent)."""
    gone = object()
    for place, fields in PLACES:
        for key, field in fields.items():
            where = (*place, key)
            if field.required:
                yield "missing", where, "empiar-missing-field", gone
                yield "null", where, "empiar-missing-field", None
            wrong: dict[str, list[Any]] = {
                "text": [3, ["x"], True],
                "integer": ["3", 2.5, True],
                "number": ["3.5", [1], True],
                "boolean": ["true", 1, 0],
                "list": ["x", {}],
                "object": ["x", []],
            }
            for value in wrong[field.kind]:
                yield f"type {value!r}", where, "empiar-type", value
            if field.kind == "text":
                yield "empty", where, "empiar-empty", ""
                yield "blank", where, "empiar-empty", "  "
                if field.longest:
                    yield "too long", where, "empiar-length", "x" * (field.longest + 1)
            if field.lowest is not None and key != "year":
                low = field.lowest if field.above else field.lowest - 1
                yield (
                    "too small",
                    where,
                    "empiar-range",
                    type(low)(low) if field.above else int(low),
                )
            yield "misspelt", (*place, key + "x"), "empiar-unknown-key", "x"
            if key in PAIRED_FIELDS:
                for value in ("T1", "('T0', '')", "('T15', '')", "('OT', '')", "('T1', 'X')",
                              "('T1','')", "('t1', '')", " ('T1', '')", "('T1', '');"):  # fmt: skip
                    yield f"pair {value}", where, "empiar-coded-pair", value
            rule, values = IDENTIFIERS.get(key, ("", []))
            for value in values:
                yield f"value {value}", where, rule, value


MUTANTS = list(mutants())
GONE = next(value for name, _, _, value in MUTANTS if name == "missing")


def changed(where: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(valid_document())
    parent = at(document, where[:-1])
    if value is GONE:
        parent.pop(where[-1], None)
    else:
        parent[where[-1]] = value
    return document


def test_there_are_many():
    assert len(MUTANTS) >= 800


@pytest.mark.parametrize("place", PLACES, ids=lambda p: "/".join(map(str, p[0])) or "top")
def test_each_fault_is_flagged_with_its_code(place):
    silent = []
    for name, where, rule, value in MUTANTS:
        if where[:-1] == place[0]:
            found = {p.rule for p in check_document(changed(where, value)) if p.severity == "error"}
            if rule not in found:
                silent.append((name, where, rule, found))
    assert silent == []


def test_the_official_schema_sees_fewer():
    seen = sum(any(schema_problems(changed(where, value))) for _, where, _, value in MUTANTS)
    assert seen < 0.75 * len(MUTANTS)
