"""Which registrations a description asks for, and what each of them takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from clemkit.errors import ArgumentError, ClemkitError, InvalidMetadataError, NotFoundError
from clemkit.workflows.run_plan import RunStep, plan_run
from clemkit.workflows.run_settings import RunSettings

__all__ = ["GraphPlan", "PlannedEdge", "plan_graph", "read_description"]

_KINDS = ("convert", "segment", "register")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEdge:
    """One registration of a graph.

    Attributes
    ----------
    name : str
        Id of the correlation.
    fixed, moving : str
        Ids of the images.
    kind : {"volumes", "landmarks", "given", "impossible"}
        From the images; from landmarks, where an image has no files; as described, by transforms
        in files or numbers; or not at all.
    steps : tuple of RunStep
        What is done, in order.
    folder : Path or None
        Registration folder: of this graph, or the described one.
    described : mapping
        The correlation in long form.
    reason : str
        Why it is impossible.
    """

    name: str
    fixed: str
    moving: str
    kind: Literal["volumes", "landmarks", "given", "impossible"]
    steps: tuple[RunStep, ...] = ()
    folder: Path | None = None
    described: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphPlan:
    """All registrations in the order of the description."""

    description: Path
    output: Path
    images: Mapping[str, Mapping[str, Any]]
    edges: tuple[PlannedEdge, ...]


def read_description(source: Path) -> Mapping[str, Any]:
    """Return a description in long form.

    Raises
    ------
    InvalidMetadataError
        It does not fit the model.
    """
    from clemkit.metadata.load import read_document
    from clemkit.metadata.validate import validate

    document = read_document(source)
    found = validate(document).problems
    wrong = [p for p in found if p.severity == "error" and p.rule[:2] in ("L0", "L1")]
    if wrong:
        line = document.line_of(wrong[0].location)
        raise InvalidMetadataError(
            f"{source}:{line}: the description does not fit the model in {len(wrong)} places: "
            f"{wrong[0]}; see `clemkit validate {source}`",
            wrong,
        )
    content: Mapping[str, Any] = document.data
    return content


def plan_graph(
    data: Mapping[str, Any], description: Path, output: Path, settings: RunSettings, seed: int = 0
) -> GraphPlan:
    """Plan the registrations of a description.

    Parameters
    ----------
    data : mapping
        The description in long form, free of errors of the schema.
    description, output : Path
        Its file; the folder of the graph.
    settings : RunSettings
    seed : int

    Raises
    ------
    ArgumentError
        No correlation is described, or settings name one that is not described.
    """
    correlations = list(data.get("correlations", ()))
    if not correlations:
        raise ArgumentError(
            f"{description}: expected correlations (fixed_image, moving_image) that say what to "
            "register; found none"
        )
    known = [str(c["id"]) for c in correlations]
    for name in settings.correlations:
        if name not in known:
            raise ArgumentError(
                f"run.yaml: correlations: expected {', '.join(known)}, as described; found {name!r}"
            )
    images = {str(image["id"]): image for image in data.get("images", ())}
    edges = []
    for correlation in correlations:
        try:
            edges.append(_edge(data, correlation, images, description, output, settings, seed))
        except ClemkitError as error:  # one that cannot be planned must not hide the others
            edges.append(
                PlannedEdge(
                    name=str(correlation["id"]),
                    fixed=str(correlation["fixed_image"]),
                    moving=str(correlation["moving_image"]),
                    kind="impossible",
                    reason=" ".join(str(error).split()),
                )
            )
    return GraphPlan(description=description, output=output, images=images, edges=tuple(edges))


def _edge(
    data: Mapping[str, Any],
    correlation: Mapping[str, Any],
    images: Mapping[str, Mapping[str, Any]],
    description: Path,
    output: Path,
    settings: RunSettings,
    seed: int,
) -> PlannedEdge:
    name = str(correlation["id"])
    edge = PlannedEdge(
        name=name,
        fixed=str(correlation["fixed_image"]),
        moving=str(correlation["moving_image"]),
        kind="volumes",
        folder=output / "registration" / name,
        described=correlation,
    )
    if correlation.get("transforms"):
        return replace(edge, kind="given", folder=_finished(correlation, description.parent))
    without = [i for i in (edge.fixed, edge.moving) if not _has_files(images.get(i, {}))]
    if without and correlation.get("landmark_file"):
        return replace(
            edge, kind="landmarks", steps=(_landmarks(edge, description, settings, seed),)
        )
    if without:
        raise NotFoundError(
            f"correlation {name}: expected files of both images, a landmark_file, or transforms; "
            f"image {', '.join(without)} has no file_set"
        )
    alone = {k: v for k, v in correlation.items() if k != "landmark_file"}  # for evaluation only
    chosen = replace(settings, correlations={name: settings.of(name)})
    plan = plan_run(
        {**data, "protocols": [], "correlations": [alone]}, description, output, chosen, seed
    )
    steps = tuple(step for step in plan.steps if step.kind in _KINDS)
    return replace(edge, steps=steps)


def _has_files(image: Mapping[str, Any]) -> bool:
    return isinstance(image.get("file_set"), dict)


def _finished(correlation: Mapping[str, Any], folder: Path) -> Path | None:
    """Return the registration folder that described transforms lie in."""
    for transform in correlation["transforms"]:
        if transform.get("transform_file"):
            path = folder / str(transform["transform_file"])
            root = path.parent.parent
            if path.parent.name == "transforms" and (root / "registration.json").is_file():
                return root
    return None


def _landmarks(edge: PlannedEdge, description: Path, settings: RunSettings, seed: int) -> RunStep:
    path = description.parent / str(edge.described["landmark_file"])
    if not path.is_file():
        raise NotFoundError(f"{path}: expected landmarks of {edge.name}; found nothing")
    chosen = settings.of(edge.name)
    return RunStep(
        name=f"landmarks:{edge.name}",
        inputs=(path,),
        outputs=(edge.folder,) if edge.folder else (),
        parameters={
            "unit": chosen.landmark_unit,
            "allow_reflection": chosen.allow_reflection,
            "seed": seed,
        },
    )
