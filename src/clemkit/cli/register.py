"""``clemkit register``: two volumes, or landmark pairs, to transforms with an honest error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clemkit.cli import figures, graph_figures, options
from clemkit.cli.failures import FINDINGS, OK
from clemkit.cli.terminal import open_terminal
from clemkit.errors import ArgumentError

if TYPE_CHECKING:
    from clemkit.workflows.register_guidance import StructureFiles

__all__ = ["register"]

_ENGINES = ("clemkit", "elastix", "greedy")


def register(
    output: options.Output,
    fixed: Annotated[
        Path | None, typer.Option(help="Volume that stays where it is, usually EM.")
    ] = None,
    moving: Annotated[Path | None, typer.Option(help="Volume that is mapped onto it.")] = None,
    fixed_labels: Annotated[
        Path | None, typer.Option(help="Labels of the structure in the fixed volume.")
    ] = None,
    moving_labels: Annotated[
        Path | None, typer.Option(help="Labels of the structure in the moving volume.")
    ] = None,
    structure: Annotated[
        list[str] | None,
        typer.Option(
            help="What both show: mitochondria, nuclei, …; or, once for each of several kinds, "
            "labels=PATH,channel=NAME,weight=1.0.",
        ),
    ] = None,
    fixed_voxel_size: Annotated[
        str | None, typer.Option(metavar="Z,Y,X", help="In nm, overriding the file's.")
    ] = None,
    moving_voxel_size: Annotated[
        str | None, typer.Option(metavar="Z,Y,X", help="In nm, overriding the file's.")
    ] = None,
    fixed_channel: Annotated[
        str | None, typer.Option(metavar="N|NAME", help="Channel of the fixed volume.")
    ] = None,
    moving_channel: Annotated[
        str | None, typer.Option(metavar="N|NAME", help="Channel of the moving volume.")
    ] = None,
    landmarks: Annotated[
        Path | None,
        typer.Option(
            help="Landmark pairs, instead of volumes or to guide them; BigWarp's order: moving, "
            "fixed.",
        ),
    ] = None,
    hard_landmarks: Annotated[
        bool, typer.Option("--hard-landmarks", help="Pass through the landmarks exactly.")
    ] = False,
    initial: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Transform, or folder of a registration, from which to go on without a search.",
        ),
    ] = None,
    trust_initial: Annotated[
        bool, typer.Option("--trust-initial", help="Do not ask the images whether it fits.")
    ] = False,
    units: options.Units = None,
    model: Annotated[
        str | None, typer.Option(help="Model for --landmarks. Default: chosen by validation.")
    ] = None,
    graph: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.yaml",
            help="Description whose correlations are all registered and joined, with loop closure.",
        ),
    ] = None,
    allow_reflection: Annotated[
        bool, typer.Option("--allow-reflection", help="Accept a mirrored specimen.")
    ] = False,
    engine: Annotated[
        str | None, typer.Option(help="Deformation by clemkit (default), elastix or greedy.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Settings for a cell, tissue or organism; or a published chain, cosem or "
            "clem-reg, which needs a rough --initial.",
        ),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="A picture beside the output after the coarse stage.")
    ] = False,
    settings: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="Physical settings of the engine.")
    ] = None,
    seed: options.Seed = 0,
    workers: options.Workers = None,
    overwrite: options.Overwrite = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> int:
    """Register two volumes without initialisation, or landmark pairs, or all of a description.

    Exits 1 when a registration is refused; registration.json then says why.
    """
    volume_options = {
        "--fixed": fixed,
        "--moving": moving,
        "--fixed-labels": fixed_labels,
        "--moving-labels": moving_labels,
        "--structure": structure or None,
        "--fixed-voxel-size": fixed_voxel_size,
        "--moving-voxel-size": moving_voxel_size,
        "--fixed-channel": fixed_channel,
        "--moving-channel": moving_channel,
        "--initial": initial,
        "--trust-initial": trust_initial or None,
        "--hard-landmarks": hard_landmarks or None,
        "--engine": engine,
        "--preset": preset,
        "--preview": preview or None,
        "--settings": settings,
    }
    landmark_options = {"--landmarks": landmarks, "--units": units, "--model": model}
    with open_terminal(quiet=quiet, verbose=verbose, debug=debug, as_json=as_json) as terminal:
        if graph is not None:
            _refuse(
                {flag: value for flag, value in volume_options.items() if flag != "--settings"}
                | landmark_options
                | {"--allow-reflection": allow_reflection or None},
                "--graph; say it in the description, or in run.yaml",
            )
            from clemkit.workflows.register_graph import register_graph

            with terminal.progress() as progress:
                found = register_graph(
                    graph,
                    output,
                    settings=settings,
                    seed=seed,
                    workers=workers,
                    overwrite=overwrite,
                    dry_run=dry_run,
                    progress=progress,
                )
            terminal.result(found, lambda: graph_figures.graph_lines(found))
            return OK if dry_run or found["status"] == "ok" else FINDINGS
        if landmarks is not None and fixed is None and moving is None:
            _refuse(volume_options, "--landmarks without --fixed and --moving")
            from clemkit.workflows.register import register_landmark_file

            with terminal.progress() as progress:
                found = register_landmark_file(
                    landmarks,
                    output,
                    units=units,
                    model=model or "auto",
                    allow_reflection=allow_reflection,
                    seed=seed,
                    overwrite=overwrite,
                    dry_run=dry_run,
                    progress=progress,
                )
        else:
            if fixed is None or moving is None:
                raise ArgumentError(
                    "register: expected --fixed and --moving, or --landmarks, or --graph"
                )
            needless = {"--model": model}
            if landmarks is None and initial is None:
                needless["--units"] = units
            _refuse(needless, "--fixed and --moving")
            name, kinds = _structures(structure or [])
            fixed_size = options.parse_triple(fixed_voxel_size, "--fixed-voxel-size")
            moving_size = options.parse_triple(moving_voxel_size, "--moving-voxel-size")
            chosen = options.parse_choice(engine or "clemkit", "--engine", _ENGINES)
            from clemkit.workflows.register import register_files

            with terminal.progress() as progress:
                found = register_files(
                    fixed,
                    moving,
                    output,
                    fixed_labels=fixed_labels,
                    moving_labels=moving_labels,
                    structure=name,
                    fixed_voxel_size_zyx_nm=fixed_size,
                    moving_voxel_size_zyx_nm=moving_size,
                    fixed_channel=options.parse_index_or_name(fixed_channel),
                    moving_channel=options.parse_index_or_name(moving_channel),
                    allow_reflection=allow_reflection,
                    engine=chosen,
                    preset=preset,
                    settings=settings,
                    initial=initial,
                    trust_initial=trust_initial,
                    landmarks=landmarks,
                    hard_landmarks=hard_landmarks,
                    units=units,
                    structures=kinds,
                    preview=preview,
                    seed=seed,
                    workers=workers,
                    overwrite=overwrite,
                    dry_run=dry_run,
                    progress=progress,
                )
        if dry_run:
            terminal.result(found, lambda: figures.table(_readable(found)))
            return OK
        terminal.result(found, lambda: registration_lines(found, output))
        if found["status"] == "failed":
            terminal.complain(found.get("reason") or "; ".join(found["warnings"]))
    return FINDINGS if found["status"] == "failed" else OK


def _structures(texts: list[str]) -> tuple[str | None, list[StructureFiles]]:
    """Return one name, or the files of several kinds."""
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0], []
    from clemkit.workflows.register_guidance import parse_structure

    return None, [parse_structure(text) for text in texts]


def _readable(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan with each setting in one line: value, unit, where it comes from."""
    settings = plan.get("settings")
    if not isinstance(settings, Mapping):
        return dict(plan)
    origin = {"data": "from the data", "given": "given", "default": "default"}
    lines = {}
    for name, entry in settings.items():
        value = entry["value"]
        parts = value if isinstance(value, list | tuple) else [value]
        shown = ", ".join(f"{v:.4g}" if isinstance(v, float) else f"{v}" for v in parts)
        shown = {"True": "yes", "False": "no"}.get(shown, shown)
        lines[name] = " ".join(f"{shown} {entry['unit']}".split()) + f" ({origin[entry['from']]})"
    return {**plan, "settings": lines}


