"""Depositions: checked, built as a package, imported, compared. Nothing is ever sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, get_args

from clemkit.deposition.package import build_package, check_target
from clemkit.deposition.package.execute import Mode
from clemkit.deposition.package.readme import ImageNote, readme_text
from clemkit.errors import ArgumentError, FormatError, IncompleteDepositionError, NotFoundError
from clemkit.provenance import Progress, no_progress
from clemkit.workflows.deposit_check import DepositCheck, check_deposit
from clemkit.workflows.deposit_crates import crate_texts
from clemkit.workflows.deposit_description import DESCRIPTION, packed_description

if TYPE_CHECKING:
    from clemkit.deposition.empiar import DepositionDifference

__all__ = ["build_deposit", "check_deposit", "diff_deposits", "import_deposit"]

_KINDS = {
    "transforms": "transform of a correlation",
    "landmarks": "landmarks of a correlation",
    "protocols": "source of a protocol",
}
EMPIAR, THUMBNAIL, README = "empiar.json", "thumbnail.png", "README.md"
_OF_EMPIAR = {"title", "imagesets", "experiment_type", "authors", "citation"}


def build_deposit(
    path: str | Path,
    output: str | Path,
    *,
    archive: str = "empiar",
    mode: Literal["link", "copy", "plan"] = "link",
    draft: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Check a description and make the folder that an archive takes; again changes nothing.

    Parameters
    ----------
    path : path
        The description.
    output : path
        New folder, or an earlier package to bring up to date.
    archive : {"empiar", "bia", "all"}
    mode : {"link", "copy", "plan"}
        See :func:`clemkit.deposition.package.build_package`.
    draft : bool
        Build in spite of errors; the README says so.
    overwrite : bool
        Take the new content of files that have changed since the package was built.
    workers : int, optional
        Threads; never changes a byte.
    dry_run : bool
        Check and plan; write nothing.
    progress : Progress

    Returns
    -------
    dict
        ``output``, ``archives``, ``mode``, ``files``, ``bytes``, ``written``, ``removed``,
        ``changed``, ``resumed``, ``warnings``, ``errors``, ``thumbnail``, ``draft``, ``dry_run``.

    Raises
    ------
    IncompleteDepositionError
        There are errors, and *draft* is false; ``problems`` lists them.
    DepositionError
        A file changed, or cannot be linked.
    ArgumentError
        The output is something else.
    """
    from clemkit.workflows.deposit_thumbnail import make_thumbnail

    if mode not in get_args(Mode):
        raise ArgumentError(f"mode: expected link, copy or plan; found {mode!r}")
    source, target = Path(path), Path(output)
    _keep_apart(source, target)
    check = check_deposit(source, archive=archive, workers=workers, progress=progress)
    if check.errors and not (draft and check.documents):
        lines = [check.report.document.line_of(p.location) for p in check.errors]
        raise IncompleteDepositionError(
            f"{source}:{lines[0]}: expected a description without errors; found "
            f"{len(check.errors)}: {check.errors[0]}; see `clemkit deposit check {source}`, or "
            "build a draft (--draft)",
            check.errors,
            lines,
        )
    check_target(target, check.plan)
    result: dict[str, Any] = {
        "output": str(target),
        "archives": list(check.archives),
        "mode": mode,
        "files": len(check.plan.files),
        "bytes": check.plan.total_bytes,
        "directories": dict(check.plan.directories),
        "warnings": len(check.warnings),
        "errors": len(check.errors),
        "draft": bool(check.errors),
        "dry_run": dry_run,
    }
    if dry_run:
        return result
    picture, shown = make_thumbnail(check.report.document.data, source.parent)
    texts = _texts(check, source, mode, picture, shown)
    built = build_package(
        check.plan,
        target,
        texts,
        late=lambda found: crate_texts(
            check.report.document.data, check.plan, check.archives, found
        ),
        mode=mode,
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )
    return result | {
        "written": len(built.written),
        "removed": list(built.removed),
        "changed": list(built.changed),
        "resumed": built.resumed,
        "thumbnail": shown if picture else f"none: {shown}",
    }


