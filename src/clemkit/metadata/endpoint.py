"""SPARQL at an address: the W3C protocol over HTTP, with nothing but the standard library."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import Any

from clemkit import __version__
from clemkit.errors import ArgumentError, DataError
from clemkit.metadata.model_map import model_map
from clemkit.metadata.query import Answer, cell_of_iri, cell_of_literal, query_text

__all__ = ["ask_endpoint", "with_prefixes"]

_JSON = "application/sparql-results+json"
_MOST = 256 << 20  # bytes of an answer


def with_prefixes(text: str) -> str:
    """Return a query with the prefixes of the model that it uses and does not declare."""
    declared = set(re.findall(r"(?i)\bPREFIX\s+([\w-]*):", text))
    lines = [
        f"PREFIX {name}: <{iri}>"
        for name, iri in model_map()["prefixes"].items()
        if name not in declared and re.search(rf"(?<![\w-]){re.escape(name)}:", text)
    ]
    return "\n".join([*lines, text])


def ask_endpoint(url: str, query: str, *, timeout_s: float = 60.0) -> Answer:
    """Return the answer of a SPARQL endpoint to a SELECT or an ASK.

    Parameters
    ----------
    url : str
        Address of the endpoint, http or https. The query is all that is sent.
    query : str
        SPARQL, or the name of a shipped query.
    timeout_s : float
        How long to wait, in seconds.

    Raises
    ------
    ArgumentError
        The address is none, or the endpoint refuses the query.
    DataError
        The endpoint cannot be reached, or its answer cannot be read.
    """
    if not re.match(r"https?://[^/\s]+", url):
        raise ArgumentError(f"--endpoint: expected an http or https address; found {url!r}")
    request = urllib.request.Request(
        url,
        data=with_prefixes(query_text(query)).encode(),
        headers={
            "Content-Type": "application/sparql-query",
            "Accept": _JSON,
            "User-Agent": f"clemkit/{__version__}",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            content = response.read(_MOST + 1)
    except urllib.error.HTTPError as error:
        with error:
            said = " ".join(error.read(2000).decode(errors="replace").split())[:300]
        if error.code == 400:
            raise ArgumentError(f"query: expected SPARQL that {url} takes; found {said}") from error
        message = f"expected an answer; found status {error.code} {said}"
        raise DataError(f"{url}: {message}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{url}: expected a SPARQL endpoint; found {reason}") from error
    if len(content) > _MOST:
        raise DataError(f"{url}: expected at most {_MOST} bytes; found more; add a LIMIT")
    try:
        return _answer(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        start = content[:80].decode(errors="replace")
        raise DataError(f"{url}: expected {_JSON}; found {start!r}") from error


def _answer(found: Any) -> Answer:
    if "boolean" in found:
        return Answer(("answer",), (("yes" if found["boolean"] else "no",),))
    columns = tuple(str(name) for name in found["head"]["vars"])
    rows = found["results"]["bindings"]
    return Answer(columns, tuple(tuple(_cell(row.get(c)) for c in columns) for row in rows))


def _cell(term: Any) -> str:
    if term is None:
        return ""
    if term["type"] == "uri":
        return cell_of_iri(term["value"])
    if term["type"] == "bnode":
        return f"_:{term['value']}"
    return cell_of_literal(term["value"], term.get("datatype"))
