# Two commands do all the set-up: `make quickstart` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help prerequisites quickstart test coverage check lint types schemas stale-schemas imports azurite bench clients live soak spark lock wheel clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

prerequisites:
	@command -v $(PYTHON) >/dev/null || { echo "missing: $(PYTHON) (Debian, Ubuntu: apt-get install python3 python3-venv)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "missing: Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "missing: Python's venv module (Debian, Ubuntu: apt-get install python3-venv)"; exit 1; }
	@command -v git >/dev/null || { echo "missing: git (Debian, Ubuntu: apt-get install git)"; exit 1; }

$(BIN)/python: | prerequisites
	$(PYTHON) -m venv $(VENV)

# A stamp per set of requirements; each set holds the ones before it. The project itself is installed without its
# dependencies, since those are the hashed ones.
$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "installing what the toolkit needs (once) ..."
	$(PIP) --require-hashes -r requirements/runtime.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.runtime
	@echo "installing what the tests need (once) ..."
	$(PIP) --require-hashes -r requirements/test.txt
	@touch $@

$(VENV)/.check: requirements/check.txt $(VENV)/.test
	@echo "installing what the checks need (once) ..."
	$(PIP) --require-hashes -r requirements/check.txt
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.test
	@echo "installing the peers that the benchmarks measure (once) ..."
	$(PIP) --require-hashes -r requirements/bench.txt
	@touch $@

quickstart: $(VENV)/.runtime ## the whole story on this machine, without a cloud account
	$(BIN)/toolkit quickstart

# COVERAGE=1 collects branch coverage for `make coverage`.
test: $(VENV)/.test ## run the tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q $(if $(COVERAGE),--cov --cov-report=) $(ARGS)

coverage: ## the branch coverage of the last `make test COVERAGE=1`, against its floor
	$(BIN)/python -m coverage report

# The proofs of the suite, with many more rounds, cases and samples. What they come to is printed at the end.
soak: $(VENV)/.test ## the proofs at length: kills, faults, zombies, any sequence, any request to a storage account (an hour)
	TOOLKIT_SOAK=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q tests/engine/test_kills.py tests/engine/test_crashes.py \
		tests/engine/test_zombies.py tests/engine/test_equivalence.py tests/cli/test_one_writer.py \
		tests/lake/dfs/test_faults.py tests/lake/dfs/test_crashes.py tests/apply/test_property.py \
		tests/apply/test_moves.py $(ARGS)

# Spark has an environment of its own: it is large, and needs Java.
.venv-spark/.spark: requirements/spark.txt | prerequisites
	@command -v java >/dev/null || { echo "missing: java (Debian, Ubuntu: apt-get install default-jre-headless)"; exit 1; }
	$(PYTHON) -m venv .venv-spark
	PIP_CONSTRAINT=requirements/spark.txt .venv-spark/bin/python -m pip --disable-pip-version-check --quiet install \
		--require-hashes --requirement requirements/spark.txt
	@touch $@

spark: $(VENV)/.test .venv-spark/.spark ## let Spark read a lake, in an environment of its own
	TOOLKIT_SPARK_PYTHON=.venv-spark/bin/python $(BIN)/python -m pytest -q -k spark tests/engine/test_readers.py

# Foreign clients have environments of their own: what they need is not what the toolkit needs.
.venv-clients/.clients: requirements/clients.txt | prerequisites
	@echo "installing the clients in Python (once) ..."
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/clients.txt
	@touch $@

tests/clients/node_modules/.clients: tests/clients/package-lock.json
	@command -v npm >/dev/null || { echo "missing: npm (Debian, Ubuntu: apt-get install nodejs npm)"; exit 1; }
	@echo "installing the clients in JavaScript (once) ..."
	npm ci --prefix tests/clients --no-audit --no-fund --silent
	@touch $@

clients: $(VENV)/.test .venv-clients/.clients tests/clients/node_modules/.clients ## let clients that nobody here wrote work on a served environment
	TOOLKIT_CLIENTS_PYTHON=$(CURDIR)/.venv-clients/bin/python $(BIN)/python -m pytest -q tests/clients $(ARGS)

