"""SPARQL over one or many experiments, and the queries that are shipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rdflib import Graph, Literal, URIRef

from clemkit.errors import ArgumentError, FormatError
from clemkit.metadata.model_map import contract_iri, model_map
from clemkit.metadata.rdf import to_graph

if TYPE_CHECKING:
    from clemkit.metadata.models import Experiment

__all__ = ["load_graph", "named_queries", "run_query"]

_QUERIES = Path(__file__).parent / "queries"


@cache
def named_queries() -> Mapping[str, str]:
    """Return the shipped queries: name to SPARQL text, whose first line says what it answers."""
    return {p.stem: p.read_text(encoding="utf-8") for p in sorted(_QUERIES.glob("*.rq"))}


def load_graph(experiments: Iterable[Experiment], files: Mapping[Path, str] | None = None) -> Graph:
    """Return one graph of experiments and RDF files (path to syntax).

    Raises
    ------
    FormatError
        A file is not RDF in its syntax.
    """
    graph = Graph()
    for experiment in experiments:
        graph += to_graph(experiment)
    for path, syntax in (files or {}).items():
        try:
            graph.parse(path, format="json-ld" if syntax == "jsonld" else syntax)
        except Exception as error:  # each parser of rdflib has exceptions of its own
            reason = " ".join(str(error).split())
            raise FormatError(path, f"expected RDF in {syntax}; found {reason}") from error
    return graph


def run_query(graph: Graph, query: str) -> tuple[list[str], list[list[str]]]:
    """Return the columns and rows of a SELECT, or one cell for an ASK.

    Parameters
    ----------
    graph : rdflib.Graph
        What to ask.
    query : str
        SPARQL; the prefixes of the model need not be declared. Or a name of :func:`named_queries`.

    Raises
    ------
    ArgumentError
        The query cannot be parsed, or is neither SELECT nor ASK.
    """
    text = named_queries().get(query, query)
    if " " not in text and "\n" not in text:
        known = ", ".join(named_queries())
        raise ArgumentError(f"query: expected SPARQL or one of {known}; found {query!r}")
    try:
        result = graph.query(text, initNs=dict(model_map()["prefixes"]))
    except Exception as error:  # rdflib hands on what its grammar raises
        reason = " ".join(str(error).split())
        raise ArgumentError(f"query: expected SPARQL; found {reason}") from error
    if result.type == "ASK":
        return ["answer"], [["yes" if result.askAnswer else "no"]]
    if result.type != "SELECT":
        raise ArgumentError(f"query: expected SELECT or ASK; found {result.type}")
    columns = [str(variable) for variable in result.vars or ()]
    return columns, [[_cell(value) for value in row] for row in result if not isinstance(row, bool)]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, URIRef):
        text = str(value)
        data = model_map()["data"]
        return text.removeprefix(data) if text.startswith(data) else contract_iri(text)
    return str(value) if isinstance(value, Literal) else f"_:{value}"
