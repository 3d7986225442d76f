"""Nothing in the repository belongs to one machine or one package index."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# in pieces, so that this file does not find itself; "me" stands for any user in tests
MACHINE_PATHS = re.compile(
    "|".join(
        ["/" + "(?:work|root|opt)/" + r"[a-z]", "/(?:home|Users)/" + r"(?!me/)\w+/", "file" + "://"]
    )
)


def tracked_files() -> list[Path]:
    try:
        done = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name]


def test_no_machine_path_in_tracked_files():
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # binary, or removed and not yet committed
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if MACHINE_PATHS.search(line)
        ]
    assert found == []


@pytest.mark.parametrize("name", ["lock.txt", "lock-dev.txt"])
def test_locks_pin_exactly_and_name_no_index(name):
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith(("    ", "#"))]
    assert len(pins) > 20
    assert [pin for pin in pins if not re.match(r"[a-z0-9-]+==[0-9][^ ]*", pin)] == []
    assert [line for line in lines if "://" in line or "index" in line] == []


def test_the_development_lock_extends_the_runtime_lock():
    def pins(name: str) -> set[str]:
        lines = (ROOT / "requirements" / name).read_text().splitlines()
        return {line.rstrip(" \\") for line in lines if "==" in line and line[0] != " "}

    assert pins("lock.txt") <= pins("lock-dev.txt")
