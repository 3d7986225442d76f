"""What the BioImage Archive gets: PageTab with lists of files, and a crate."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from clemkit.deposition.package.plan import PackagePlan
from clemkit.errors import IncompleteDepositionError, Problem

__all__ = ["bia_document", "bia_texts"]

_FOLDER = "bia"


def bia_document(
    data: Mapping[str, Any], plan: PackagePlan
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the submission as PageTab, and what is wrong with it and with the crate.

    Parameters
    ----------
    data : mapping
        The description in long form.
    plan : PackagePlan
    """
    from clemkit.deposition.bia.check import check_bia_crate
    from clemkit.deposition.bia.crate import build_bia_crate
    from clemkit.deposition.bia.pagetab_check import check_pagetab
    from clemkit.deposition.bia.pagetab_export import export_pagetab
    from clemkit.deposition.crate_files import planned_files

    submission = export_pagetab(_with_file_lists(data))
    problems = [
        replace(
            f.problem,
            location=("study",),
            message=f"bia {'/'.join(map(str, f.problem.location))}: {f.problem.message}",
        )
        for f in check_pagetab(submission)
    ]
    try:
        crate = build_bia_crate(data, files=planned_files(plan))
    except IncompleteDepositionError as error:
        return submission, [*problems, *error.problems]
    for problem in check_bia_crate(crate):
        where = "/".join(map(str, problem.location))
        message = f"ro-crate {where}: {problem.message}"
        problems.append(replace(problem, location=("study",), message=message))
    return submission, problems


def _with_file_lists(data: Mapping[str, Any]) -> dict[str, Any]:
    """Name a list of files for each part of the study that has none."""
    changed = copy.deepcopy(dict(data))
    for part in changed.get("study_components") or ():
        if isinstance(part, dict) and part.get("component_images"):
            part.setdefault("file_list", f"filelist-{part.get('id')}.tsv")
    return changed


def bia_texts(
    submission: Mapping[str, Any], data: Mapping[str, Any], plan: PackagePlan
) -> dict[str, bytes]:
    """Return the files that the archive reads, by their path in the package."""
    from clemkit.deposition.bia.pagetab_document import pagetab_json
    from clemkit.deposition.bia.pagetab_tsv import pagetab_tsv

    texts = {
        f"{_FOLDER}/submission.json": pagetab_json(submission),
        f"{_FOLDER}/submission.tsv": pagetab_tsv(submission),
    }
    for part in _with_file_lists(data).get("study_components") or ():
        if part.get("file_list"):
            name = str(part["file_list"]).rsplit("/", 1)[-1]
            texts[f"{_FOLDER}/{name}"] = "\n".join(_rows(part, data, plan)) + "\n"
    return {name: text.encode() for name, text in texts.items()}


def _rows(part: Mapping[str, Any], data: Mapping[str, Any], plan: PackagePlan) -> Iterator[str]:
    """Yield a file list: the path of each file, the image that it belongs to, what it is."""
    images = {str(i.get("id")): i for i in data.get("images") or ()}
    yield "\t".join(("Files", "Image", "Kind", "Modality"))
    for name in part.get("component_images") or ():
        image = images.get(str(name), {})
        title = str(image.get("name") or name)
        kind, modality = (str(image.get(k) or "") for k in ("image_kind", "modality"))
        for file in plan.of(plan.directories.get(str(name), "\0")):
            yield "\t".join((file.target, title, kind, modality))
