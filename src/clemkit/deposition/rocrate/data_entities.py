"""Files, stores and image series as data entities of a crate."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from clemkit.deposition.crate_files import CrateFile
from clemkit.deposition.empiar.description import Described, texts
from clemkit.deposition.rocrate.graph import Graph, local_id, refs

__all__ = ["Pieces", "add_files", "file_node"]

_FORMATS = {
    ".mrc": "application/x-mrc",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".h5": "application/x-hdf5",
    ".hdf5": "application/x-hdf5",
    ".zarr": "application/vnd.zarr",
    ".n5": "application/x-n5",
    ".nii": "application/x-nifti",
    ".nrrd": "application/x-nrrd",
    ".dm3": "application/x-dm3",
    ".dm4": "application/x-dm4",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


@dataclass(frozen=True, slots=True)
class Pieces:
    """What the files of a crate are.

    Attributes
    ----------
    data : mapping of str to tuple of str
        Data entities of each image, annotation set or result.
    things : mapping of str to str
        The one entity that stands for it: a file, a store, a collection, or a description of what
        has no file in the crate.
    collections : tuple of str
        Entities that the dataset has to mention.
    by_path, by_digest : mapping of str to str
        Files by path and by SHA-256.
    """

    data: Mapping[str, tuple[str, ...]]
    things: Mapping[str, str]
    collections: tuple[str, ...]
    by_path: Mapping[str, str]
    by_digest: Mapping[str, str]


def file_node(file: CrateFile, name: str) -> dict[str, Any]:
    """Return the node of a file."""
    suffix = PurePosixPath(file.path).suffix.lower()
    kind = _FORMATS.get(suffix) or mimetypes.guess_type(file.path)[0]
    return {
        "@id": quote(file.path, safe="/"),
        "@type": "File",
        "name": name,
        "contentSize": str(file.size),
        "sha256": file.sha256,
        "encodingFormat": kind or "application/octet-stream",
    }


def add_files(graph: Graph, described: Described, files: Sequence[CrateFile]) -> Pieces:
    """Add the files, and one entity for each image, annotation set and result."""
    data: dict[str, tuple[str, ...]] = {}
    things: dict[str, str] = {}
    collections: list[str] = []
    by_path: dict[str, str] = {}
    by_digest: dict[str, str] = {}
    for key in ("images", "annotation_sets", "analysis_results"):
        for _, thing in described.all(key):
            name = str(thing["id"])
            own = [f for f in files if f.thing == name]
            title = str(thing.get("name") or name)
            entities = [_store(graph, s, own, title) for s in _stores(own)]
            for file in own:
                if file.store:
                    continue
                shown = title if len(own) == 1 else PurePosixPath(file.path).name
                node = graph.add({**file_node(file, shown), "description": f"File of {title}."})
                entities.append(node)
                by_path[file.path] = node
                if file.sha256:
                    by_digest.setdefault(file.sha256, node)
            data[name] = tuple(entities)
            if len(entities) == 1:
                things[name] = entities[0]
                graph[entities[0]]["description"] = _words(thing) or title
                continue
            stand_in = {
                "@id": local_id(name),
                "@type": "Collection" if entities else "CreativeWork",
                "name": title,
                "description": _words(thing) or title,
                "hasPart": refs(entities),
            }
            things[name] = graph.add(stand_in)
            if entities:
                collections.append(things[name])
    for name, entity in things.items():
        sources = texts(described.thing(name).get("derived_from_images"))
        graph.add({"@id": entity, "isBasedOn": refs(things[s] for s in sources if s in things)})
    return Pieces(data, things, tuple(collections), by_path, by_digest)


def _stores(files: Sequence[CrateFile]) -> list[str]:
    return list(dict.fromkeys(f.store for f in files if f.store))


def _store(graph: Graph, path: str, files: Sequence[CrateFile], title: str) -> str:
    inside = [f for f in files if f.store == path]
    return graph.add(
        {
            "@id": quote(path, safe="/") + "/",
            "@type": "Dataset",
            "name": title,
            "contentSize": str(sum(f.size for f in inside)),
            "encodingFormat": _FORMATS.get(PurePosixPath(path).suffix.lower()),
        }
    )


def _words(thing: Mapping[str, Any]) -> str:
    told = [thing.get(k) for k in ("description", "processing_summary", "annotation_method")]
    sizes = [f"{thing[k]}" for k in ("size_x", "size_y", "size_z") if thing.get(k)]
    if sizes:
        told.append(f"{' × '.join(sizes)} voxels (x, y, z).")
    return " ".join(str(t) for t in told if t)
