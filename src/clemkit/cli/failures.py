"""What an exception means to the shell: one line and an exit status."""

from __future__ import annotations

from clemkit.errors import (
    ArgumentError,
    DataError,
    DepositionError,
    MissingExtraError,
    NotFoundError,
    RegistrationError,
    TransformError,
)

__all__ = [
    "DATA",
    "FINDINGS",
    "INTERNAL",
    "INTERRUPTED",
    "OK",
    "USAGE",
    "exit_status",
    "explained",
    "one_line",
]

OK = 0
FINDINGS = 1  # the work was done and the answer is no: a refused registration, a broken rule
USAGE = 2
DATA = 3  # unreadable data, or a system that cannot read or write them
INTERNAL = (
    70  # a defect of clemkit; sysexits' EX_SOFTWARE, so that no script takes it for a finding
)
INTERRUPTED = 130  # 128 + SIGINT, as shells have it

# first match wins: NotFoundError and MissingExtraError are builtins of other families too
_STATUS: tuple[tuple[type[BaseException], int], ...] = (
    (KeyboardInterrupt, INTERRUPTED),
    (NotFoundError, USAGE),
    (MissingExtraError, USAGE),
    (ArgumentError, USAGE),
    (DataError, DATA),
    (RegistrationError, FINDINGS),
    (TransformError, FINDINGS),
    (DepositionError, FINDINGS),
    (FileExistsError, USAGE),
    (OSError, DATA),
    (MemoryError, DATA),
)

# modules that only an extra installs; the base install has the command line and little else
_EXTRA_OF = {
    "scipy": "reg",
    "numba": "reg",
    "zarr": "reg",
    "numcodecs": "reg",
    "tifffile": "reg",
    "imagecodecs": "reg",
    "mrcfile": "reg",
    "h5py": "reg",
    "SimpleITK": "reg",
    "skimage": "reg",
    "jsonschema": "reg",
    "matplotlib": "report",
    "jinja2": "report",
    "itk": "elastix",
    "rdflib": "metadata",
    "pyshacl": "metadata",
    "ome_types": "metadata",
    "openpyxl": "metadata",
    "pyoxigraph": "metadata",
}


def explained(error: BaseException) -> BaseException:
    """Return *error*, or what it means: a missing module of an extra names the extra."""
    if isinstance(error, ModuleNotFoundError) and not isinstance(error, MissingExtraError):
        package = (error.name or "").split(".")[0]
        if package in _EXTRA_OF:
            return MissingExtraError(package, _EXTRA_OF[package])
    return error


def exit_status(error: BaseException) -> int:
    """Return the exit status of *error*; ``INTERNAL`` when nobody expected it."""
    for family, status in _STATUS:
        if isinstance(error, family):
            return status
    return INTERNAL


def one_line(error: BaseException) -> str:
    """Return the message of *error* as a single line."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; finished outputs are kept, nothing half-written is left"
    if isinstance(error, MemoryError):
        return f"not enough memory; try fewer --workers ({error or 'no details'})"
    text = " ".join(str(error).split()) or type(error).__name__
    problems = getattr(error, "problems", ())
    return f"{text} ({len(problems)} problems)" if len(problems) > 1 else text
