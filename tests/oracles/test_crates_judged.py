"""rocrate-validator judges our crates; it lives in an environment of its own (`make judges`)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from clemkit.deposition.bia.crate import build_bia_crate
from clemkit.deposition.crate_files import CrateFile
from clemkit.deposition.rocrate.crate import build_crate
from clemkit.deposition.rocrate.gide import build_gide_crate
from clemkit.metadata.load import read_document

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-judges" / "bin" / "python"
EXAMPLES = sorted((ROOT / "examples" / "metadata").glob("*.yaml"))

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="rocrate-validator is not installed: make judges"
)


def judge(profile: str, *crates: Path) -> dict[str, list[str]]:
    script = Path(__file__).with_name("rocrate_judge.py")
    words = [str(PYTHON), str(script), profile, *map(str, crates)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, list[str]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def written(files: dict[str, bytes], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def with_files(data: dict[str, Any], folder: Path) -> None:
    for image in data["images"]:
        place = folder / image["file_set"]["directory"]
        place.mkdir(parents=True, exist_ok=True)
        pattern = image["file_set"]["file_pattern"]
        if pattern.endswith(".zarr"):
            (place / pattern).mkdir()
            (place / pattern / "zarr.json").write_bytes(b"{}")
        else:
            for number in range(2 if "*" in pattern else 1):
                (place / pattern.replace("*", f"{number:03}")).write_bytes(b"x" * (number + 3))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    crates: list[Path] = []
    for example in EXAMPLES:
        folder = tmp_path_factory.mktemp(example.stem)
        data = read_document(example).data
        with_files(data, folder)
        crates.append(written(build_crate(data, folder), folder))
    return crates


def test_finished_experiments_follow_process_run_and_ro_crate_1_1(finished: list[Path]):
    assert judge("process-run-crate", *finished) == {str(c): [] for c in finished}


def test_finished_experiments_and_search_crates_follow_ro_crate_1_2(
    finished: list[Path], tmp_path: Path
):
    data = read_document(EXAMPLES[0]).data
    search = build_gide_crate(
        data, "https://www.ebi.ac.uk/empiar/EMPIAR-99999/", [CrateFile("a.tif", 3, "x")]
    )
    crates = [finished[0], written(search, tmp_path / "search")]
    assert judge("ro-crate-1.2", *crates) == {str(c): [] for c in crates}


def test_bia_crates_follow_ro_crate_1_1_and_a_spoiled_one_does_not(tmp_path: Path):
    data = read_document(EXAMPLES[0]).data
    files = [CrateFile(f"data/{i['id']}.tif", 3, i["id"]) for i in data["images"]]
    good = written(build_bia_crate(data, files=files), tmp_path / "good")
    document = json.loads((good / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    (root,) = [n for n in document["@graph"] if n["@id"] == "./"]
    del root["datePublished"]
    spoiled = json.dumps(document).encode()
    bad = written({"ro-crate-metadata.json": spoiled, "file_list.tsv": b""}, tmp_path / "bad")
    found = judge("ro-crate-1.1", good, bad)
    assert found[str(good)] == []
    assert any("date" in message.lower() for message in found[str(bad)])


def test_an_action_without_a_program_is_found(finished: list[Path], tmp_path: Path):
    document = json.loads((finished[0] / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    actions = [n for n in document["@graph"] if n["@type"] == "CreateAction"]
    assert actions
    del actions[0]["instrument"]
    content = json.dumps(document).encode()
    folder = written({"ro-crate-metadata.json": content}, tmp_path / "crate")
    ((messages),) = judge("process-run-crate", folder).values()
    assert any("instrument" in message for message in messages)
