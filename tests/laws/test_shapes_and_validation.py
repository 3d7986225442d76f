"""The SHACL shapes and `clemkit validate` agree on what fits the model."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clemkit.metadata.load import Document, read_document
from clemkit.metadata.model_map import GENERATED, model_map
from clemkit.metadata.validate import validate
from clemkit.metadata.validate.walk import things

rdflib = pytest.importorskip("rdflib")
pyshacl = pytest.importorskip("pyshacl")

MOST = 5  # faults of each kind: one run over all shapes takes a second
EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "metadata").glob("*.yaml"))
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:rdflib", "ignore::DeprecationWarning:pyshacl"
)


def graph_of(data: Any) -> Any:
    """RDF of plain data without building the model, which would refuse faults."""
    from clemkit.metadata.triples import n_triples, triples

    return rdflib.Graph().parse(data="".join(n_triples(triples(data))), format="nt")


@pytest.fixture(scope="module")
def shapes():
    return (
        rdflib.Graph().parse(GENERATED / "shapes.ttl"),
        rdflib.Graph().parse(GENERATED / "ontology.ttl"),
    )


def conforms(data: Any, shapes: Any) -> bool:
    return bool(pyshacl.validate(graph_of(data), shacl_graph=shapes[0], ont_graph=shapes[1])[0])


def fits(data: Any) -> bool:
    found = validate(Document(data, {})).problems
    return not [p for p in found if p.rule in ("L1-missing-field", "L1-range", "L1-pattern")]


def faults(data: Any) -> Iterator[Any]:
    """One fault of each kind that a graph can hold, for several fields of each."""
    slots, seen = model_map()["slots"], defaultdict(set)
    for thing in things(data):
        for key in thing.data:
            slot = slots[key]
            one = not slot.get("multivalued") and not slot.get("identifier")
            kinds = [
                ("missing", slot.get("required") and one and not slot.get("designator")),
                ("low", slot.get("minimum") is not None and one),
                ("form", slot.get("pattern") and one and slot["range"] == "string"),
            ]
            for kind, possible in kinds:
                if not possible or key in seen[kind] or len(seen[kind]) == MOST:
                    continue
                seen[kind].add(key)
                faulty = copy.deepcopy(data)
                owner = faulty
                for part in thing.location:
                    owner = owner[part]
                if kind == "missing":
                    del owner[key]
                else:
                    owner[key] = slot["minimum"] - 1 if kind == "low" else "? ?"
                yield faulty


def test_examples_fit_both(shapes):
    for path in EXAMPLES:
        data = read_document(path).data
        assert fits(data)
        assert conforms(data, shapes)


def test_faults_fit_neither(shapes):
    count = 0
    path = next(p for p in EXAMPLES if p.stem == "fib-sem-confocal")
    for faulty in faults(read_document(path).data):
        assert not fits(faulty)
        assert not conforms(faulty, shapes)
        count += 1
    assert count == 3 * MOST
