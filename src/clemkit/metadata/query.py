"""The queries that are shipped, and what an answer is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from clemkit.errors import ArgumentError
from clemkit.metadata.model_map import contract_iri, model_map
from clemkit.metadata.shorthand import closest

__all__ = ["Answer", "cell_of_iri", "cell_of_literal", "named_queries", "query_text"]

_QUERIES = Path(__file__).parent / "queries"
_DOUBLE: Final = "http://www.w3.org/2001/XMLSchema#double"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found.

    Attributes
    ----------
    columns : tuple of str
        Variables of a SELECT, or ``answer`` of an ASK.
    rows : tuple of tuple of str
        One cell for each column; empty where nothing is bound.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@cache
def named_queries() -> Mapping[str, str]:
    """Return the shipped queries: name to SPARQL text, whose first line says what it answers."""
    return {p.stem: p.read_text(encoding="utf-8") for p in sorted(_QUERIES.glob("*.rq"))}


def query_text(query: str) -> str:
    """Return the SPARQL of *query*, a text or the name of a shipped query.

    Raises
    ------
    ArgumentError
        It is a single word, and no shipped query has that name.
    """
    text = named_queries().get(query, query)
    if not re.search(r"\s", text.strip()):
        known = ", ".join(named_queries())
        close = closest(query, named_queries())
        hint = f"; did you mean {close!r}?" if close else ""
        raise ArgumentError(f"query: expected SPARQL or one of {known}; found {query!r}{hint}")
    return text


def cell_of_iri(iri: str) -> str:
    """Return how an IRI is shown: things of experiments by their ids, terms in compact form."""
    data = model_map()["data"]
    return iri.removeprefix(data) if iri.startswith(data) else contract_iri(iri)


def cell_of_literal(text: str, datatype: str | None) -> str:
    """Return how a literal is shown; a number in the same form whatever wrote it."""
    if datatype == _DOUBLE:
        try:
            return repr(float(text))
        except ValueError:
            return text
    return text
