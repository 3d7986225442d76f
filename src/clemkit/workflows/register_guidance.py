"""Open what guides a registration of volumes: a start, landmarks, further structures."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clemkit.errors import ArgumentError, NotFoundError, NotInvertibleError, UnitError
from clemkit.workflows.register_inputs import FIXED, MOVING, Inputs, open_labels

if TYPE_CHECKING:
    from clemkit.landmarks import LandmarkPairs
    from clemkit.registration.further_structures import Structure
    from clemkit.transforms import Transform

__all__ = ["Guidance", "StructureFiles", "open_guidance", "parse_structure"]

_PARTS = re.compile(r",(?=(?:labels|moving-labels|channel|weight)=)")


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureFiles:
    """One kind of structure, as files.

    Attributes
    ----------
    labels : Path
        In the fixed volume.
    channel : int, str or None
        Moving channel that shows it.
    moving_labels : Path or None
        Its segmentation in the moving volume, instead of a channel.
    weight : float
    """

    labels: Path
    channel: int | str | None = None
    moving_labels: Path | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guidance:
    """What guides the engine.

    Attributes
    ----------
    initial : Transform or None
        Fixed → moving.
    trust_initial : bool
    landmarks : LandmarkPairs or None
    hard_landmarks : bool
    structures : tuple of Structure
        All, the first one included; empty for a single one.
    paths : tuple of Path
        Files that were read.
    record : mapping
        For ``registration.json``.
    notes : tuple of str
    """

    initial: Transform | None = None
    trust_initial: bool = False
    landmarks: LandmarkPairs | None = None
    hard_landmarks: bool = False
    structures: tuple[Structure, ...] = ()
    paths: tuple[Path, ...] = ()
    record: dict[str, Any]
    notes: tuple[str, ...] = ()


def parse_structure(text: str) -> StructureFiles:
    """Parse ``labels=PATH,channel=NAME,weight=1.0`` or ``labels=PATH,moving-labels=PATH``.

    Raises
    ------
    ArgumentError
        It is something else.
    """
    found: dict[str, str] = {}
    for part in _PARTS.split(text):
        key, _, value = part.partition("=")
        if key not in ("labels", "moving-labels", "channel", "weight") or not value or key in found:
            found = {}
            break
        found[key] = value
    try:
        weight = float(found.get("weight", "1"))
    except ValueError:
        weight = -1.0
    if "labels" not in found or not 0 < weight < 1e6 or {"channel", "moving-labels"} <= set(found):
        raise ArgumentError(
            "--structure: expected labels=PATH,channel=NAME,weight=1.0, or moving-labels=PATH "
            f"instead of the channel, weight a number > 0; found {text!r}"
        )
    channel = found.get("channel")
    moving = found.get("moving-labels")
    return StructureFiles(
        labels=Path(found["labels"]),
        channel=int(channel) if channel is not None and channel.isdecimal() else channel,
        moving_labels=None if moving is None else Path(moving),
        weight=weight,
    )


def open_guidance(
    inputs: Inputs,
    *,
    initial: str | Path | Transform | None,
    trust_initial: bool,
    landmarks: str | Path | LandmarkPairs | None,
    hard_landmarks: bool,
    units: str | None,
    structures: Sequence[StructureFiles],
) -> Guidance:
    """Read a start, landmarks and further structures.

    Parameters
    ----------
    inputs : Inputs
        The volumes; their first structure is the first of *structures*.
    initial : path, Transform or None
        Transform file, output folder of ``clemkit register``, or fixed → moving.
    trust_initial, hard_landmarks : bool
    landmarks : path, LandmarkPairs or None
    units : str or None
        Length unit of files that do not say theirs.
    structures : sequence of StructureFiles

    Raises
    ------
    ArgumentError, NotFoundError, UnitError, FormatError, SpaceMismatchError
        A file cannot be used.
    """
    paths, notes = [], []
    record: dict[str, Any] = {}
    if trust_initial and initial is None:
        raise ArgumentError("--trust-initial: expected --initial with it; found none")
    if hard_landmarks and landmarks is None:
        raise ArgumentError("--hard-landmarks: expected --landmarks with it; found none")
    if isinstance(initial, str | Path):
        path = Path(initial)
        paths.append(path)
        record["initial"] = {"path": str(path), "trusted": trust_initial}
        start: Transform | None = _open_initial(path, inputs, units)
    else:
        start = initial
    pairs: LandmarkPairs | None
    if isinstance(landmarks, str | Path):
        from clemkit.landmarks.io import read_pairs_file

        path = Path(landmarks)
        file = read_pairs_file(path, unit=units, moving_space=MOVING, fixed_space=FIXED)
        paths.append(path)
        notes += [f"{f.message}; {f.hint}" if f.hint else f.message for f in file.findings]
        record["landmarks"] = {"path": str(path), "pairs": len(file.pairs),
                               "weight": "hard" if hard_landmarks else "soft"}  # fmt: skip
        pairs = file.pairs
    else:
        pairs = landmarks
    kinds = _open_structures(inputs, structures, notes)
    if kinds:
        for files in structures[1:]:
            paths += [p for p in (files.labels, files.moving_labels) if p is not None]
        record["structures"] = [
            {"labels": str(f.labels), "channel": f.channel, "weight": f.weight,
             "moving_labels": None if f.moving_labels is None else str(f.moving_labels)}
            for f in structures
        ]  # fmt: skip
    return Guidance(
        initial=start,
        trust_initial=trust_initial,
        landmarks=pairs,
        hard_landmarks=hard_landmarks,
        structures=kinds,
        paths=tuple(paths),
        record=record,
        notes=tuple(notes),
    )


def _open_structures(
    inputs: Inputs, files: Sequence[StructureFiles], notes: list[str]
) -> tuple[Structure, ...]:
    from clemkit.registration.further_structures import Structure

    if len(files) < 2:
        return ()
    assert inputs.fixed.labels is not None
    first = Structure(
        labels=inputs.fixed.labels,
        channel=None if inputs.moving.labels is not None else inputs.moving.channel,
        moving_labels=inputs.moving.labels,
        weight=files[0].weight,
    )
    kinds = [first]
    for one in files[1:]:
        moving = None
        if one.moving_labels is not None:
            moving = open_labels("moving", one.moving_labels, inputs.moving.volume, False, notes)
        kinds.append(
            Structure(
                labels=open_labels("fixed", one.labels, inputs.fixed.volume, False, notes),
                channel=one.channel,
                moving_labels=moving,
                weight=one.weight,
            )
        )
    return tuple(kinds)


def _open_initial(path: Path, inputs: Inputs, units: str | None) -> Transform:
    """Return fixed → moving from a file of any known format, or from a registration."""
    from clemkit.transforms import numerical_inverse
    from clemkit.transforms.io import read_registration_transforms, read_transform
    from clemkit.workflows.open_registration import open_registration

    if not path.exists():
        raise NotFoundError(f"{path}: --initial: expected a transform; found nothing there")
    if (path / "registration.json").is_file():
        return open_registration(path).fixed_to_moving
    folder = path.parent if path.name == "transforms.json" else path
    if (folder / "transforms.json").is_file():
        return read_registration_transforms(folder)[0]
    # MoBIE's views place the moving image: their files map moving to fixed
    source, target = (MOVING, FIXED) if _is_mobie(path) else (FIXED, MOVING)
    try:
        found = read_transform(path, source=source, target=target, unit=units)
    except UnitError as error:
        raise UnitError(str(error).replace("pass unit=", "pass --units")) from None
    if {found.source, found.target} != {FIXED, MOVING} or found.source == found.target:
        raise ArgumentError(
            f"{path}: --initial: expected a transform between the spaces fixed and moving; found "
            f"{found.source.name} to {found.target.name}"
        )
    if found.source == FIXED:
        return found
    try:
        return found.inverse()
    except NotInvertibleError:
        return numerical_inverse(found, domain=inputs.moving.volume.grid, outside="extend")


def _is_mobie(path: Path) -> bool:
    if path.is_dir() or path.suffix.lower() != ".json":
        return False
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, UnicodeDecodeError):
        return False
    return isinstance(content, dict) and bool({"sourceTransforms", "views"} & set(content))
