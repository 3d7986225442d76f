from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from clemkit.provenance import Digest, Environment, Step, digest_path, no_progress


def test_digest_of_a_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"voxels" * 300_000)  # more than one block
    found = digest_path(path)
    assert found == Digest(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), 1_800_000)


def test_digest_of_a_folder_knows_names_and_content(tmp_path):
    def folder(name: str, files: dict[str, bytes]) -> Path:
        root = tmp_path / name
        for relative, content in files.items():
            (root / relative).parent.mkdir(parents=True, exist_ok=True)
            (root / relative).write_bytes(content)
        return root

    one = digest_path(folder("one", {"0/c": b"x", "zarr.json": b"{}"}))
    same = digest_path(folder("two", {"zarr.json": b"{}", "0/c": b"x"}))
    moved = digest_path(folder("three", {"1/c": b"x", "zarr.json": b"{}"}))
    changed = digest_path(folder("four", {"0/c": b"y", "zarr.json": b"{}"}))
    assert one.sha256 == same.sha256
    assert one.size == 3
    assert len({one.sha256, moved.sha256, changed.sha256}) == 3


def test_environment_names_what_can_change_a_number():
    found = Environment.current()
    assert found.packages["clemkit"]
    assert found.packages["numpy"]
    assert found.cpu_count >= 1


def test_a_step_survives_its_json(tmp_path):
    step = Step(
        activity="registration",
        inputs=(Digest("em.zarr", "ab" * 32, 7),),
        parameters={"spacing_nm": 250.0, "names": ["a", "µ"]},
        seed=3,
        command=("clemkit", "register"),
    )
    path = tmp_path / "provenance.json"
    step.write(path)
    assert Step.from_dict(json.loads(path.read_text())) == step
    assert [p.name for p in tmp_path.iterdir()] == ["provenance.json"]


def test_times_are_utc():
    assert Step(activity="warping").started.endswith("+00:00")


def test_a_failed_write_leaves_the_old_record(tmp_path, monkeypatch):
    path = tmp_path / "provenance.json"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        Step(activity="warping").write(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["provenance.json"]


def test_no_progress_takes_what_progress_takes():
    assert no_progress("affine", 0.5, message="3 nm") is None
