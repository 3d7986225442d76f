"""Records that clemkit commands write, as model instances, and back, without loss."""

from __future__ import annotations

import json
from typing import Any

from clemkit.metadata.models import ProcessingStep, to_plain
from clemkit.provenance import Digest, Environment, Step

__all__ = ["from_step", "to_step"]

# what the rooms write into Step.activity
_KINDS = {
    "conversion": "conversion",
    "convert": "conversion",
    "crop": "cropping",
    "contrast": "contrast",
    "denoise": "denoising",
    "alignment": "slice_alignment",
    "segmentation": "segmentation",
    "sampling": "landmark_detection",
    "landmarks": "landmark_detection",
    "registration": "registration",
    "target": "evaluation",  # where it lies in the block, for trimming
    "composition": "registration",  # of registrations, along a graph of images
    "warping": "warping",
    "warp": "warping",
    "evaluation": "evaluation",
}


def from_step(step: Step, step_id: str, **more: Any) -> ProcessingStep:
    """Return a provenance record as a processing step.

    Parameters
    ----------
    step : Step
        The record.
    step_id : str
        Short name of the step in the experiment.
    **more
        Further fields, such as ``input_images`` and ``output_images``.
    """
    words = reversed(step.activity.lower().split())  # "landmark registration" is a registration
    kind = next((_KINDS[word] for word in words if word in _KINDS), "other_processing")
    environment = step.environment
    data: dict[str, Any] = {
        "id": step_id,
        "processing_kind": kind,
        "activity_name": step.activity,
        "started": step.started,
        "ended": step.ended,
        "input_files": [_digest_data(d) for d in step.inputs],
        "output_files": [_digest_data(d) for d in step.outputs],
        "parameters": [
            {"parameter_name": name, "parameter_json": json.dumps(value, ensure_ascii=False)}
            for name, value in step.parameters.items()
        ],
        "command_line": list(step.command),
        "random_seed": step.seed,
        "environment": {
            "python_version": environment.python,
            "platform_name": environment.platform,
            "cpu_count": environment.cpu_count,
            "packages": [
                {"package_name": name, "package_version": version}
                for name, version in environment.packages.items()
            ],
        },
    }
    return ProcessingStep.model_validate({k: v for k, v in data.items() if v is not None} | more)


def to_step(processing: ProcessingStep) -> Step:
    """Return the provenance record that :func:`from_step` turned into *processing*."""
    data = to_plain(processing)
    environment = data.get("environment", {})
    return Step(
        activity=data.get("activity_name", data["processing_kind"]),
        inputs=tuple(_digest(d) for d in data.get("input_files", ())),
        outputs=tuple(_digest(d) for d in data.get("output_files", ())),
        parameters={
            p["parameter_name"]: json.loads(p["parameter_json"])
            for p in data.get("parameters", ())
            if "parameter_json" in p
        },
        seed=data.get("random_seed"),
        started=processing.started.isoformat() if processing.started else "",
        ended=processing.ended.isoformat() if processing.ended else "",
        command=tuple(data.get("command_line", ())),
        environment=Environment(
            python=environment.get("python_version", ""),
            platform=environment.get("platform_name", ""),
            packages={
                p["package_name"]: p["package_version"] for p in environment.get("packages", ())
            },
            cpu_count=environment.get("cpu_count", 1),
        ),
    )


def _digest_data(digest: Digest) -> dict[str, Any]:
    return {"file_path": digest.path, "sha256": digest.sha256, "byte_count": digest.size}


def _digest(data: dict[str, Any]) -> Digest:
    return Digest(data["file_path"], data["sha256"], data.get("byte_count", 0))
