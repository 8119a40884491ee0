# Every target sets up what it needs. PYTHON=python3.12 chooses the interpreter of the environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PROJECTS := pyproject.toml zoo_core/pyproject.toml $(wildcard plugins/*/pyproject.toml)
LINTED := .ci/isolated.py .ci/lowest.py .ci/mutants.py .ci/mutant_tests.py .ci/mutations.py .ci/requirements.py .ci/site.py fuzz zoo_core plugins tests benchmarks templates examples

.PHONY: help setup demo demo-voice test parity mutants test-cpus test-isolated test-lowest lint docs site bench fuzz audit clean
.DEFAULT_GOAL := help

help:
	@echo 'make setup   make .venv and install everything into it, editable'
	@echo 'make demo    draw twelve emoji in four styles, out/demo/emoji.png'
	@echo 'make demo-voice  convert four words into another voice, into out/demo-voice/'
	@echo 'make test    run all tests'
	@echo 'make parity  hold five steps of every method against its published losses, in float64'
	@echo 'make mutants change one place after another, and count what tests notice; SAMPLE=0 SEED=0'
	@echo 'make test-cpus  run the tests that compare numbers as on other CPUs'
	@echo 'make test-isolated  tests of each distribution with only what it declares'
	@echo 'make test-lowest  tests with the lowest versions of all packages that are allowed'
	@echo 'make fuzz    feed mutated files to all parsers, for SECONDS=60'
	@echo 'make audit   hold installed packages against published holes'
	@echo 'make lint    formatting, linting and types'
	@echo 'make docs    run every command and sample in the documentation'
	@echo 'make site    build the documentation as a site, out/site/index.html'
	@echo 'make bench   speed of inference, training and conversion of voices on this machine'
	@echo 'make clean   remove .venv and what tools left behind'

setup: $(STAMP)

$(STAMP): $(PROJECTS) .ci/setup .ci/requirements.py
	@PYTHON='$(PYTHON)' VENV='$(VENV)' sh .ci/setup
	@touch $@

# The demo needs a part of the packages only; where everything is installed, nothing more is.
$(VENV)/.demo: $(PROJECTS) .ci/setup
	@[ -e $(STAMP) ] || PYTHON='$(PYTHON)' VENV='$(VENV)' sh .ci/setup zoo-core zoo-nn zoo-images zoo-stargan
	@touch $@

demo: $(VENV)/.demo
	@$(BIN)/python examples/demo.py out/demo/emoji.png

demo-voice: setup
	@$(BIN)/zoo translate cyclegan-vc-fsdd examples/voice/jackson --to nicolas --out out/demo-voice \
		--grid out/demo-voice/spectrograms.png --overwrite

test: setup
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0 --durations 20 $(ARGS)

parity: setup
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m parity -p zoo_testing.parity_report $(ARGS)

mutants: setup
	@$(BIN)/python .ci/mutants.py --sample $(or $(SAMPLE),0) --seed $(or $(SEED),0) $(ARGS)

test-cpus: setup
	@BIN='$(BIN)' sh .ci/test-cpus $(ARGS)

# Each distribution where nothing is installed but what it declares; DISTS=zoo-nn for one of them.
test-isolated: setup
	@OMP_NUM_THREADS=1 $(BIN)/python .ci/isolated.py $(DISTS) -- $(ARGS)

test-lowest: setup
	@$(BIN)/python .ci/lowest.py $(VENV)/lowest $(if $(ARGS),-- $(ARGS))

fuzz: setup
	@$(BIN)/python fuzz/fuzz.py --seconds $(or $(SECONDS),60) $(ARGS)

audit: setup
	@PYTHON='$(BIN)/python' FOLDER='$(VENV)/audit' sh .ci/audit

lint: setup
	@$(BIN)/ruff format --check $(LINTED)
	@$(BIN)/ruff check $(LINTED)
	@$(BIN)/mypy zoo_core/src/zoo_core zoo_core/src/zoo plugins/zoo-nn/src/zoo_train
	@cd benchmarks && $(abspath $(BIN))/mypy .
	@$(BIN)/lint-imports --no-cache >$(VENV)/imports.log 2>&1 || { cat $(VENV)/imports.log; exit 1; }
	@$(BIN)/zoo registry check

docs: setup
	@$(BIN)/python -m pytest tests/test_docs.py $(ARGS)

site: setup
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo 'Open out/site/index.html, or serve it, for searching: $(BIN)/python -m http.server --directory out/site'

bench: setup
	@$(BIN)/python benchmarks/startup.py
	@$(BIN)/python benchmarks/inference.py $(or $(MODEL),stargan-emoji) $(ARGS)
	@$(BIN)/python benchmarks/training.py
	@$(BIN)/python benchmarks/steps.py
	@$(BIN)/python benchmarks/voice.py

clean:
	rm -rf $(VENV) dist build runs out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find zoo_core plugins templates tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
