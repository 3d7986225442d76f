"""``run.yaml``: what a run needs to know and a description of the experiment does not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from clemkit.errors import ArgumentError, FormatError, NotFoundError

__all__ = ["CorrelationSettings", "RunSettings", "SegmentSettings", "read_run_settings"]

ARCHIVES = ("empiar", "bia")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSettings:
    """How structures of the fixed image become labels; see ``clemkit segment``."""

    radius_nm: float
    polarity: str = "bright"
    sensitivity: float = 1.0
    least_volume_um3: float | None = None
    channel: int | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrelationSettings:
    """How one correlation is computed; see ``clemkit register``.

    Attributes
    ----------
    segment : SegmentSettings or None
        Make labels of the fixed image. Without it, a described segmentation of the fixed image is
        used, or grey values.
    fixed_channel, moving_channel : int, str or None
        Channels to match; the one that shows the described structure where absent.
    settings : mapping
        Of the engine.
    engine : str
    allow_reflection : bool
    landmark_unit : str or None
        Unit of the described landmark file, where it states none.
    """

    segment: SegmentSettings | None = None
    fixed_channel: int | str | None = None
    moving_channel: int | str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    engine: str = "clemkit"
    allow_reflection: bool = False
    landmark_unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """Settings of a run.

    Attributes
    ----------
    archives : tuple of str
        Packages to build: ``empiar``, ``bia``.
    correlations : mapping of str to CorrelationSettings
        By id of the correlation.
    """

    archives: tuple[str, ...] = ARCHIVES
    correlations: Mapping[str, CorrelationSettings] = field(default_factory=dict)

    def of(self, correlation: str) -> CorrelationSettings:
        """Return the settings of a correlation."""
        return self.correlations.get(correlation, CorrelationSettings())


def read_run_settings(path: Path | None) -> RunSettings:
    """Read ``run.yaml``; everything has a default.

    Raises
    ------
    NotFoundError
        There is no such file.
    FormatError
        It is not YAML.
    ArgumentError
        A key or value is not possible.
    """
    if path is None:
        return RunSettings()
    import yaml

    if not path.is_file():
        raise NotFoundError(f"{path}: expected the settings of a run; found nothing there")
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FormatError(path, f"expected YAML; found {' '.join(str(error).split())}") from None
    data = _mapping(content or {}, str(path), [f.name for f in fields(RunSettings)])
    archives = data.get("archives", list(ARCHIVES))
    if not isinstance(archives, Sequence) or set(archives) - set(ARCHIVES):
        known = ", ".join(ARCHIVES)
        raise ArgumentError(f"{path}: archives: expected a list of {known}; found {archives!r}")
    found = data.get("correlations") or {}
    correlations = {
        str(name): _correlation(value or {}, f"{path}: correlations/{name}")
        for name, value in _mapping(found, f"{path}: correlations", None).items()
    }
    return RunSettings(archives=tuple(archives), correlations=correlations)


def _correlation(value: Any, place: str) -> CorrelationSettings:
    data = _mapping(value, place, [f.name for f in fields(CorrelationSettings)])
    if "segment" in data:
        known = [f.name for f in fields(SegmentSettings)]
        segment = _mapping(data["segment"] or {}, f"{place}/segment", known)
        if not isinstance(segment.get("radius_nm"), int | float):
            raise ArgumentError(f"{place}/segment: expected radius_nm, a number; found none")
        data["segment"] = SegmentSettings(**segment)
    _mapping(data.get("settings") or {}, f"{place}/settings", _engine_names())
    return CorrelationSettings(**data)


def _engine_names() -> list[str]:
    from clemkit.registration.settings import Settings

    return [f.name for f in fields(Settings)]


def _mapping(value: Any, place: str, known: Sequence[str] | None) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{place}: expected 'name: value' lines; found {value!r}")
    for name in value:
        if known is not None and name not in known:
            close = get_close_matches(str(name), known, 1, 0.5)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ArgumentError(f"{place}: expected {', '.join(known)}; found {name!r}{hint}")
    return dict(value)
