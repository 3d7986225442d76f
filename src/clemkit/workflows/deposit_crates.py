"""Crates of a package: one for people and programs, the archive's own, one for searching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from clemkit.deposition.package.checksums import Checksums
from clemkit.deposition.package.plan import PackagePlan
from clemkit.errors import IncompleteDepositionError, Problem

__all__ = ["crate_problems", "crate_texts"]


def crate_problems(data: Mapping[str, Any], plan: PackagePlan) -> list[Problem]:
    """Return why there will be no RO-Crate in a package for EMPIAR, as warnings.

    Parameters
    ----------
    data : mapping
        The description in long form.
    plan : PackagePlan
    """
    from clemkit.deposition.crate_files import planned_files
    from clemkit.deposition.rocrate.crate import build_crate

    try:
        build_crate(data, files=planned_files(plan))
    except IncompleteDepositionError as error:
        hint = "without it the package has no RO-Crate; EMPIAR does not ask for one"
        return [
            replace(p, rule="RC-missing", severity="warning", hint=hint) for p in error.problems
        ]
    return []


def crate_texts(
    data: Mapping[str, Any],
    plan: PackagePlan,
    archives: tuple[str, ...],
    checksums: Mapping[str, Checksums],
) -> dict[str, bytes]:
    """Return the crate of a package, whose root is the root of the crate.

    The BioImage Archive's own where the package is for it, else a Process Run Crate; and a crate
    for searching where the description knows the page of the entry.

    Parameters
    ----------
    data : mapping
        The description in long form.
    plan : PackagePlan
    archives : tuple of str
    checksums : mapping of str to Checksums
        Of the data files, by their path; empty for a plan.
    """
    from clemkit.deposition.bia.crate import build_bia_crate
    from clemkit.deposition.crate_files import planned_files
    from clemkit.deposition.rocrate.crate import build_crate
    from clemkit.deposition.rocrate.gide import build_gide_crate, entry_address

    files = [
        replace(f, sha256=checksums[f.path].sha256) if f.path in checksums else f
        for f in planned_files(plan)
    ]
    texts: dict[str, bytes] = {}
    try:
        if "bia" in archives:
            texts |= build_bia_crate(data, files=files)
            if address := entry_address(data):
                made = build_gide_crate(data, address, files)
                texts |= {f"gide/{name}": content for name, content in made.items()}
        else:
            texts |= build_crate(data, files=files)
    except IncompleteDepositionError:
        return {}  # a draft, or said in a warning
    return texts
