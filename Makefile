# Needs nothing but Python >= 3.11 and make. `make demo` and `make test` install what they need.
# Another interpreter: make install PYTHON=python3.13 (after make clean-venv).

PYTHON ?= python3
VENV := .venv
JUDGES := .venv-judges
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
WORKERS ?= 2
DEMO_OUTPUT ?= clemkit-demo

# compiled kernels are kept in the checkout, so that the second run is quick
export NUMBA_CACHE_DIR ?= $(CURDIR)/.cache/numba
# pip writes byte code: imports cost twice as much without it
unexport PYTHONDONTWRITEBYTECODE
# two test processes on two cores: threads of BLAS would only get in each other's way
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install install-dev judges demo test lint format types layers docs bench examples model model-check lock clean clean-venv

help:  ## list the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "clemkit needs Python 3.11 or newer; %s is %d.%d; pass PYTHON=..." % (sys.executable, v[0], v[1]))'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.stamp-runtime: $(VENV)/.stamp-venv requirements/lock.txt
	$(PIP) install --quiet -r requirements/lock.txt
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-package requirements/lock-dev.txt
	$(PIP) install --quiet -r requirements/lock-dev.txt
	@touch $@

# editable: the entry point is made again when the project's table changes
$(VENV)/.stamp-package: $(VENV)/.stamp-runtime pyproject.toml
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# judges whose dependencies contradict ours live in an environment of their own
$(JUDGES)/.stamp: requirements/lock-judges.txt
	$(PYTHON) -m venv $(JUDGES)
	$(JUDGES)/bin/python -m pip --disable-pip-version-check install --quiet -r requirements/lock-judges.txt
	@touch $@

install: $(VENV)/.stamp-package  ## .venv with clemkit and its locked runtime dependencies

install-dev: $(VENV)/.stamp-dev  ## the same with elastix and the tools for tests, checks and docs

judges: $(JUDGES)/.stamp  ## .venv-judges with rocrate-validator, which judges crates in tests

demo: install  ## a phantom experiment, registered and reported, in minutes
	$(BIN)/clemkit demo --overwrite -o $(DEMO_OUTPUT)

test: install-dev judges  ## every test but the clocks
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)

lint: install-dev  ## style, layout and import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

layers: install-dev  ## import layers alone
	$(BIN)/lint-imports

format: install-dev  ## let ruff repair what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: install-dev  ## mypy, strict over src
	$(BIN)/mypy

docs: install-dev  ## the site in docs/_build/html, warnings as errors
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: install-dev  ## clocks: run on a quiet machine
	$(BIN)/python -m pytest -m performance -o addopts="-ra --strict-markers --import-mode=importlib"
	@set -e; for script in $(sort $(wildcard benchmarks/*/run.py)); do \
	  echo "$$script"; $(BIN)/python $$script; done

examples: install  ## every numbered example
	@set -e; for script in $(sort $(wildcard examples/[0-9]*.py)); do \
	  echo "$$script"; $(BIN)/python $$script; done

model: install-dev  ## generate what ontology/ describes
	$(BIN)/python ontology/generate.py

# generated files are compared where the generator is installed
model-check: install-dev  ## fail when generated files and ontology/ differ
	@if $(BIN)/python -c 'import linkml' 2>/dev/null; then $(BIN)/python ontology/generate.py --check; \
	else echo "linkml is not installed: not compared"; fi

lock: install-dev  ## pin again from pyproject.toml (needs the package index)
	$(PIP) install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --upgrade \
	  --extra reg --extra report --extra metadata --group build \
	  --no-header --no-annotate --generate-hashes --output-file requirements/lock.txt
	$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --upgrade \
	  --all-extras --group build --group test --group lint --group docs --group model \
	  --constraint requirements/lock.txt \
	  --no-header --no-annotate --generate-hashes --output-file requirements/lock-dev.txt
	$(BIN)/uv pip compile requirements/judges.in --quiet --universal --python-version 3.11 --upgrade \
	  --no-header --no-annotate --generate-hashes --output-file requirements/lock-judges.txt

clean:  ## remove what was built, not the environment
	rm -rf build dist docs/_build .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf .import_linter_cache $(DEMO_OUTPUT) example-output
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

clean-venv:  ## remove the environment
	rm -rf $(VENV) $(JUDGES)
