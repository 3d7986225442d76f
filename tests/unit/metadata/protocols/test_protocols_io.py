"""Files of protocols.io: typed components, rich text, HTML; what is not known stays."""

from __future__ import annotations

import copy
import json
import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clemkit.errors import ArgumentError
from clemkit.metadata.models import build
from clemkit.metadata.protocols.draft_js import draft_entities, draft_text, parsed_draft
from clemkit.metadata.protocols.html_text import html_to_text
from clemkit.metadata.protocols.protocols_io import is_protocols_io, read_protocols_io

PHASES = [p for p in Phase if p is not Phase.shrink]
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)


def words(text, **source):
    return {"type_id": 1, "source": {"description": text, **source}}


def component(number, **source):
    return {"type_id": number, "order_id": number, "source": source}


def chain(*component_lists, **more):
    steps = [
        {"guid": f"g{i}", "previous_guid": f"g{i - 1}" if i else None, "components": list(parts)}
        for i, parts in enumerate(component_lists)
    ]
    return {"title": "T", "steps": steps, **more}


def read(document):
    reading = read_protocols_io(document, name="file")
    build(reading.data)
    return reading


def steps_of(document):
    return read(document).data["protocols"][0]["steps"]


def rules(document):
    return [f.rule for f in read(document).findings if f.rule.startswith("protocols-io")]


FIX = words("<p>Fix the tissue in 2.5&nbsp;% glutaraldehyde.</p>")
WASH = words("<p>Wash the tissue in PBS.</p>")


def test_words_and_components_make_a_step():
    (step,) = steps_of(
        chain([FIX, component(4, duration=5400), component(24, temperature="4", unit="°C"),
               component(6, title="Fixation"), component(19, body="<b>Toxic</b>"),
               component(26, body="fresh"), component(17, description="firm tissue")])
    )  # fmt: skip
    assert step["type"] == "ChemicalFixation"
    assert step["name"] == "Fixation"
    assert step["duration"] == {"value": 90.0, "unit": "min"}
    assert (step["temperature"]["value"], step["temperature"]["unit"]) == (4.0, "degC")
    assert step["safety"] == "Toxic"
    assert step["notes"].splitlines() == ["Expected result: firm tissue", "fresh"]
    (use,) = step["materials"]
    assert (use["material_name"], use["concentration"]["value"]) == ("glutaraldehyde", 2.5)


def test_steps_follow_their_links():
    document = chain([FIX], [WASH], [words("Dehydrate in 70 % ethanol.")])
    random.Random(3).shuffle(document["steps"])
    assert [s["type"] for s in steps_of(document)] == ["ChemicalFixation", "Rinsing", "Dehydration"]


@pytest.mark.parametrize("links", [("b", "a"), ("a", "b")])
def test_a_ring_keeps_the_order_of_the_file(links):
    document = chain([FIX], [WASH])
    for step, guid, before in zip(document["steps"], ("a", "b"), links, strict=True):
        step |= {"guid": guid, "previous_guid": before}
    assert [s["type"] for s in steps_of(document)] == ["ChemicalFixation", "Rinsing"]
    assert "protocols-io-order" in rules(document)


def test_cases_follow_in_turn_and_that_is_said():
    document = chain([FIX], [WASH], [words("Dehydrate in 70 % ethanol.")])
    document["steps"][2]["previous_guid"] = "g0"
    assert len(steps_of(document)) == 3
    assert rules(document) == ["protocols-io-order"]


def test_unknown_components_are_kept_word_for_word():
    odd = {"type_id": 99, "order_id": 1, "source": {"x": [1, None]}, "other": "ä"}
    software = component(8, name="Fiji", version="2")
    (step,) = steps_of(chain([FIX, odd, software]))
    kept = {p["parameter_name"]: json.loads(p["parameter_json"]) for p in step["parameters"]}
    assert kept == {"protocols.io:unknown": odd, "protocols.io:software": software}
    assert rules(chain([FIX, odd, software])) == ["protocols-io-kept"] * 2


