# make demo    set up, then grade the sample calls in the repository and print where the results are
# make test    set up, then lint, format, types, import rules and tests
# make setup   .venv from the lock files in requirements/, and the speech models of the offline profile in .models
# make benchmark  speed compared with similar tools: WHAT=transcription FOLDER=../calls ARGS="--threads 2"; see docs/benchmarks/speed.md
# make lock    rewrite requirements/ from pyproject.toml; to upgrade: ARGS="--upgrade-package duckdb"
# make sbom    sbom.json: every package and model with its version, licence and sha256 (CycloneDX)
# make airflow the same Dags under Airflow's own scheduler and web interface, on this machine only
# make clean   remove everything built here, including the virtual environment and the models

SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTHON := $(shell command -v python3.11 || command -v python3)
PIP := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --no-compile
# Only locked packages: every file matches a sha256 in the lock file, no other dependency, no build that downloads packages.
LOCKED := $(PIP) --require-hashes --no-deps --no-build-isolation
LOCKS := $(wildcard requirements/*.txt)
INSTALLED := .venv/.installed-$(shell cat $(LOCKS) pyproject.toml | cksum | cut -d' ' -f1)
TORCH := $(shell sed -n 's/^torch==\([0-9.]*\).*/\1/p' requirements/torch.txt)
HAS_TORCH := $(BIN)/python -c 'import importlib.metadata as m, sys; sys.exit(m.version("torch").partition("+")[0] != "$(TORCH)")' 2>/dev/null
SAY := @echo "==>"
# pip prints every step; one line per twenty packages is enough to show progress. Errors are printed in full.
PROGRESS := awk '/^(Collecting|Requirement already)/ { if (++n % 20 == 0) { print "    " n " packages"; fflush() } } /^Installing/ { print "    installing"; fflush() }'
BRIEFLY := 2> >(grep -v '^WARNING: Location' >&2) | $(PROGRESS)


.PHONY: help setup demo test lint benchmark lock docs sbom airflow clean

help:
	@sed -n 's/^# //p' $(firstword $(MAKEFILE_LIST))

setup: $(INSTALLED)
	@$(BIN)/python -m models.weights --models-dir .models

demo: setup
	@$(BIN)/callgrade demo

test: setup lint
	$(SAY) "tests"
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

lint: $(INSTALLED)
	$(SAY) "lint, format, types, SQL, templates, import rules"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy .ci/*.py
	@$(BIN)/sqlfluff lint sql --quiet
	@$(BIN)/djlint pipelines/reports/templates --quiet
	@$(BIN)/lint-imports --no-cache > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@$(BIN)/python .ci/architecture.py --check

WHAT ?= all
benchmark: setup
	@$(BIN)/python -m tests.benchmarks $(WHAT) $(FOLDER) $(ARGS)

lock: $(INSTALLED)
	@$(BIN)/python .ci/lock.py $(ARGS)

docs: $(INSTALLED)
	@$(BIN)/python .ci/architecture.py

sbom: $(INSTALLED)
	@$(BIN)/python .ci/sbom.py sbom.json

airflow: $(INSTALLED)
	@$(BIN)/python -m dags.run_local --standalone

# setuptools comes first: it builds the packages that are published as source only. torch is the CPU build if pip's index has it, else the
# build of every index with its CUDA libraries; an installed build is not replaced.
$(INSTALLED): $(LOCKS) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "Callgrade needs Python 3.11 with venv and found $$($(PYTHON) --version 2>&1 || echo none)."; \
	  echo "Install it (Debian, Ubuntu: apt-get install python3.11 python3.11-venv; macOS: brew install python@3.11) and run make again."; exit 1; }
	$(SAY) "virtual environment in .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
	  echo "Python 3.11 could not make a virtual environment. Install its venv module (Debian, Ubuntu: apt-get install python3.11-venv)."; exit 1; }
	$(SAY) "packages 1/3: torch (the largest)"
	@$(LOCKED) --requirement <(sed -n '/^setuptools==/,/[^\\]$$/p' requirements/packages.txt) $(BRIEFLY)
	@$(HAS_TORCH) || $(LOCKED) --requirement requirements/torch-cpu.txt 2> .venv/torch-cpu.log | $(PROGRESS) || \
	  grep -qE 'No matching distribution|ResolutionImpossible' .venv/torch-cpu.log || { cat .venv/torch-cpu.log >&2; exit 1; }
	@$(HAS_TORCH) || $(LOCKED) --requirement requirements/torch.txt $(BRIEFLY)
	$(SAY) "packages 2/3: all others, as locked in requirements/packages.txt (a few minutes the first time)"
	@$(LOCKED) --requirement requirements/packages.txt $(BRIEFLY)
	$(SAY) "packages 3/3: callgrade itself"
	@$(PIP) --no-deps --no-build-isolation --editable . $(BRIEFLY)
	@rm -f .venv/.installed-* && touch $@

clean:
	rm -rf .venv .venv-peers .models .airflow .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info sbom.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
