"""What was read from another form of description, and what stands against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clemkit.errors import Problem

__all__ = ["Imported", "finished"]


@dataclass(frozen=True, slots=True)
class Imported:
    """A description that was read from something else.

    Attributes
    ----------
    source : Path
        File or folder.
    data : dict
        The description in long form.
    findings : tuple of (str, Problem)
        Place in the source, such as a cell, and what is wrong there.
    output : Path or None
        What was written; None with errors, or when nothing was to be written.
    """

    source: Path
    data: dict[str, Any]
    findings: tuple[tuple[str, Problem], ...]
    output: Path | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing was lost and the model fits."""
        return not any(p.severity == "error" for _, p in self.findings)

    def lines(self) -> Iterator[str]:
        """Yield one line per finding, and what was written."""
        for place, problem in self.findings:
            hint = f"; {problem.hint}" if problem.hint else ""
            text = f"{problem.severity}: {problem.message} [{problem.rule}]{hint}"
            yield f"{self.source}:{place}: {text}"
        if self.output is not None:
            yield str(self.output)
        elif not self.ok:
            yield "nothing written: correct the errors above"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        return {
            "source": str(self.source),
            "ok": self.ok,
            "output": None if self.output is None else str(self.output),
            "findings": [
                {"place": place, "rule": p.rule, "severity": p.severity, "message": p.message,
                 "hint": p.hint}
                for place, p in self.findings
            ],
        }  # fmt: skip


def finished(found: Imported, output: str | Path | None, overwrite: bool) -> Imported:
    """Write the description that was found, unless there are errors or no output.

    Raises
    ------
    FileExistsError
        The output exists and *overwrite* is false.
    """
    from clemkit.metadata.load import write_document

    if output is None or not found.ok:
        return found
    write_document(found.data, output, overwrite=overwrite)
    return replace(found, output=Path(output))
