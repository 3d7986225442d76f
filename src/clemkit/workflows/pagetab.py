"""Checking and repairing PageTab submissions where they lie."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clemkit.metadata.validate import Report

__all__ = ["is_pagetab_file", "repair_pagetab_file", "validate_pagetab_file"]

_LARGEST = 64 * 1024 * 1024


def is_pagetab_file(path: str | Path) -> bool:
    """Whether a file is a PageTab submission, by its content; false when it cannot be read."""
    from clemkit.deposition.bia.pagetab_document import is_pagetab

    source = Path(path)
    try:
        if source.stat().st_size > _LARGEST:
            return False
        return is_pagetab(source.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError):
        return False


def validate_pagetab_file(path: str | Path, *, strict: bool = False) -> Report:
    """Check a PageTab submission, JSON or TSV; lines are those of the file.

    Parameters
    ----------
    path : path
        The submission.
    strict : bool
        Warnings count as errors.
    """
    from clemkit.deposition.bia.pagetab_check import check_pagetab
    from clemkit.deposition.bia.pagetab_document import read_pagetab
    from clemkit.deposition.bia.pagetab_rules import PAGETAB_RULES
    from clemkit.metadata.validate import Report

    document = read_pagetab(path)
    problems = [f.problem for f in check_pagetab(document.data)]
    problems.sort(key=lambda p: (document.line_of(p.location), p.rule, str(p.location)))
    return Report(
        document, tuple(dict.fromkeys(problems)), ("bia",), strict, catalogue=PAGETAB_RULES
    )


def repair_pagetab_file(path: str | Path, *, dry_run: bool = False) -> str:
    """Repair what can be repaired in a submission without loss, and return the difference.

    Parameters
    ----------
    path : path
        The submission; it is replaced as a whole, in its own form, or not at all.
    dry_run : bool
        Only return the difference.
    """
    from clemkit.deposition.bia.pagetab_check import repaired_pagetab
    from clemkit.deposition.bia.pagetab_document import read_pagetab
    from clemkit.metadata.validate.repair import diff

    source = Path(path)
    document = read_pagetab(source)
    before = source.read_bytes().decode("utf-8-sig")
    new, done = repaired_pagetab(document.data)
    if not done:
        return ""
    after = _written(new, before)
    if not dry_run:
        temporary = source.with_name(f".{source.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(after, encoding="utf-8", newline="")
            os.replace(temporary, source)
        finally:
            temporary.unlink(missing_ok=True)
    return diff(before, after, str(path))


def _written(data: dict[str, object], before: str) -> str:
    """Return *data* in the form that *before* has: TSV, or JSON with its indentation."""
    import json

    from clemkit.deposition.bia.pagetab_tsv import is_pagetab_tsv, pagetab_tsv

    if is_pagetab_tsv(before):
        return pagetab_tsv(data)
    indented = re.search(r"\n([ \t]+)\"", before)
    indent = indented[1] if indented else None
    escaped = before.isascii() and "\\u" in before
    text = json.dumps(data, indent=indent, ensure_ascii=escaped)
    return text + ("\n" if before.endswith("\n") else "")
