"""What the documents show does work: Python blocks run, commands have the flags they use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clemkit.cli.main import main

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = [p for p in DOCUMENTS if "```python" in p.read_text(encoding="utf-8")]


def blocks(path: Path, language: str) -> list[str]:
    found = BLOCK.findall(path.read_text(encoding="utf-8"))
    return [body for name, body in found if name == language]


def commands(path: Path) -> list[str]:
    """Command lines of a document, continued lines joined."""
    text = "\n".join(blocks(path, ""))
    joined = re.sub(r"\n +", " ", text)
    return [line for line in joined.splitlines() if re.match(r"(\.venv/bin/)?clemkit ", line)]


@pytest.mark.parametrize("path", PYTHON, ids=lambda p: p.name)
def test_python_blocks_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for body in blocks(path, "python"):  # a later block may use names of an earlier one
        exec(compile(body, path.name, "exec"), names)


def test_python_comments_show_what_the_line_returns(tmp_path, monkeypatch):
    """A trailing comment ``# array(...)`` or ``# (...)`` is the value of its line."""
    monkeypatch.chdir(tmp_path)
    checked = 0
    for path in PYTHON:
        names: dict[str, object] = {}
        for body in blocks(path, "python"):
            exec(compile(body, path.name, "exec"), names)
            for line in body.splitlines():
                found = re.fullmatch(r"(\w[^#=]*)  # (array\(.*|\(.*)", line)
                if found:
                    value = re.sub(r"\s+", "", repr(eval(found[1], names)))
                    assert value == re.sub(r"\s+", "", found[2]), line
                    checked += 1
    assert checked >= 4


def test_commands_have_the_flags_that_documents_use(capsys):
    used = [(path.name, line) for path in DOCUMENTS for line in commands(path)]
    assert len(used) >= 8
    for name, line in used:
        words = line.split("clemkit ", 1)[1].split()
        group = (
            words[:2] if words[0] in ("landmarks", "metadata", "deposit", "protocol") else words[:1]
        )
        assert main([*group, "--help"]) == 0, f"{name}: {line}"
        shown = capsys.readouterr().out
        missing = [f for f in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line) if f not in shown]
        assert not missing, f"{name}: {line} uses {missing}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(path):
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [t for t in targets if not (path.parent / t).exists()] == []
