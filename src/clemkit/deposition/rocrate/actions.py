"""What was done, as actions of a crate: program, input, result, people, times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.empiar.wording import plain_words, quantity_text, sentence
from clemkit.deposition.rocrate.data_entities import Pieces
from clemkit.deposition.rocrate.graph import Graph, local_id, ref, refs
from clemkit.deposition.rocrate.people import add_agent

__all__ = ["add_actions"]

_NOT_RECORDED = "#software-not-recorded"


def add_actions(graph: Graph, described: Described, pieces: Pieces) -> list[str]:
    """Add processing, registration, acquisition and preparation, and return the actions.

    Processing and registration are ``CreateAction`` nodes run by programs, as the Process Run Crate
    profile wants them; acquisition and preparation, which no program ran, are plain ``Action``.
    """
    computed: dict[str, list[Mapping[str, Any]]] = {}
    for _, correlation in described.all("correlations"):
        computed.setdefault(str(correlation.get("computed_by") or ""), []).append(correlation)
    found = [
        _processing(graph, described, pieces, step, computed.pop(str(step["id"]), []))
        for _, step in described.all("processing_steps")
    ]
    left = [c for rest in computed.values() for c in rest]
    found += [_registration(graph, described, pieces, c) for c in left]
    found += [_acquisition(graph, described, pieces, a) for _, a in described.all("acquisitions")]
    runs = described.all("protocol_executions")
    return [*found, *(_preparation(graph, described, run) for _, run in runs)]


def _software(graph: Graph, described: Described, names: list[str]) -> list[dict[str, str]]:
    found: list[str] = []
    for name in names:
        program = described.thing(name)
        if program:
            version = program.get("software_version")
            found.append(
                graph.add(
                    {
                        "@id": local_id(name),
                        "@type": "SoftwareApplication",
                        "name": program.get("name") or name,
                        "softwareVersion": version,
                        "version": version or "not recorded",
                        # RO-Crate wants an address; its own, where no other is known
                        "url": program.get("download_url")
                        or _doi(program.get("doi"))
                        or local_id(name),
                    }
                )
            )
    if not found:
        text = "The program was not recorded."
        node = {"@id": _NOT_RECORDED, "@type": "SoftwareApplication", "name": "not recorded"}
        further = {"description": text, "version": "not recorded", "url": _NOT_RECORDED}
        found.append(graph.add(node | further))
    return refs(found)


def _doi(doi: object) -> str | None:
    return f"https://doi.org/{quote(str(doi), safe='/:()')}" if doi else None


def _times(activity: Mapping[str, Any]) -> dict[str, Any]:
    ended = activity.get("ended")
    status = "http://schema.org/CompletedActionStatus" if ended else None
    return {
        "startTime": activity.get("started"),
        "endTime": ended,
        "actionStatus": ref(status) if status else None,
    }


def _agents(
    graph: Graph, described: Described, activity: Mapping[str, Any]
) -> list[dict[str, str]]:
    found = (add_agent(graph, described, name) for name in texts(activity.get("operators")))
    return refs(name for name in found if name)


def _one_or_many(values: list[dict[str, str]]) -> Any:
    return values[0] if len(values) == 1 else values


def _parameters(graph: Graph, activity: Mapping[str, Any]) -> Iterator[str]:
    for number, parameter in enumerate(mappings(activity.get("parameters")), 1):
        value = quantity_text(parameter.get("parameter_quantity")) or parameter.get(
            "parameter_json"
        )
        yield graph.add(
            {
                "@id": local_id(f"{activity['id']}-parameter-{number}"),
                "@type": "PropertyValue",
                "name": parameter.get("parameter_name"),
                "value": value,
            }
        )
    if activity.get("random_seed") is not None:
        yield graph.add(
            {
                "@id": local_id(f"{activity['id']}-seed"),
                "@type": "PropertyValue",
                "name": "random seed",
                "value": str(activity["random_seed"]),
            }
        )


def _digest(graph: Graph, pieces: Pieces, digest: Mapping[str, Any]) -> str:
    """Return the file of the crate with the same content; else describe the file by its digest."""
    sha256 = str(digest.get("sha256"))
    path = str(digest.get("file_path"))
    if found := pieces.by_digest.get(sha256) or pieces.by_path.get(path):
        return found
    return graph.add(
        {
            "@id": f"#sha256-{sha256}",
            "@type": "CreativeWork",
            "name": path,
            "description": "A file that is not in this crate, known by its content.",
            "sha256": sha256,
            "size": str(digest["byte_count"]) if digest.get("byte_count") is not None else None,
        }
    )


def _processing(
    graph: Graph,
    described: Described,
    pieces: Pieces,
    step: Mapping[str, Any],
    correlations: list[Mapping[str, Any]],
) -> str:
    inputs = [pieces.things[n] for n in texts(step.get("input_images")) if n in pieces.things]
    inputs += [_digest(graph, pieces, d) for d in mappings(step.get("input_files"))]
    inputs += list(_parameters(graph, step))
    made = [
        str(i["id"])
        for _, i in described.all("images")
        if i.get("generated_by_processing") == step["id"]
    ]
    names = list(dict.fromkeys([*texts(step.get("output_images")), *made]))
    results = [pieces.things[n] for n in names if n in pieces.things]
    results += [_digest(graph, pieces, d) for d in mappings(step.get("output_files"))]
    for key, slot in (
        ("annotation_sets", "annotated_by_step"),
        ("analysis_results", "analysis_steps"),
    ):
        for _, thing in described.all(key):
            by = thing.get(slot)
            if step["id"] in (by if isinstance(by, list) else [by]):
                results.append(pieces.things[str(thing["id"])])
    results += [_correlation(graph, described, pieces, c) for c in correlations]
    kind = plain_words(step.get("processing_kind"))
    told = [sentence(step.get("processing_summary_text") or step.get("description"))]
    if command := texts(step.get("command_line")):
        told.append(f"Command: {' '.join(command)}")
    return graph.add(
        {
            "@id": local_id(step["id"]),
            "@type": "CreateAction",
            "name": step.get("name") or f"{kind} ({step['id']})",
            "description": " ".join(t for t in told if t) or kind,
            **_times(step),
            "agent": _one_or_many(_agents(graph, described, step)),
            "instrument": _one_or_many(_software(graph, described, texts(step.get("software")))),
            "object": refs(inputs),
            "result": refs(results),
        }
    )


def _correlation(
    graph: Graph, described: Described, pieces: Pieces, correlation: Mapping[str, Any]
) -> str:
    images = [str(correlation.get(k)) for k in ("moving_image", "fixed_image")]
    moving, fixed = (described.named(n) for n in images)
    told = [f"{moving} onto {fixed}."]
    told += [sentence(correlation.get(k)) for k in ("method_summary", "spatial_alignment")]
    for error in mappings(correlation.get("correlation_errors")):
        if median := quantity_text(error.get("error_median")):
            told.append(f"Median error ({plain_words(error.get('error_kind'))}): {median}.")
    based = [pieces.things[n] for n in images if n in pieces.things]
    based += [local_id(n) for n in texts(correlation.get("builds_on"))]
    return graph.add(
        {
            "@id": local_id(correlation["id"]),
            "@type": "CreativeWork",
            "name": correlation.get("name") or f"Registration of {moving} to {fixed}",
            "description": " ".join(t for t in told if t),
            "isBasedOn": refs(based),
        }
    )


def _registration(
    graph: Graph, described: Described, pieces: Pieces, correlation: Mapping[str, Any]
) -> str:
    """Add the action of a correlation that no processing step is described for."""
    images = [str(correlation.get(k)) for k in ("moving_image", "fixed_image")]
    inputs = [pieces.things[n] for n in images if n in pieces.things]
    name = f"{correlation['id']}-registration"
    inputs += list(_parameters(graph, {**correlation, "id": name}))
    result = _correlation(graph, described, pieces, correlation)
    return graph.add(
        {
            "@id": local_id(name),
            "@type": "CreateAction",
            "name": graph[result]["name"],
            "description": "Registration of two images.",
            "instrument": _one_or_many(
                _software(graph, described, texts(correlation.get("software")))
            ),
            "object": refs(inputs),
            "result": refs([result]),
        }
    )


def _instrument(graph: Graph, described: Described, name: object) -> list[dict[str, str]]:
    instrument = described.thing(name)
    if not instrument:
        return []
    words = (instrument.get(k) for k in ("manufacturer", "model_name"))
    return refs(
        [
            graph.add(
                {
                    "@id": local_id(instrument["id"]),
                    "@type": "IndividualProduct",
                    "name": instrument.get("name") or instrument["id"],
                    "description": ", ".join(str(w) for w in words if w),
                    "serialNumber": instrument.get("serial_number"),
                }
            )
        ]
    )


def _acquisition(
    graph: Graph, described: Described, pieces: Pieces, acquisition: Mapping[str, Any]
) -> str:
    session = described.thing(acquisition.get("session"))
    activity = {**session, **{k: v for k, v in acquisition.items() if v}}
    made = [
        pieces.things[str(i["id"])]
        for _, i in described.all("images")
        if i.get("acquired_by") == acquisition["id"]
    ]
    subjects = [local_id(n) for n in texts(acquisition.get("imaged_specimens"))]
    subjects.append(local_id(f"{acquisition['id']}-protocol"))
    return graph.add(
        {
            "@id": local_id(acquisition["id"]),
            "@type": "Action",
            "name": acquisition.get("name") or acquisition["id"],
            **_times(activity),
            "agent": _one_or_many(_agents(graph, described, activity)),
            "instrument": _one_or_many(_instrument(graph, described, activity.get("instrument"))),
            "object": refs(s for s in subjects if s in graph),
            "result": refs(made),
        }
    )


def _preparation(graph: Graph, described: Described, execution: Mapping[str, Any]) -> str:
    inputs = [
        local_id(n)
        for slot in ("input_biosamples", "input_specimens")
        for n in texts(execution.get(slot))
    ]
    if execution.get("planned"):
        inputs.append(local_id(execution["planned"]))
    results = [local_id(n) for n in texts(execution.get("output_specimens"))]
    plan = described.named(execution["planned"]) if execution.get("planned") else "Preparation"
    return graph.add(
        {
            "@id": local_id(execution["id"]),
            "@type": "Action",
            "name": execution.get("name") or plan,
            **_times(execution),
            "agent": _one_or_many(_agents(graph, described, execution)),
            "object": refs(n for n in inputs if n in graph),
            "result": refs(n for n in results if n in graph),
        }
    )
