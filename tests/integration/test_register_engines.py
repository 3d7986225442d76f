"""elastix and greedy behind ``clemkit register``: their transform, an error that admits it."""

from __future__ import annotations

from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from clemkit.errors import ArgumentError, FormatError, MissingExtraError, NotFoundError
from clemkit.registration.settings import Settings
from clemkit.testing import PhantomSpec, make_clem_phantom, write_phantom
from clemkit.volumes import open_volume
from clemkit.workflows import engine_choice
from clemkit.workflows.engine_choice import read_settings
from clemkit.workflows.evaluate import evaluate_landmarks
from clemkit.workflows.register import register_files


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    spec = PhantomSpec.small(
        2,
        em_size_zyx_nm=(4000.0, 8000.0, 9000.0),
        em_voxel_zyx_nm=(125.0, 100.0, 100.0),
        mitochondria_per_cell=700,
        cell_spacing_nm=12000.0,
    )
    return write_phantom(make_clem_phantom(spec), tmp_path_factory.mktemp("engines") / "phantom")


@pytest.mark.engine
@pytest.mark.parametrize(("engine", "module"), [("elastix", "itk"), ("greedy", "picsl_greedy")])
def test_an_outside_engine_deforms_and_the_error_is_wider(files, tmp_path, engine, module):
    if find_spec(module) is None:
        pytest.skip(f"extra {engine} not installed")
    found = register_files(
        files["em"],
        files["lm"],
        tmp_path / "OUT",
        fixed_labels=files["em_mitochondria"],
        moving_channel="mitochondria",
        engine=engine,
        seed=3,
        workers=1,
    )
    difference = found["details"]["difference_nm"]
    own = found["details"]["error_of_clemkits_own_fit_nm"]
    tre = found["tre_estimate_nm"]
    assert found["method"] == f"clemkit structures, {engine} deformation"
    assert 0 < difference["median"] <= difference["p95"]
    assert tre["median"] == pytest.approx((own["median"] ** 2 + difference["median"] ** 2) ** 0.5)
    assert tre["high"] == pytest.approx(own["high"] + difference["median"])
    assert tre["low"] < own["low"]
    assert any(f"the deformation is that of {engine}" in text for text in found["warnings"])
    assert (found["status"] == "uncertain") == (
        difference["median"] > own["high"] or found["confidence"] < 0.5
    )
    assert f"{engine} deformation" in [stage["name"] for stage in found["stages"]]
    assert not (tmp_path / "OUT" / "misfit.csv").exists()  # it would belong to another fit
    scores = evaluate_landmarks(tmp_path / "OUT", files["landmarks"], units="um")
    assert scores["median_nm"] < 400
    assert tre["low"] <= scores["median_nm"] <= tre["high"]


def test_an_engine_without_labels_is_refused_before_any_work(files, tmp_path):
    with pytest.raises(ArgumentError, match="elastix: expected labels of the fixed volume"):
        register_files(files["em"], files["lm"], tmp_path / "OUT", engine="elastix")
    with pytest.raises(ArgumentError, match="expected clemkit or one of elastix, greedy"):
        register_files(files["em"], files["lm"], tmp_path / "OUT", engine="ants")
    assert not (tmp_path / "OUT").exists()


def test_an_engine_that_is_not_installed_names_its_extra(files, monkeypatch):
    from clemkit.registration.engines import refined_result

    monkeypatch.setattr(refined_result, "find_spec", lambda name: None)
    volume = open_volume(files["em"])
    side = SimpleNamespace(volume=volume, labels=open_volume(files["em_mitochondria"]))
    with pytest.raises(MissingExtraError, match="elastix"):
        engine_choice.check_engine("elastix", SimpleNamespace(fixed=side, moving=side))


def test_settings_come_from_a_file(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("expected_scale: 1.08\npsf_sigma_zyx_nm: [400, 130, 130]\n")
    assert read_settings(path) == Settings(expected_scale=1.08, psf_sigma_zyx_nm=(400, 130, 130))
    assert read_settings(None) is None
    path.write_text("expectd_scale: 1.08\n")
    with pytest.raises(ArgumentError, match="unknown setting expectd_scale"):
        read_settings(path)
    path.write_text("- 1\n- 2\n")
    with pytest.raises(FormatError, match="found a list"):
        read_settings(path)
    with pytest.raises(NotFoundError, match="expected a YAML file"):
        read_settings(tmp_path / "none.yaml")
