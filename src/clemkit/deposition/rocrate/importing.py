"""An RO-Crate as a description: crates of the BioImage Archive, of GIDE, of clemkit, of others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clemkit.deposition.kept import keep, not_in_model
from clemkit.deposition.rocrate.import_files import import_files
from clemkit.deposition.rocrate.import_methods import import_methods
from clemkit.deposition.rocrate.import_people import import_people, import_study
from clemkit.deposition.rocrate.node_reader import Nodes, targets
from clemkit.errors import FormatError, Problem

__all__ = ["import_crate", "is_crate"]

_METADATA = "ro-crate-metadata.json"
_ORDER = (
    "id", "model_version", "archive_settings", "study", "study_components", "agents",
    "instruments", "software_versions", "biological_samples", "specimens", "protocols",
    "acquisitions", "images", "processing_steps", "annotation_sets", "analysis_results",
)  # fmt: skip


def is_crate(text: str) -> bool:
    """Whether *text* is the metadata of an RO-Crate."""
    if '"@graph"' not in text or '"@context"' not in text or "ro-crate-metadata" not in text:
        return False
    try:
        content = json.loads(text)
    except ValueError:
        return False
    return isinstance(content, Mapping) and isinstance(content.get("@graph"), list)


def import_crate(
    files: Mapping[str, bytes], path: Path | None = None
) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Return a crate as a description in long form, and what it could not hold.

    Parameters
    ----------
    files : mapping of str to bytes
        The metadata and, for BIA, the list of files, by their names.
    path : Path, optional
        The metadata, for messages.

    Returns
    -------
    dict
        The experiment. What has no field is in ``archive_settings`` under ``ro-crate:…``.
    tuple of Problem
        Where that happened.

    Raises
    ------
    FormatError
        There are no metadata, or these are no RO-Crate.
    """
    shown = path or Path(_METADATA)
    try:
        content = json.loads(files[_METADATA])
        graph = list(content["@graph"])
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(shown, f"expected an RO-Crate; found {error!r}") from error
    nodes = Nodes([n for n in graph if isinstance(n, Mapping)])
    descriptor = next((n for n in nodes.by_id.values() if n.name.endswith(_METADATA)), None)
    about = targets(descriptor.data.get("about")) if descriptor else []
    root = nodes.by_id.get(about[0]) if about else None
    if descriptor is None or root is None:
        raise FormatError(shown, "expected a descriptor that is about one dataset; found none")
    descriptor.used = root.used = True
    out: dict[str, Any] = {"model_version": "0.1.0"}
    out["study"] = import_study(nodes, root, out)
    own = str(root.data.get("accessionId") or "experiment")
    out["id"] = nodes.named(f"#{own}", "experiment")
    import_methods(nodes, root, out)
    import_files(nodes, files, out)
    import_people(nodes, out)
    nodes.keep_rest(root, out["study"])
    for node in nodes.by_id.values():
        if not node.used and not _derived(node.types):
            keep(out, "ro-crate", "node", node.data)
            what = f"{node.name!r}, {', '.join(sorted(node.types))}"
            nodes.found.append(not_in_model(("@graph", node.index), what, "the experiment"))
    described = {k: out[k] for k in _ORDER if out.get(k)}
    return described, tuple(nodes.found)


def _derived(types: set[str]) -> bool:
    """Whether nodes of these types only say how the crate is made."""
    return bool(types & {"Schema", "Column", "Table", "FileList", "Profile"})
