"""The list of files of a BIA crate: a table, and the entities that describe its columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clemkit.deposition.bia.associations import biosamples_of
from clemkit.deposition.bia.crate_methods import crate_id, preparation_id
from clemkit.deposition.bia.vocabulary import NAMESPACES
from clemkit.deposition.crate_files import CrateFile
from clemkit.deposition.empiar.description import Described, texts

__all__ = ["COLUMNS", "FILE_LIST", "file_list", "file_list_entities", "image_labels"]

Entity = dict[str, Any]
FILE_LIST: Final = "file_list.tsv"
# column: property
COLUMNS: Final[Mapping[str, str]] = {
    "file_path": "bia:filePath",
    "size_in_bytes": "bia:sizeInBytes",
    "dataset": "schema:isPartOf",
    "type": "rdf:type",
    "label": "schema:name",
    "source_image_label": "bia:associatedSourceImage",
    "associated_biological_entity": "bia:associatedBiologicalEntity",
    "associated_specimen": "bia:associatedSubject",
    "associated_imaging_preparation_protocol": "bia:associatedImagingPreparationProtocol",
    "associated_image_acquisition_protocol": "bia:associatedImageAcquisitionProtocol",
    "associated_annotation_method": "bia:associatedAnnotationMethod",
    "associated_protocol": "bia:associatedProtocol",
    "sha256": "",
}
# readers take the values of some columns as lists, parted at commas
_LIST_SIGNS = re.compile(r"[,\[\]\"']|^\s|\s$")
_NOT_TEXT = re.compile(r"[-+]?[0-9.eE+-]+|nan|na|n/a|null|none|true|false|", re.IGNORECASE)


def _full(compact: str) -> str:
    prefix, _, local = compact.partition(":")
    return NAMESPACES[prefix] + local


def image_labels(described: Described) -> dict[str, str]:
    """Return a label for each image, annotation set and result: its name where that is safe."""
    found: dict[str, str] = {}
    for key in ("images", "annotation_sets", "analysis_results"):
        for _, thing in described.all(key):
            name = str(thing.get("name") or thing["id"])
            unsafe = _LIST_SIGNS.search(name) or _NOT_TEXT.fullmatch(name)
            found[str(thing["id"])] = str(thing["id"]) if unsafe or name in found.values() else name
    return found


def file_list(
    described: Described, files: Sequence[CrateFile], datasets: Mapping[str, str]
) -> bytes:
    """Return the table, tab-separated, with one row per file.

    Parameters
    ----------
    described : Described
        The description.
    files : sequence of CrateFile
        Files of the crate.
    datasets : mapping of str to str
        Image, annotation set or result to the study component that holds it.
    """
    labels = image_labels(described)
    present = {f.thing for f in files}
    columns = dict(COLUMNS) if any(f.sha256 for f in files) else _without(COLUMNS, "sha256")
    out = io.StringIO()
    writer = csv.DictWriter(out, list(columns), delimiter="\t", lineterminator="\n")
    writer.writeheader()
    for file in sorted(files, key=lambda f: f.path):
        row = _row(described, file, labels, present) | {
            "file_path": file.path,
            "size_in_bytes": str(file.size),
            "dataset": crate_id(datasets[file.thing]),
            "sha256": file.sha256,
        }
        writer.writerow({name: row.get(name, "") for name in columns})
    return out.getvalue().encode()


def _without(columns: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in columns.items() if key != name}


def _row(
    described: Described, file: CrateFile, labels: Mapping[str, str], present: set[str]
) -> dict[str, str]:
    thing = described.thing(file.thing)
    image = "annotated_images" not in thing and "analysed_images" not in thing
    sources = "derived_from_images" if image else "annotated_images"
    origins = [labels[n] for n in texts(thing.get(sources)) if n in present and n in labels]
    row = {"label": labels.get(file.thing, ""), "source_image_label": ", ".join(origins)}
    if not image:
        if "annotated_images" in thing:
            row["type"] = _full("bia:AnnotationData")
            row["associated_annotation_method"] = crate_id(file.thing)
        return row
    row["type"] = _full("bia:Image")
    specimens = [n for n in texts(thing.get("image_of")) if described.thing(n)]
    if len(specimens) == 1:
        row["associated_specimen"] = crate_id(specimens[0])
    preparations = [preparation_id(n) for n in specimens]
    row["associated_imaging_preparation_protocol"] = ", ".join(preparations)
    biosamples = [b for n in specimens for b in biosamples_of(described, n)]
    row["associated_biological_entity"] = ", ".join(crate_id(b) for b in dict.fromkeys(biosamples))
    if acquisition := thing.get("acquired_by"):
        row["associated_image_acquisition_protocol"] = crate_id(acquisition)
    if step := thing.get("generated_by_processing"):
        row["associated_protocol"] = crate_id(step)
    return row


def file_list_entities(files: Sequence[CrateFile]) -> list[Entity]:
    """Return the entities of the table: its file, its schema and its columns."""
    columns = dict(COLUMNS) if any(f.sha256 for f in files) else _without(COLUMNS, "sha256")
    ids = [f"_:col{number}" for number in range(len(columns))]
    entities: list[Entity] = [
        {
            "@id": FILE_LIST,
            "@type": ["File", "bia:FileList", "csvw:Table"],
            "tableSchema": {"@id": "_:ts0"},
        },
        {"@id": "_:ts0", "@type": ["csvw:Schema"], "column": [{"@id": i} for i in ids]},
    ]
    for name, (column, meaning) in zip(ids, columns.items(), strict=True):
        entity: Entity = {"@id": name, "@type": ["csvw:Column"], "columnName": column}
        if meaning:
            entity["propertyUrl"] = _full(meaning)
        entities.append(entity)
    return entities
