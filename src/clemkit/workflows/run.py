"""The whole flow from raw files and a protocol to packages, in one call that can be resumed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clemkit.errors import ArgumentError, InvalidMetadataError, NotFoundError
from clemkit.provenance import Environment, Progress, Step, no_progress
from clemkit.workflows.run_plan import RunPlan, RunStep, plan_run
from clemkit.workflows.run_settings import read_run_settings
from clemkit.workflows.run_state import (
    FOLDER,
    RunState,
    recorded_time,
    remove_leftovers,
    write_whole,
)
from clemkit.workflows.run_steps import ACTIONS, Work, json_bytes

__all__ = ["VOLATILE", "run_experiment"]

VOLATILE = (
    f"{FOLDER}/*",
    "run-log.json",
    "*/.clemkit-package/*",
    "registration/*/registration.json",
    "registration/*/provenance.json",
    "registration/*/report.html",
)
"""Files of a run that hold CPU times, memory, or names of this machine; all others are the same
bytes in every run over the same files with the same seed and ``SOURCE_DATE_EPOCH``."""

_SETTINGS = "run.yaml"


def run_experiment(
    description: str | Path,
    output: str | Path | None = None,
    *,
    settings: str | Path | None = None,
    seed: int = 0,
    workers: int | None = None,
    copy: bool = False,
    start_from: str | None = None,
    until: str | None = None,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Go from a description with raw files to registered, described and packaged data.

    Parameters
    ----------
    description : path
        ``experiment.yaml``; never changed.
    output : path, optional
        Folder of the run; ``run`` beside the description where absent. A run that was stopped,
        even by a power cut, goes on where it was.
    settings : path, optional
        See :mod:`clemkit.workflows.run_settings`; ``run.yaml`` beside the description where that
        exists.
    seed : int
        Of everything random.
    workers : int, optional
        Threads; never changes a byte.
    copy : bool
        Copy data into the packages; hard links where false.
    start_from : str, optional
        Do this step and all after it again.
    until : str, optional
        Stop after this step.
    dry_run : bool
        Return the plan; write nothing.
    progress : Progress

    Returns
    -------
    dict
        ``output``, ``steps`` (``name``, ``state``: ``done``, ``kept`` or ``planned``, ``seconds``,
        ``result``), ``dry_run``.

    Raises
    ------
    InvalidMetadataError
        The description or its files are wrong.
    ArgumentError, NotFoundError
        Something that a step needs is not there.
    RegistrationError
        A registration failed; what was done before stays.
    """
    source = Path(description)
    data = _read(source)
    target = Path(output) if output is not None else source.parent / "run"
    if not target.parent.is_dir():
        raise NotFoundError(f"{target.parent}: expected an existing folder; make it first")
    chosen = Path(settings) if settings is not None else source.parent / _SETTINGS
    found = read_run_settings(chosen if settings is not None or chosen.exists() else None)
    plan = plan_run(data, source, target, found, seed)
    _check_names(plan, start_from, until)
    _check_target(target)
    if dry_run:
        state = RunState(target)
        return _dry(plan, state)
    state = RunState(target)
    with state.locked():
        remove_leftovers(target)
        if start_from is not None:
            names = plan.names()
            state.forget(names[names.index(start_from) :])
        state.forget(set(state.steps) - set(plan.names()))
        return _execute(plan, state, data, workers, copy, until, progress)


def _read(source: Path) -> Mapping[str, Any]:
    from clemkit.metadata.load import read_document
    from clemkit.metadata.validate import validate

    document = read_document(source)
    wrong = [p for p in validate(document).problems if p.rule[:2] in ("L0", "L1")]
    wrong = [p for p in wrong if p.severity == "error"]
    if wrong:
        line = document.line_of(wrong[0].location)
        raise InvalidMetadataError(
            f"{source}:{line}: the description does not fit the model in {len(wrong)} places: "
            f"{wrong[0]}; see `clemkit validate {source}`",
            wrong,
        )
    content: Mapping[str, Any] = document.data
    return content


def _check_names(plan: RunPlan, *names: str | None) -> None:
    for name in names:
        if name is not None and name not in plan.names():
            raise ArgumentError(f"step: expected {', '.join(plan.names())}; found {name!r}")


def _check_target(target: Path) -> None:
    is_run = (target / FOLDER).is_dir()
    if target.exists() and not is_run and not (target.is_dir() and not any(target.iterdir())):
        raise ArgumentError(
            f"{target}: expected a free name or the folder of an earlier run; found something "
            "else, which stays; choose another name (--output)"
        )


