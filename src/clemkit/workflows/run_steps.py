"""What each step of a run does. Each writes its output whole, and returns what it found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clemkit.errors import InvalidMetadataError, RegistrationError
from clemkit.provenance import Progress
from clemkit.workflows.registration_record import strict_json
from clemkit.workflows.run_plan import RunStep
from clemkit.workflows.run_state import write_whole

__all__ = ["ACTIONS", "Work", "json_bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a step may use beside its own inputs.

    Attributes
    ----------
    data : mapping
        The description in long form.
    description, output : Path
        Its file; the folder of the run.
    steps : mapping of str to mapping
        What the steps before recorded: ``result``, ``started``, ``ended``.
    records : mapping of str to Path
        Provenance records of the steps before.
    workers : int or None
    copy : bool
        Copy data into packages instead of linking them.
    progress : Progress
    """

    data: Mapping[str, Any]
    description: Path
    output: Path
    steps: Mapping[str, Mapping[str, Any]]
    records: Mapping[str, Path]
    workers: int | None
    copy: bool
    progress: Progress


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Return strict JSON for people and programs."""
    text = json.dumps(strict_json(content), indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def _check(step: RunStep, work: Work) -> dict[str, Any]:
    """Stop before any long work when the description or its files are wrong."""
    from clemkit.workflows.metadata import validate_file

    report = validate_file(work.description, files=True)
    errors = [p for p in report.problems if p.severity == "error"]
    if errors:
        line = report.document.line_of(errors[0].location)
        raise InvalidMetadataError(
            f"{work.description}:{line}: the run cannot start: {len(errors)} errors: {errors[0]}; "
            f"see `clemkit validate --files {work.description}`",
            errors,
        )
    found = {"errors": 0, "warnings": len(report.problems)}
    write_whole(step.outputs[0], json_bytes(found))
    return found


def _protocol(step: RunStep, work: Work) -> dict[str, Any]:
    from clemkit.metadata.protocols.readers import read_protocol

    reading = read_protocol(step.inputs[0])
    findings = [
        {"severity": p.severity, "rule": p.rule, "message": p.message} for p in reading.findings
    ]
    write_whole(step.outputs[0], json_bytes({"data": reading.data, "findings": findings}))
    protocols = reading.data.get("protocols") or [{}]
    return {"steps": len(protocols[0].get("steps", ())), "findings": len(findings)}


def _convert(step: RunStep, work: Work) -> dict[str, Any]:
    from clemkit.workflows.convert import convert_volume

    target = step.outputs[0]
    target.parent.mkdir(exist_ok=True)
    found = convert_volume(
        step.inputs[0],
        target,
        voxel_size_zyx_nm=step.parameters["voxel_size_zyx_nm"],
        dataset=step.parameters["dataset"],
        overwrite=True,
        workers=work.workers,
        progress=work.progress,
    )
    _superseded(target)
    return {"shape": found["shape"], "dtype": found["dtype"]}


def _segment(step: RunStep, work: Work) -> dict[str, Any]:
    from clemkit.workflows.segment import segment_file

    target = step.outputs[0]
    target.parent.mkdir(exist_ok=True)
    chosen = {k: v for k, v in step.parameters.items() if k != "image"}
    found = segment_file(step.inputs[0], target, **chosen, overwrite=True, progress=work.progress)
    _superseded(target)
    return {name: found[name] for name in ("objects", "labelled_fraction", "median_volume_um3")}


def _register(step: RunStep, work: Work) -> dict[str, Any]:
    from clemkit.registration.settings import Settings
    from clemkit.workflows.register import register_files

    target, call = step.outputs[0], step.parameters
    target.parent.mkdir(exist_ok=True)
    settings = dict(call["settings"])
    if isinstance(settings.get("psf_sigma_zyx_nm"), list):
        settings["psf_sigma_zyx_nm"] = tuple(settings["psf_sigma_zyx_nm"])
    found = register_files(
        step.inputs[0],
        step.inputs[1],
        target,
        fixed_labels=step.inputs[2] if call["labels"] else None,
        structure=call["structure"],
        fixed_channel=call["fixed_channel"],
        moving_channel=call["moving_channel"],
        fixed_modality=call["fixed_modality"],
        moving_modality=call["moving_modality"],
        allow_reflection=call["allow_reflection"],
        engine=call["engine"],
        settings=Settings(**settings) if settings else None,
        seed=call["seed"],
        workers=work.workers,
        overwrite=True,
        progress=work.progress,
    )
    if found["status"] == "failed":
        raise RegistrationError(
            f"{step.subject}: expected a registration; found none that can be trusted: "
            f"{found['reason']}; see {target / 'registration.json'}, then correct the description "
            "or run.yaml"
        )
    wanted = (
        "status", "confidence", "tre_estimate_nm", "jacobian", "inverse_error_nm", "reflection",
        "method", "affine", "warnings",
    )  # fmt: skip
    kept = {name: found[name] for name in wanted}
    kept["transform_kind"] = _transform_kind(target / "transforms")
    kept["tre_estimate_nm"] = {k: v for k, v in found["tre_estimate_nm"].items() if k != "regions"}
    return dict(strict_json(kept))


def _transform_kind(folder: Path) -> str:
    """Return what the model calls the transform in a registration folder."""
    from clemkit.transforms.io import read_registration_transforms

    kinds = {
        "Affine": "affine",
        "BSpline": "b_spline",
        "DisplacementField": "displacement_field",
        "ThinPlateSpline": "thin_plate_spline",
    }
    return kinds.get(type(read_registration_transforms(folder)[0]).__name__, "chain")


def _warp(step: RunStep, work: Work) -> dict[str, Any]:
    from clemkit.workflows.warp import warp_volume_file

    target, registration = step.outputs[0], step.inputs[0]
    target.parent.mkdir(exist_ok=True)
    found = warp_volume_file(
        registration,
        step.inputs[1],
        target,
        like=registration / "warped.ome.zarr",  # of bounded size, also for a very large fixed image
        workers=work.workers,
        overwrite=True,
        progress=work.progress,
    )
    _superseded(target)
    wanted = ("shape", "dtype", "voxel_size_zyx_nm", "interpolation")
    return dict(strict_json({name: found[name] for name in wanted}))


def _evaluate(step: RunStep, work: Work) -> dict[str, Any]:
    from clemkit.workflows.evaluate import evaluate_landmarks

    folder, landmarks = step.inputs
    found = evaluate_landmarks(
        folder, landmarks, units=step.parameters["unit"], seed=step.parameters["seed"]
    )
    local = {k: v for k, v in found.items() if k not in ("registration", "landmarks")}
    write_whole(step.outputs[0], json_bytes(local))
    wanted = ("n", "median_nm", "p90_nm", "mean_nm", "interval_nm")
    return dict(strict_json({name: found[name] for name in wanted}))


def _describe(step: RunStep, work: Work) -> dict[str, Any]:
    from clemkit.metadata.load import write_document
    from clemkit.workflows.run_describe import completed_description

    data = completed_description(work)
    write_document(data, step.outputs[0], overwrite=True)
    return {"images": len(data.get("images", ())), "steps": len(data.get("processing_steps", ()))}


def _validate(step: RunStep, work: Work) -> dict[str, Any]:
    from clemkit.workflows.metadata import validate_file

    report = validate_file(step.inputs[0], files=True)
    content = report.to_dict()
    content["path"] = step.inputs[0].name
    write_whole(step.outputs[0], json_bytes(content))
    errors = [p for p in report.problems if p.severity == "error"]
    if errors:
        raise InvalidMetadataError(
            f"{step.inputs[0]}: expected a completed description without errors; found "
            f"{len(errors)}: {errors[0]}; see {step.outputs[0]}",
            errors,
        )
    return {"errors": 0, "warnings": len(report.problems)}


def _rdf(step: RunStep, work: Work) -> dict[str, Any]:
    from clemkit.workflows.metadata import export_rdf

    text = export_rdf(step.inputs[0], syntax="turtle")
    write_whole(step.outputs[0], text.encode())
    return {"bytes": len(text.encode())}


def _package(step: RunStep, work: Work) -> dict[str, Any]:
    from clemkit.workflows.deposit import build_deposit

    found = build_deposit(
        step.inputs[0],
        step.outputs[0],
        archive=step.name,
        mode="copy" if work.copy else "link",
        overwrite=True,
        workers=work.workers,
        progress=work.progress,
    )
    return {name: found[name] for name in ("files", "bytes", "warnings", "changed")}


def _superseded(target: Path) -> None:
    """Remove the record that a single command writes; the run's own names paths of the run."""
    target.with_name(f"{target.name}.provenance.json").unlink(missing_ok=True)


ACTIONS: Mapping[str, Callable[[RunStep, Work], dict[str, Any]]] = {
    "check": _check,
    "protocol": _protocol,
    "convert": _convert,
    "segment": _segment,
    "register": _register,
    "warp": _warp,
    "evaluate": _evaluate,
    "describe": _describe,
    "validate": _validate,
    "rdf": _rdf,
    "empiar": _package,
    "bia": _package,
}
"""By kind of step."""
