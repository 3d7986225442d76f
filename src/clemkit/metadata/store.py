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
from clemkit.metadata.triples import iri_of, n_triples, triples

__all__ = ["QueryStore"]

_SOURCES: Final = "clemkit-sources.json"
_BATCH: Final = 250_000  # triples
_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
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
        begun: dict[str, str] = {}

        def lines() -> Iterator[str]:
            count = 0
            for data, name, digest in items:
                graph = self._emptied(name)
                iri = iri_of(str(data["id"]))
                holder = begun.get(iri) or self._holder(iri, graph)
                if holder:
                    raise DataError(_same_experiment(name, iri, holder))
                begun[iri] = name
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

        What a description says already, word for word, is not taken in a second time.

        Raises
        ------
        FormatError
            The file is not RDF in that syntax.
        DataError
            Another source has an experiment of the same name that says something else.
        """
        form = getattr(self._ox.RdfFormat, _FORMATS[syntax])
        graph = self._emptied(name)
        target = {} if syntax == "trig" else {"to_graph": graph}
        if self._says_nothing_new(Path(path), form, graph):
            self._note({name: digest})
            return
        try:
            with Path(path).open("rb") as stream:
                self._store.bulk_load(stream, form, **target)
        except (SyntaxError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise FormatError(path, f"expected RDF in {syntax}; found {reason}") from error
        self._note({name: digest})

    def _emptied(self, name: str) -> Any:
        """Return the graph of a source, without what it held."""
        graph = self._graph(name)
        if self._digests.pop(name, None) is not None:
            self._write_sources()  # an interrupted load is not taken for a finished one
        if self._folder is not None:
            self._store.remove_graph(graph)
        return graph

    def _holder(self, experiment: str, graph: Any) -> str | None:
        """Return the source that has *experiment* already; one that is gone makes room."""
        kind = self._ox.NamedNode(_experiment_class())
        node = self._ox.NamedNode(experiment)
        a = self._ox.NamedNode(_TYPE)
        for quad in list(self._store.quads_for_pattern(node, a, kind, None)):
            if quad.graph_name == graph:
                continue
            names = {self._graph(n).value: n for n in self._digests}
            name = names.get(getattr(quad.graph_name, "value", ""), "another source")
            if os.path.isabs(name) and not os.path.exists(name):  # it was moved
                self._store.remove_graph(quad.graph_name)
                self._digests.pop(name)
                continue
            return name
        return None

    def _says_nothing_new(self, path: Path, form: Any, graph: Any) -> bool:
        """Return whether a source has the same experiments with the same triples."""
        kind, a = self._ox.NamedNode(_experiment_class()), self._ox.NamedNode(_TYPE)
        try:
            with path.open("rb") as stream:
                quads = self._ox.parse(stream, form)
                named = [q.subject for q in quads if q.object == kind and q.predicate == a]
        except (SyntaxError, ValueError):
            return False  # told when it is loaded
        for node in named:
            holder = self._holder(node.value, graph)
            if holder is None:
                return False
            with path.open("rb") as stream:
                found = [q.triple for q in self._ox.parse(stream, form)]
            there = self._store.quads_for_pattern(None, None, None, self._graph(holder))
            if len(named) > 1 or not self._same(found, [q.triple for q in there]):
                raise DataError(_same_experiment(str(path), node.value, holder))
        return bool(named)

    def _same(self, some: list[Any], others: list[Any]) -> bool:
        sets = []
        for found in (some, others):
            quads = (self._ox.Quad(t.subject, t.predicate, self._plain(t.object)) for t in found)
            dataset = self._ox.Dataset(quads)
            dataset.canonicalize(self._ox.CanonicalizationAlgorithm.UNSTABLE)
            sets.append(set(dataset))
        return bool(sets[0] == sets[1])

    def _plain(self, term: Any) -> Any:
        """Return a term; a number in the same form whatever wrote it."""
        if not isinstance(term, self._ox.Literal):
            return term
        kind = term.datatype
        return self._ox.Literal(cell_of_literal(term.value, kind.value), datatype=kind)

    def _graph(self, name: str) -> Any:
        return self._ox.NamedNode(f"urn:clemkit:source:{_digest(name)}")

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


def _experiment_class() -> str:
    mapping = model_map()
    return str(mapping["classes"][mapping["root"]]["iri"])


def _same_experiment(name: str, experiment: str, holder: str) -> str:
    short = cell_of_iri(experiment)
    message = f"{name}: expected an experiment of its own; found {short!r}, which {holder} is too"
    return f"{message}; give one of them another id, or ask only one"


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