def _key(step: RunStep, state: RunState) -> str:
    known = {name: state.steps[name] for name in step.needs}
    parts = ("result", "started", "ended")
    needs = {name: {part: one[part] for part in parts} for name, one in known.items()}
    return state.key(step.name, {**step.parameters, "needs": needs}, step.inputs)


def _execute(
    plan: RunPlan,
    state: RunState,
    data: Mapping[str, Any],
    workers: int | None,
    copy: bool,
    until: str | None,
    progress: Progress,
) -> dict[str, Any]:
    report: list[dict[str, Any]] = []
    records: dict[str, Path] = {}
    for number, step in enumerate(plan.steps):
        progress(step.name, 0.0, f"step {number + 1} of {len(plan.steps)}")
        record = plan.output / "provenance" / f"{step.name.replace(':', '-')}.json"
        key = _key(step, state)
        entry: dict[str, Any] = {"name": step.name, "state": "kept", "seconds": 0.0}
        if step.is_repeatable or not state.is_done(step.name, key):
            work = Work(
                data=data,
                description=plan.description,
                output=plan.output,
                steps=state.steps,
                records=records,
                workers=workers,
                copy=copy,
                progress=progress,
            )
            entry |= _do(step, work, state, key, record)
        if not step.is_repeatable:
            records[step.name] = record
        entry["result"] = state.steps[step.name]["result"]
        report.append(entry)
        progress(step.name, 1.0, "kept" if entry["state"] == "kept" else f"{entry['seconds']} s")
        if step.name == until:
            break
    log = {"steps": report, "environment": vars_of(Environment.current())}
    write_whole(plan.output / "run-log.json", json_bytes(log))
    return {"output": str(plan.output), "steps": report, "dry_run": False}


def _do(step: RunStep, work: Work, state: RunState, key: str, record: Path) -> dict[str, Any]:
    """Do a step and record it: first its output, then its provenance, then that it is done."""
    clock, started = time.perf_counter(), recorded_time()
    result = ACTIONS[step.kind](step, work)
    ended = recorded_time()
    outputs: Sequence[Path] = () if step.is_repeatable else (*step.outputs, record)
    if not step.is_repeatable:
        _write_record(step, state, record, started, ended)
    state.finish(step.name, key, outputs, result=result, started=started, ended=ended)
    return {"state": "done", "seconds": round(time.perf_counter() - clock, 2)}


def _write_record(step: RunStep, state: RunState, record: Path, started: str, ended: str) -> None:
    """Write what was done, with paths relative to the run, so that it can be moved."""
    provenance = Step(
        activity=_ACTIVITIES.get(step.kind, step.kind),
        inputs=tuple(state.digest(p) for path in step.inputs for p in _lasting(path)),
        outputs=tuple(state.digest(p) for path in step.outputs for p in _lasting(path)),
        parameters={k: v for k, v in step.parameters.items() if v not in (None, {})},
        seed=step.parameters.get("seed"),
        started=started,
        ended=ended,
        command=("clemkit", "run"),
    )
    write_whole(record, json_bytes(provenance.to_dict()))


def _lasting(path: Path) -> list[Path]:
    """Return a path; of a registration the parts that hold no CPU times."""
    if (path / "registration.json").is_file():
        return [path / name for name in ("transforms", "warped.ome.zarr")]
    return [path]


_ACTIVITIES = {
    "convert": "conversion",
    "segment": "segmentation",
    "register": "registration",
    "warp": "warping",
    "evaluate": "evaluation",
}


def vars_of(environment: Environment) -> dict[str, Any]:
    """Return an environment as plain data."""
    return {
        "python": environment.python,
        "platform": environment.platform,
        "cpu_count": environment.cpu_count,
        "packages": dict(environment.packages),
    }


def _dry(plan: RunPlan, state: RunState) -> dict[str, Any]:
    """Say what would be done; a step whose inputs are not there yet must be."""
    steps, fresh = [], True
    for step in plan.steps:
        there = all(p.exists() for p in step.inputs) and set(step.needs) <= set(state.steps)
        fresh = fresh and there and state.is_done(step.name, _key(step, state))
        kept = fresh and not step.is_repeatable
        steps.append(
            {
                "name": step.name,
                "state": "kept" if kept else "planned",
                "inputs": [str(p) for p in step.inputs[:3]],
                "outputs": [str(p) for p in step.outputs],
            }
        )
    return {"output": str(plan.output), "steps": steps, "dry_run": True}