def test_a_component_that_contradicts_the_words_is_a_finding():
    text = words("Fix the tissue in 2.5 % glutaraldehyde for 1 h.")
    (step,) = steps_of(chain([text, component(4, duration=7200)]))
    assert step["duration"]["value"] == 1.0
    assert rules(chain([text, component(4, duration=7200)])) == [
        "protocols-io-differs", "protocols-io-kept",
    ]  # fmt: skip
    assert rules(chain([text, component(4, duration=3600)])) == []


def test_a_concentration_goes_to_the_only_material():
    (step,) = steps_of(
        chain([words("Fix the tissue in glutaraldehyde."),
               component(25, concentration=2.5, unit="%"), component(3, amount=10, unit="mL")])
    )  # fmt: skip
    (use,) = step["materials"]
    assert use["concentration"]["value"] == 2.5
    assert use["amount"]["unit"] == "mL"


def test_reagents_become_entries_with_vendor():
    reagent = component(20, name="Glutaraldehyde", vendor={"name": "Maker"}, sku="G-1")
    document = chain([FIX, reagent], materials=[{"name": "Uranyl acetate", "sku": 22400}])
    reading = read(document)
    named = {m["name"].lower(): m for m in reading.data["reagents"]}
    assert (named["glutaraldehyde"]["vendor"], named["glutaraldehyde"]["catalogue_number"]) == (
        "Maker", "G-1",
    )  # fmt: skip
    assert named["glutaraldehyde"]["substance_term"]["term"] == "CHEBI:64276"
    assert named["uranyl acetate"]["catalogue_number"] == "22400"
    (step,) = reading.data["protocols"][0]["steps"]
    assert len(step["materials"]) == 1


def test_flags_are_found_where_they_stand():
    text = "Fix the tissue in 2.5 % glutaraldehyde. Wash in PBS for 10 min. PAUSE POINT overnight."
    document = chain([words(text)], [WASH])
    document["steps"][1]["critical"] = {"is_critical": 1}
    steps = [s for s in steps_of(document) if s["type"] != "UnparsedStep"]
    flags = [(s["type"], s.get("is_critical"), s.get("is_pause_point")) for s in steps]
    assert ("Rinsing", None, True) in flags
    assert flags[-1] == ("Rinsing", True, None)
    assert flags[0] == ("ChemicalFixation", None, None)


def test_rich_text_carries_its_entities():
    rich = {
        "blocks": [
            {"text": "Fix 🧠 in glutaraldehyde for  .", "type": "unstyled",
             "entityRanges": [{"key": 0, "offset": 29, "length": 1}]},
            {"text": " ", "type": "atomic", "entityRanges": [{"key": 1, "offset": 0, "length": 1}]},
        ],
        "entityMap": {"0": {"type": "duration", "data": {"duration": 1800}},
                      "1": {"type": "safety", "data": {"body": "Gloves"}}},
    }  # fmt: skip
    for value in (rich, json.dumps(rich)):
        (step,) = steps_of({"steps": [{"guid": "a", "step": value}]})
        assert (step["duration"]["value"], step["duration"]["unit"]) == (30.0, "min")
        assert step["safety"] == "Gloves"
        assert "parameters" not in step


def test_lines_of_words_without_markup_stay():
    plain = "Fix the tissue in 2.5 % glutaraldehyde, x < 4.\nCritical: keep wet."
    rich = {"blocks": [{"text": line} for line in plain.split("\n")], "entityMap": {}}
    for step in ({"step": rich}, {"step": plain}, {"components": [words(plain)]}):
        protocol = read({"steps": [step | {"guid": "a"}]}).data["protocols"][0]
        assert protocol["source_text"] == f"1. {plain}"
        assert protocol["steps"][0]["is_critical"]


def test_every_span_lies_in_the_source_text():
    protocol = read(chain([FIX], [WASH, component(4, duration=60)])).data["protocols"][0]
    text = protocol["source_text"]
    spans = [s for step in protocol["steps"] for s in step.get("spans", ())]
    assert spans
    assert all(text[s["span_start"] : s["span_end"]] == s["verbatim"] for s in spans)


