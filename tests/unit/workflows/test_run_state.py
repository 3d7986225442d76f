"""What a run remembers: content, not times of files; and what a killed run leaves behind."""

from __future__ import annotations

import os

import pytest

from clemkit.errors import ArgumentError, FormatError, NotFoundError
from clemkit.provenance import digest_path
from clemkit.workflows.run_settings import CorrelationSettings, read_run_settings
from clemkit.workflows.run_state import (
    FOLDER,
    RunState,
    recorded_time,
    remove_leftovers,
    write_whole,
)


@pytest.fixture
def output(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "a.txt").write_text("one")
    write_whole(tmp_path / "run/out/b.txt", b"two")
    return tmp_path / "run"


def finish(output, key="k"):
    state = RunState(output)
    words = {"result": {"n": 1}, "started": "s", "ended": "e"}
    state.finish("convert:a", key, [output / "out"], **words)
    return RunState(output)  # from disk


def test_a_step_is_done_while_its_output_has_the_same_content(output):
    state = finish(output)
    assert state.is_done("convert:a", "k")
    assert not state.is_done("convert:a", "other")
    assert not state.is_done("convert:b", "k")
    os.utime(output / "out/b.txt", ns=(5, 5))
    assert state.is_done("convert:a", "k")
    (output / "out/b.txt").write_bytes(b"owt")
    assert not state.is_done("convert:a", "k")
    (output / "out/b.txt").unlink()
    assert not state.is_done("convert:a", "k")


def test_the_key_follows_content_names_and_parameters(output):
    state = RunState(output)
    source = output.parent / "a.txt"
    key = state.key("convert:a", {"x": 1}, [source])
    os.utime(source, ns=(5, 5))
    assert RunState(output).key("convert:a", {"x": 1}, [source]) == key
    assert state.key("convert:a", {"x": 2}, [source]) != key
    assert state.key("convert:b", {"x": 1}, [source]) != key
    source.write_text("eno")
    assert state.key("convert:a", {"x": 1}, [source]) != key


def test_digests_are_those_of_provenance_and_files_are_read_once(output, monkeypatch):
    state = RunState(output)
    for path in (output / "out", output.parent / "a.txt"):
        expected = digest_path(path)
        found = state.digest(path)
        assert (found.sha256, found.size) == (expected.sha256, expected.size)
    assert state.digest(output.parent / "a.txt").path == "../a.txt"
    state.save()
    again = RunState(output)
    monkeypatch.setattr("pathlib.Path.open", lambda *_, **__: pytest.fail("read again"))
    again.digest(output / "out")


def test_forgotten_steps_are_undone_on_disk(output):
    finish(output).forget(["convert:a", "never"])
    assert RunState(output).steps == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 7, "steps": {}, "files": {}}'])
def test_a_state_of_another_kind_is_refused(output, text):
    write_whole(output / FOLDER / "state.json", text.encode())
    with pytest.raises(FormatError, match="start again"):
        RunState(output)


def test_leftovers_go_and_nothing_else(output):
    stay = ["out/b.txt", ".hidden", "out/.zattrs", "v.ome.zarr/.x.1.tmp/0"]
    leave = [".x.json.12.tmp", "out/.v.ome.zarr.12.abc.tmp/0", "out/.v.old/0", "out/.12.tmp.h5"]
    for name in (*stay, *leave):
        write_whole(output / name, b"1")
    assert len(remove_leftovers(output)) == 4
    files = {p.relative_to(output).as_posix() for p in output.rglob("*") if p.is_file()}
    assert files == set(stay)  # a store is not looked into


def test_times_can_be_fixed(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1780000000")
    assert recorded_time() == "2026-05-28T20:26:40+00:00"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    with pytest.raises(ArgumentError, match="found 'today'"):
        recorded_time()
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert recorded_time() > "2026-05-28"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("archives: [zenodo]", "empiar, bia"),
        ("archive: [bia]", "did you mean 'archives'"),
        ("correlations: {c: {segment: {}}}", "radius_nm"),
        ("correlations: {c: {segment: {radius: 5}}}", "did you mean 'radius_nm'"),
        ("correlations: {c: {settings: {max_tilt: 5}}}", "did you mean 'max_tilt_deg'"),
        ("correlations: 5", "lines"),
    ],
)
def test_settings_are_checked_with_a_hint(tmp_path, text, said):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ArgumentError, match=said):
        read_run_settings(path)


def test_settings_have_defaults(tmp_path):
    assert read_run_settings(None).of("any") == CorrelationSettings()
    assert read_run_settings(None).archives == ("empiar", "bia")
    (tmp_path / "run.yaml").write_text("correlations: {c: {segment: {radius_nm: 250}}}")
    found = read_run_settings(tmp_path / "run.yaml").of("c").segment
    assert found is not None
    assert (found.radius_nm, found.polarity) == (250, "bright")
    (tmp_path / "run.yaml").write_text("a: [")
    with pytest.raises(FormatError):
        read_run_settings(tmp_path / "run.yaml")
    with pytest.raises(NotFoundError):
        read_run_settings(tmp_path / "none.yaml")
