# ser-stream: the commands of everyday work. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The input of `make listen`: a file, mic, mic:NAME or -. The bundled minute by default.
INPUT ?= tests/data/emodb_minute.flac
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help listen install test check format bench soak research clean
# Where `make research` puts its bundle, and `ser-stream model list` looks.
MODELS ?= $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/ser-stream/models

help:                       ## this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 18

listen: $(VENV)/.base       ## install the runtime, then listen to INPUT (a file, or mic)
	$(BIN)/ser-stream listen --input "$(INPUT)"

install: $(VENV)/.all       ## .venv with all extras and tools

# Each of the tests' workers would compile all of them anew.
unexport PYTHONDONTWRITEBYTECODE

test: $(VENV)/.all          ## install what tests need, then run every test
	@sh tests/install_packages.sh
	$(BIN)/python -m pytest -m "not alone" -n 4 --dist worksteal
	$(BIN)/python -m pytest -m alone -n 5 --dist loadfile --no-loadscope-reorder \
		$$(grep -lr --include='*.py' 'pytest.mark.alone' tests | sort -r)

check: $(VENV)/.all         ## format, lint, types, import contracts, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(VENV)/.all        ## let ruff mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.all         ## speed, latency and memory against peers, in one run
	$(BIN)/python -m benchmarks

soak: $(VENV)/.all          ## faults and load at full size, about 70 minutes; docs/soak.md
	@sh tests/install_packages.sh
	$(BIN)/python -m benchmarks.soak

research: $(VENV)/.all      ## train `research` anew from SER_CORPORA, as my-research; hours
	@test -d "$(SER_CORPORA)" || \
		{ echo "name the folder of corpora: make research SER_CORPORA=DIR" >&2; exit 2; }
	$(BIN)/python -m training train training/configs/research.toml \
		--corpora "$(SER_CORPORA)"
	$(BIN)/python -m training crossval training/configs/research.toml \
		--corpora "$(SER_CORPORA)"
	$(BIN)/python -m training recentre runs/research/checkpoint.pt \
		--corpora "$(SER_CORPORA)" --crossval runs/research-crossval
	@mkdir -p "$(MODELS)"
	$(BIN)/python -m export bundle runs/research/recentred.pt "$(MODELS)/my-research" \
		--crossval runs/research-crossval/crossval.json
	$(BIN)/python -m training thresholds "$(MODELS)/my-research" \
		--corpora "$(SER_CORPORA)" --crossval runs/research-crossval \
		--out runs/research-thresholds.json
	$(BIN)/python -m export bundle runs/research/recentred.pt "$(MODELS)/my-research" \
		--crossval runs/research-crossval/crossval.json \
		--thresholds runs/research-thresholds.json

clean:                      ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ser-stream needs Python 3.11 or newer; set PYTHON=..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "the venv module is missing; on Debian: apt install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing the runtime into $(VENV) ..."
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.all: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing everything into $(VENV); torch is large ..."
	$(PIP) install --constraint constraints.txt --editable '.[train,baselines,adapt,ws,metrics,mqtt,nats,export,frame,plot,tui,ray,dask,dev]'
	@touch $@ $(VENV)/.base
