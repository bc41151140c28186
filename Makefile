# `make run` and `make test` do all their own set-up on a machine with Python 3.11+ and make.

VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-history docs soak dev lock lint types scripts layers wheel clean

help: ## Say what can be made.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST)

run: $(VENV)/.has-run ## Run the service with the sample configuration and its simulated APIs.
	$(BIN)/understudy run --simulator --traffic 5

test: $(VENV)/.has-test ## Run all tests, with a seeded sample of the long experiments (at most 10 minutes).
	@tools/setup_test_system.sh
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

check: lint types scripts layers docs wheel ## Lint, types, layers, documentation, and the wheel in an environment of its own.

lint: $(VENV)/.has-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.has-dev
	$(BIN)/mypy

scripts: ## Check the types of the dashboard's scripts with TypeScript's compiler.
	@tools/setup_test_system.sh tsc
	tsc --project .

layers: $(VENV)/.has-dev
	$(BIN)/lint-imports --no-cache --no-logo

docs: $(VENV)/.has-dev ## Build the documentation; a warning is an error.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

wheel: $(VENV)/.has-dev
	tools/check_wheel.sh $(BIN)/python

soak: $(VENV)/.has-test ## Run the long experiments at full length (forty minutes); writes tests/soak/results/.
	PYTHONPATH=tests $(BIN)/python -m soak

bench: $(VENV)/.has-bench ## Measure against other libraries; writes benchmarks/results/ and what the READMEs quote.
	@$(BIN)/python benchmarks/_all.py; code=$$?; $(BIN)/python tools/write_comparison.py --complete && exit $$code

bench-history: $(VENV)/.has-bench ## Measure 1,000 APIs over 30 days of history (half an hour, 7 GiB of temporary files).
	$(BIN)/python benchmarks/history.py --full

dev: $(VENV)/.has-dev ## Make the environment that developers use.

lock: $(VENV)/.has-dev ## Write requirements/*.txt anew from requirements/*.in.
	PYTHON=$(CURDIR)/$(BIN)/python tools/lock.sh

clean: ## Remove what was built, and the environment.
	rm -rf $(VENV) dist build site .mypy_cache .ruff_cache .pytest_cache

# An environment only grows (run, test, bench, dev), because every list is cut from the same dev.txt.
$(VENV)/.has-%: requirements/%.txt pyproject.toml tools/make_venv.sh
	tools/make_venv.sh $(VENV) requirements/$*.txt
	@touch $@

.PRECIOUS: $(VENV)/.has-%
