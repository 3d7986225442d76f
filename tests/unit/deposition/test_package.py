"""A package: planned, linked or copied, resumed, and never changed without a word."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from clemkit.deposition.package import build_package, plan_package
from clemkit.deposition.package import execute as execute_module
from clemkit.deposition.package.readme import ImageNote, opening_statement, readme_text
from clemkit.errors import ArgumentError, DepositionError, NotFoundError
from clemkit.geometry import Grid, Space
from clemkit.volumes import Volume, write_ome_zarr

DATA = {
    "id": "experiment",
    "images": [
        {"id": "em", "file_set": {"directory": "raw/em", "file_pattern": "*.tif"}},
        {"id": "zarr", "file_set": {"directory": "raw", "file_pattern": "v.ome.zarr"}},
    ],
}
TEXTS = {"README.md": b"read me\n", "bia/list.tsv": b"a\tb\n"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "raw" / "em").mkdir(parents=True)
    for number in range(5):
        (tmp_path / "raw" / "em" / f"s{number}.tif").write_bytes(bytes([number]) * (1000 + number))
    grid = Grid(space=Space("em"), shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50.0, 8.0, 10.0))
    data = np.arange(7 * 11 * 13, dtype=np.uint16).reshape(7, 11, 13)
    write_ome_zarr(tmp_path / "raw" / "v.ome.zarr", Volume(data=data, grid=grid, modality="em"))
    return tmp_path


def build(folder, **more):
    plan = plan_package(DATA, folder)
    assert plan.problems == ()
    return build_package(plan, folder / "PACKAGE", TEXTS, **more)


def state_of(root):
    """Content and time of every file."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


@pytest.mark.parametrize("mode", ["link", "copy"])
def test_building_twice_changes_nothing(folder, mode):
    first = build(folder, mode=mode)
    before = state_of(folder)
    assert first.file_count == len(first.written) - len(TEXTS) - 2
    assert (folder / "PACKAGE/data/zarr/v.ome.zarr/zarr.json").is_file()
    one = folder / "PACKAGE/data/em/s3.tif"
    assert one.samefile(folder / "raw/em/s3.tif") == (mode == "link")
    assert build(folder, mode=mode, workers=3).written == ()
    assert state_of(folder) == before


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils")
def test_manifests_satisfy_the_tools_of_the_system(folder):
    build(folder)
    for tool, name in (("sha256sum", "manifest-sha256.txt"), ("md5sum", "manifest-md5.txt")):
        command = [tool, "--quiet", "-c", name]
        assert subprocess.run(command, cwd=folder / "PACKAGE", check=False).returncode == 0
    listed = (folder / "PACKAGE/manifest-md5.txt").read_text()
    names = [line.split("  ")[1] for line in listed.splitlines()]
    here = {str(p.relative_to(folder / "PACKAGE")) for p in (folder / "PACKAGE").rglob("*")
            if p.is_file() and ".clemkit" not in str(p)}  # fmt: skip
    assert set(names) == here - {"manifest-md5.txt", "manifest-sha256.txt"}
    assert names == sorted(names)


def test_workers_and_modes_change_no_byte(folder):
    build(folder, workers=1)
    one = (folder / "PACKAGE/manifest-sha256.txt").read_bytes()
    shutil.rmtree(folder / "PACKAGE")
    build(folder, workers=4, mode="copy")
    assert (folder / "PACKAGE/manifest-sha256.txt").read_bytes() == one
    build(folder, workers=4, mode="link")  # copies become links
    assert (folder / "PACKAGE/data/em/s3.tif").samefile(folder / "raw/em/s3.tif")
    assert (folder / "PACKAGE/manifest-sha256.txt").read_bytes() == one


def test_a_plan_holds_no_data(folder):
    built = build(folder, mode="plan")
    assert not (folder / "PACKAGE/data").exists()
    rows = (folder / "PACKAGE/file-plan.tsv").read_text().splitlines()
    assert len(rows) == built.file_count + 1
    assert rows[1].split("\t") == ["data/em/s0.tif", "1000", str(folder / "raw/em/s0.tif")]
    build(folder)  # and becomes a package
    assert not (folder / "PACKAGE/file-plan.tsv").exists()
    with pytest.raises(ArgumentError, match="package with data"):
        build(folder, mode="plan")


@pytest.mark.parametrize("mode", ["link", "copy"])
def test_a_changed_source_is_named_and_taken_only_when_asked(folder, mode):
    build(folder, mode=mode)
    with (folder / "raw/em/s2.tif").open("r+b") as stream:  # in place: a link changes with it
        stream.write(b"other")
    with pytest.raises(DepositionError, match=r"1 that have changed since: data/em/s2\.tif"):
        build(folder, mode=mode)
    assert build(folder, mode=mode, overwrite=True).changed == ("data/em/s2.tif",)
    assert build(folder, mode=mode).written == ()


