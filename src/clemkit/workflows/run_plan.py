"""Which steps a run has, from the description alone: nothing is opened but folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from clemkit.deposition.headers import matching_paths
from clemkit.errors import ArgumentError, NotFoundError
from clemkit.workflows.run_settings import RunSettings

__all__ = ["RunPlan", "RunStep", "plan_run", "warped_name"]

COMPLETED = "experiment.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """One step: what it reads, what it writes, and what else decides its result.

    Attributes
    ----------
    name : str
        ``KIND`` or ``KIND:ID``, such as ``convert:em-raw``.
    inputs, outputs : tuple of Path
    parameters : mapping
        JSON-ready.
    needs : tuple of str
        Steps whose recorded results it uses, beside files.
    is_repeatable : bool
        It finds out by itself what is left to do, so it is never skipped.
    """

    name: str
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    is_repeatable: bool = False

    @property
    def kind(self) -> str:
        """What is done."""
        return self.name.split(":")[0]

    @property
    def subject(self) -> str:
        """Id of the thing it is done to; empty where it is done to the whole."""
        return self.name.partition(":")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The steps in order."""

    description: Path
    output: Path
    steps: tuple[RunStep, ...]

    def names(self) -> list[str]:
        """Return the names of the steps."""
        return [step.name for step in self.steps]


def plan_run(
    data: Mapping[str, Any], description: Path, output: Path, settings: RunSettings, seed: int = 0
) -> RunPlan:
    """Plan a run.

    Parameters
    ----------
    data : mapping
        The description in long form, free of errors of the schema.
    description, output : Path
        Its file; the folder of the run.
    settings : RunSettings
    seed : int

    Raises
    ------
    ArgumentError
        Settings name a correlation that is not described; an image has no files or several that
        do not make one volume.
    NotFoundError
        Files of an image are absent.
    """
    planner = _Planner(data, description, output, settings, seed)
    planner.plan()
    return RunPlan(description=description, output=output, steps=tuple(planner.steps))


