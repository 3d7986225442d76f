"""``graph.json``: images, registrations, what follows from them, and whether they agree."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.geometry import Space
from clemkit.workflows.composed_registration import choose_fixed, error_record
from clemkit.workflows.graph_plan import GraphPlan
from clemkit.workflows.registration_record import grid_record

if TYPE_CHECKING:
    from clemkit.transforms.graph import GraphPath, TransformGraph

__all__ = ["graph_record", "relative"]

_VERSION = 1


def graph_record(
    plan: GraphPlan, graph: TransformGraph, entries: Sequence[Mapping[str, Any]], level: float
) -> dict[str, Any]:
    """Return the content of ``graph.json``.

    Parameters
    ----------
    plan : GraphPlan
    graph : TransformGraph
        Of the registrations that can be used.
    entries : sequence of mapping
        All registrations, with what became of them.
    level : float
        Of the loop closures.
    """
    names = sorted({name for edge in plan.edges for name in (edge.fixed, edge.moving)})
    loops = graph.loop_closures(level)
    suspects = {name for loop in loops for name in loop.suspects}
    pairs, unreachable = [], []
    for one, other in combinations(names, 2):
        if Space(other) in graph.reached(Space(one)):
            pairs.append(_pair(graph, one, other, suspects))
        else:
            because = _separating(graph, entries, one, other)
            unreachable.append({"images": [one, other], "because": because})
    findings = [f"{entry['name']}: {entry['reason']}" for entry in entries if entry["reason"]]
    findings += [loop.sentence() for loop in loops if loop.is_open]
    whole = all(entry["status"] != "failed" for entry in entries)
    return {
        "version": _VERSION,
        "status": "ok" if whole else "incomplete",
        "description": relative(plan.description, plan.output),
        "spaces": [
            {
                "name": name,
                "modality": plan.images.get(name, {}).get("modality"),
                "grid": grid_record(graph.grid(Space(name))),
            }
            for name in names
        ],
        "edges": list(entries),
        "pairs": pairs,
        "unreachable": unreachable,
        "closure_level": level,
        "loop_closures": [{**asdict(loop), "sentence": loop.sentence()} for loop in loops],
        "findings": findings,
    }


def relative(path: Path | None, start: Path) -> str | None:
    """Return a path seen from a folder, with slashes."""
    return None if path is None else Path(os.path.relpath(path, start)).as_posix()


def _pair(graph: TransformGraph, one: str, other: str, suspects: set[str]) -> dict[str, Any]:
    path = choose_fixed(graph, Space(one), Space(other))
    fixed, moving = path.spaces[0], path.spaces[-1]
    ways = graph.paths(fixed, moving)
    doubtful = not path.is_trusted or bool(suspects & set(path.names))
    return {
        "fixed": fixed.name,
        "moving": moving.name,
        "path": [space.name for space in path.spaces],
        "edges": list(path.names),
        "status": "uncertain" if doubtful else "ok",
        "error_nm": _error(graph, path) | {"space": moving.name},
        "alternatives": [
            {"edges": list(way.names), "median_nm": _error(graph, way)["median"]}
            for way in ways
            if way.names != path.names
        ],
    }


def _error(graph: TransformGraph, path: GraphPath) -> dict[str, Any]:
    from clemkit.transforms.path_error import path_error, shared_points

    try:
        points = shared_points(graph, path)
    except ArgumentError:  # no image has files: errors add without a local scale
        points = np.zeros((0, 3))
    return error_record(path_error(graph, path, points))


def _separating(
    graph: TransformGraph, entries: Sequence[Mapping[str, Any]], one: str, other: str
) -> list[str]:
    """Return the failed registrations that would have joined the parts of the graph."""
    side = {space.name for space in graph.reached(Space(one))}
    far = {space.name for space in graph.reached(Space(other))}
    failed = [entry for entry in entries if entry["status"] == "failed"]
    direct = [
        entry["name"]
        for entry in failed
        if {entry["fixed"], entry["moving"]} & side or {entry["fixed"], entry["moving"]} & far
    ]
    return direct or [entry["name"] for entry in failed]