def test_a_source_that_was_only_touched_is_no_change(folder):
    build(folder)
    before = (folder / "PACKAGE/manifest-sha256.txt").stat().st_mtime_ns
    os.utime(folder / "raw/em/s2.tif", ns=(1, 1))
    assert build(folder).changed == ()
    assert (folder / "PACKAGE/manifest-sha256.txt").stat().st_mtime_ns == before


def test_what_is_no_longer_described_is_taken_away(folder):
    build(folder)
    (folder / "raw/em/s4.tif").unlink()
    assert build(folder).removed == ("data/em/s4.tif",)
    assert not (folder / "PACKAGE/data/em/s4.tif").exists()
    assert "s4.tif" not in (folder / "PACKAGE/manifest-sha256.txt").read_text()


def test_strange_files_and_folders_are_never_touched(folder):
    (folder / "PACKAGE").mkdir()
    (folder / "PACKAGE" / "thesis.doc").write_text("mine")
    with pytest.raises(ArgumentError, match="something else, which"):
        build(folder)
    (folder / "PACKAGE" / "thesis.doc").unlink()
    build(folder)
    (folder / "PACKAGE/data/em/mine.txt").write_text("mine")
    with pytest.raises(ArgumentError, match=r"found data/em/mine\.txt"):
        build(folder)
    with pytest.raises(NotFoundError, match="make it first"):
        build_package(plan_package(DATA, folder), folder / "a" / "b", {})
    with pytest.raises(ArgumentError, match="a folder of its own"):
        build_package(plan_package(DATA, folder), folder / "raw", {})


