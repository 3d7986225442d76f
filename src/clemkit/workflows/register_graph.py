"""Register all that a description correlates, and join it to one transform graph."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clemkit.errors import ArgumentError, ClemkitError, NotFoundError, TransformError
from clemkit.provenance import Progress, Step, digest_path, no_progress
from clemkit.workflows.composed_registration import write_composed
from clemkit.workflows.graph_edges import read_edge
from clemkit.workflows.graph_page import write_graph_page
from clemkit.workflows.graph_plan import GraphPlan, PlannedEdge, plan_graph, read_description
from clemkit.workflows.graph_record import graph_record, relative
from clemkit.workflows.registration_record import strict_json
from clemkit.workflows.run_plan import RunStep
from clemkit.workflows.run_settings import RunSettings, read_run_settings
from clemkit.workflows.run_state import (
    FOLDER,
    RunState,
    recorded_time,
    remove_leftovers,
    write_whole,
)
from clemkit.workflows.run_steps import ACTIONS, Work, json_bytes

if TYPE_CHECKING:
    from clemkit.transforms.graph import GraphEdge, TransformGraph

__all__ = ["RECORD", "open_graph", "register_graph"]

RECORD = "graph.json"
_VERSION = 1
_LEVEL = 0.99


def register_graph(
    description: str | Path,
    output: str | Path,
    *,
    settings: str | Path | None = None,
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Register every correlation of a description and compose what follows from them.

    Parameters
    ----------
    description : path
        ``experiment.yaml``; images with files, and correlations with fixed and moving image.
    output : path
        Folder of the graph: ``graph.json``, ``graph.html``, ``registration/ID`` for each
        correlation, ``composed/MOVING-to-FIXED`` for each pair of images that follows. A graph
        that was stopped goes on where it was; finished registrations are recognised by digests.
    settings : path, optional
        See :mod:`clemkit.workflows.run_settings`; ``run.yaml`` beside the description where that
        exists.
    seed : int
    workers : int, optional
        Threads; never changes a byte.
    overwrite : bool
        Register everything again, refused registrations too.
    dry_run : bool
        Return the plan; write nothing.
    progress : Progress

    Returns
    -------
    dict
        The content of ``graph.json``: ``status`` (``ok``, or ``incomplete`` where a registration
        was refused or failed), ``spaces``, ``edges``, ``pairs``, ``unreachable``,
        ``loop_closures``, ``findings``; and ``output``. For a dry run ``edges`` with their state.

    Raises
    ------
    InvalidMetadataError
        The description is wrong.
    ArgumentError, NotFoundError
        Nothing to register, or the output is something else.
    """
    source, target = Path(description), Path(output)
    data = read_description(source)
    chosen = Path(settings) if settings is not None else source.parent / "run.yaml"
    used = chosen if settings is not None or chosen.exists() else None
    found = read_run_settings(used)
    plan = plan_graph(data, source, target, found, seed)
    _check_target(target)
    state = RunState(target)
    if dry_run:
        return _dry(plan, state, overwrite)
    target.mkdir(exist_ok=True)
    with state.locked():
        remove_leftovers(target)
        if overwrite:
            state.forget(list(state.steps))
        return _execute(plan, state, data, found, seed, workers, progress, used)


def open_graph(folder: str | Path) -> TransformGraph:
    """Open what :func:`register_graph` wrote.

    Raises
    ------
    NotFoundError
        There is no graph.
    """
    import json

    from clemkit.transforms.graph import TransformGraph

    record = Path(folder) / RECORD
    if not record.is_file():
        raise NotFoundError(
            f"{folder}: expected the output folder of clemkit register --graph; found no {RECORD}"
        )
    content = json.loads(record.read_text("utf-8"))
    source = (record.parent / content["description"]).resolve()
    data = read_description(source)
    path = content["settings"]
    settings = read_run_settings(None if path is None else record.parent / path)
    plan = plan_graph(data, source, record.parent, settings, content["seed"])
    usable = {e["name"] for e in content["edges"] if e["status"] in ("ok", "uncertain")}
    return TransformGraph(
        tuple(read_edge(edge, plan, settings) for edge in plan.edges if edge.name in usable)
    )