def _texts(
    check: DepositCheck, source: Path, mode: Mode, picture: bytes | None, shown: str
) -> dict[str, bytes]:
    """Return all files of the package but the data."""
    data = check.report.document.data
    packed = packed_description(data, check.plan.directories, check.attached)
    texts: dict[str, bytes] = {DESCRIPTION: packed}
    others = [(DESCRIPTION, "the description, with paths that lead to the files here")]
    others += [(name, _KINDS[name.split("/")[2]]) for name in check.attached]
    if picture:
        texts[THUMBNAIL] = picture
        others.append((THUMBNAIL, f"picture for the entry: {shown}"))
    if "empiar" in check.documents:
        document = check.documents["empiar"].document
        text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
        texts[EMPIAR] = text.encode()
        others.append((EMPIAR, "the deposition for EMPIAR; pixel sizes are in ångström"))
    if not any(p.rule == "RC-missing" for p in check.warnings) and not check.errors:
        reader = "the BioImage Archive" if "bia" in check.archives else "people and programs"
        others.append(("ro-crate-metadata.json", f"all of this as linked data, for {reader}"))
    if "bia" in check.documents:
        from clemkit.workflows.deposit_bia import bia_texts

        made = bia_texts(check.documents["bia"], data, check.plan)
        texts |= made
        others.append(("bia/submission.tsv", "the submission for the BioImage Archive (PageTab)"))
        others.append(("file_list.tsv", "all files, with what they belong to"))
        others += [(n, "list of files") for n in sorted(made) if "submission" not in n]
    study = data.get("study") or {}
    texts[README] = readme_text(
        title=str(study.get("title") or data.get("name") or data.get("id")),
        experiment_id=str(data.get("id")),
        description_name=source.name,
        notes=list(_notes(check)),
        mode=mode,
        checks=list(_checks(check)),
        others=others,
        archives=check.archives,
        draft=bool(check.errors),
    ).encode()
    return texts


def _notes(check: DepositCheck) -> Iterator[ImageNote]:
    from clemkit.metadata.validate.quantities import base_value

    for image in check.report.document.data.get("images") or ():
        name = str(image.get("id"))
        directory = check.plan.directories.get(name)
        if directory is None:
            continue
        files = check.plan.of(directory)
        tops = dict.fromkeys(f.target.removeprefix(f"{directory}/").split("/")[0] for f in files)
        found = check.facts[name]
        sizes = [(found.sizes or {}).get(a) or image.get(f"size_{a}") for a in "czyx"]
        if sizes[0] in (None, 1):
            sizes = sizes[1:]
        axes = ", ".join("czyx"[-len(sizes) :])
        voxel = [base_value(image.get(f"voxel_size_{a}")) for a in "zyx"]
        if voxel[0] is None and voxel[1] and voxel[2] and (found.sizes or {}).get("z") == 1:
            voxel[0] = (voxel[1] + voxel[2]) / 2  # as a single plane is opened without one
        z, y, x = (float(f"{(v or 0.0) * 1e9:.12g}") for v in voxel)
        yield ImageNote(
            image_id=name,
            name=str(image.get("name") or name),
            directory=directory,
            file_format=str(image.get("file_format") or "not stated"),
            data_type=str(image.get("data_type") or (*found.data_types, "not stated")[0]),
            files=len(files),
            total_bytes=sum(f.size for f in files),
            names=tuple(tops),
            sizes=f"{' x '.join(map(str, sizes))} ({axes})" if all(sizes) else "",
            voxel_size_zyx_nm=(z, y, x) if None not in voxel else None,
            role="labels" if image.get("image_kind") == "segmentation" else "intensity",
            dataset=(image.get("file_set") or {}).get("dataset_path"),
            is_picture=found.is_rgb,
        )


def _checks(check: DepositCheck) -> Iterator[str]:
    count = sum(len(f.names) for f in check.facts.values())
    wrong = [p for p in check.report.problems if p.rule.startswith(("L4-", "empiar-file"))]
    profiles = ", ".join(check.archives)
    yield f"description: fields, terms, references, plausible numbers; profile {profiles}"
    state = "no disagreement" if not wrong else f"{len(wrong)} findings"
    yield f"headers of {count} files and stores against the description: {state}"
    if "empiar" in check.documents:
        yield "empiar.json: official schema of 2023-08-16, stricter rules, and every number of it"
    if "bia" in check.documents:
        yield "bia/submission: form of identifiers, references between sections"
    yield f"outcome: {len(check.errors)} errors, {len(check.warnings)} warnings"
    for problem in check.report.problems:
        yield f"{problem.severity}: {problem}"


