# Everything starts here: `make demo` and `make test` set the project up the first time.
# Needs Python 3.11, make and git; a suitable Java is found, or comes from PyPI.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Lock files hold names, versions and hashes only: where packages come from is the machine's business.
COMPILE := env -u PIP_FIND_LINKS CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes \
	--allow-unsafe --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options
SOURCES := lib tests jobs setup.py
# Small Spark jobs are planned on one core while the other idles: two sessions share the tests by file.
WORKERS := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

.PHONY: setup
setup: .tools/.ready ## make .venv and .tools (does nothing when they are up to date)
	@$(if $(filter setup,$(MAKECMDGOALS)),echo 'ready: try make demo or make test',:)

.PHONY: demo
demo: setup ## play three days of a payments platform, from five sources to Snowflake
	@$(BIN)/ledgerlake demo

.PHONY: test
test: setup ## run the tests; PYTEST_ARGS are passed on
	@$(BIN)/python -m pytest $(WORKERS) $(PYTEST_ARGS)

.PHONY: test-histories
test-histories: setup ## judge every feed on 5,000 drawn histories instead of 320
	@LEDGERLAKE_HISTORIES=5000 $(BIN)/python -m pytest $(WORKERS) tests/feeds -k converge $(PYTEST_ARGS)

.PHONY: test-fuzz
test-fuzz: setup ## draw 10,000 declarations and deliveries instead of 200; LEDGERLAKE_FUZZ_SEED draws others
	@LEDGERLAKE_FUZZ=10000 $(BIN)/python -m pytest -n 2 tests/end_to_end/test_fuzz.py $(PYTEST_ARGS)

.PHONY: check
check: setup ## lint (ruff) and prove types (mypy, strict)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy

.PHONY: bench
bench: setup ## measure loading against the documented MERGE and others
	@$(BIN)/ledgerlake bench

.PHONY: package
package: setup ## build what EMR Serverless needs into dist/emr
	@emr/package.sh

.PHONY: lock
lock: $(VENV)/.locked ## choose the newest versions that setup.py allows, and lock them with hashes
	@$(COMPILE) --upgrade --all-extras -o requirements.lock setup.py
	@$(COMPILE) --extra snowflake --extra stripe --extra http --extra avro --extra postgres --extra calendar --extra masters -c requirements.lock -o emr/requirements.lock setup.py

.PHONY: clean
clean: ## remove what runs and builds leave behind, local lake included
	@rm -rf .local build dist spark-warehouse metastore_db derby.log .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find lib tests jobs -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## remove .venv and .tools too
	@rm -rf $(VENV) .tools lib/*.egg-info

# Set-up in four stamped steps: environment, locked packages, the package itself, Java and jars.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 is needed (Spark 3.5 and the lock file are for it). Next: install it, or make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv --clear $(VENV) || \
		{ echo "python -m venv does not work. Next: install it (Debian and Ubuntu: apt-get install python3.11-venv)"; exit 1; }
	@touch $@

$(VENV)/.locked: requirements.lock $(VENV)/.made
	@echo "installing the locked packages (a few minutes the first time; Spark alone is 300 MB)"
	@$(PIP) install --quiet --use-pep517 --require-hashes --no-deps -r requirements.lock || \
		{ echo "the locked packages cannot be installed. Next: check the network and pip's index settings, then run the same again"; exit 1; }
	@touch $@

$(VENV)/.editable: setup.py $(VENV)/.locked
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.tools/.ready: $(VENV)/.editable $(wildcard lib/ledgerlake/setup/*)
	@$(BIN)/python -m ledgerlake.setup
	@touch $@
