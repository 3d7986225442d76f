"""The store, the endpoint, and the stream of triples that fills them."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from clemkit.errors import (
    ArgumentError,
    DataError,
    FormatError,
    InvalidMetadataError,
    NotFoundError,
)
from clemkit.metadata.endpoint import ask_endpoint, with_prefixes
from clemkit.metadata.load import read_document
from clemkit.metadata.models import build, canonical, to_plain
from clemkit.metadata.query import named_queries
from clemkit.metadata.triples import Iri, Text, n_triples, triples
from clemkit.workflows import metadata as workflow
from clemkit.workflows.metadata import query_files

sys.path.insert(0, str(Path(__file__).parent))
from any_experiment import experiments  # beside this file

pyoxigraph = pytest.importorskip("pyoxigraph")
from clemkit.metadata import store as store_module  # noqa: E402
from clemkit.metadata.store import QueryStore  # noqa: E402

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples" / "metadata").glob("*.yaml"))
FIB_SEM = next(p for p in EXAMPLES if p.stem == "fib-sem-confocal")
GOLD = json.loads((ROOT / "tests" / "golden" / "metadata" / "queries.json").read_text())
PHASES = [p for p in Phase if p is not Phase.shrink]
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
IMAGES = "SELECT ?image WHERE { ?image a clemkit:Image } ORDER BY ?image"


@pytest.fixture(scope="module")
def full():
    """A store of the three examples."""
    filled = QueryStore()
    filled.add_descriptions((read_document(path).data, str(path), "") for path in EXAMPLES)
    return filled


@given(experiments())
@settings(QUICK, max_examples=25)
def test_the_text_of_the_stream_is_the_graph(data):
    rdflib = pytest.importorskip("rdflib")
    from clemkit.metadata.rdf import from_graph

    experiment = build(data)
    text = "".join(n_triples(triples(to_plain(experiment))))
    again = rdflib.Graph().parse(data=text, format="nt")
    assert len(again) == len(set(text.split("\n")) - {""})
    assert from_graph(again) == canonical(experiment)


@pytest.mark.parametrize("text", ['a"b\\c', "a\nb\r\tc", "\x01\x7f", "ü – 🔬", ""])
def test_texts_in_n_triples(text):
    (line,) = n_triples([(Iri("a:b"), Iri("c:d"), Text(text, "e:f"))])
    (found,) = pyoxigraph.parse(line.encode(), pyoxigraph.RdfFormat.N_TRIPLES)
    assert found.object.value == text
    assert line.count("\n") == 1


def test_blank_nodes_of_two_experiments_are_two():
    quantity = {"value": 5.0, "unit": "nm"}
    first = {"id": "a", "images": [{"id": "i", "voxel_size_x": quantity}]}
    both = QueryStore()
    both.add_descriptions([(first, "a", ""), ({**first, "id": "b"}, "b", "")])
    found = both.query("SELECT ?q WHERE { ?i clemkit:voxel_size_x ?q }")
    assert len({row[0] for row in found.rows}) == 2


def test_the_stream_takes_what_is_asked_for():
    taken = []

    def lines() -> Iterator[str]:
        for number in itertools.count():
            taken.append(number)
            yield f"{number:08}\n"

    stream = io.BufferedReader(store_module._Stream(lines()), 90)
    assert stream.read(45) == b"00000000\n00000001\n00000002\n00000003\n00000004\n"
    assert len(taken) < 25
    assert stream.read(9) == b"00000005\n"


@pytest.mark.parametrize("name", sorted(GOLD))
def test_gold_answers_from_a_store_on_disk(name, disk):
    answer = disk.query(name)
    assert [list(answer.columns), list(map(list, answer.rows))] == [
        GOLD[name]["columns"], GOLD[name]["rows"],
    ]  # fmt: skip


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "s"
    filled = QueryStore(folder)
    filled.add_descriptions((read_document(path).data, str(path), "") for path in EXAMPLES)
    return filled


def test_files_that_did_not_change_are_not_read_again(tmp_path, monkeypatch):
    paths = [tmp_path / f"{n}.yaml" for n in "ab"]
    for path in paths:
        path.write_text(f"id: {path.stem}\nimages: [{{id: one}}]\n")
    read = []
    original = workflow.read_fitting
    monkeypatch.setattr(
        workflow, "read_fitting", lambda path: (read.append(path.stem), original(path))[1]
    )
    folder = tmp_path / "store"
    first = query_files(paths, IMAGES, store=folder)
    assert [row[0] for row in first.rows] == ["a/one", "b/one"]
    assert query_files(paths, IMAGES, store=folder) == first
    assert query_files([], IMAGES, store=folder) == first
    assert read == ["a", "b"]
    paths[1].write_text("id: b\nimages: [{id: two}]\n")
    changed = query_files(paths, IMAGES, store=folder)
    assert [row[0] for row in changed.rows] == ["a/one", "b/two"]
    assert read == ["a", "b", "b"]


def test_an_interrupted_load_is_made_good(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("id: a\nimages: [{id: one}]\n")
    folder = tmp_path / "store"
    query_files([path], IMAGES, store=folder)
    before = path.read_text()
    path.write_text("id: a\nimages: [{id: two}, {id: two, size_z: x}]\n")
    with pytest.raises(InvalidMetadataError):
        query_files([path], IMAGES, store=folder)
    path.write_text(before)
    assert query_files([path], IMAGES, store=folder).rows == (("a/one",),)
    path.write_text("id: a\nimages: [{id: three}]\n")
    assert query_files([path], IMAGES, store=folder).rows == (("a/three",),)


def test_a_folder_with_other_files_is_no_store(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match="found other files"):
        QueryStore(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["letter.txt"]


def test_rdf_files_of_every_syntax(tmp_path):
    from clemkit.metadata.rdf import serialize

    experiment = build(read_document(FIB_SEM).data)
    for syntax, ending in (("turtle", "ttl"), ("nt", "nt"), ("jsonld", "jsonld"), ("trig", "trig")):
        path = tmp_path / f"x.{ending}"
        path.write_text(serialize(experiment, syntax), encoding="utf-8")
        rows = [row[0] for row in query_files([path], IMAGES).rows]
        assert rows == [f"hela-mito-clem/{n}" for n in ("em-aligned", "em-raw", "lm-raw")]


def test_what_is_no_rdf(tmp_path):
    path = tmp_path / "x.ttl"
    path.write_text("<a> <b>")
    with pytest.raises(FormatError, match=r"x\.ttl: expected RDF in turtle"):
        query_files([path], IMAGES)
    with pytest.raises(NotFoundError):
        query_files([tmp_path / "absent.ttl"], IMAGES)
    with pytest.raises(ArgumentError, match="at least one"):
        query_files([], IMAGES)


def test_query_loads_neither_rdflib_nor_pydantic():
    code = (
        "import sys\nfrom clemkit.workflows.metadata import query_files\n"
        f"assert query_files([{str(FIB_SEM)!r}], 'lineage-of-images').rows\n"
        "print(sorted({'pydantic', 'rdflib', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_processing_is_followed_from_raw_to_final():
    steps = [
        {"id": s, "processing_kind": k} for s, k in (("al", "slice_alignment"), ("dn", "denoising"))
    ]
    images = [
        {"id": "raw"},
        {"id": "aligned", "derived_from_images": ["raw"], "generated_by_processing": "al"},
        {"id": "final", "derived_from_images": ["aligned"], "generated_by_processing": "dn"},
    ]
    filled = QueryStore()
    filled.add_descriptions([({"id": "x", "images": images, "processing_steps": steps}, "x", "")])
    rows = filled.query("processing-from-raw-to-final").rows
    assert [row[:2] for row in rows] == [("x/final", "x/al"), ("x/final", "x/dn")]


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [(50.0, "nm", "50.0"), (0.05, "um", "50.0"), (0.2, "um", None), (999.0, "angstrom", "99.9")],
)
def test_errors_are_compared_in_one_unit(value, unit, shown):
    error = {"error_kind": "held_out", "error_median": {"value": value, "unit": unit}}
    correlation = {
        "id": "c",
        "fixed_image": "a",
        "moving_image": "b",
        "correlation_errors": [error],
    }
    filled = QueryStore()
    filled.add_descriptions([({"id": "x", "correlations": [correlation]}, "x", "")])
    rows = filled.query("registrations-below-100-nm").rows
    assert [row[1][:4] for row in rows] == ([shown] if shown else [])


@contextmanager
def served(status: int = 200, body: bytes | None = None, filled=None) -> Iterator[tuple[str, list]]:
    """An endpoint on this machine that answers from a store, or as it is told."""
    asked: list = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append((dict(self.headers), text))
            content = body
            if content is None:
                found = filled._store.query(text, use_default_graph_as_union=True)
                content = found.serialize(format=pyoxigraph.QueryResultsFormat.JSON)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/sparql", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_gold_answers_from_an_endpoint(full):
    with served(filled=full) as (url, asked):
        for name in named_queries():
            answer = query_files([], name, endpoint=url)
            assert list(map(list, answer.rows)) == GOLD[name]["rows"]
        assert query_files([], "ASK { ?x a clemkit:Image }", endpoint=url).rows == (("yes",),)
    headers, text = asked[0]
    assert headers["Content-Type"] == "application/sparql-query"
    assert headers["Accept"] == "application/sparql-results+json"
    assert text.startswith("PREFIX clemkit: <https://")


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (400, b"no such function", ArgumentError, "found no such function"),
        (503, b"busy", DataError, "found status 503 busy"),
        (200, b"<html>", DataError, "expected application/sparql-results"),
        (200, b"[]", DataError, "expected application/sparql-results"),
    ],
)
def test_an_endpoint_that_fails(status, body, error, words):
    with served(status, body) as (url, _), pytest.raises(error, match=words):
        ask_endpoint(url, IMAGES)


def test_an_endpoint_that_is_not_there():
    with served(body=b"") as (url, _):
        pass
    with pytest.raises(DataError, match="expected a SPARQL endpoint; found"):
        ask_endpoint(url, IMAGES, timeout_s=2)
    for wrong in ("ftp://a/b", "sparql", "file:/x"):
        with pytest.raises(ArgumentError, match="expected an http or https address"):
            ask_endpoint(wrong, IMAGES)
    with pytest.raises(ArgumentError, match="neither files nor --store"):
        query_files([FIB_SEM], IMAGES, endpoint=url)


def test_prefixes_that_are_used_are_declared_once():
    text = with_prefixes("prefix prov: <x:>\nSELECT * { ?a prov:used ?b ; p-plan:x clemkit:y }")
    assert text.lower().count("prefix prov:") == 1
    assert text.count("PREFIX") == 2
    assert "PREFIX p-plan: <" in text
