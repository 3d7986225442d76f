"""Samples, protocols, acquisitions, analyses, programs and actions of a crate."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from clemkit.deposition.bia.identifiers import taxon_curie
from clemkit.deposition.imaging_methods import acquisition_class, method_named, method_terms
from clemkit.deposition.kept import keep
from clemkit.deposition.rocrate.node_reader import Node, Nodes
from clemkit.errors import Problem
from clemkit.metadata.model_map import contract_iri

__all__ = ["import_methods"]

_FBBI = re.compile(r"\S*FBbi[_:]([0-9]{8})")


def import_methods(nodes: Nodes, root: Node, out: dict[str, Any]) -> None:
    """Read what was imaged, how, and what was done then."""
    measured = [i for i in root.links("measurementMethod") if i in nodes.by_id]
    root.links("about")
    samples: list[dict[str, Any]] = []
    specimens = [_specimen(nodes, node) for node in list(nodes.of("bia:Specimen"))]
    for node in list(nodes.of("BioSample")):
        if any(
            i in nodes.by_id and "BioSample" in nodes.by_id[i].types
            for i in _ids(node.data.get("isBasedOn"))
        ):
            specimens.append(_specimen(nodes, node))
        else:
            samples.append(_sample(nodes, node))
    out["biological_samples"] = samples
    out["specimens"] = specimens
    out["acquisitions"] = [
        _acquisition(nodes, n, out) for n in list(nodes.of("bia:ImageAcquisitionProtocol"))
    ]
    for name in measured:
        node = nodes.by_id[name]
        if "LabProtocol" in node.types and not node.used:
            node.used = True
            out["acquisitions"].append(_acquisition(nodes, node, out))
    for name in measured:
        _method_term(nodes.by_id[name], out)
    out["protocols"] = [
        _protocol(nodes, n)
        for n in list(nodes.of("bia:SpecimenImagingPreparationProtocol", "LabProtocol"))
    ]
    out["annotation_sets"] = [_annotation(nodes, n) for n in list(nodes.of("bia:AnnotationMethod"))]
    out["analysis_results"] = [
        _analysis(nodes, n) for n in list(nodes.of("bia:ImageAnalysisMethod"))
    ]
    out["software_versions"] = [
        _software(nodes, n) for n in list(nodes.of("SoftwareApplication", "SoftwareSourceCode"))
    ]
    out["processing_steps"] = [
        *(_step(nodes, n) for n in list(nodes.of("bia:Protocol"))),
        *(_action(nodes, n) for n in list(nodes.of("CreateAction"))),
    ]
    out["study_components"] = [_component(nodes, n) for n in list(nodes.of("bia:Dataset"))]


def _ids(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [str(i["@id"]) for i in items if isinstance(i, dict) and "@id" in i]


def _sample(nodes: Nodes, node: Node) -> dict[str, Any]:
    sample: dict[str, Any] = {"id": nodes.named(node.name, "biosample")}
    if name := node.text("title", "name"):
        sample["name"] = name
    if text := node.text("biologicalEntityDescription"):
        sample["biological_entity_description"] = text
    if text := node.text("description"):
        sample["description"] = text
    for field, slot in (
        ("intrinsicVariableDescription", "intrinsic_variables"),
        ("extrinsicVariableDescription", "extrinsic_variables"),
        ("experimentalVariableDescription", "experimental_variables"),
    ):
        if texts := node.texts(field):
            sample[slot] = [_variable(t) for t in texts]
    organisms: list[dict[str, str]] = []
    for name in node.links("organismClassification", "taxonomicRange"):
        taxon = nodes.by_id.get(name)
        if taxon is not None:
            organisms.append(_taxon(taxon, sample))
    if organisms:
        sample["organisms"] = organisms
    nodes.keep_rest(node, sample)
    return sample


def _variable(text: str) -> dict[str, str]:
    name, colon, value = text.partition(": ")
    if colon and value and len(name) <= 60:
        return {"variable_name": name, "variable_value": value}
    return {"variable_name": text}


def _taxon(node: Node, sample: dict[str, Any]) -> dict[str, str]:
    first = not node.used
    node.used = True
    data = node.data
    scientific = str(data.get("scientificName") or data.get("name") or "not named")
    found = {"scientific_name": scientific}
    if common := data.get("commonName") or data.get("vernacularName"):
        found["common_name"] = str(common)
    local = contract_iri(node.name)
    curie = local if re.fullmatch(r"NCBITaxon:[0-9]+", local) else taxon_curie(node.name)
    if curie:
        found["taxon_id"] = curie
    known = {"@id", "@type", "scientificName", "name", "commonName", "vernacularName"}
    rest = {k: v for k, v in data.items() if k not in known and v not in (None, "", [])}
    if first and rest:
        keep(sample, "ro-crate", "taxon", {"@id": node.name, **rest})
    return found


def _specimen(nodes: Nodes, node: Node) -> dict[str, Any]:
    specimen: dict[str, Any] = {
        "id": nodes.named(node.name, "specimen"),
        "type": "OtherSpecimen",
    }
    if name := node.text("name", "title"):
        specimen["name"] = name
    if text := node.text("description"):
        specimen["description"] = text
    origins = [i for i in node.links("biologicalEntity", "isBasedOn") if i in nodes.by_id]
    for name in origins:
        parents = nodes.by_id[name]
        derived = "bia:Specimen" in parents.types or any(
            "BioSample" in nodes.by_id[i].types
            for i in _ids(parents.data.get("isBasedOn"))
            if i in nodes.by_id
        )
        slot = "derived_from" if derived else "biosamples"
        specimen.setdefault(slot, []).append(nodes.named(name))
    protocols = [i for i in node.links("imagingPreparationProtocol") if i in nodes.by_id]
    if protocols:
        specimen["preparation_protocols"] = [nodes.named(i) for i in protocols]
    nodes.keep_rest(node, specimen)
    return specimen


def _acquisition(nodes: Nodes, node: Node, out: dict[str, Any]) -> dict[str, Any]:
    acquisition: dict[str, Any] = {"id": nodes.named(node.name, "acquisition")}
    if name := node.text("title", "name"):
        acquisition["name"] = name
    if text := node.text("protocolDescription", "description"):
        acquisition["acquisition_summary"] = text
    if text := node.text("imagingInstrumentDescription", "labEquipment"):
        acquisition["instrument"] = _instrument(nodes, text, out)
    curies = [m for t in node.texts("fbbiId") for m in _FBBI.findall(t) or [t]]
    terms = [f"FBbi:{c}" if re.fullmatch(r"[0-9]{8}", c) else c for c in curies]
    labels: dict[str, str] = {}
    for name in node.links("measurementTechnique"):
        if found := _FBBI.fullmatch(name):
            terms.append(f"FBbi:{found[1]}")
            if name in nodes.by_id:
                nodes.by_id[name].used = True
                labels[terms[-1]] = str(nodes.by_id[name].data.get("name") or "")
        else:
            keep(acquisition, "ro-crate", "measurementTechnique", name)
    words = node.texts("imagingMethodName")
    methods = [m for t in (*words, *terms) if (m := method_named(t))]
    acquisition["imaging_method"] = methods[0] if methods else "other_method"
    acquisition["type"] = acquisition_class(acquisition["imaging_method"])
    own = method_terms({"imaging_method": acquisition["imaging_method"]})
    for curie in dict.fromkeys(terms):
        if not curie.startswith("FBbi:"):
            keep(acquisition, "ro-crate", "fbbiId", curie)
        elif curie not in {c for _, c in own}:
            label = {"term_label": labels[curie]} if labels.get(curie) else {}
            acquisition.setdefault("imaging_method_terms", []).append({"term": curie, **label})
    known = {label for label, _ in own}
    for word in words:
        if method_named(word) != acquisition["imaging_method"] and word not in known:
            keep(acquisition, "ro-crate", "imagingMethodName", word)
    if not methods:
        message = "expected an imaging method of the model; found none"
        place = ("@graph", node.index)
        nodes.found.append(Problem(place, "IMPORT-assumed", "warning", message, "other_method"))
    nodes.keep_rest(node, acquisition)
    return acquisition


def _instrument(nodes: Nodes, text: str, out: dict[str, Any]) -> str:
    instruments = out.setdefault("instruments", [])
    for entry in instruments:
        if entry["name"] == text:
            return str(entry["id"])
    entry = {"id": nodes.named(f"#instrument-{len(instruments) + 1}"), "name": text}
    instruments.append(entry)
    return str(entry["id"])


def _method_term(node: Node, out: dict[str, Any]) -> None:
    """Note that a method of the root was read, where an acquisition has it."""
    found = _FBBI.fullmatch(node.name)
    curie = f"FBbi:{found[1]}" if found else ""
    for acquisition in out["acquisitions"]:
        if curie in {c for _, c in method_terms(acquisition)}:
            node.used = True


def _protocol(nodes: Nodes, node: Node) -> dict[str, Any]:
    protocol: dict[str, Any] = {"id": nodes.named(node.name, "protocol")}
    if name := node.text("title", "name"):
        protocol["name"] = name
    if text := node.text("protocolDescription", "description"):
        protocol["description"] = text
    channels: list[Any] = []
    for name in node.links("signalChannelInformation"):
        channel = nodes.by_id.get(name)
        if channel is not None:
            channel.used = True
            channels.append({k: v for k, v in channel.data.items() if k != "@type"})
    if channels:
        node.put_back("signalChannelInformation", channels)
    nodes.keep_rest(node, protocol)
    return protocol


def _annotation(nodes: Nodes, node: Node) -> dict[str, Any]:
    annotation: dict[str, Any] = {"id": nodes.named(node.name, "annotation")}
    for field, slot in (
        ("title", "name"),
        ("protocolDescription", "annotation_method"),
        ("annotationCriteria", "annotation_criteria"),
        ("annotationCoverage", "annotation_coverage"),
    ):
        if text := node.text(field):
            annotation[slot] = text
    kinds = node.texts("methodType")
    known = [k for k in kinds if re.fullmatch(r"(class_labels|bounding_boxes|counts|"
             r"derived_annotations|geometrical_annotations|graphs|point_annotations|"
             r"segmentation_mask|tracks|weak_annotations|other_annotation)", k)]  # fmt: skip
    if known:
        annotation["annotation_kinds"] = known
    if left := [k for k in kinds if k not in known]:
        node.put_back("methodType", left)
    nodes.keep_rest(node, annotation)
    return annotation


def _analysis(nodes: Nodes, node: Node) -> dict[str, Any]:
    result: dict[str, Any] = {"id": nodes.named(node.name, "analysis")}
    for field, slot in (
        ("title", "name"),
        ("protocolDescription", "analysis_method"),
        ("featuresAnalysed", "analysis_result_kind"),
    ):
        if text := node.text(field):
            result[slot] = text
    nodes.keep_rest(node, result)
    return result


def _software(nodes: Nodes, node: Node) -> dict[str, Any]:
    program: dict[str, Any] = {"id": nodes.named(node.name, "software")}
    if name := node.text("name"):
        program["name"] = name
    version = node.text("softwareVersion")
    other = node.text("version")
    if version or other:
        program["software_version"] = version or other
    if version and other and other != version:
        node.put_back("version", other)
    url = node.text("url")
    if re.match(r"https?://", url):
        program["download_url"] = url
    elif url and url != node.name:
        node.put_back("url", url)
    nodes.keep_rest(node, program)
    return program


def _step(nodes: Nodes, node: Node) -> dict[str, Any]:
    step: dict[str, Any] = {
        "id": nodes.named(node.name, "step"),
        "processing_kind": "other_processing",
    }
    if name := node.text("title"):
        step["name"] = name
    if text := node.text("protocolDescription"):
        step["processing_summary_text"] = text
    nodes.keep_rest(node, step)
    return step


def _action(nodes: Nodes, node: Node) -> dict[str, Any]:
    step: dict[str, Any] = {
        "id": nodes.named(node.name, "action"),
        "processing_kind": "other_processing",
    }
    if name := node.text("name"):
        step["name"] = name
    if text := node.text("description"):
        step["processing_summary_text"] = text
    for field, slot in (("startTime", "started"), ("endTime", "ended")):
        if text := node.text(field):
            try:
                datetime.fromisoformat(text)
                step[slot] = text if "T" in text else f"{text}T00:00:00"
            except ValueError:
                node.put_back(field, text)
    people = [i for i in node.links("agent") if i in nodes.by_id]
    if people:
        step["operators"] = [nodes.named(i) for i in people]
    programs = node.links("instrument")
    step["software"] = nodes.known(programs, "SoftwareApplication", "SoftwareSourceCode")
    if other := [i for i in programs if nodes.named(i) not in step["software"]]:
        node.put_back("instrument", [{"@id": i} for i in other])
    step["object"] = node.links("object")  # images and settings: see import_files
    step["result"] = node.links("result")
    nodes.keep_rest(node, step)
    return {k: v for k, v in step.items() if v != []}


def _component(nodes: Nodes, node: Node) -> dict[str, Any]:
    component: dict[str, Any] = {"id": nodes.named(node.name, "component")}
    if name := node.text("name"):
        component["name"] = name
    if text := node.text("description"):
        component["description"] = text
    for fields, slot, kind in (
        (("associatedBiologicalEntity",), "component_biosamples", "BioSample"),
        (("associatedSpecimen",), "component_specimens", "bia:Specimen"),
        (
            ("associatedImageAcquisitionProtocol",),
            "component_acquisitions",
            "bia:ImageAcquisitionProtocol",
        ),
        (("associatedAnnotationMethod",), "component_annotations", "bia:AnnotationMethod"),
        (("associatedImageAnalysisMethod",), "component_analyses", "bia:ImageAnalysisMethod"),
    ):
        ids = node.links(*fields)
        names = nodes.known(ids, kind)
        if names:
            component[slot] = names
    specimens = _ids(node.data.get("associatedSpecimen"))
    prepared = {
        i
        for s in (*specimens, *_specimens_of(nodes, node))
        if s in nodes.by_id
        for i in _ids(nodes.by_id[s].data.get("imagingPreparationProtocol"))
    }
    told = node.links("associatedSpecimenImagingPreparationProtocol")
    if left := [i for i in told if i not in prepared]:
        node.put_back("associatedSpecimenImagingPreparationProtocol", [{"@id": i} for i in left])
    nodes.keep_rest(node, component)
    return component


def _specimens_of(nodes: Nodes, component: Node) -> list[str]:
    """Return the specimens of the biosamples of a component: the crate names only one itself."""
    samples = set(_ids(component.data.get("associatedBiologicalEntity")))
    return [
        n.name
        for n in nodes.by_id.values()
        if "bia:Specimen" in n.types and samples & set(_ids(n.data.get("biologicalEntity")))
    ]