def test_what_stands_around_the_steps():
    reading = read(
        chain(
            [FIX], title="<p>HPF of <i>yeast</i></p>", doi="dx.doi.org/10.17504/protocols.io.x1",
            authors=[{"name": "Ada Lovelace", "orcid": "https://orcid.org/0000-0002-1825-0097"}],
            warning="<p>OsO<sub>4</sub></p>", url="https://www.protocols.io/view/x", version_id=2,
            uri="x1", before_start="Cool down.", stats={"views": 3},
        )
    )  # fmt: skip
    protocol, (person,) = reading.data["protocols"][0], reading.data["agents"]
    assert protocol["name"] == "HPF of yeast"
    assert protocol["doi"] == "10.17504/protocols.io.x1"
    assert protocol["safety"] == "OsO4"
    assert protocol["protocol_version"] == "2"
    assert protocol["notes"] == "Before start: Cool down."
    assert (person["family_name"], person["orcid"]) == ("Lovelace", "0000-0002-1825-0097")
    assert [f.rule for f in reading.findings][-1] == "protocols-io-left-out"
    assert "stats" in reading.findings[-1].message


def test_the_input_is_not_changed_and_wrappers_are_opened():
    document = {"payload": {"protocol": chain([FIX])}}
    before = copy.deepcopy(document)
    assert is_protocols_io(document)
    read(document)
    assert document == before
    assert not is_protocols_io({"data": [], "metadata": {}})
    with pytest.raises(ArgumentError, match="with steps"):
        read_protocols_io({"title": "x"}, name="x")


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6)
    | st.sampled_from(["1 h", "4", "°C", "<p>Fix", '{"blocks": [1]}', "nan", -1, 1e400]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(
        st.sampled_from(["description", "duration", "unit", "temperature", "body", "name", "title",
                         "vendor", "blocks", "text", "entityMap", "sku", "concentration"]),
        inner, max_size=4,
    ),
    max_leaves=6,
)  # fmt: skip


@given(
    st.lists(
        st.fixed_dictionaries(
            {"components": st.lists(
                st.fixed_dictionaries({"type_id": st.integers(0, 30) | ODD, "source": ODD})
                | ODD, max_size=3,
            )},
            optional={"step": ODD, "guid": st.sampled_from("abc"), "number": ODD,
                      "previous_guid": st.sampled_from("abc"), "critical": ODD, "section": ODD},
        ),
        min_size=1, max_size=3,
    ),
    ODD,
)  # fmt: skip
@settings(QUICK, max_examples=80)
def test_no_file_of_this_shape_breaks_the_reader(steps, extra):
    read({"steps": steps, "title": extra, "authors": extra, "materials": extra, "doi": extra})


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a</p><p>b<br/>c</p>", "a\nb\nc"),
        ("2.5&nbsp;% &lt;x&gt; &amp; &#181;m", "2.5 % <x> & µm"),
        ("<ul><li>one<ol start=3><li>x</li><li>y</li></ol></li><li>two</li></ul>",
         "- one\n  3. x\n  4. y\n- two"),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
         "a | b\n1 | 2"),
        ("OsO<sub>4</sub> 10<sup>-6</sup> 4<sup>o</sup>C", "OsO4 10⁻⁶ 4°C"),
        ("a<script>alert(1)</script><style>p{}</style>b", "ab"),
        ('<a href="https://x.org/p">see</a> <img src="a/b.png">',
         "see (https://x.org/p) [image: b.png]"),
        ("<p>unclosed <b>bold", "unclosed bold"),
        ("plain, 3 < 4", "plain, 3 < 4"),
    ],
)  # fmt: skip
def test_html(html, text):
    assert html_to_text(html) == text


def test_draft_js_lists_and_broken_entities():
    draft = {
        "blocks": [
            {"text": "a", "type": "ordered-list-item"}, {"text": "b", "type": "ordered-list-item"},
            {"text": "c", "type": "unordered-list-item", "depth": 1, "entityRanges": [{"key": 7}]},
            "no block",
        ],
        "entityMap": [{"type": "note", "data": "x"}],
    }  # fmt: skip
    assert draft_text(draft, lambda *_: "") == "1. a\n2. b\n  - c"
    assert list(draft_entities(draft)) == [("note", {"value": "x"})]
    assert parsed_draft("{not json") is None
    assert parsed_draft("[]") is None