def _refuse(given: Mapping[str, Any], with_what: str) -> None:
    surplus = sorted(flag for flag, value in given.items() if value is not None)
    if surplus:
        raise ArgumentError(f"register: {', '.join(surplus)} cannot go with {with_what}")


def registration_lines(found: Mapping[str, Any], output: Path) -> Iterator[str]:
    """Yield the figures that decide whether a registration can be used."""
    estimate, jacobian = found["tre_estimate_nm"], found["jacobian"]
    yield f"status      {found['status']} (confidence {figures.number(found['confidence'])})"
    yield (
        f"error       median {figures.length(estimate['median'])}, 90 % interval "
        f"{figures.length(estimate['low'])} to {figures.length(estimate['high'])}, "
        f"90th percentile {figures.length(estimate['p90'])}"
    )
    yield (
        f"volume      Jacobian {figures.number(jacobian['min'])} to "
        f"{figures.number(jacobian['max'])}, folded {figures.percent(jacobian['folded_fraction'])}"
    )
    yield f"inverse     round trip {figures.length(found['inverse_error_nm'])}"
    if found["reflection"]:
        yield "reflection  yes: the transform contains a mirror"
    for warning in found["warnings"]:
        yield f"warning     {warning}"
    report = output / "report.html"
    yield f"report      {report}" if report.exists() else f"output      {output}"
