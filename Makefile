# make demo       a virtual environment, the install, and the main job on a real checkpoint
# make test       everything a contributor runs (about a quarter of an hour on two cores; the lab's build comes on top, once)
# make lab        a Debian root filesystem with real engines for the tests (root and Debian; about a minute)
# make check      formatting, lint, types, layers
# make test-all   `make test` and the long mutation, bomb and load tests
# make browser    Chromium and axe for the tests of report pages (root and Debian, npm)
# make bench      speed beside the peers' (BENCH_ARGS="--quick" for a short one)
# make fuzz       coverage-guided fuzzing of archive and image parsing (FUZZ_SECONDS=60)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FUZZ_SECONDS ?= 60
DEMO := tests/data/crio-counter.tar

# Byte code must be written, whatever the environment says: start-up time is a feature.
export PYTHONDONTWRITEBYTECODE :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo install dev lab browser test test-all check format bench fuzz schemas requirements clean

demo: $(VENV)/.installed
	@echo; echo '$$ cryoscope show $(DEMO)'; $(BIN)/cryoscope show $(DEMO)
	@echo; echo '$$ cryoscope ps $(DEMO)'; $(BIN)/cryoscope ps $(DEMO)
	@echo; echo '$$ cryoscope files $(DEMO)'; $(BIN)/cryoscope files $(DEMO)
	@echo; echo '$$ cryoscope inspect --rootfs $(DEMO)'; $(BIN)/cryoscope inspect --rootfs $(DEMO)
	@echo; echo 'Now: $(BIN)/cryoscope --help'

install: $(VENV)/.installed

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements/base.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --require-hashes -r requirements/base.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

dev: $(VENV)/.dev

$(VENV)/.dev: requirements/dev.txt $(VENV)/.installed
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

test: $(VENV)/.dev
	$(BIN)/python -m lab build --if-possible
	$(BIN)/python -m pytest -m 'not long' -n auto --dist loadgroup

test-all: test
	$(BIN)/python -m pytest -m long -n auto --dist loadgroup

lab:
	$(PYTHON) -m lab build $(LAB_ARGS)

browser:
	sh scripts/browser.sh

check: $(VENV)/.dev
	$(BIN)/ruff format --check src tests bench lab scripts
	$(BIN)/ruff check src tests bench lab scripts
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev
	$(BIN)/ruff format src tests bench lab scripts
	$(BIN)/ruff check --fix src tests bench lab scripts

bench: $(VENV)/.dev
	$(BIN)/python -m bench.run $(BENCH_ARGS)

fuzz: $(VENV)/.dev
	$(BIN)/pip install --quiet --require-hashes -r requirements/fuzz.txt
	$(BIN)/python tests/fuzz/target.py $(FUZZ_SECONDS)

schemas: $(VENV)/.dev
	$(BIN)/python scripts/schemas.py

requirements:
	sh scripts/requirements.sh

clean:
	rm -rf $(VENV) .bench .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
