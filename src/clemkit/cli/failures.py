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

__all__ = ["DATA", "FINDINGS", "INTERNAL", "INTERRUPTED", "OK", "USAGE", "exit_status", "one_line"]

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
