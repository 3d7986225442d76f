"""EMPIAR's type of experiment for every chain of methods."""

from __future__ import annotations

import pytest

from clemkit.deposition.empiar.description import Described
from clemkit.deposition.empiar.experiment_type import choose_experiment_type, image_methods
from clemkit.metadata.template import imaging_methods


def chain(*methods):
    acquisitions = [{"id": f"a{i}", "imaging_method": m} for i, m in enumerate(methods)]
    images = [{"id": f"i{i}", "acquired_by": f"a{i}"} for i in range(len(methods))]
    return {"acquisitions": acquisitions, "images": images}


def chosen(*methods, emdb=False):
    data = chain(*methods)
    return choose_experiment_type(Described(data), data["images"], emdb)


@pytest.mark.parametrize(
    ("methods", "code"),
    [
        (["soft_xray_tomography"], 1),
        (["sbf_sem"], 4),
        (["fib_sem"], 5),
        (["plasma_fib_sem"], 5),
        (["cryo_fib_sem"], 5),
        (["confocal", "fib_sem"], 7),
        (["two_photon", "sbf_sem"], 7),
        (["sim", "array_tomography"], 7),
        (["confocal", "tem"], 7),
        (["light_sheet", "micro_ct"], 8),
        (["cryo_fluorescence", "soft_xray_tomography"], 8),
        (["atum_sem"], 11),
        (["micro_ct"], 12),
        (["nano_ct"], 12),
        (["xray_holographic_nanotomography"], 12),
        (["ss_et"], 13),
    ],
)
def test_chains_with_a_code(methods, code):
    assert chosen(*methods) == (code, [])


@pytest.mark.parametrize(
    ("methods", "code", "words"),
    [
        (["array_tomography"], 11, "on a wafer, not on tape"),
        (["multibeam_sem"], 11, "many beams"),
        (["ss_tem"], 13, "no tilt series"),
        (["stem_tomography"], 13, "scanning transmission"),
        (["electron_tomography"], 13, "not said to be serial"),
        (["confocal", "micro_ct", "fib_sem"], 7, "X-ray volumes are image sets of their own"),
        (["micro_ct", "sbf_sem"], 4, "X-ray and electron microscopy"),
    ],
)
def test_chains_without_a_code_are_told_with_what_was_chosen(methods, code, words):
    found, notes = chosen(*methods)
    assert found == code
    assert [(n.rule, n.severity) for n in notes] == [("empiar-no-code", "warning")]
    assert words in notes[0].message
    assert "EMPIAR's curators" in notes[0].hint
    assert "empiar:experiment_type" in notes[0].hint


def test_tomograms_of_an_emdb_entry():
    assert chosen("electron_tomography", emdb=True) == (3, [])
    assert chosen("tem", emdb=True) == (3, [])
    assert chosen("fib_sem", emdb=True) == (5, [])


@pytest.mark.parametrize("methods", [["tem"], ["sem"], ["stem"], ["volume_em"]])
def test_no_guess_for_methods_that_are_like_none(methods):
    code, notes = chosen(*methods)
    assert code is None
    assert [(n.rule, n.severity) for n in notes] == [("empiar-no-code", "error")]
    assert methods[0] in notes[0].message


def test_light_microscopy_alone_is_not_for_empiar():
    code, notes = chosen("confocal", "sim")
    assert code is None
    assert "BioImage Archive" in notes[0].hint


def test_two_types_in_one_entry():
    code, notes = chosen("sbf_sem", "fib_sem")
    assert code == 4
    assert [n.rule for n in notes] == ["empiar-several-types"]
    assert "4 (SBF-SEM), 5 (FIB-SEM)" in notes[0].message


def test_nothing_described():
    code, notes = choose_experiment_type(Described({"images": [{"id": "i"}]}), [{"id": "i"}], False)
    assert code is None
    assert [n.rule for n in notes] == ["empiar-missing"]


def test_derived_images_have_the_methods_of_their_sources():
    data = chain("fib_sem", "confocal")
    derived = {"id": "d", "derived_from_images": ["i0", "r"]}
    data["images"] += [derived, {"id": "r", "derived_from_images": ["i1", "d"]}]
    assert image_methods(Described(data), derived) == ("fib_sem", "confocal")


@pytest.mark.parametrize("method", sorted(imaging_methods()))
def test_every_method_has_a_choice_or_a_stated_refusal(method):
    code, notes = chosen(method)
    assert code is not None or any(n.severity == "error" for n in notes)