class _Planner:
    def __init__(
        self,
        data: Mapping[str, Any],
        description: Path,
        output: Path,
        settings: RunSettings,
        seed: int,
    ) -> None:
        self.data, self.description, self.output = data, description, output
        self.settings, self.seed = settings, seed
        self.folder = description.parent
        self.steps: list[RunStep] = []
        self.images = {str(i["id"]): i for i in data.get("images", ())}
        self.volumes: dict[str, Path] = {}

    def plan(self) -> None:
        correlations = self.data.get("correlations", ())
        known = [str(c["id"]) for c in correlations]
        for name in self.settings.correlations:
            if name not in known:
                raise ArgumentError(
                    f"run.yaml: correlations: expected {', '.join(known) or 'none'}, as described; "
                    f"found {name!r}"
                )
        self._check()
        for protocol in self.data.get("protocols", ()):
            if protocol.get("source_file") and not protocol.get("steps"):
                self._protocol(protocol)
        for correlation in correlations:
            self._correlation(correlation)
        self._conclusions()

    def _add(
        self,
        name: str,
        inputs: tuple[Path, ...],
        outputs: tuple[Path, ...],
        parameters: Mapping[str, Any] | None = None,
        needs: tuple[str, ...] = (),
    ) -> None:
        self.steps.append(
            RunStep(
                name=name, inputs=inputs, outputs=outputs, parameters=parameters or {}, needs=needs
            )
        )

    def _check(self) -> None:
        described = [i for i in self.data.get("images", ()) if isinstance(i.get("file_set"), dict)]
        paths = [p for i in described for p in matching_paths(i["file_set"], self.folder)]
        inputs = (self.description, *dict.fromkeys(paths))
        self._add("check", inputs, (self.output / "check.json",))

    def _protocol(self, protocol: Mapping[str, Any]) -> None:
        name = str(protocol["id"])
        source = self.folder / str(protocol["source_file"])
        if not source.is_file():
            raise NotFoundError(f"{source}: expected the source of protocol {name}; found nothing")
        self._add(f"protocol:{name}", (source,), (self.output / "protocols" / f"{name}.json",))

    def _correlation(self, correlation: Mapping[str, Any]) -> None:
        name = str(correlation["id"])
        chosen = self.settings.of(name)
        fixed, moving = str(correlation["fixed_image"]), str(correlation["moving_image"])
        fixed_path, moving_path = self._volume(fixed), self._volume(moving)
        labels: tuple[Path, ...] = ()
        if chosen.segment is not None:
            target = self.output / "segmented" / f"{name}.ome.zarr"
            parameters = {**asdict(chosen.segment), "image": fixed}
            self._add(f"segment:{name}", (fixed_path,), (target,), parameters)
            labels = (target,)
        elif described := self._described_labels(fixed):
            labels = (self._path(described),)
        folder = self.output / "registration" / name
        call = {
            "labels": bool(labels),
            "structure": _structure(correlation),
            "fixed_channel": chosen.fixed_channel,
            "moving_channel": chosen.moving_channel
            if chosen.moving_channel is not None
            else _channel(self.images[moving], correlation),
            "fixed_modality": self.images[fixed].get("modality"),
            "moving_modality": self.images[moving].get("modality"),
            "engine": chosen.engine,
            "allow_reflection": chosen.allow_reflection,
            "settings": dict(chosen.settings),
            "seed": self.seed,
        }
        self._add(f"register:{name}", (fixed_path, moving_path, *labels), (folder,), call)
        warped = self.output / "registered" / f"{warped_name(self.data, correlation)}.ome.zarr"
        self._add(f"warp:{name}", (folder, moving_path), (warped,))
        if correlation.get("landmark_file"):
            landmarks = self.folder / str(correlation["landmark_file"])
            if not landmarks.is_file():
                raise NotFoundError(f"{landmarks}: expected landmarks of {name}; found nothing")
            figures = self.output / "evaluation" / f"{name}.json"
            unit = {"unit": chosen.landmark_unit, "seed": self.seed}
            self._add(f"evaluate:{name}", (folder, landmarks), (figures,), unit)

    def _volume(self, image: str) -> Path:
        """Return the OME-Zarr of an image, and plan to make it where it is in another format."""
        if image in self.volumes:
            return self.volumes[image]
        source = self._path(image)
        if source.suffix == ".zarr":
            self.volumes[image] = source
            return source
        target = self.output / "converted" / f"{image}.ome.zarr"
        described = self.images[image]
        parameters = {
            "voxel_size_zyx_nm": _voxel_size(described),
            "dataset": described["file_set"].get("dataset_path"),
        }
        self._add(f"convert:{image}", (source,), (target,), parameters)
        self.volumes[image] = target
        return target

    def _path(self, image: str) -> Path:
        """Return the one file, store or folder of planes that holds an image."""
        described = self.images.get(image)
        if described is None or not isinstance(described.get("file_set"), dict):
            raise ArgumentError(f"{self.description}: image {image}: expected file_set; found none")
        paths = matching_paths(described["file_set"], self.folder)
        if not paths:
            wanted = described["file_set"]
            raise NotFoundError(
                f"image {image}: expected files {wanted.get('directory', '.')}/"
                f"{wanted.get('file_pattern', '*')} beside {self.description}; found none"
            )
        if len(paths) == 1:
            return paths[0]
        xml = [p for p in paths if p.suffix == ".xml"]
        if len(xml) == 1:
            return xml[0]
        from clemkit.volumes.readers.plane_series import is_plane

        folder = paths[0].parent
        planes = {p for p in folder.iterdir() if p.is_file() and is_plane(p.name)}
        if planes != set(paths):
            raise ArgumentError(
                f"image {image}: expected one file, or all TIFF or PNG planes of a folder; found "
                f"{len(paths)} files in {folder} that are not its {len(planes)} planes; give the "
                "image a folder of its own"
            )
        return folder

    def _described_labels(self, fixed: str) -> str | None:
        """Return the image that is described as the segmentation of another one."""
        for name, image in self.images.items():
            derived = list(image.get("derived_from_images", ()))
            has_files = isinstance(image.get("file_set"), dict)
            if image.get("image_kind") == "segmentation" and derived == [fixed] and has_files:
                return name
        return None

    def _conclusions(self) -> None:
        done = tuple(s.name for s in self.steps if s.name != "check")
        completed = self.output / COMPLETED
        self._add("describe", (self.description,), (completed,), {}, done)
        made = [p for s in self.steps if s.kind in ("segment", "warp") for p in s.outputs]
        self._add("validate", (completed, *made), (self.output / "validation.json",))
        self._add("rdf", (completed,), (self.output / "experiment.ttl",))
        for archive in self.settings.archives:
            step = RunStep(
                name=archive,
                inputs=(completed,),
                outputs=(self.output / archive,),
                is_repeatable=True,
            )
            self.steps.append(step)


def warped_name(data: Mapping[str, Any], correlation: Mapping[str, Any]) -> str:
    """Return the id of the warped image of a correlation, another one for each correlation."""
    pair = (correlation["moving_image"], correlation["fixed_image"])
    same = [
        c["id"]
        for c in data.get("correlations", ())
        if (c["moving_image"], c["fixed_image"]) == pair
    ]
    name = f"{pair[0]}-on-{pair[1]}"
    return name if same[0] == correlation["id"] else f"{name}-{correlation['id']}"


def _structure(correlation: Mapping[str, Any]) -> str | None:
    for term in correlation.get("structures_used", ()):
        return str(term.get("term_label") or term["term"])
    return None


def _channel(image: Mapping[str, Any], correlation: Mapping[str, Any]) -> int | None:
    """Return the channel that is described as showing a structure of the correlation."""
    wanted = {t.get("term") for t in correlation.get("structures_used", ())}
    for channel in image.get("channels", ()):
        shown = {t.get("term") for t in channel.get("channel_biological_entity_terms", ())}
        if shown & wanted:
            return int(channel["channel_index"])
    return None


def _voxel_size(image: Mapping[str, Any]) -> list[float] | None:
    from clemkit.metadata.validate.quantities import base_value

    sizes = [base_value(image.get(f"voxel_size_{axis}")) for axis in "zyx"]
    if any(size is None for size in sizes):
        return None
    return [float(f"{size * 1e9:.12g}") for size in sizes if size is not None]
