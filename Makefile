# Two commands matter: `make sweep` (the demo) and `make test` (everything the tests need, and the
# tests). Both start from a machine with nothing but Python 3.11.

PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
PIP_FLAGS ?= --quiet --disable-pip-version-check
STAMP := $(VENV)/.installed
THREADS := OMP_NUM_THREADS=1
WORKERS ?= 2
PYTEST := $(THREADS) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install sweep test test-fast test-slow test-cluster check docs faults mutation audit format clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(STAMP) ## Create the virtual environment from pinned versions

$(STAMP): pyproject.toml infra/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install $(PIP_FLAGS) -c infra/constraints.txt -e '.[dev]'
	@touch $@

sweep: install ## Demo: a hyperparameter sweep of the full DRMN on rendered sprites
	$(BIN)/drmn-sweep --dataset sprites --trials 12 --final-seeds 3

test: install test-fast test-slow test-cluster ## Everything needed to run the test suite, and the suite

test-fast: install ## Tests of one second each
	$(PYTEST) -m 'not slow and not cluster'

test-slow: install ## Real Ray, MLflow, processes: at most 60 s each
	$(PYTEST) -m slow --durations=10

# One thing that fails after another, some ten minutes: it has the machine to itself. Needs root, iproute2,
# PostgreSQL and Redis, else it is skipped. DRMN_RECOVERY_TABLE=FILE.json writes the times.
test-cluster: install ## Three hosts as namespaces, and what fails on them
	$(THREADS) $(BIN)/python -m pytest -m cluster -rs --durations=10

check: install ## Format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install ## The documentation's site, strictly, into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# In full what the tests take a sample of; the results are written down for docs/reliability.md.
FAULTS := crash_matrix state_machine endurance limits fuzz reliability
faults: install ## Every write failed once, deaths in any order, load, limits, hostile input: about an hour
	for part in $(FAULTS); do $(THREADS) $(BIN)/python benchmarks/$$part.py || exit 1; done

mutation: install ## Would the tests notice? About ten minutes
	$(THREADS) $(BIN)/python benchmarks/mutation.py

audit: install ## Ask for known advisories on the pinned versions (exit code 3: nobody answered)
	$(BIN)/python benchmarks/supply_chain.py audit

format: install ## Rewrite files in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove environment and caches; keeps .drmn (results)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