def _check_target(target: Path) -> None:
    if not target.parent.is_dir():
        raise NotFoundError(f"{target.parent}: expected an existing folder; make it first")
    mine = (target / RECORD).is_file() or (target / FOLDER).is_dir()
    if target.exists() and not mine and not (target.is_dir() and not any(target.iterdir())):
        raise ArgumentError(
            f"{target}: expected a free name or the folder of an earlier graph; found something "
            "else, which stays; choose another name (--output)"
        )


def _key(step: RunStep, state: RunState) -> str:
    return state.key(step.name, {**step.parameters, "graph": _VERSION}, step.inputs)


def _execute(
    plan: GraphPlan,
    state: RunState,
    data: Mapping[str, Any],
    settings: RunSettings,
    seed: int,
    workers: int | None,
    progress: Progress,
    used: Path | None,
) -> dict[str, Any]:
    from clemkit.transforms.graph import TransformGraph

    started = recorded_time()
    work = Work(
        data=data,
        description=plan.description,
        output=plan.output,
        steps=state.steps,
        records={},
        workers=workers,
        copy=False,
        progress=progress,
    )
    entries, edges = [], []
    for number, planned in enumerate(plan.edges):
        progress(planned.name, 0.0, f"registration {number + 1} of {len(plan.edges)}")
        entry, edge = _one(planned, plan, state, work, settings)
        entries.append(entry)
        if edge is not None:
            edges.append(edge)
        progress(planned.name, 1.0, entry["status"])
    graph = TransformGraph(tuple(edges))
    record = graph_record(plan, graph, entries, _LEVEL)
    record |= {"seed": seed, "settings": relative(used, plan.output)}
    progress("compose", 0.0, f"{len(record['pairs'])} pairs")
    for pair in record["pairs"]:
        if len(pair["edges"]) > 1:
            _compose(pair, graph, plan.output, seed)
    record["findings"] += [p["reason"] for p in record["pairs"] if p.get("reason")]
    record = dict(strict_json(record))
    write_whole(plan.output / RECORD, json_bytes(record))
    write_graph_page(record, plan.output / "graph.html")
    folders = [e.folder for e in plan.edges if e.folder is not None and e.folder.is_dir()]
    inputs = [plan.description, *(f / "registration.json" for f in folders)]
    outputs = [plan.output / RECORD, *sorted((plan.output / "composed").glob("[!.]*"))]
    Step(
        activity="composition",
        inputs=tuple(digest_path(path) for path in inputs),
        outputs=tuple(digest_path(path) for path in outputs),
        parameters={"closure_level": _LEVEL},
        seed=seed,
        started=started,
    ).write(plan.output / "provenance.json")
    progress("compose", 1.0, "done")
    return record | {"output": str(plan.output)}


def _one(
    planned: PlannedEdge, plan: GraphPlan, state: RunState, work: Work, settings: RunSettings
) -> tuple[dict[str, Any], GraphEdge | None]:
    """Make or find one registration; what goes wrong with it is told, and stays its own."""
    entry: dict[str, Any] = {
        "name": planned.name,
        "fixed": planned.fixed,
        "moving": planned.moving,
        "kind": planned.kind,
        "state": "given" if planned.kind == "given" else "kept",
        "status": "failed",
        "seconds": 0.0,
        "reason": planned.reason or None,
    }
    if planned.kind == "impossible":
        return entry | {"state": "impossible"}, None
    clock = time.perf_counter()
    try:
        for step in planned.steps:
            if _do(step, state, work, settings):
                entry["state"] = "done"
        edge = read_edge(planned, plan, settings)
    except (ClemkitError, OSError) as error:
        state_word = "refused" if f"refused:{planned.name}" in state.steps else "failed"
        reason = " ".join(str(error).split())
        return entry | {"state": state_word, "reason": reason}, None
    if entry["state"] == "done":
        entry["seconds"] = round(time.perf_counter() - clock, 2)
    status = "ok" if edge.is_trusted and edge.is_known else "uncertain"
    entry |= {"status": status, "folder": relative(planned.folder, plan.output)}
    if not edge.is_known:
        entry["reason"] = "no error estimate: a fit is not an accuracy"
    elif not edge.is_trusted:
        entry["reason"] = "uncertain: look at its report before it is used"
    found = {"median": edge.median_nm, "low": edge.low_nm, "high": edge.high_nm,
             "p90": edge.p90_nm, "space": str(edge.error_space)}  # fmt: skip
    return entry | {"error_nm": found}, edge


