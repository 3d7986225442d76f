"""The flat graph of a crate while it grows: nodes by id, joined where they meet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

__all__ = ["METADATA", "Graph", "local_id", "ref", "refs"]

METADATA = "ro-crate-metadata.json"
Node = dict[str, Any]


def local_id(name: object) -> str:
    """Return the ``@id`` of a thing of the description."""
    return f"#{quote(str(name), safe='')}"


def ref(name: str) -> dict[str, str]:
    """Return a reference to an ``@id``."""
    return {"@id": name}


def refs(names: Any) -> list[dict[str, str]]:
    """Return references to several ``@id``, each once."""
    return [ref(name) for name in dict.fromkeys(names)]


class Graph:
    """Nodes of a crate.

    A node that is added twice is joined: what is there stays, what is new comes in, types and
    lists of references are united.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    def __contains__(self, name: str) -> bool:
        """Whether there is a node with the ``@id`` *name*."""
        return name in self._nodes

    def __getitem__(self, name: str) -> Node:
        """Return the node with the ``@id`` *name*."""
        return self._nodes[name]

    def __iter__(self) -> Iterator[Node]:
        """Yield the nodes in the order in which they came."""
        return iter(self._nodes.values())

    def add(self, node: Mapping[str, Any]) -> str:
        """Add a node without its empty fields, and return its ``@id``."""
        name = str(node["@id"])
        new = {k: v for k, v in node.items() if v not in (None, "", [])}
        old = self._nodes.setdefault(name, {"@id": name})
        for key, value in new.items():
            if key not in old:
                old[key] = value
            elif key == "@type" or (isinstance(old[key], list) and isinstance(value, list)):
                old[key] = _united(old[key], value)
        return name

    def link(self, name: str, field: str, target: str) -> None:
        """Add a reference from a node to *target*."""
        node = self._nodes[name]
        node[field] = _united(node.get(field, []), [ref(target)])

    def reachable(self, start: str) -> list[Node]:
        """Return the nodes that *start* leads to, in the order in which they came."""
        todo, seen = [start], set()
        while todo:
            name = todo.pop()
            if name in seen or name not in self._nodes:
                continue
            seen.add(name)
            todo += list(_targets(self._nodes[name]))
        return [n for n in self if n["@id"] in seen]

    def text(self, context: Any, nodes: list[Node] | None = None) -> bytes:
        """Return the metadata of the crate as JSON-LD."""
        chosen = [_single(n) for n in (self if nodes is None else nodes)]
        document = {"@context": context, "@graph": chosen}
        return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _single(node: Node) -> Node:
    """Return a node with one value instead of a list of one, as RO-Crate recommends."""
    return {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in node.items()}


def _united(one: Any, other: Any) -> Any:
    first = one if isinstance(one, list) else [one]
    second = other if isinstance(other, list) else [other]
    joined = [*first, *(v for v in second if v not in first)]
    return joined[0] if len(joined) == 1 and not isinstance(one, list) else joined


def _targets(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if set(value) == {"@id"}:
            yield str(value["@id"])
        else:
            for key, inner in value.items():
                if key != "@id":
                    yield from _targets(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _targets(item)