tests/lake/dfs/azurite/node_modules/.azurite: tests/lake/dfs/azurite/package-lock.json
	@command -v npm >/dev/null || { echo "missing: npm (Debian, Ubuntu: apt-get install nodejs npm)"; exit 1; }
	@echo "installing azurite (once, 370 MB) ..."
	npm ci --prefix tests/lake/dfs/azurite --no-audit --no-fund --silent
	@touch $@

azurite: $(VENV)/.test tests/lake/dfs/azurite/node_modules/.azurite ## compare the storage account of the tests with azurite, as far as that goes
	TOOLKIT_AZURITE=1 $(BIN)/python -m pytest -q tests/lake/dfs/test_azurite.py $(ARGS)

live: $(VENV)/.test ## run the contracts of lakes on a real storage account (TOOLKIT_LIVE_ACCOUNT)
	@[ -n "$$TOOLKIT_LIVE_ACCOUNT" ] || { echo "TOOLKIT_LIVE_ACCOUNT names no storage account: see CONTRIBUTING.md"; exit 1; }
	$(BIN)/python -m pytest -q --force-enable-socket tests/contracts/test_lake.py tests/lake/dfs/test_contract.py \
		-k "live or real_account" $(ARGS)

check: lint types stale-schemas imports ## lint, types, stale schemas, import table

lint: $(VENV)/.check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.check
	$(BIN)/mypy

stale-schemas: $(VENV)/.test
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_schemas.py

imports: $(VENV)/.test
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_import_table.py

schemas: $(VENV)/.runtime ## write schemas/ anew from the models
	$(BIN)/toolkit schema -o schemas

# The peer of Airbyte is under the Elastic licence: it is measured, and nothing here depends on it.
.venv-airbyte/.airbyte: requirements/airbyte.txt | prerequisites
	$(PYTHON) -m venv .venv-airbyte
	.venv-airbyte/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/airbyte.txt
	@touch $@

bench: $(VENV)/.bench .venv-airbyte/.airbyte tests/clients/node_modules/.clients ## measure beside named peers (half an hour, 15 GB), and write benchmarks/results.md
	$(BIN)/python benchmarks/start.py
	$(BIN)/python -m benchmarks.plan
	$(BIN)/python benchmarks/engine.py $(ARGS)
	$(BIN)/python -m benchmarks.extraction
	$(BIN)/python -m benchmarks.adls

# One lock for every supported Python and platform; hashes, and no registry addresses.
LOCK := $(VENV)/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-strip-extras --no-header --quiet pyproject.toml requirements/build.in
lock: $(VENV)/.runtime ## renew the hashed requirement files
	$(PIP) --require-hashes -r requirements/lock.txt
	$(subst pyproject.toml requirements/build.in,requirements/lock.in,$(LOCK)) -o requirements/lock.txt
	$(LOCK) -o requirements/runtime.txt
	$(LOCK) --extra test -c requirements/runtime.txt -o requirements/test.txt
	$(LOCK) --extra test --extra check -c requirements/test.txt -o requirements/check.txt
	$(LOCK) --extra test --extra bench -c requirements/check.txt -o requirements/bench.txt
	$(subst pyproject.toml requirements/build.in,requirements/spark.in,$(LOCK)) -o requirements/spark.txt
	$(subst pyproject.toml requirements/build.in,requirements/clients.in,$(LOCK)) -o requirements/clients.txt
	$(subst pyproject.toml requirements/build.in,requirements/airbyte.in,$(LOCK)) -o requirements/airbyte.txt

wheel: $(VENV)/.runtime ## build the wheel into dist/
	$(BIN)/python -m pip --disable-pip-version-check --quiet wheel --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove what was built and installed
	rm -rf $(VENV) .venv-airbyte .venv-spark .venv-clients tests/clients/node_modules tests/lake/dfs/azurite/node_modules dist build .quickstart .pytest_cache .mypy_cache .ruff_cache .coverage
