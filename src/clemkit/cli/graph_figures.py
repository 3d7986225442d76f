"""How a graph of registrations reads on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clemkit.cli import figures

__all__ = ["graph_lines"]


def graph_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the plan of a graph, or what became of it."""
    width = max(len(edge["name"]) for edge in found["edges"])
    if found.get("dry_run"):
        for edge in found["edges"]:
            what = ", ".join(edge["steps"]) or edge["reason"] or ""
            line = f"{edge['name']:<{width}}  {edge['state']:<10}  {edge['moving']} on "
            yield f"{line}{edge['fixed']}  {what}".rstrip()
        for pair in found["composed"]:
            yield f"composed  {' and '.join(pair)}"
        yield f"plan of {found['output']}"
        return
    for edge in found["edges"]:
        head = f"{edge['name']:<{width}}  {edge['state']:<7}  {edge['status']:<9}"
        if edge.get("error_nm"):
            yield f"{head}  {_error(edge['error_nm'])}"
        else:
            yield head.rstrip()
    for pair in found["pairs"]:
        if len(pair["edges"]) > 1 and "apart" not in pair:
            yield f"{' - '.join(reversed(pair['path']))}  {_error(pair['error_nm'])} (combined)"
    for loop in found["loop_closures"]:
        if not loop["is_open"]:
            yield loop["sentence"]
    for finding in found["findings"]:
        yield f"finding  {finding}"
    for apart in found["unreachable"]:
        yield f"not joined  {' and '.join(apart['images'])} (needs {', '.join(apart['because'])})"
    yield f"report  {found['output']}/graph.html"


def _error(error: Mapping[str, Any]) -> str:
    if error["median"] is None:
        return "error not known"
    return (
        f"error {figures.length(error['median'])}, 90 % interval "
        f"{figures.length(error['low'])} to {figures.length(error['high'])}"
    )
