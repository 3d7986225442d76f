from __future__ import annotations

import pickle

import pytest

from clemkit import errors


@pytest.mark.parametrize("name", [n for n in errors.__all__ if n.endswith("Error")])
def test_every_error_belongs_to_the_family(name):
    assert issubclass(getattr(errors, name), errors.ClemkitError)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.UnitError, ValueError),
        (errors.FormatError, ValueError),
        (errors.NotFoundError, FileNotFoundError),
        (errors.FoldingError, ArithmeticError),
        (errors.DegenerateLandmarksError, RuntimeError),
        (errors.MissingExtraError, ImportError),
        (errors.RepairedMetadataWarning, UserWarning),
    ],
)
def test_an_error_is_also_the_builtin_it_refines(error, builtin):
    assert issubclass(error, builtin)


def test_format_error_says_where():
    error = errors.FormatError("stack.tif", "expected a TIFF header; found zeros")
    assert str(error) == "stack.tif: expected a TIFF header; found zeros"
    assert error.path.name == "stack.tif"


def test_not_found_reads_as_its_message():
    assert str(errors.NotFoundError("no channel 'DAPI'")) == "no channel 'DAPI'"


def test_missing_extra_says_what_to_install():
    assert "pip install 'clemkit[elastix]'" in str(errors.MissingExtraError("itk", "elastix"))


@pytest.mark.parametrize(
    "error", [errors.FormatError("a.tif", "truncated"), errors.MissingExtraError("itk", "elastix")]
)
def test_errors_cross_a_process_border(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)


def test_a_problem_reads_as_place_message_rule_hint():
    problem = errors.Problem(("images", 0, "unit"), "unit-missing", "error", "no unit", "add one")
    assert str(problem) == "images/0/unit: no unit [unit-missing]; add one"
    found = errors.InvalidMetadataError("bad", [problem])
    assert found.problems == (problem,)
