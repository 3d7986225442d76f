"""Run a registration; a refusal becomes a folder that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clemkit.errors import RegistrationError, TransformError
from clemkit.provenance import Step, digest_path
from clemkit.registration.result import RegistrationResult
from clemkit.workflows.register_output import new_output, write_provenance
from clemkit.workflows.registration_record import failed_record, write_json_file

__all__ = ["attempt"]


def attempt(
    work: Callable[[], RegistrationResult],
    output: Path,
    *,
    overwrite: bool,
    inputs: Mapping[str, Any],
    paths: tuple[Path, ...],
    parameters: Mapping[str, Any],
    seed: int,
    started: str,
    notes: tuple[str, ...],
    hints: tuple[str, ...] = (),
) -> RegistrationResult | dict[str, Any]:
    """Return a result, or the record of a refusal, which is written too.

    Parameters
    ----------
    work : callable
        Registers.
    output : Path
        Folder to make when it refuses: ``registration.json`` and ``provenance.json``.
    overwrite : bool
    inputs : mapping
        Entry ``inputs`` of the record.
    paths : tuple of Path
        Files to digest.
    parameters : mapping
        Of the provenance record.
    seed : int
    started : str
        ISO 8601, UTC.
    notes, hints : tuple of str
        Remarks for the warnings; suspicions that explain a refusal, added to its reason.
    """
    try:
        return work()
    except (RegistrationError, TransformError) as error:
        reason = "; ".join([" ".join(str(error).split()), *hints])
    record = failed_record(reason, inputs=inputs, notes=notes, seed=seed)
    with new_output(output, overwrite) as folder:
        write_json_file(folder / "registration.json", record)
        step = Step(
            activity="registration",
            inputs=tuple(digest_path(path) for path in paths),
            parameters=dict(parameters),
            seed=seed,
            started=started,
        )
        write_provenance(folder, output, step)
    return record | {"output": str(output)}
