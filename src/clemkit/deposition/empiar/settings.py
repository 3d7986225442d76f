"""Settings of EMPIAR that no field of the model holds, kept as ``archive_settings``.

A name is ``empiar:`` and the path inside the part of the document that the thing becomes:
``empiar:experiment_type`` at the study, ``empiar:micrographs_file_pattern`` at an image; in a
key, ``~1`` is a slash and ``~0`` a tilde. The value is JSON; without a value the key is left out of
the document. They win over what is derived, which is why each one that changes something is noted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from clemkit.deposition.empiar.description import Location, mappings, note
from clemkit.errors import Problem

__all__ = ["PREFIX", "apply_settings", "as_setting", "differences", "is_gap", "settings_of"]

PREFIX: Final = "empiar:"
_REMOVED: Final = object()
Path = tuple[str | int, ...]


def settings_of(thing: Mapping[str, Any]) -> Iterator[tuple[int, Path, Any]]:
    """Yield index, path and value of each setting of EMPIAR; the value may be "removed"."""
    for index, setting in enumerate(mappings(thing.get("archive_settings"))):
        name = str(setting.get("parameter_name") or "")
        if not name.startswith(PREFIX):
            continue
        steps = name[len(PREFIX) :].split("/")
        path = tuple(s.replace("~1", "/").replace("~0", "~") for s in steps)
        text = setting.get("parameter_json")
        try:
            value = _REMOVED if text is None else json.loads(str(text))
        except json.JSONDecodeError:
            value = text  # somebody wrote the bare text
        yield index, path, value


def apply_settings(
    entry: dict[str, Any], thing: Mapping[str, Any], place: Location
) -> list[Problem]:
    """Write the settings of *thing* into *entry*, and return what they changed.

    Parameters
    ----------
    entry : dict
        Part of the document; changed in place.
    thing : mapping
        Study, image or publication.
    place : tuple
        Where it stands in the description.
    """
    problems = []
    for index, path, value in settings_of(thing):
        where = (*place, "archive_settings", index)
        before = _at(entry, path)
        if _put(entry, path, value):
            if before is not _REMOVED and before != value:
                shown = "/".join(str(p) for p in path)
                message = f"{shown} is taken from archive_settings, not from the description"
                hint = "remove the setting to have it derived"
                problems.append(note(where, "empiar-setting", message, hint))
        else:
            shown = "/".join(str(p) for p in path)
            message = f"expected a place {shown} in the document; found none"
            problems.append(note(where, "empiar-setting", message, "remove or correct the setting"))
    return problems


def differences(built: Any, wanted: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield path and value of all that must be set in *built* to have *wanted*."""
    if isinstance(built, Mapping) and isinstance(wanted, Mapping):
        for key in dict.fromkeys([*wanted, *built]):
            if key not in wanted:
                yield (*path, key), _REMOVED
            elif key not in built:
                yield (*path, key), wanted[key]
            else:
                yield from differences(built[key], wanted[key], (*path, key))
    elif isinstance(built, list) and isinstance(wanted, list) and len(built) == len(wanted):
        for index, (one, other) in enumerate(zip(built, wanted, strict=True)):
            yield from differences(one, other, (*path, index))
    elif isinstance(built, bool) is not isinstance(wanted, bool) or built != wanted:
        yield path, wanted


def is_gap(value: Any) -> bool:
    """Whether a value of :func:`differences` says that there is nothing."""
    return value is _REMOVED or value in (None, "", [], {})


def as_setting(path: Path, value: Any) -> dict[str, Any]:
    """Return a setting of the model for a path and a value."""
    steps = (str(p).replace("~", "~0").replace("/", "~1") for p in path)
    setting = {"parameter_name": PREFIX + "/".join(steps)}
    if value is not _REMOVED:
        setting["parameter_json"] = json.dumps(value, ensure_ascii=False)
    return setting


def _at(entry: Any, path: Path) -> Any:
    for step in path:
        key = _key(entry, step)
        if key is None or (isinstance(entry, dict) and key not in entry):
            return _REMOVED
        entry = entry[key]
    return entry


def _key(entry: Any, step: str | int) -> Any:
    """Return *step* as a key of a dict or as an index of a list; None where it is neither."""
    if isinstance(entry, dict):
        return step
    if isinstance(entry, list) and str(step).isdecimal() and int(step) < len(entry):
        return int(step)
    return None


def _put(entry: Any, path: Path, value: Any) -> bool:
    parent = _at(entry, path[:-1])
    key = _key(parent, path[-1])
    if key is None or (value is _REMOVED and not isinstance(parent, dict)):
        return False
    if value is _REMOVED:
        parent.pop(key, None)
    else:
        parent[key] = value
    return True
