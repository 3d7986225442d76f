"""Any experiment that the model allows, built from the model map."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

from hypothesis import strategies as st

from clemkit.metadata.model_map import model_map

# what XML and YAML can hold; newlines and quotes are in
TEXT = st.text(
    st.characters(max_codepoint=0x2FF, exclude_categories=("Cc", "Cf"), include_characters="\n\t"),
    min_size=1, max_size=12,
)  # fmt: skip
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
ZONES = [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))]
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=64)


@st.composite
def instances(draw, declared: str, depth: int):
    """Plain data of one instance of a class; at most *depth* classes inside each other."""
    mapping = model_map()
    name = draw(st.sampled_from(mapping["classes"][declared]["concrete"]))
    entry = mapping["classes"][name]
    required = [s for s in entry["slots"] if mapping["slots"][s].get("required")]
    optional = [s for s in entry["slots"] if s not in required]
    chosen = draw(st.lists(st.sampled_from(optional), unique=True, max_size=4)) if optional else []
    data = {}
    for slot_name in [*required, *chosen]:
        slot = mapping["slots"][slot_name]
        if slot["kind"] == "class" and slot["inlined"] and depth == 0:
            continue
        if slot.get("designator"):
            continue
        item = values(slot, depth)
        many = slot.get("multivalued")
        data[slot_name] = draw(st.lists(item, min_size=1, max_size=3) if many else item)
    if "type" in entry["slots"]:
        data["type"] = name
    return data


def values(slot, depth):
    """Strategy for one value of a slot."""
    if slot["kind"] == "class":
        return instances(slot["range"], depth - 1) if slot["inlined"] else IDS
    if slot["kind"] == "enum":
        return st.sampled_from(sorted(model_map()["enums"][slot["range"]]["values"]))
    low, high = slot.get("minimum"), slot.get("maximum")
    if slot.get("pattern"):
        return st.from_regex(slot["pattern"].replace("$", r"\Z"), fullmatch=True).filter(
            lambda x: x.isprintable() and " " not in x
        )
    return {
        "string": TEXT,
        "double": NUMBERS if low is None and high is None else st.floats(low, high or 1e6),
        "integer": st.integers(-(2**40) if low is None else low, 2**40 if high is None else high),
        "boolean": st.booleans(),
        "date": st.dates().map(str),
        "datetime": st.datetimes(timezones=st.sampled_from(ZONES)).map(lambda x: x.isoformat()),
        "uri": st.sampled_from(
            ["https://example.org/a?b=c#d", "doi:10.1/x", "https://a.example/ü"]
        ),
        "uriorcurie": st.sampled_from(
            ["FBbi:00000585", "CHEBI:88215", "unknown:1", "https://example.org/term"]
        ),
    }[slot["range"]]


def experiments(depth: int = 3):
    """Strategy for plain experiments."""
    return instances(model_map()["root"], depth).map(lambda x: _numbered(x, iter(range(10**6))))


def _numbered(value, numbers):
    """Every thing has an id of its own."""
    if isinstance(value, list):
        return [_numbered(v, numbers) for v in value]
    if not isinstance(value, dict):
        return value
    named = {"id": f"n{next(numbers)}"} if "id" in value else {}
    return {k: _numbered(v, numbers) for k, v in value.items()} | named
