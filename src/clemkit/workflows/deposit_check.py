"""Everything that stands against a deposition, from four sources, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clemkit.deposition.headers import file_facts
from clemkit.deposition.package.plan import PackagePlan, plan_package
from clemkit.errors import ArgumentError, Problem
from clemkit.provenance import Progress, no_progress
from clemkit.workflows.deposit_bia import bia_document
from clemkit.workflows.deposit_crates import crate_problems
from clemkit.workflows.deposit_description import attached_files

if TYPE_CHECKING:
    from clemkit.metadata.load import Document
    from clemkit.metadata.validate import Report
    from clemkit.metadata.validate.files import ImageFacts

__all__ = ["ARCHIVES", "DepositCheck", "check_deposit", "chosen_archives"]

ARCHIVES = ("empiar", "bia")
_FIELDS = {  # of a document, and what they are made from
    "pixel_width": "voxel_size_x",
    "pixel_height": "voxel_size_y",
    "image_width": "size_x",
    "image_height": "size_y",
    "voxel_type": "data_type",
    "header_format": "file_format",
    "data_format": "file_format",
    "name": "name",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositCheck:
    """What was checked and found.

    Attributes
    ----------
    report : Report
        All problems, with lines of the description.
    archives : tuple of str
    facts : mapping of str to ImageFacts
        What the files of each image say.
    plan : PackagePlan
    documents : mapping of str to object
        The document of each archive, also where something is missing.
    attached : mapping of str to Path
        Files beside the images, by their path in the package.
    """

    report: Report
    archives: tuple[str, ...]
    facts: Mapping[str, ImageFacts]
    plan: PackagePlan
    documents: Mapping[str, Any]
    attached: Mapping[str, Path]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What stops a build."""
        return tuple(p for p in self.report.problems if p.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What does not."""
        return tuple(p for p in self.report.problems if p.severity != "error")


def chosen_archives(archive: str) -> tuple[str, ...]:
    """Return the archives that a word stands for.

    Raises
    ------
    ArgumentError
        It is not an archive.
    """
    if archive == "all":
        return ARCHIVES
    if archive not in ARCHIVES:
        raise ArgumentError(f"--archive: expected {', '.join(ARCHIVES)} or all; found {archive!r}")
    return (archive,)


def check_deposit(
    path: str | Path,
    *,
    archive: str = "empiar",
    strict: bool = False,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> DepositCheck:
    """Check a description with its files for an archive; nothing is written or sent.

    The description with the profile of the archive, the headers of all image files, the document
    that the archive would get, and the names of the files in the package.

    Parameters
    ----------
    path : path
        The description.
    archive : {"empiar", "bia", "all"}
    strict : bool
        Warnings count as errors.
    workers : int, optional
        Threads that open headers.
    progress : Progress

    Raises
    ------
    NotFoundError, FormatError
        The description cannot be read.
    """
    from clemkit.metadata.load import read_document
    from clemkit.metadata.validate import validate
    from clemkit.metadata.validate.files import check_files, images_of

    archives = chosen_archives(archive)
    document = read_document(path)
    folder = Path(path).parent
    described = images_of(document.data)
    facts: dict[str, ImageFacts] = {}
    for _, image in described:
        name = str(image.get("id"))
        facts[name] = file_facts(image["file_set"], folder, workers=workers, progress=progress)
    files = [p for place, i in described for p in check_files(i, place, facts[str(i.get("id"))])]
    documents: dict[str, Any] = {}
    further: list[Problem] = []
    first = validate(document, archives, further=files)
    directories: dict[str, str] | None = None
    usable = not _unusable(first.problems)
    if usable and "empiar" in archives:
        problems, documents["empiar"], directories = _empiar(document, facts, first.problems)
        milder = {(p.location, p.rule, p.message) for p in problems if p.severity == "warning"}
        files = [p for p in files if (p.location, p.rule, p.message) not in milder]
        further += problems
    attached = attached_files(document.data, folder)
    plan = plan_package(document.data, folder, directories=directories, attached=attached)
    further += plan.problems
    if usable and "bia" in archives:
        documents["bia"], problems = bia_document(document.data, plan)
        further += problems
    elif usable:
        further += crate_problems(document.data, plan)
    report = validate(
        document, archives, strict=strict, further=[*files, *_once(further, first.problems)]
    )
    return DepositCheck(
        report=report,
        archives=archives,
        facts=facts,
        plan=plan,
        documents=documents,
        attached=attached,
    )


def _unusable(problems: Sequence[Problem]) -> bool:
    """Whether the description does not fit the model, so that no document can be made."""
    return any(p.rule[:2] in ("L0", "L1") and p.severity == "error" for p in problems)


def _once(further: Sequence[Problem], known: Sequence[Problem]) -> Iterator[Problem]:
    """Leave out what the profile has said already."""
    said = [p for p in known if p.rule.startswith("L5-")]
    for problem in further:
        missing = problem.rule.endswith("-missing") or problem.rule == "L5-required"
        if not missing or not any(_says(p, problem.location) for p in said):
            yield problem


def _says(problem: Problem, place: tuple[str | int, ...]) -> bool:
    """Whether a problem of the profile says that the field at *place* is missing."""
    if not place or problem.location == place:
        return bool(place)
    field = f"expected {place[-1]} "
    return problem.location == place[:-1] and problem.message.startswith(field)


def _empiar(
    document: Document, facts: Mapping[str, ImageFacts], known: Sequence[Problem]
) -> tuple[list[Problem], Any, dict[str, str]]:
    """Build the document, check it and compare it with the files."""
    from clemkit.deposition.empiar import build_deposition, check_against_files, check_document

    data = document.data
    built = build_deposition(data, facts, draft=True)
    images = {str(i.get("id")): (n, i) for n, i in enumerate(data.get("images") or ())}
    behind = [images[name] for name in built.image_ids]
    sets = built.document.get("imagesets") or []
    directories = {
        name: str(entry["directory"]) for name, entry in zip(built.image_ids, sets, strict=True)
    }
    incomplete = any(p.severity == "error" for p in (*built.notes, *known))
    wrong_files = {p.location[:2] for p in known if p.rule.startswith("L4-")}
    found = list(built.notes)
    compared = check_against_files(
        built.document, [facts[name] for name in built.image_ids], [image for _, image in behind]
    )
    for problem in [*check_document(built.document), *compared]:
        if incomplete and problem.rule in ("empiar-missing-field", "empiar-schema"):
            continue  # said already, in the words of the description
        place = _described_place(problem.location, behind)
        if problem in compared and place[:2] in wrong_files:
            continue
        if any(p.location[:2] == place[:2] and _names(p, place) for p in known):
            continue
        where = "/".join(map(str, problem.location))
        found.append(
            replace(problem, location=place, message=f"empiar.json {where}: {problem.message}")
        )
    return found, built, directories


def _names(problem: Problem, place: tuple[str | int, ...]) -> bool:
    """Whether a problem of the profile is about the field at *place*."""
    return problem.rule.startswith("L5-") and problem.message.startswith(f"expected {place[-1]} ")


def _described_place(
    location: tuple[str | int, ...], behind: Sequence[tuple[int, Mapping[str, Any]]]
) -> tuple[str | int, ...]:
    """Return where in the description a place of the document comes from."""
    if len(location) > 1 and location[0] == "imagesets" and isinstance(location[1], int):
        place: tuple[str | int, ...] = ("images", behind[location[1]][0])
        field = _FIELDS.get(str(location[2])) if len(location) > 2 else None
        return (*place, field) if field else place
    if location[:1] == ("citation",):
        return ("study", "publications", *location[1:2])
    return ("study", "title") if location == ("title",) else ("study",)
