"""Layer L3: references, circles, order in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.model_map import model_map
from clemkit.metadata.shorthand import closest
from clemkit.metadata.validate.walk import Thing

__all__ = ["check_references", "moment", "named_things"]

_CIRCULAR = (
    "derived_from", "derived_from_images", "derived_from_biosamples", "builds_on", "informed_by",
    "parent_protocols",
)  # fmt: skip
# described for the sake of other things
_WANTED = {
    "biological_samples": "name it in `biosamples` of a specimen",
    "specimens": "name it in `imaged_specimens` of an acquisition or `derived_from` of a specimen",
    "acquisitions": "name it in `acquired_by` of an image",
    "protocols": "name it in `planned` of an execution",
    "protocol_executions": "name it in `preparations` of a specimen",
    "sessions": "name it in `session` of an acquisition",
}
_CALLED_BY_NAME = ("study_components", "biological_samples", "specimens", "acquisitions")
_ORIGINS = {
    "images": ("acquired_by", "derived_from_images", "generated_by_processing"),
    "specimens": ("biosamples", "derived_from"),
}


def named_things(everything: Sequence[Thing]) -> dict[str, Thing]:
    """Return the things that have an id, by their id; the first where there are two."""
    found: dict[str, Thing] = {}
    for thing in everything:
        name = thing.data.get("id")
        if isinstance(name, str):
            found.setdefault(name, thing)
    return found


def check_references(everything: Sequence[Thing]) -> list[Problem]:
    """Return what is wrong with the references of a description."""
    named = named_things(everything)
    found = [*_duplicates(everything, named), *_links(everything, named), *_circles(named)]
    for thing in everything:
        found += _dates(thing)
        if thing.name == "ProtocolExecution":
            found += _step_numbers(thing, named)
        found += _origin(thing)
        if thing.slot == "acquisitions":
            found += _too_early(thing, named)
    return [*found, *_same_names(everything)]


def _duplicates(everything: Sequence[Thing], named: Mapping[str, Thing]) -> Iterator[Problem]:
    for thing in everything:
        name = thing.data.get("id")
        if isinstance(name, str) and named[name] is not thing:
            first = "/".join(str(x) for x in named[name].location)
            message = f"expected each id once; found {name!r} here and at {first}"
            place = (*thing.location, "id")
            yield Problem(place, "L3-duplicate-id", "error", message, "rename one of the two")


def _references(thing: Thing) -> Iterator[tuple[str, str, tuple[str | int, ...]]]:
    slots = model_map()["slots"]
    for key, value in thing.data.items():
        slot = slots.get(key)
        if slot is None or slot["kind"] != "class" or slot["inlined"]:
            continue
        for index, item in enumerate(value if isinstance(value, list) else [value]):
            place = (
                (*thing.location, key, index) if isinstance(value, list) else (*thing.location, key)
            )
            if isinstance(item, str):
                yield key, item, place


def _links(everything: Sequence[Thing], named: Mapping[str, Thing]) -> Iterator[Problem]:
    mapping = model_map()
    used: set[str] = set()
    for thing in everything:
        for key, target, place in _references(thing):
            wanted = mapping["slots"][key]["range"]
            fitting = mapping["classes"][wanted]["concrete"]
            other = named.get(target)
            used.add(target)
            if other is None:
                names = [n for n, t in named.items() if t.name in fitting]
                close = closest(target, names)
                choice = f"describe it, or choose of {', '.join(names[:5])}"
                hint = f"did you mean {close!r}?" if close else choice if names else "describe it"
                message = f"expected the id of a {wanted}; found {target!r}, which is nowhere"
                yield Problem(place, "L3-dangling", "error", message, hint)
            elif other.name not in fitting:
                message = f"expected the id of a {wanted}; found {target!r}, a {other.name}"
                yield Problem(place, "L3-wrong-kind", "error", message, "choose another id")
    for name, thing in named.items():
        if name not in used and (advice := _WANTED.get(thing.slot)):
            message = f"expected something to refer to {name!r}; found nothing"
            yield Problem(thing.location, "L3-orphan", "warning", message, advice)


def _circles(named: Mapping[str, Thing]) -> Iterator[Problem]:
    for slot in _CIRCULAR:
        edges = {
            name: [t for t in _as_list(thing.data.get(slot)) if t in named]
            for name, thing in named.items()
        }
        done: set[str] = set()
        for start in edges:
            path: list[str] = []
            yield from _follow(start, edges, path, done, slot, named)


def _follow(
    name: str,
    edges: Mapping[str, list[str]],
    path: list[str],
    done: set[str],
    slot: str,
    named: Mapping[str, Thing],
) -> Iterator[Problem]:
    if name in path:
        circle = " → ".join([*path[path.index(name) :], name])
        message = f"expected {slot} without circles; found {circle}"
        place = (*named[name].location, slot)
        yield Problem(place, "L3-cycle", "error", message, "remove one of these references")
        return
    if name in done:
        return
    path.append(name)
    for target in edges[name]:
        yield from _follow(target, edges, path, done, slot, named)
    path.pop()
    done.add(name)


def _as_list(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)]


def moment(value: Any) -> datetime | None:
    """Return the time in *value*; None when it is none."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _dates(thing: Thing) -> Iterator[Problem]:
    started, ended = moment(thing.data.get("started")), moment(thing.data.get("ended"))
    if started is None or ended is None:
        return
    place = (*thing.location, "ended")
    if (started.tzinfo is None) != (ended.tzinfo is None):
        message = "expected a time zone in both times; found one without"
        yield Problem(place, "L3-dates", "error", message, "write +01:00, or Z for UTC")
    elif ended < started:
        message = f"expected an end after {started.isoformat()}; found {ended.isoformat()}"
        yield Problem(place, "L3-dates", "error", message, "swap or correct them")


