"""Every module of the package has the house's shape. Read as text: nothing is imported."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "clemkit"
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "_generated" not in p.parts)
MAX_LINES = 600
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "misc", "common", "core"}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def declared_all(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["__all__"]:
            return list(ast.literal_eval(node.value))
    return None


def top_level_names(tree: ast.Module) -> set[str]:
    """Names bound at module level, also inside ``if`` and ``try``."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    for node in tree.body:
        if isinstance(node, DEFINITIONS):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def test_the_package_was_found():
    assert PACKAGE / "errors.py" in MODULES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_file_fits_a_sitting(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{name_of(path)} has {lines} lines: two subjects?"


def test_no_module_has_a_vague_name():
    vague = [name_of(p) for p in PACKAGE.rglob("*") if p.stem in VAGUE_NAMES]
    assert vague == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_exports(path):
    tree = parse(path)
    assert ast.get_docstring(tree), "no module docstring"
    if len(tree.body) == 1:
        return  # only a docstring: a room that holds modules
    exported = declared_all(tree)
    assert exported is not None, "no __all__"
    assert len(set(exported)) == len(exported), "a name twice in __all__"
    missing = set(exported) - top_level_names(tree)
    assert not missing, f"__all__ names what is not there: {sorted(missing)}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_exported_names_are_documented(path):
    tree = parse(path)
    exported = set(declared_all(tree) or ())
    silent = []
    for node in tree.body:
        if isinstance(node, DEFINITIONS) and node.name in exported:
            if not ast.get_docstring(node):
                silent.append(node.name)
            if isinstance(node, ast.ClassDef):
                silent += [
                    f"{node.name}.{item.name}"
                    for item in node.body
                    if isinstance(item, ast.FunctionDef)
                    and not item.name.startswith("_")
                    and not ast.get_docstring(item)
                    and not any("overload" in ast.unparse(d) for d in item.decorator_list)
                ]
    assert silent == []
