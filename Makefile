# make demo    set up, then grade the calls that the repository ships and say where to look
# make test    set up, then lint, format, types, import rules and tests
# make setup   .venv from constraints.txt, and the speech models of the offline profile in .models
# make benchmark  how fast it hears, beside its peers: WHAT=transcription FOLDER=../calls ARGS="--threads 2"; see docs/speed.md
# make airflow the same Dags under Airflow's own scheduler and pages, on this machine only
# make clean   remove what was made here, the virtual environment and the models among it

SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTHON := $(shell command -v python3.11 || command -v python3)
PIP := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --no-compile
INSTALLED := .venv/.installed-$(shell cat constraints.txt pyproject.toml | cksum | cut -d' ' -f1)
TORCH := $(shell grep -i '^torch==' constraints.txt)
SAY := @echo "==>"
# pip tells every step; of that a line for each twenty packages is enough to see that it moves. What goes wrong comes through whole.
BRIEFLY := 2> >(grep -v '^WARNING: Location' >&2) | awk '/^(Collecting|Requirement already)/ { if (++n % 20 == 0) { print "    " n " packages"; fflush() } } /^Installing/ { print "    installing"; fflush() }'


.PHONY: help setup demo test lint benchmark airflow clean

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
	$(SAY) "lint, format, types, import rules"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }

WHAT ?= all
benchmark: setup
	@$(BIN)/python -m tests.benchmarks $(WHAT) $(FOLDER) $(ARGS)

airflow: $(INSTALLED)
	@$(BIN)/python -m dags.run_local --standalone

# torch first and by itself: pip then takes a CPU build where its index has one, and the others are content with it.
$(INSTALLED): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	  echo "Callgrade needs Python 3.11 with venv and found $$($(PYTHON) --version 2>&1 || echo none)."; \
	  echo "Install it (Debian, Ubuntu: apt-get install python3.11 python3.11-venv; macOS: brew install python@3.11) and run make again."; exit 1; }
	$(SAY) "virtual environment in .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
	  echo "Python 3.11 could not make a virtual environment. Install its venv module (Debian, Ubuntu: apt-get install python3.11-venv)."; exit 1; }
	$(SAY) "packages 1/3: torch (the largest)"
	@$(PIP) '$(TORCH)' -c constraints.txt $(BRIEFLY)
	$(SAY) "packages 2/3: all the others, as pinned in constraints.txt (a few minutes the first time)"
	@$(PIP) -r constraints.txt $(BRIEFLY)
	$(SAY) "packages 3/3: callgrade itself"
	@$(PIP) --no-deps --no-build-isolation --editable . $(BRIEFLY)
	@rm -f .venv/.installed-* && touch $@

clean:
	rm -rf .venv .venv-peers .models .airflow .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
