# Every target does its own set-up in .venv, from a fresh clone; a second run skips it.
# Needs python3 (>= 3.11) with venv, make and git. PRESET and PIP_INSTALL_ARGS may be given on the command line.

PYTHON ?= python3
PRESET ?= quick
PIP_INSTALL_ARGS ?=
COUNT ?= 100000
KILLS ?= 1000
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup data verify test tables figures bench docs lint mutate long lowest clean new-claim new-rule new-figure new-sweep

help:
	@echo "make verify   derive, simulate and measure every claim, and write report/index.html (PRESET=smoke|quick|paper)"
	@echo "make test     run the tests"
	@echo "make tables   compute the committed tables of the named sweeps again (minutes)"
	@echo "make figures  draw every figure into figures/"
	@echo "make bench    time the kernels in one interleaved run"
	@echo "make docs     build the documentation, with the API, into docs/_build/html"
	@echo "make lint     ruff and mypy"
	@echo "make mutate   plant faults in the theory and count those that the tests find (hours; resumes)"
	@echo "make long     the long jobs of docs/reliability.md (an hour; COUNT=100000 and KILLS=1000 of each)"
	@echo "make lowest   the tests at the lowest versions of every dependency, in an environment of their own"
	@echo "make new-claim ID=my-claim FAMILY=geometry   write the pieces of a new claim (new-figure, new-sweep alike)"
	@echo "make new-rule ID=my-rule                     write the pieces of a new screening rule"
	@echo "make clean    remove .venv"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1)"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) lacks venv: install the package python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_INSTALL_ARGS) -c constraints.txt -e '.[dev]'
	@touch $(READY)

data: $(READY)
	@$(BIN)/kondo data fetch

verify: data
	$(BIN)/kondo verify --preset $(PRESET) --report report

# The tests start many processes: without bytecode on disk each of them, and each worker, compiles our sources anew.
test: data
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n auto --dist worksteal

# Experiments are apart. All are computed before one is replaced: a changed table would mark the commit in the next
# one's sidecar as dirty.
tables: $(READY)
	rm -rf results/tables
	@for name in $$($(BIN)/python -c 'from simulations.sweeps.named.catalogue import SWEEPS; \
	  print(*(name for name, sweep in SWEEPS.items() if sweep.kind != "experiment"))'); do \
	  $(BIN)/kondo sweep $$name --preset quick --out results/tables/$$name || exit; \
	done
	@for directory in results/tables/*; do \
	  name=$$(basename $$directory); cp $$directory/$$name.parquet $$directory/$$name.json simulations/tables/; \
	done

figures: $(READY)
	$(BIN)/kondo figures

bench: $(READY)
	$(BIN)/kondo bench

docs: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_INSTALL_ARGS) -c constraints.txt -e '.[docs]'
	$(BIN)/python -m sphinx -W --keep-going -q -j auto docs docs/_build/html
	@echo "open docs/_build/html/index.html"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

mutate: data
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_INSTALL_ARGS) -c constraints.txt -e '.[mutation]'
	$(BIN)/python tests/mutation/run.py $(MUTATE_ARGS)

long: data
	KONDO_FUZZ=$$(($(COUNT) / 2)) KONDO_KILLS=$(KILLS) $(BIN)/python -m pytest -m long tests/long -s
	$(BIN)/python tests/long/fuzz_command_lines.py $(COUNT)
	$(BIN)/python tests/long/fuzz_tables.py $(COUNT)

lowest:
	PYTHON=$(PYTHON) PIP_INSTALL_ARGS='$(PIP_INSTALL_ARGS)' sh tests/lowest_versions.sh

new-claim new-rule new-figure new-sweep:
	@$(PYTHON) tests/scaffold/new.py $(@:new-%=%) '$(ID)' '$(FAMILY)'

clean:
	rm -rf $(VENV)