def test_another_file_system_is_explained(folder, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(execute_module.os, "link", refuse)
    with pytest.raises(DepositionError, match="pass --copy"):
        build(folder)
    monkeypatch.undo()
    built = build(folder)
    assert built.resumed
    assert len(built.written) == built.file_count + len(TEXTS) + 2


def test_a_file_that_grows_while_it_is_packed_is_named(folder):
    plan = plan_package(DATA, folder)
    with (folder / "raw/em/s1.tif").open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(DepositionError, match=r"s1\.tif: expected a file that stays"):
        build_package(plan, folder / "PACKAGE", TEXTS)


def test_a_file_that_changes_after_it_was_read_is_named_too(folder, monkeypatch):
    real = execute_module.digest_file

    def digest_then_write(path, size, mtime_ns):
        found = real(path, size, mtime_ns)
        if path.name == "s1.tif":
            path.write_bytes(b"another content")
        return found

    monkeypatch.setattr(execute_module, "digest_file", digest_then_write)
    with pytest.raises(DepositionError, match=r"s1\.tif: expected a file that stays"):
        build(folder)
    assert not (folder / "PACKAGE/manifest-sha256.txt").exists()
    monkeypatch.undo()
    build(folder, overwrite=True)
    assert (folder / "PACKAGE/data/em/s1.tif").read_bytes() == b"another content"


def test_links_are_followed_and_dead_ones_named(folder):
    where = folder / "raw/em"
    (where / "s5.tif").symlink_to(where / "s0.tif")
    build(folder)
    packed = folder / "PACKAGE/data/em/s5.tif"
    assert not packed.is_symlink()
    assert packed.samefile(where / "s0.tif")
    (where / "s6.tif").symlink_to(where / "nowhere.tif")
    assert [p.rule for p in plan_package(DATA, folder).problems] == ["PK-link"]


def test_trees_keep_hidden_files_but_not_what_systems_leave_behind(folder):
    store = folder / "raw/v.ome.zarr"
    (store / ".zattrs").write_text("{}")
    (store / ".DS_Store").write_text("litter")
    (store / "._zarr.json").write_text("litter")
    (store / "loop").symlink_to(store)
    plan = plan_package(DATA, folder)
    names = {f.target for f in plan.files}
    assert "data/zarr/v.ome.zarr/.zattrs" in names
    assert not [n for n in names if "DS_Store" in n or "/._" in n]
    assert len(plan.left_out) == 2
    assert len(names) < 60  # the loop ends


def test_a_header_brings_its_voxels(tmp_path):
    (tmp_path / "v.mhd").write_text("ObjectType = Image\nElementDataFile = v.raw\n")
    (tmp_path / "v.raw").write_bytes(b"123")
    (tmp_path / "b.xml").write_text('<x><hdf5 type="relative">b.h5</hdf5></x>')
    (tmp_path / "b.h5").write_bytes(b"123")
    images = [
        {"id": n, "file_set": {"file_pattern": p}} for n, p in (("m", "*.mhd"), ("b", "*.xml"))
    ]
    found = {f.target for f in plan_package({"images": images}, tmp_path).files}
    assert found == {"data/m/v.mhd", "data/m/v.raw", "data/b/b.xml", "data/b/b.h5"}


def test_clashes_and_hard_names_are_found(tmp_path):
    for name in ("a/x.tif", "b/x.tif", "a/ü.tif", "a/X.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    images = [{"id": n, "file_set": {"directory": n, "file_pattern": "*.tif"}} for n in "ab"]
    plan = plan_package({"images": images}, tmp_path, directories={"a": "data/s", "b": "data/s"})
    assert [p.rule for p in plan.problems] == ["PK-clash", "PK-case", "PK-name"]
    only = plan_package({"images": images}, tmp_path, directories={"b": "data/b"})
    assert [f.target for f in only.files] == ["data/b/x.tif"]


SCRIPT = """
import sys
from pathlib import Path
from clemkit.deposition.package import build_package, checksums, plan_package
real = checksums.digest_file
import clemkit.deposition.package.execute as execute
import time
def slow(*words):
    time.sleep(0.02)
    return real(*words)
execute.digest_file = slow
folder = Path(sys.argv[1])
data = {"images": [{"id": "em", "file_set": {"directory": "raw", "file_pattern": "*.tif"}}]}
print("ready", flush=True)
build_package(plan_package(data, folder), folder / "PACKAGE", {"README.md": b"x"}, workers=2)
"""


def test_a_killed_build_goes_on_where_it_was(tmp_path):
    (tmp_path / "raw").mkdir()
    for number in range(60):
        (tmp_path / "raw" / f"s{number:02}.tif").write_bytes(bytes([number]) * 5000)
    data = {"images": [{"id": "em", "file_set": {"directory": "raw", "file_pattern": "*.tif"}}]}
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        time.sleep(0.25)
        running.kill()
    package = tmp_path / "PACKAGE"
    done = len((package / ".clemkit-package/journal.jsonl").read_bytes().splitlines())
    assert 0 < done < 60
    assert not (package / "manifest-sha256.txt").exists()
    plan = plan_package(data, tmp_path)
    built = build_package(plan, package, {"README.md": b"x"})
    assert built.resumed
    assert len(built.written) <= 60 - done + 1 + 3
    shutil.copytree(package, tmp_path / "first")
    shutil.rmtree(package)
    build_package(plan, package, {"README.md": b"x"})
    texts = {k: v[0] for k, v in state_of(package).items()}
    assert texts == {k: v[0] for k, v in state_of(tmp_path / "first").items()}


def test_a_torn_journal_line_is_done_again(folder):
    build(folder)
    journal = folder / "PACKAGE/.clemkit-package/journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-30])
    assert len(build(folder).written) == 1
    assert journal.read_bytes() == whole


NOTE = ImageNote(
    image_id="em-raw", name="Slices", directory="data/em-raw", file_format="tiff",
    data_type="uint8", files=5, total_bytes=5010, names=("s0.tif", "s1.tif"),
    sizes="5 x 11 x 13 (z, y, x)", voxel_size_zyx_nm=(50.0, 8.0, 10.0),
)  # fmt: skip


def test_the_readme_says_how_to_open_check_and_send():
    text = readme_text(
        title="A study", experiment_id="e", description_name="experiment.yaml", notes=[NOTE],
        mode="link", checks=["headers of 5 files: no disagreement"],
        others=[("empiar.json", "the deposition")], archives=["empiar"],
    )  # fmt: skip
    assert 'em_raw = open_volume("data/em-raw", voxel_size_zyx_nm=(50, 8, 10))' in text
    assert "| `data/em-raw` | Slices | 5 | 5.01 kB | tiff, uint8 |" in text
    assert "-P 33001" in text
    assert "-l 200M" in text
    assert re.search(r"empiar-depositor .* empiar\.json data/em-raw", text)
    assert "globus transfer" in text
    assert "BioImage Archive" not in text
    draft = readme_text(
        title="A study", experiment_id="e", description_name="e.yaml", notes=[NOTE], mode="plan",
        checks=[], others=[], archives=["bia"], draft=True,
    )  # fmt: skip
    assert "must not be sent" in draft
    assert "open_volume" not in draft


def test_opening_statements_follow_the_format():
    from dataclasses import replace

    bdv = replace(NOTE, file_format="bdv_hdf5", names=("a.h5", "a.xml"))
    assert opening_statement(bdv).split('"')[1] == "data/em-raw/a.xml"
    store = replace(NOTE, file_format="ome_zarr", names=("v.ome.zarr",), role="labels")
    assert opening_statement(store).endswith('role="labels")')
    assert opening_statement(replace(NOTE, file_format="czi")) is None
