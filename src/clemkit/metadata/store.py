"""SPARQL over one or many descriptions: an embedded store, in memory or on disk."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from clemkit.errors import ArgumentError, DataError, FormatError, MissingExtraError
from clemkit.metadata.model_map import model_map
from clemkit.metadata.query import Answer, cell_of_iri, cell_of_literal, query_text
from clemkit.metadata.triples import n_triples, triples

__all__ = ["QueryStore"]

_SOURCES: Final = "clemkit-sources.json"
_BATCH: Final = 250_000  # triples
_FORMATS: Final = {
    "turtle": "TURTLE", "nt": "N_TRIPLES", "jsonld": "JSON_LD", "trig": "TRIG",
}  # fmt: skip


class QueryStore:
    """Descriptions and RDF files that can be asked together.

    Parameters
    ----------
    folder : path, optional
        Where the store is kept; what is there already stays. In memory when not given.

    Raises
    ------
    MissingExtraError
        pyoxigraph is not installed.
    DataError
        The folder is no store, or another process has it open.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        try:
            import pyoxigraph
        except ImportError as error:
            raise MissingExtraError("pyoxigraph", "metadata") from error
        self._ox = pyoxigraph
        self._folder = None if folder is None else Path(folder)
        if self._folder is not None and self._folder.is_dir():
            foreign = any(self._folder.iterdir()) and not (self._folder / _SOURCES).is_file()
            if foreign:
                message = "expected an empty folder or a store of clemkit; found other files"
                raise DataError(f"{self._folder}: {message}; name another folder")
        try:
            self._store = pyoxigraph.Store(None if folder is None else str(folder))
        except OSError as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{folder}: expected a store of clemkit; found {reason}") from error
        self._digests = self._read_sources()
        self._write_sources()

    def __len__(self) -> int:
        """Return the number of triples."""
        return len(self._store)

    def knows(self, name: str, digest: str) -> bool:
        """Return whether the source *name* is there with this content."""
        return self._digests.get(name) == digest

    def add_descriptions(self, found: Iterable[tuple[Mapping[str, Any], str, str]]) -> None:
        """Take in descriptions in long form that fit the model; they are streamed.

        Parameters
        ----------
        found : iterable of (mapping, str, str)
            Each description with the name of its source, of which an older content is replaced,
            and a digest of its content, to see later that it has not changed.
        """
        items = iter(found)
        for first in items:
            self._load_some(itertools.chain((first,), items))

    def _load_some(self, items: Iterator[tuple[Mapping[str, Any], str, str]]) -> None:
        """Load descriptions until there are enough triples: a load as a whole is in memory."""
        taken: dict[str, str] = {}

        def lines() -> Iterator[str]:
            count = 0
            for data, name, digest in items:
                graph = self._emptied(name)
                taken[name] = digest
                for line in n_triples(triples(data), f"<{graph.value}>"):
                    count += 1
                    yield line
                if count >= _BATCH:
                    return

        stream = io.BufferedReader(_Stream(lines()), 1 << 20)
        self._store.bulk_load(stream, self._ox.RdfFormat.N_QUADS)
        self._note(taken)

    def add_rdf(self, path: str | Path, syntax: str, name: str = "", digest: str = "") -> None:
        """Take in an RDF file: ``turtle``, ``nt``, ``jsonld`` or ``trig``.

        Raises
        ------
        FormatError
            The file is not RDF in that syntax.
        """
        graph = self._emptied(name)
        form = getattr(self._ox.RdfFormat, _FORMATS[syntax])
        target = {} if syntax == "trig" else {"to_graph": graph}
        try:
            with Path(path).open("rb") as stream:
                self._store.bulk_load(stream, form, **target)
        except (SyntaxError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise FormatError(path, f"expected RDF in {syntax}; found {reason}") from error
        self._note({name: digest})

    def _emptied(self, name: str) -> Any:
        """Return the graph of a source, without what it held."""
        graph = self._ox.NamedNode(f"urn:clemkit:source:{_digest(name)}")
        if self._digests.pop(name, None) is not None:
            self._write_sources()  # an interrupted load is not taken for a finished one
        if self._folder is not None:
            self._store.remove_graph(graph)
        return graph

    def _note(self, taken: Mapping[str, str]) -> None:
        self._digests |= taken
        self._write_sources()

    def query(self, query: str) -> Answer:
        """Return the answer to a SELECT or an ASK.

        Parameters
        ----------
        query : str
            SPARQL; the prefixes of the model need not be declared. Or the name of a shipped query.

        Raises
        ------
        ArgumentError
            The query cannot be parsed, or is neither SELECT nor ASK.
        """
        prefixes = dict(model_map()["prefixes"])
        try:
            found = self._store.query(
                query_text(query), prefixes=prefixes, use_default_graph_as_union=True
            )
        except SyntaxError as error:
            reason = " ".join(str(error).split())
            raise ArgumentError(f"query: expected SPARQL; found {reason}") from error
        if isinstance(found, self._ox.QueryBoolean):
            return Answer(("answer",), (("yes" if found else "no",),))
        if not isinstance(found, self._ox.QuerySolutions):
            raise ArgumentError("query: expected SELECT or ASK; found a query that makes triples")
        columns = tuple(str(variable.value) for variable in found.variables)
        return Answer(columns, tuple(tuple(map(self._cell, row)) for row in found))

    def _cell(self, term: Any) -> str:
        if term is None:
            return ""
        if isinstance(term, self._ox.NamedNode):
            return cell_of_iri(term.value)
        if isinstance(term, self._ox.Literal):
            return cell_of_literal(term.value, term.datatype.value)
        return str(term)

    def _read_sources(self) -> dict[str, str]:
        path = None if self._folder is None else self._folder / _SOURCES
        if path is None or not path.is_file():
            return {}
        found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def _write_sources(self) -> None:
        if self._folder is None:
            return
        self._store.flush()
        temporary = self._folder / f".{_SOURCES}.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(self._digests, indent=1), encoding="utf-8")
        os.replace(temporary, self._folder / _SOURCES)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class _Stream(io.RawIOBase):
    """Lines of text as a file of bytes, of which only the piece in hand is in memory."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines: Iterator[str] = iter(lines)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        parts, size = [self._rest], len(self._rest)
        while size < len(buffer):
            line = next(self._lines, None)
            if line is None:
                break
            parts.append(line.encode())
            size += len(parts[-1])
        content = b"".join(parts)
        count = min(len(buffer), size)
        buffer[:count], self._rest = content[:count], content[count:]
        return count
