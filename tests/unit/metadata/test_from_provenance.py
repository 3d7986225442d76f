"""Records of commands become model instances and come back equal."""

from __future__ import annotations

import re
from datetime import UTC
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clemkit.metadata.from_provenance import from_step, to_step
from clemkit.metadata.models import Experiment, canonical
from clemkit.metadata.rdf import from_graph, to_graph
from clemkit.provenance import Digest, Environment, Step

OTHER = "other_processing"
ACTIVITY = r'(?:\bactivity=|_record\()"([^"{]+)"'
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('aü"\n'),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text("ab"), x, max_size=3),
    max_leaves=5,
)


def a_step(**more) -> Step:
    return Step(
        activity="registration",
        inputs=(Digest("lm.zarr", "0" * 64, 17), Digest("em.zarr", "f" * 64, 0)),
        outputs=(Digest("out", "a" * 64, 3),),
        parameters={"spacing_nm": 48.5, "shape_zyx": [7, 11, 13], "mask": None, "name": "ü"},
        seed=7,
        started="2026-11-21T08:00:00+00:00",
        ended="2026-11-21T08:01:30+00:00",
        command=("clemkit", "register", "--seed", "7", "--seed"),
        environment=Environment("3.11.7", "Linux x86_64", {"numpy": "2.4.6", "a": "1"}, 2),
        **more,
    )


def test_step_comes_back():
    assert to_step(from_step(a_step(), "register")) == a_step()


@pytest.mark.parametrize(
    ("activity", "kind"),
    [
        ("registration", "registration"),
        ("landmark registration", "registration"),
        ("warping", "warping"),
        ("conversion", "conversion"),
        ("brewing", "other_processing"),
        ("", "other_processing"),
    ],
)
def test_kind_of_processing(activity, kind):
    step = Step(activity=activity)
    assert from_step(step, "s").processing_kind == kind
    assert to_step(from_step(step, "s")) == step


@given(st.dictionaries(st.text("abc_", min_size=1), JSON, max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_parameters_come_back(parameters):
    step = Step(activity="warping", parameters=parameters)
    assert to_step(from_step(step, "s")) == step


def test_step_comes_back_through_rdf():
    processing = from_step(a_step(), "register", input_images=["lm"], output_images=["out"])
    experiment = Experiment(id="x", processing_steps=[processing])
    again = from_graph(to_graph(experiment))
    assert again == canonical(experiment)
    assert to_step(again.processing_steps[0]) == a_step()
    assert again.processing_steps[0].input_images == ["lm"]


def activities_in_the_package() -> set[str]:
    """What commands write into `Step.activity`, read from their source."""
    source = Path(__file__).parents[3] / "src" / "clemkit"
    texts = [
        p.read_text(encoding="utf-8")
        for p in source.rglob("*.py")
        if "metadata" not in p.parts and "deposition" not in p.parts
    ]
    found = {name for text in texts for name in re.findall(ACTIVITY, text)}
    tables = [m for text in texts for m in re.findall(r"_ACTIVITIES = \{(.*?)\}", text, re.DOTALL)]
    return found | {name for table in tables for name in re.findall(r': "([^"]+)"', table)}


def test_every_activity_of_a_command_has_its_kind():
    found = activities_in_the_package()
    assert {"conversion", "registration", "warping", "landmark sampling"} <= found
    others = {a for a in found if from_step(Step(activity=a), "s").processing_kind == OTHER}
    assert others == set()


TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda t: t.isoformat())
WORDS = st.text("abc ü/-\n", min_size=1, max_size=8)
DIGESTS = st.builds(
    Digest, WORDS, st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 2**60)
)
STEPS = st.builds(
    Step,
    activity=st.sampled_from(sorted(activities_in_the_package())) | WORDS,
    inputs=st.lists(DIGESTS, max_size=3).map(tuple),
    outputs=st.lists(DIGESTS, max_size=3).map(tuple),
    parameters=st.dictionaries(WORDS, JSON, max_size=3),
    seed=st.none() | st.integers(0, 2**40),
    started=TIMES,
    ended=TIMES,
    command=st.lists(WORDS, max_size=4).map(tuple),
    environment=st.builds(
        Environment, WORDS, WORDS, st.dictionaries(WORDS, WORDS, max_size=3), st.integers(1, 512)
    ),
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_any_record_comes_back_through_the_model_and_rdf(step):
    processing = from_step(step, "s")
    assert to_step(processing) == step
    experiment = Experiment(id="x", processing_steps=[processing])
    assert to_step(from_graph(to_graph(experiment)).processing_steps[0]) == step
