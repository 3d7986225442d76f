"""`clemkit init`: valid from the first minute, and every comment is a field of the model."""

from __future__ import annotations

import re

import pytest

from clemkit.cli.main import main
from clemkit.errors import ArgumentError
from clemkit.metadata.load import read_text
from clemkit.metadata.model_map import model_map
from clemkit.metadata.template import acquisition_class, imaging_methods, template
from clemkit.metadata.validate import validate

CHAINS = [
    ["confocal", "fib_sem"], ["two_photon", "micro_ct", "sbf_sem"], ["sim", "array_tomography"],
    ["light_sheet", "nano_ct", "ss_tem"], ["storm", "ss_et"], ["soft_xray_tomography"],
]  # fmt: skip


@pytest.mark.parametrize("chain", [*CHAINS, *([m] for m in imaging_methods())], ids="-".join)
def test_a_template_is_valid_as_it_is(chain):
    report = validate(read_text(template(chain)), strict=True)
    assert [str(p) for p in report.problems] == []


@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
def test_it_says_what_a_profile_still_needs(chain):
    found = validate(read_text(template(chain)), ["empiar", "rembi"]).problems
    assert found
    assert {p.rule[:2] for p in found} == {"L5"}


@pytest.mark.parametrize("chain", CHAINS, ids="-".join)
def test_without_the_comment_signs_every_field_is_one_of_the_model(chain):
    """Numbers and references are placeholders; names, classes, lists and units must be right."""
    text = re.sub(r"^( +)# (\w+: .*?)  # .*$", r"\1\2", template(chain), flags=re.MULTILINE)
    found = {p.rule for p in validate(read_text(text)).problems}
    assert found.isdisjoint({"L1-unknown-field", "L1-list", "L1-class", "L1-unit", "L1-value"})
    assert found.isdisjoint({"L6-dimension"})


def test_correlations_follow_the_chain():
    data = read_text(template(["two_photon", "micro_ct", "sbf_sem"])).data
    pairs = [(c["moving_image"], c["fixed_image"]) for c in data["correlations"]]
    assert pairs == [("image-two-photon", "image-micro-ct"), ("image-micro-ct", "image-sbf-sem")]


def test_every_method_has_a_class():
    concrete = model_map()["classes"]["ImageAcquisition"]["concrete"]
    assert {acquisition_class(m) for m in imaging_methods()} <= set(concrete)


@pytest.mark.parametrize("chain", [[], ["confocal", "confocal"], ["confokal"]])
def test_chains_that_cannot_be(chain):
    with pytest.raises(ArgumentError, match="method: expected"):
        template(chain)


def test_command(tmp_path, capsys):
    target = tmp_path / "experiment.yaml"
    assert main(["init", "confocal", "fib_sem", "-o", str(target), "--id", "cell-7"]) == 0
    assert "id: cell-7\n" in target.read_text(encoding="utf-8")
    assert main(["init", "confocal", "-o", str(target)]) == 2
    assert main(["init", "confokal", "-o", str(tmp_path / "b.yaml")]) == 2
    assert "did you mean 'confocal'?" in capsys.readouterr().err
    assert main(["init", "confocal", "-o", str(tmp_path / "b.yaml"), "--id", "a b"]) == 2
    assert main(["validate", str(target), "--strict"]) == 0
