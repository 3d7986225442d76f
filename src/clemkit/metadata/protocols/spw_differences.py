"""What one JSON value has that another has not: found, kept as data, put back.

Used for documents of the Specimen Preparation Widget: the model writes a step as today's form
would, and the difference to the document that was read is kept beside it. A difference is put back
only where the value is still the one that it was found against; otherwise it is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

__all__ = ["differences", "restored", "same"]

Difference = Mapping[str, Any]
# a value with its unit is one thing: half of an old value beside half of a new one would be wrong
_WHOLE: Final = frozenset(
    {"temperature", "duration", "pressure", "chambertemperature", "cryogentemperature",
     "starttemperature", "endtemperature", "concentrationdetails", "weightdetails", "instrument"}
)  # fmt: skip


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal, where ``1``, ``1.0``, ``"1"``, ``true`` differ."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(v, other[k]) for k, v in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def differences(written: Any, original: Any) -> list[Difference]:
    """Return what has to change in *written* to get *original*.

    Returns
    -------
    list of mapping
        ``at``: keys and positions from 0, outermost first; ``was``: value in *written*, and
        ``is``: value in *original*; each is absent where there is no value.
    """
    return list(_differences(written, original, ()))


def restored(written: Any, changes: Sequence[Difference]) -> tuple[Any, list[Difference]]:
    """Return *written* with *changes* made, and the changes that are out of date."""
    holder = {"": _copied(written)}
    stale = [change for change in changes if not _made(holder, change)]
    return holder[""], stale


def _differences(written: Any, original: Any, at: tuple[Any, ...]) -> Iterator[Difference]:
    if same(written, original):
        return
    parts = bool(not at or at[-1] not in _WHOLE)
    if parts and isinstance(written, dict) and isinstance(original, dict):
        for key in [*written, *(k for k in original if k not in written)]:
            if key in written and key in original:
                yield from _differences(written[key], original[key], (*at, key))
            elif key in written:
                yield {"at": [*at, key], "was": written[key]}
            else:
                yield {"at": [*at, key], "is": original[key]}
    elif (
        parts
        and isinstance(written, list)
        and isinstance(original, list)
        and len(written) == len(original)
    ):
        for i, (one, other) in enumerate(zip(written, original, strict=True)):
            yield from _differences(one, other, (*at, i))
    else:
        yield {"at": list(at), "was": written, "is": original}


def _made(holder: dict[str, Any], change: Difference) -> bool:
    at = ["", *change["at"]]
    owner: Any = holder
    for part in at[:-1]:
        if not _has(owner, part):
            return False
        owner = owner[part]
    last = at[-1]
    if not isinstance(owner, dict) and not _has(owner, last):
        return False
    if _has(owner, last) != ("was" in change):
        return False
    if "was" in change and not same(owner[last], change["was"]):
        return False
    if "is" in change:
        owner[last] = _copied(change["is"])
    else:
        del owner[last]
    return True


def _has(owner: Any, part: Any) -> bool:
    if isinstance(owner, dict):
        return part in owner
    return isinstance(owner, list) and isinstance(part, int) and part < len(owner)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value
