"""The demonstration: a phantom experiment in files, registered blindly, measured on its truth."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from clemkit.errors import ArgumentError, NotFoundError
from clemkit.provenance import Progress, no_progress
from clemkit.workflows.register import register_files
from clemkit.workflows.registration_record import strict_json, write_json_file

__all__ = ["run_demo"]

_PHANTOM, _REGISTRATION, _RECORD = "phantom", "registration", "demo.json"


def run_demo(
    output: str | Path,
    *,
    seed: int = 0,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Make a phantom experiment, register its files without help, and measure the true error.

    The light microscopy stack is rotated by any angle against the EM volume, tilted, scaled
    unequally and bent. The registration sees the EM volume, its imperfect segmentation and the
    stack; the truth is a set of points of other structures, in files that it never reads.

    Parameters
    ----------
    output : path
        Folder to make: ``phantom/`` (with ``truth/``), ``registration/`` and ``demo.json``.
    seed : int
        Of the phantom and of the registration.
    workers : int, optional
        Threads; see :func:`clemkit.workflows.register.register_files`.
    overwrite : bool
        Replace an earlier demonstration.
    progress : Progress
        Told how far it is.

    Returns
    -------
    dict
        ``status``, ``report``, ``true_error_nm`` (``median``, ``p95``, ``max``, ``points``; None
        when the registration failed), ``estimated_error_nm`` (``median``, ``low``, ``high``),
        ``confidence``, ``true_rotation_deg``, ``seconds``.

    Raises
    ------
    ArgumentError
        The output exists, and is not a demonstration or may not be replaced.
    """
    from clemkit.testing import PhantomSpec, make_clem_phantom, write_phantom
    from clemkit.workflows.evaluate import evaluate_landmarks

    target = Path(output)
    _claim(target, overwrite)
    start = time.perf_counter()
    progress("phantom", 0.0, "growing cells")
    phantom = make_clem_phantom(PhantomSpec.for_level("easy", seed=seed, rotation_max_deg=180.0))
    files = write_phantom(phantom, target / _PHANTOM, overwrite=overwrite)
    rotation = phantom.info["rotation_deg"]
    del phantom  # from here on only files count
    progress("phantom", 1.0, str(target / _PHANTOM))
    made = time.perf_counter()
    found = register_files(
        files["em"],
        files["lm"],
        target / _REGISTRATION,
        fixed_labels=files["em_mitochondria"],
        structure="mitochondria",
        seed=seed,
        workers=workers,
        overwrite=overwrite,
        progress=progress,
    )
    ended = time.perf_counter()
    measured = None
    if found["status"] != "failed":
        scores = evaluate_landmarks(target / _REGISTRATION, files["landmarks"], units="um")
        measured = {
            "median": scores["median_nm"],
            "p95": scores["p95_nm"],
            "max": scores["max_nm"],
            "points": scores["n"],
        }
    estimate = found["tre_estimate_nm"]
    report = target / _REGISTRATION / "report.html"
    result = {
        "status": found["status"],
        "report": str(report) if report.exists() else None,
        "true_error_nm": measured,
        "estimated_error_nm": {name: estimate[name] for name in ("median", "low", "high")},
        "confidence": found["confidence"],
        "true_rotation_deg": rotation,
        "seconds": {
            "phantom": round(made - start, 1),
            "registration": round(ended - made, 1),
            "total": round(time.perf_counter() - start, 1),
        },
    }
    if found["status"] == "failed":
        result["reason"] = found["reason"]
    write_json_file(target / _RECORD, strict_json(result))
    return result


def _claim(target: Path, overwrite: bool) -> None:
    """Make the folder, or take over that of an earlier demonstration."""
    if not target.parent.is_dir():
        raise NotFoundError(f"{target.parent}: expected an existing folder; make it first")
    if target.exists():
        if not overwrite:
            raise ArgumentError(
                f"{target}: expected a free name; found an existing output; choose another name "
                "or allow overwriting (--overwrite)"
            )
        mine = {_PHANTOM, _REGISTRATION, _RECORD}
        if not target.is_dir() or {path.name for path in target.iterdir()} - mine:
            raise ArgumentError(
                f"{target}: expected an earlier demonstration to overwrite; found something else, "
                "which stays; choose another name"
            )
    target.mkdir(exist_ok=True)
    (target / _RECORD).unlink(missing_ok=True)  # without it the folder is not whole
