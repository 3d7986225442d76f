"""Files of a crate as images: data entities, and the list of files of a BIA crate."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from clemkit.deposition.kept import keep
from clemkit.deposition.rocrate.node_reader import Node, Nodes

__all__ = ["import_files"]

_IMAGES = re.compile(
    r"[.](tiff?|mrc|rec|st|map|h5|hdf5|zarr|n5|nii|nrrd|mha|mhd|dm3|dm4|png|jpe?g|czi|lif|nd2|ims|"
    r"eer|txm|zip)$",
    re.IGNORECASE,
)
_ANNOTATION = "http://bia/AnnotationData"


def import_files(nodes: Nodes, files: Mapping[str, bytes], out: dict[str, Any]) -> None:
    """Read the files into images, and join them with components and steps."""
    out["images"] = []
    lists = list(nodes.of("bia:FileList"))
    for node in lists:
        _table(nodes, node, files, out)
    by_node: dict[str, str] = {}
    inside = {
        i
        for n in nodes.by_id.values()
        if "Collection" in n.types
        for i in _ids(n.data.get("hasPart"))
    }
    for node in list(nodes.of("Collection")):
        by_node[node.name] = _collection(nodes, node, out)
    for node in nodes.by_id.values():
        if node.name in inside or node.used or not node.types & {"File", "MediaObject", "Dataset"}:
            continue
        if _IMAGES.search(node.name.rstrip("/")):
            node.used = True
            by_node[node.name] = _image(nodes, node, out)
    _origins(nodes, by_node, out)
    _steps(nodes, by_node, out)


def _ids(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [str(i["@id"]) for i in items if isinstance(i, dict) and "@id" in i]


def _file_set(paths: list[str], size: int) -> dict[str, Any]:
    """Return folder and pattern of files: the name of the one, or what fits all of one kind."""
    folders = {str(PurePosixPath(p).parent) for p in paths}
    found: dict[str, Any] = {}
    if len(folders) == 1:
        (folder,) = folders
        if folder != ".":
            found["directory"] = folder
        names = [PurePosixPath(p).name for p in paths]
        suffixes = {PurePosixPath(n).suffix for n in names}
        if len(names) == 1:
            found["file_pattern"] = names[0]
        elif len(suffixes) == 1:
            found["file_pattern"] = f"*{suffixes.pop()}"
    found["file_count"] = len(paths)
    if size:
        found["total_bytes"] = size
    return found


def _image(nodes: Nodes, node: Node, out: dict[str, Any]) -> str:
    path = unquote(node.name).rstrip("/").removeprefix("./")
    image: dict[str, Any] = {"id": nodes.named(node.name, "image")}
    image["name"] = node.text("name") or PurePosixPath(path).name
    if text := node.text("description"):
        image["description"] = text
    size = node.text("contentSize")
    if not size.isdigit() and size:
        node.put_back("contentSize", size)
    image["file_set"] = _file_set([path], int(size) if size.isdigit() else 0)
    if node.name.startswith("http"):
        keep(image, "ro-crate", "@id", node.name)
    node.links("isBasedOn")
    nodes.keep_rest(node, image)
    out["images"].append(image)
    return str(image["id"])


def _collection(nodes: Nodes, node: Node, out: dict[str, Any]) -> str:
    image: dict[str, Any] = {"id": nodes.named(node.name, "image")}
    image["name"] = node.text("name") or image["id"]
    if text := node.text("description"):
        image["description"] = text
    paths: list[str] = []
    total = 0
    listed: list[Any] = []
    for name in node.links("hasPart"):
        part = nodes.by_id.get(name)
        paths.append(unquote(name).removeprefix("./"))
        if part is not None:
            part.used = True
            size = str(part.data.get("contentSize") or "")
            total += int(size) if size.isdigit() else 0
            listed.append({k: v for k, v in part.data.items() if k != "@type"})
    if paths:
        image["file_set"] = _file_set(sorted(paths), total)
        keep(image, "ro-crate", "hasPart", listed)
    node.links("isBasedOn")
    nodes.keep_rest(node, image)
    out["images"].append(image)
    return str(image["id"])


def _origins(nodes: Nodes, by_node: Mapping[str, str], out: dict[str, Any]) -> None:
    by_id = {i["id"]: i for i in out["images"]}
    for name, image in by_node.items():
        sources = _ids(nodes.by_id[name].data.get("isBasedOn"))
        found = [by_node[s] for s in sources if s in by_node]
        if found:
            by_id[image]["derived_from_images"] = found
        if lost := [s for s in sources if s not in by_node]:
            keep(by_id[image], "ro-crate", "isBasedOn", lost)


def _steps(nodes: Nodes, by_node: Mapping[str, str], out: dict[str, Any]) -> None:
    for step in out["processing_steps"]:
        for field, slot in (("object", "input_images"), ("result", "output_images")):
            ids = step.pop(field, [])
            found = [by_node[i] for i in ids if i in by_node]
            if found:
                step[slot] = found
            rest = [i for i in ids if i not in by_node]
            settings = [i for i in rest if i in nodes.by_id and _setting(nodes.by_id[i], step)]
            if left := [i for i in rest if i not in settings]:
                keep(step, "ro-crate", field, left)


def _setting(node: Node, step: dict[str, Any]) -> bool:
    """Take a PropertyValue as a parameter of a step."""
    if "PropertyValue" not in node.types or set(node.data) - {"@id", "@type", "name", "value"}:
        return False
    node.used = True
    value = json.dumps(node.data.get("value"), ensure_ascii=False)
    entry = {"parameter_name": str(node.data.get("name")), "parameter_json": value}
    step.setdefault("parameters", []).append(entry)
    return True


def _table(nodes: Nodes, node: Node, files: Mapping[str, bytes], out: dict[str, Any]) -> None:
    name = unquote(node.name)
    schema = nodes.by_id.get(next(iter(node.links("tableSchema")), ""))
    columns: dict[str, str] = {}
    for i in _ids(schema.data.get("column")) if schema else ():
        column = nodes.by_id[i].data if i in nodes.by_id else {}
        meaning = str(column.get("propertyUrl") or column.get("columnName"))
        columns[meaning.rsplit("/", 1)[-1].rsplit("#", 1)[-1]] = str(column.get("columnName"))
    if name not in files:
        return
    text = files[name].decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t"))
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        clean = {k: v for k, v in row.items() if k and isinstance(v, str)}
        label = clean.get(columns.get("name", ""), "")
        path = clean.get(columns.get("filePath", ""), "")
        kind = clean.get(columns.get("type", ""), "")
        dataset = clean.get(columns.get("isPartOf", ""), "")
        groups.setdefault((dataset, kind, label or path), []).append(clean)
    for (dataset, kind, label), members in groups.items():
        _group(nodes, columns, dataset, kind, label, members, out)
    _sources(out)


def _group(
    nodes: Nodes,
    columns: Mapping[str, str],
    dataset: str,
    kind: str,
    label: str,
    members: list[dict[str, str]],
    out: dict[str, Any],
) -> None:
    first = members[0]
    paths = [m.get(columns.get("filePath", ""), "") for m in members]
    sizes = [m.get(columns.get("sizeInBytes", ""), "") for m in members]
    total = sum(int(s) for s in sizes if s.isdigit())
    image: dict[str, Any] = {
        "id": nodes.named(f"#image-of-{dataset}-{label}", "image"),
        "name": label,
    }
    image["file_set"] = _file_set(paths, total)
    if kind == _ANNOTATION:
        image["image_kind"] = "segmentation"
    for meaning, slot, wanted in (
        ("associatedImageAcquisitionProtocol", "acquired_by", "bia:ImageAcquisitionProtocol"),
        ("associatedProtocol", "generated_by_processing", "bia:Protocol"),
        ("associatedSubject", "image_of", "bia:Specimen"),
    ):
        value = first.get(columns.get(meaning, ""), "").strip("[] '\"")
        found = nodes.known([value], wanted) if value else []
        if found:
            image[slot] = found if slot == "image_of" else found[0]
    if len(members) > 1 or _further(first, columns):
        keep(image, "ro-crate", "files", members)
    for component in out["study_components"]:
        if component["id"] == nodes.named(dataset):
            component.setdefault("component_images", []).append(image["id"])
    image["_sources"] = first.get(columns.get("associatedSourceImage", ""), "")
    out["images"].append(image)


def _further(row: Mapping[str, str], columns: Mapping[str, str]) -> bool:
    """Whether a row says more than path, size, label, type, dataset and what images refer to."""
    read = {
        "filePath", "sizeInBytes", "name", "type", "isPartOf", "associatedProtocol",
        "associatedImageAcquisitionProtocol", "associatedSubject", "associatedSourceImage",
        "associatedBiologicalEntity", "associatedImagingPreparationProtocol",
    }  # fmt: skip
    usual = {columns[m] for m in read if m in columns}
    return any(value for name, value in row.items() if name not in usual)


def _sources(out: dict[str, Any]) -> None:
    by_name = {i["name"]: i["id"] for i in out["images"]}
    for image in out["images"]:
        text = image.pop("_sources", "")
        parts = [p.strip("[] '\"") for p in text.split(",") if p.strip("[] '\"")]
        found = [by_name[p] for p in parts if p in by_name]
        if found:
            image["derived_from_images"] = found
        if lost := [p for p in parts if p not in by_name]:
            keep(image, "ro-crate", "source", lost)
