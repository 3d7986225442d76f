"""The nodes of a crate while they are read: what was taken and what is left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from clemkit.deposition.kept import keep, not_in_model
from clemkit.errors import Problem

__all__ = ["Node", "Nodes", "as_list", "targets"]

# prefixes and addresses of types that are plain names elsewhere
_SPACES = re.compile(r"(https?://(schema[.]org|bia|bioschemas[.]org)/|schema:|csvw:|bia:)")


def as_list(value: Any) -> list[Any]:
    """Return a value as a list; nothing is an empty one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def targets(value: Any) -> list[str]:
    """Return the ids that a value refers to."""
    return [str(v["@id"]) for v in as_list(value) if isinstance(v, Mapping) and "@id" in v]


class Node:
    """One node, from which fields are taken.

    Parameters
    ----------
    data : mapping
        The node as it stands in the graph.
    index : int
        Its place in the graph.
    """

    def __init__(self, data: Mapping[str, Any], index: int) -> None:
        self.data = data
        self.index = index
        self.used = False
        self._left = dict(data)
        self._left.pop("@id", None)
        self._left.pop("@type", None)

    @property
    def name(self) -> str:
        """The ``@id``."""
        return str(self.data.get("@id", ""))

    @property
    def types(self) -> set[str]:
        """Types without prefixes, such as ``Dataset``; those of BIA also with ``bia:``."""
        found: set[str] = set()
        for kind in as_list(self.data.get("@type")):
            text = str(kind)
            found.add(_SPACES.sub("", text))
            if text.startswith(("bia:", "http://bia/")):
                found.add(f"bia:{_SPACES.sub('', text)}")
        return found

    def text(self, *fields: str) -> str:
        """Take the first of *fields* that is one text or number, and return it."""
        for field in fields:
            value = self._left.get(field)
            one = value[0] if isinstance(value, list) and len(value) == 1 else value
            if isinstance(one, str | int | float) and not isinstance(one, bool) and one != "":
                del self._left[field]
                return str(one)
        return ""

    def texts(self, *fields: str) -> list[str]:
        """Take the texts of *fields*, and return them."""
        found: list[str] = []
        for field in fields:
            values = as_list(self._left.get(field))
            if values and all(isinstance(v, str) for v in values):
                found += values
                del self._left[field]
        return found

    def links(self, *fields: str) -> list[str]:
        """Take the references of *fields*, and return the ids."""
        found: list[str] = []
        for field in fields:
            values = as_list(self._left.get(field))
            ids = targets(values)
            if ids and len(ids) == len(values):
                found += ids
                del self._left[field]
        return found

    def put_back(self, field: str, value: Any) -> None:
        """Put back what was taken and could not be used."""
        self._left[field] = value

    def rest(self) -> dict[str, Any]:
        """Return what nobody took and is not empty."""
        return {k: v for k, v in self._left.items() if v not in (None, "", [])}


class Nodes:
    """All nodes of a crate, the ids of the model made for them, and what was found.

    Parameters
    ----------
    graph : list of mapping
        The ``@graph``.
    """

    def __init__(self, graph: list[Mapping[str, Any]]) -> None:
        self.by_id: dict[str, Node] = {}
        for index, data in enumerate(graph):
            name = str(data.get("@id") or f"_:{index}")
            self.by_id.setdefault(name, Node({**data, "@id": name}, index))
        self.found: list[Problem] = []
        self.roles: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}
        self._taken: set[str] = {"study"}

    def of(self, *types: str) -> Iterator[Node]:
        """Yield the nodes that have one of *types* and are not used yet, and mark them as used."""
        for node in self.by_id.values():
            if not node.used and node.types & set(types):
                node.used = True
                yield node

    def named(self, node_id: str, fallback: str = "thing") -> str:
        """Return the id in the model for the node *node_id*."""
        if node_id not in self._names:
            local = unquote(node_id).removeprefix("#").removeprefix("./")
            local = re.sub(r"^https?://(www[.])?", "", local)
            text = re.sub(r"[^A-Za-z0-9._-]+", "-", local).strip("-._") or fallback
            name, number = text, 2
            while name in self._taken:
                name, number = f"{text}-{number}", number + 1
            self._taken.add(name)
            self._names[node_id] = name
        return self._names[node_id]

    def known(self, ids: list[str], *types: str) -> list[str]:
        """Return the model's ids of those of *ids* that are nodes of one of *types*."""
        fitting = [i for i in ids if i in self.by_id and self.by_id[i].types & set(types)]
        return [self.named(i) for i in fitting]

    def keep_rest(self, node: Node, thing: dict[str, Any]) -> None:
        """Keep in *thing* what nobody took of a node, and say so."""
        for field, value in node.rest().items():
            keep(thing, "ro-crate", field, value)
            place = ("@graph", node.index, field)
            self.found.append(not_in_model(place, f"{field!r}", str(thing.get("id", "it"))))
