"""Workflows that record how they were called, so that only the command line is tested."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from clemkit.cli.main import main


class RecordedWorkflow:
    """Stands in for one workflow function: keeps the call, returns or raises what it was given.

    The call must fit the signature of the real function.
    """

    def __init__(self, real: Callable[..., Any]) -> None:
        self.signature = inspect.signature(real)
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.answer: Any = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.signature.bind(*args, **kwargs)
        self.args, self.kwargs = args, kwargs
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer(**kwargs) if callable(self.answer) else self.answer


@pytest.fixture
def workflow(monkeypatch):
    """Replace ``clemkit.workflows.<module>.<name>`` and return the stand-in."""

    def replace(module: str, *names: str) -> SimpleNamespace:
        real = importlib.import_module(f"clemkit.workflows.{module}")
        fakes = {name: RecordedWorkflow(getattr(real, name)) for name in names}
        fake = ModuleType(real.__name__)
        fake.__dict__.update(fakes)
        monkeypatch.setitem(sys.modules, fake.__name__, fake)
        return SimpleNamespace(**fakes)

    return replace


@pytest.fixture
def run(capsys):
    """Run the command line; return status, stdout and stderr."""

    def call(*arguments: object) -> SimpleNamespace:
        status = main([str(a) for a in arguments])
        written = capsys.readouterr()
        return SimpleNamespace(status=status, out=written.out, err=written.err)

    return call