def import_deposit(
    path: str | Path,
    output: str | Path,
    *,
    accession: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Write a description from an entry or deposition, to start from.

    Parameters
    ----------
    path : path
        An answer of EMPIAR's API or a deposition document (JSON), a package, a PageTab submission
        of the BioImage Archive (JSON or TSV), or the metadata of a crate.
    output : path
        The description to write.
    accession : str, optional
        Which entry, where an answer of EMPIAR's API holds several.
    overwrite : bool

    Returns
    -------
    dict
        ``output``, ``kind``, ``images``, ``problems`` (what was not understood, or is kept as it
        was).

    Raises
    ------
    NotFoundError, FormatError, InvalidMetadataError
        The file cannot be read as any of them.
    FileExistsError
        The output exists and *overwrite* is false.
    """
    from clemkit.metadata.load import write_document

    target = Path(output)
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target}: exists; pass --overwrite to replace it")
    if not target.parent.is_dir():
        raise NotFoundError(f"{target.parent}: expected an existing folder; make it first")
    kind, data, problems = _imported(_inside(Path(path)), accession)
    write_document(data, target, overwrite=overwrite)
    return {
        "output": str(target),
        "kind": kind,
        "images": len(data.get("images", ())),
        "problems": [{"severity": p.severity, "rule": p.rule, "message": str(p)} for p in problems],
    }


def _keep_apart(source: Path, target: Path) -> None:
    """Refuse a package that the next build would take for one of the images."""
    from clemkit.metadata.load import read_document
    from clemkit.metadata.validate.files import images_of

    for _, image in images_of(read_document(source).data):
        file_set = image["file_set"]
        root = (source.parent / str(file_set.get("directory") or ".")).resolve()
        if root not in (target := target.resolve()).parents:
            continue
        pattern = str(file_set.get("file_pattern") or "*")
        first = target.relative_to(root).parts[0]
        if PurePath(first).match(pattern):
            raise ArgumentError(
                f"{target}: expected a folder outside the images; found it among the files "
                f"{pattern} of image {image.get('id')}; choose another output"
            )


def _imported(path: Path, accession: str | None) -> tuple[str, Mapping[str, Any], Any]:
    from clemkit.deposition.bia.pagetab_document import is_pagetab, read_pagetab
    from clemkit.deposition.rocrate.importing import import_crate, is_crate

    text = _text(path)
    if is_crate(text):
        names = (path.name, "file_list.tsv")
        files = {n: (path.parent / n).read_bytes() for n in names if (path.parent / n).is_file()}
        data, problems = import_crate(files, path)
        return "crate", data, problems
    if is_pagetab(text):
        from clemkit.deposition.bia.pagetab_import import import_pagetab

        data, problems = import_pagetab(read_pagetab(path).data)
        return "pagetab", data, problems
    from clemkit.deposition.empiar import import_entry

    told = _json(path, text)
    known = told if isinstance(told, Mapping) else {}
    if not any(_OF_EMPIAR & set(m) for m in (known, *known.values()) if isinstance(m, Mapping)):
        keys = ", ".join(map(repr, list(known)[:5])) or "none"
        raise FormatError(
            path,
            "expected a deposition, an entry of EMPIAR's API, PageTab or a crate; "
            f"found the keys {keys}",
        )
    entry = import_entry(told, accession)
    return "empiar entry" if entry.accession else "empiar deposition", entry.data, entry.problems


def diff_deposits(
    first: str | Path, second: str | Path, *, accession: str | None = None
) -> DepositionDifference:
    """Return what differs between two EMPIAR depositions.

    Parameters
    ----------
    first, second : path
        Each a package, a deposition document, an answer of EMPIAR's API, or a description.
    accession : str, optional
        Which entry, where an answer of EMPIAR's API holds several.
    """
    from clemkit.deposition.empiar import diff_depositions

    return diff_depositions(_document(first, accession), _document(second, accession))


def _document(path: str | Path, accession: str | None) -> Mapping[str, Any]:
    """Return the deposition document in a file, made from an entry or a description if need be."""
    from clemkit.deposition.empiar import build_deposition, import_entry

    source = _inside(Path(path))
    if source.suffix.lower() in (".yaml", ".yml"):
        built = check_deposit(source).documents.get("empiar")
        if built is None:
            raise FormatError(source, "expected a description that fits the model; found errors")
        return dict(built.document)
    content = _json(source, _text(source))
    if isinstance(content, Mapping) and "imagesets" in content and "title" in content:
        return content
    return build_deposition(import_entry(content, accession).data, draft=True).document


def _inside(path: Path) -> Path:
    """Return the deposition document of a package, or the path itself."""
    if path.is_dir():
        found = [p for p in (path / EMPIAR, path / "bia" / "submission.json") if p.is_file()]
        if not found:
            raise NotFoundError(f"{path}: expected a package with {EMPIAR}; found none in it")
        return found[0]
    if not path.is_file():
        raise NotFoundError(f"{path}: expected a file or package; found nothing there")
    return path


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(path, f"expected text in UTF-8; found {error}") from error


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise FormatError(path, f"expected JSON; found {error}") from error
