"""What differs between two deposition documents."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from clemkit.deposition.empiar import diff_depositions

sys.path.insert(0, str(Path(__file__).parent))
from valid_documents import documents, image_set, valid_document  # beside this file

PHASES = [p for p in Phase if p is not Phase.shrink]


def lines(change):
    one, two = valid_document(), valid_document()
    change(two)
    return list(diff_depositions(one, two).lines())


def test_no_difference():
    difference = diff_depositions(valid_document(), valid_document())
    assert not difference
    assert list(difference.lines()) == ["no difference"]
    assert difference.to_dict() == {"same": True, "changes": []}


def test_a_value_that_changed():
    def change(document):
        document["imagesets"][0]["voxel_type"] = "('T3', '')"

    assert lines(change) == [
        "~ imagesets / FIB-SEM slices / voxel_type: UNSIGNED BYTE ('T1', '') -> "
        "UNSIGNED 16 BIT INTEGER ('T3', '')",
        "0 added, 0 removed, 1 changed",
    ]


def test_of_long_texts_only_what_differs_is_shown():
    words = " ".join(f"word{i}" for i in range(60))
    one, two = valid_document(), valid_document()
    one["imagesets"][0]["details"] = f"{words} with 8 nm between planes. {words}"
    two["imagesets"][0]["details"] = f"{words} with 50 nm between planes. {words}"
    assert next(iter(diff_depositions(one, two).lines())) == (
        "~ imagesets / FIB-SEM slices / details: … word59 with 8 nm between … -> "
        "… word59 with 50 nm between …"
    )
    two["imagesets"][0]["details"] = one["imagesets"][0]["details"] + " And more."
    line = next(iter(diff_depositions(one, two).lines()))
    assert line.endswith("… word58 word59 -> … word58 word59 And more.")


def test_the_order_of_image_sets_does_not_matter():
    assert lines(lambda d: d["imagesets"].reverse()) == ["no difference"]


def test_image_sets_are_matched_by_folder_then_by_name():
    def change(document):
        first, second = document["imagesets"]
        first["name"] = "Confocal stack"  # the name of the other one
        second["directory"] = "data/confocal"
        document["imagesets"] = [second, first]

    assert lines(change)[:-1] == [
        "~ imagesets / FIB-SEM slices / name: FIB-SEM slices -> Confocal stack",
        "~ imagesets / Confocal stack / directory: data/lm -> data/confocal",
    ]


def test_image_sets_come_and_go():
    def change(document):
        document["imagesets"][1] = image_set(name="Aligned", directory="data/aligned")

    assert lines(change)[:-1] == [
        "- imagesets / Confocal stack: Confocal stack",
        "+ imagesets / Aligned: Aligned",
    ]


def test_people_and_references_by_their_names():
    def change(document):
        document["authors"].insert(0, {"name": "('New', 'N')", "order_id": 0})
        document["authors"][1]["order_id"] = 1
        document["authors"][2]["order_id"] = 2
        document["cross_references"] = [{"name": "EMD-9000"}]

    assert lines(change)[:-1] == [
        "- cross_references / EMD-8000: EMD-8000",
        "+ cross_references / EMD-9000: EMD-9000",
        "~ authors / ('Example', 'AM') / order_id: 0 -> 1",
        "~ authors / ('Sample', 'B') / order_id: 1 -> 2",
        "+ authors / ('New', 'N'): ('New', 'N')",
    ]


def test_null_and_absent_are_the_same():
    def change(document):
        del document["imagesets"][0]["frame_range_min"]
        document["biostudies_references"] = []
        document["citation"][0]["journal"] = None

    assert lines(change) == ["no difference"]


def test_true_is_not_one():
    one, two = {"published": True}, {"published": 1}
    assert [c.kind for c in diff_depositions(one, two).changes] == ["changed"]


def test_it_can_be_written_as_json():
    one, two = valid_document(), valid_document()
    two["title"] = "Another title"
    found = json.loads(json.dumps(diff_depositions(one, two).to_dict()))
    assert found["changes"] == [
        {
            "kind": "changed",
            "location": ["title"],
            "before": "Mitochondria of one cell seen twice",
            "after": "Another title",
        }
    ]


@given(documents())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
def test_any_document_equals_its_copy_and_differs_from_nothing(document):
    assert not diff_depositions(document, copy.deepcopy(document))
    gone = diff_depositions(document, {})
    assert {c.location[0] for c in gone.changes} == {k for k in document if document[k]}
    assert {c.kind for c in gone.changes} == {"removed"}