def _do(step: RunStep, state: RunState, work: Work, settings: RunSettings) -> bool:
    """Do a step unless it is done; return whether it was. A refusal is remembered as one."""
    key = _key(step, state)
    refused = f"refused:{step.subject}"
    if state.is_done(step.name, key):
        return False
    if refused in state.steps and state.steps[refused]["key"] == key:
        raise ArgumentError(str(state.steps[refused]["result"]["reason"]))
    started = recorded_time()
    try:
        action = _register_landmarks if step.kind == "landmarks" else ACTIONS[step.kind]
        result = action(step, work)
    except ClemkitError as error:
        from clemkit.errors import RegistrationError

        if isinstance(error, RegistrationError):
            reason = {"reason": " ".join(str(error).split())}
            state.finish(refused, key, (), result=reason, started=started, ended=recorded_time())
        raise
    state.forget([refused])
    state.finish(
        step.name, key, step.outputs, result=result, started=started, ended=recorded_time()
    )
    return True


def _register_landmarks(step: RunStep, work: Work) -> dict[str, Any]:
    from clemkit.errors import RegistrationError
    from clemkit.workflows.register_landmarks import register_landmark_file

    target = step.outputs[0]
    target.parent.mkdir(exist_ok=True)
    found = register_landmark_file(
        step.inputs[0],
        target,
        units=step.parameters["unit"],
        allow_reflection=step.parameters["allow_reflection"],
        seed=step.parameters["seed"],
        overwrite=True,
        progress=work.progress,
    )
    if found["status"] == "failed":
        raise RegistrationError(f"{step.subject}: {found['reason']}")
    return {"status": found["status"], "tre_estimate_nm": found["tre_estimate_nm"]}


def _compose(pair: dict[str, Any], graph: TransformGraph, output: Path, seed: int) -> None:
    from clemkit.geometry import Space
    from clemkit.transforms.graph import GraphPath

    folder = output / "composed" / f"{pair['moving']}-to-{pair['fixed']}"
    folder.parent.mkdir(exist_ok=True)
    spaces = tuple(Space(name) for name in pair["path"])
    path = GraphPath(spaces, tuple(graph.edge(name) for name in pair["edges"]))
    if not pair["error_nm"]["count"] and graph.grid(spaces[0]) and graph.grid(spaces[-1]):
        pair["apart"] = "the images share no place; nothing to compose"
        return
    try:
        found = write_composed(graph, path, folder, status=pair["status"], seed=seed)
    except (ArgumentError, TransformError) as error:
        pair["reason"] = " ".join(str(error).split())
        return
    pair |= {"folder": relative(folder, output), "map_error_nm": found["map_error_nm"],
             "inverse_error_nm": found["inverse_error_nm"]}  # fmt: skip


def _dry(plan: GraphPlan, state: RunState, overwrite: bool) -> dict[str, Any]:
    """Say what would be done; a registration whose inputs are not made yet is planned."""
    edges = []
    for edge in plan.edges:
        there = all(p.exists() for step in edge.steps for p in step.inputs)
        kept = there and not overwrite and all(
            state.is_done(step.name, _key(step, state)) for step in edge.steps
        )  # fmt: skip
        word = {"given": "given", "impossible": "impossible"}.get(
            edge.kind, "kept" if kept else "planned"
        )
        steps = [] if word in ("kept", "given") else [step.name for step in edge.steps]
        edges.append(
            {"name": edge.name, "fixed": edge.fixed, "moving": edge.moving, "kind": edge.kind,
             "state": word, "steps": steps, "reason": edge.reason or None}
        )  # fmt: skip
    names = sorted({n for e in plan.edges for n in (e.fixed, e.moving)})
    joined = {frozenset((e.fixed, e.moving)) for e in plan.edges if e.kind != "impossible"}
    composed = [p for p in combinations(names, 2) if frozenset(p) not in joined]
    return {
        "output": str(plan.output),
        "edges": edges,
        "composed": [list(p) for p in composed if _would_meet(plan, *p)],
        "dry_run": True,
    }


def _would_meet(plan: GraphPlan, one: str, other: str) -> bool:
    found, grown = {one}, True
    while grown:
        grown = False
        for edge in plan.edges:
            ends = {edge.fixed, edge.moving}
            if edge.kind != "impossible" and ends & found and not ends <= found:
                found |= ends
                grown = True
    return other in found
