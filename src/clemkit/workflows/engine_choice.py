"""Which engine registers two volumes, with which settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clemkit.errors import ArgumentError, FormatError, NotFoundError
from clemkit.provenance import Progress
from clemkit.registration.result import RegistrationResult
from clemkit.workflows.register_presets import run_published

if TYPE_CHECKING:
    from clemkit.registration.engine import Preview
    from clemkit.registration.settings import Settings
    from clemkit.workflows.register_guidance import Guidance
    from clemkit.workflows.register_inputs import Inputs

__all__ = ["check_engine", "read_settings", "run_engine"]


def read_settings(
    settings: Settings | str | Path | None, base: Settings | None = None
) -> Settings | None:
    """Return settings, read over *base* from a YAML file where a path is given.

    Raises
    ------
    NotFoundError
        There is no such file.
    FormatError
        It is not a YAML mapping.
    ArgumentError
        A key is not a setting, or a value is of another type or out of range.
    """
    if not isinstance(settings, str | Path):
        return base if settings is None else settings
    import yaml

    from clemkit.registration.settings import Settings

    path = Path(settings)
    if not path.is_file():
        raise NotFoundError(f"{path}: expected a YAML file of settings; found nothing there")
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise FormatError(path, f"expected YAML; {problem}") from None
    if not isinstance(content, dict | None):
        raise FormatError(path, f"expected 'name: value' lines; found a {type(content).__name__}")
    return Settings.from_yaml(path, base)


def check_engine(engine: str, inputs: Inputs) -> None:
    """Raise when the engine is unknown, not installed, or cannot work on these inputs.

    Raises
    ------
    ArgumentError, MissingExtraError
    """
    if engine == "clemkit":
        return
    from clemkit.registration.engines.refined_result import require_engine

    require_engine(engine, inputs.fixed.volume, inputs.moving.volume, inputs.fixed.labels)


def run_engine(
    engine: str,
    inputs: Inputs,
    guidance: Guidance,
    *,
    preset: str | None,
    allow_reflection: bool,
    settings: Settings | None,
    seed: int,
    preview: Preview | None,
    progress: Progress,
) -> RegistrationResult:
    """Register by clemkit; another engine then replaces the deformation, not the pose.

    A preset of a published chain replaces everything.

    Raises
    ------
    RegistrationError, TransformError, DataError
        See :func:`clemkit.registration.engine.register`.
    """
    from clemkit.registration.engine import register

    fixed, moving = inputs.fixed, inputs.moving
    if preset is not None:
        published = run_published(preset, inputs, guidance.initial, seed=seed, progress=progress)
        if published is not None:
            return published
    several = bool(guidance.structures)  # then labels and channels are in them
    own = register(
        fixed.volume,
        moving.volume,
        fixed_labels=None if several else fixed.labels,
        moving_labels=None if several else moving.labels,
        structures=guidance.structures,
        fixed_channel=fixed.channel or 0,
        moving_channel=None if several else moving.channel,
        initial=guidance.initial,
        trust_initial=guidance.trust_initial,
        landmarks=guidance.landmarks,
        landmark_weight="hard" if guidance.hard_landmarks else "soft",
        allow_reflection=allow_reflection,
        settings=settings,
        seed=seed,
        preview=preview,
        progress=progress,
    )
    if engine == "clemkit":
        return own
    from clemkit.registration.engines.refined_result import refine_result

    if fixed.labels is None:
        raise ArgumentError(f"engine {engine}: expected labels of the fixed volume; found none")
    return refine_result(
        own,
        engine,
        fixed.volume,
        moving.volume,
        fixed_labels=fixed.labels,
        moving_labels=moving.labels,
        seed=seed,
        progress=progress,
    )