def _step_numbers(thing: Thing, named: Mapping[str, Thing]) -> Iterator[Problem]:
    plan = named.get(str(thing.data.get("planned")))
    if plan is None:
        return
    count = len(plan.data.get("steps") or ())
    for key in ("step_executions", "deviations"):
        for index, item in enumerate(thing.data.get(key) or ()):
            number = item.get("step_number") if isinstance(item, Mapping) else None
            if isinstance(number, int) and number > count:
                place = (*thing.location, key, index, "step_number")
                message = (
                    f"expected 1 to {count}, the steps of {thing.data['planned']}; found {number}"
                )
                yield Problem(place, "L3-step-number", "error", message, "count again")


def _origin(thing: Thing) -> Iterator[Problem]:
    wanted = _ORIGINS.get(thing.slot)
    if wanted and not any(thing.data.get(key) for key in wanted):
        message = f"expected one of {', '.join(wanted)}; found none"
        hint = "say what it was made from"
        yield Problem(thing.location, "L3-no-origin", "warning", message, hint)


def _too_early(acquisition: Thing, named: Mapping[str, Thing]) -> Iterator[Problem]:
    """Yield specimens that were imaged before their preparation had ended."""
    session = named.get(str(acquisition.data.get("session")))
    source = acquisition if acquisition.data.get("started") or session is None else session
    begun = moment(source.data.get("started"))
    for name in _as_list(acquisition.data.get("imaged_specimens")):
        specimen = named.get(name)
        for other in _as_list(specimen.data.get("preparations") if specimen else None):
            ended = moment(named[other].data.get("ended")) if other in named else None
            if begun is None or ended is None or (begun.tzinfo is None) != (ended.tzinfo is None):
                continue
            if begun < ended:
                message = (
                    f"expected imaging after {other} had ended, {ended.isoformat()}; "
                    f"found {begun.isoformat()}"
                )
                place = (*source.location, "started")
                yield Problem(place, "L3-order", "warning", message, f"{name} was not ready")


def _same_names(everything: Sequence[Thing]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], Thing] = {}
    for thing in everything:
        name = thing.data.get("name")
        if thing.slot not in _CALLED_BY_NAME or not isinstance(name, str):
            continue
        first = seen.setdefault((thing.slot, name.strip().lower()), thing)
        if first is not thing:
            message = f"expected a name of its own; found {name!r}, the name of "
            message += f"{first.data.get('id')!r} too"
            hint = "archives refer by name: say what tells them apart"
            yield Problem((*thing.location, "name"), "L3-same-name", "warning", message, hint)
