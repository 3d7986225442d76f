"""The description as it travels with the data: its paths lead to files of the package."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

__all__ = ["DESCRIPTION", "attached_files", "packed_description"]

DESCRIPTION = "data/description/experiment.yaml"
_FOLDER = PurePosixPath(DESCRIPTION).parent


def attached_files(data: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """Return files that a description refers to beside images, by their path in a package.

    Transforms and landmarks of correlations, and sources of protocols; only what is there.

    Parameters
    ----------
    data : mapping
        The description in long form.
    folder : Path
        Its folder.
    """
    places = ((slot, str(holder[slot]), kind) for holder, slot, kind in _references(data))
    found: dict[str, Path] = {}
    for _, text, kind in places:
        path = folder / text
        if path.exists():
            found[(_FOLDER / kind / path.name).as_posix()] = path
    return found


def packed_description(
    data: Mapping[str, Any], directories: Mapping[str, str], attached: Mapping[str, Path]
) -> bytes:
    """Return the description for a package as YAML.

    Parameters
    ----------
    data : mapping
        The description in long form.
    directories : mapping of str to str
        Id to folder in the package.
    attached : mapping of str to Path
        See :func:`attached_files`.
    """
    from clemkit.metadata.load import write_document

    packed = copy.deepcopy(dict(data))
    for key, slot in (
        ("images", "file_set"),
        ("annotation_sets", "annotation_files"),
        ("analysis_results", "result_files"),
    ):
        for thing in packed.get(key) or ():
            if thing.get("id") in directories and slot in thing:
                thing[slot]["directory"] = _from_here(directories[thing["id"]])
                thing[slot].pop("checksum_manifest", None)
    for holder, slot, kind in _references(packed):
        name = (_FOLDER / kind / Path(str(holder[slot])).name).as_posix()
        if name in attached:
            holder[slot] = f"{kind}/{attached[name].name}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.yaml"
        write_document(packed, path)
        return path.read_bytes()


def _from_here(directory: str) -> str:
    return f"../{PurePosixPath(directory).relative_to('data')}"


def _references(data: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield what refers to a file, the field, and the folder that the file gets."""
    for correlation in _things(data.get("correlations")):
        name = correlation.get("id")
        for transform in _things(correlation.get("transforms")):
            if transform.get("transform_file"):
                yield transform, "transform_file", f"transforms/{name}"
        if correlation.get("landmark_file"):
            yield correlation, "landmark_file", f"landmarks/{name}"
    for protocol in _things(data.get("protocols")):
        if protocol.get("source_file"):
            yield protocol, "source_file", f"protocols/{protocol.get('id')}"


def _things(value: object) -> list[dict[str, Any]]:
    """Return the mappings in a list; the description may still be wrong."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []
