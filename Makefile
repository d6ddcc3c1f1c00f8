# `make` alone lists the verbs. Every verb first makes .venv where it is missing.
#
# Variables, each given on the command line, as in `make lab PYTHON=python3.12`:
#   PYTHON       the Python that .venv is made with, 3.11 or newer.
#   TORCH_INDEX  the package index that torch comes from. Empty: what the platform's default index
#                gives, which on Linux is a large CUDA build. For a CPU-only build or another CUDA
#                version, set it to the address that the install selector on pytorch.org shows
#                after --index-url. It is read when .venv is made; run `make clean` to change it.
#   LAB_FLAGS    more flags for JupyterLab, as in `make lab LAB_FLAGS="--no-browser --port 9000"`.
#   FOLDER       for `make report`: where the submitted notebooks are.
#   NAMES        for `make outputs` and `make slides`: only these notebooks, by number or name.
#   PDF          for `make slides`: PDF=folder also prints the decks into that folder.
#   TIMING       for `make outputs`: TIMING=1 also refreshes the cells that measure time.
#   PROGRAMS     for `make fuzz`: how many random programs.
#   COLAB_PACKAGES  for `make test-colab`: a file with Colab's versions, as `pip freeze` prints them.
PYTHON ?= python3
TORCH_INDEX ?=
LAB_FLAGS ?=
FOLDER ?=
NAMES ?=
PDF ?=
TIMING ?=
COLAB_PACKAGES ?=
PROGRAMS ?= 5000

VENV := .venv
# Windows keeps a virtual environment's programs in another folder.
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# What a reader needs, and beside it what tests and keeps the course.
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
# The JavaScript that slides and site bring along, so that they work without a network.
WEB := build/web
WEB_STAMP := $(WEB)/.installed

.DEFAULT_GOAL := help
.PHONY: help lab test test-lowest test-newest test-colab slides site report outputs address benchmarks fuzz lint format clean

help:  ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

lab: $(STAMP)  ## open the course in JupyterLab
	@# A trusted notebook shows its committed pictures before its first run.
	@$(BIN)/jupyter trust notebooks/*.ipynb > /dev/null
	$(BIN)/jupyter lab --config=tools/jupyter_lab_config.py $(LAB_FLAGS)

test: $(DEV_STAMP)  ## run every test, the notebooks included
	@# Several processes; tests/conftest.py says how many, and which test goes to which.
	@# With a thread per core each, they would only wait for each other.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --no-loadscope-reorder

test-lowest: $(DEV_STAMP)  ## run the tests on the lowest versions that pyproject.toml allows
	TORCH_INDEX='$(TORCH_INDEX)' $(BIN)/python tools/other_versions.py lowest

test-newest: $(DEV_STAMP)  ## run the tests on the newest versions there are
	TORCH_INDEX='$(TORCH_INDEX)' $(BIN)/python tools/other_versions.py newest

test-colab: $(DEV_STAMP)  ## run every notebook alone, on Colab's versions of the libraries
	TORCH_INDEX='$(TORCH_INDEX)' $(BIN)/python tools/colab.py $(COLAB_PACKAGES)

slides: $(DEV_STAMP) $(WEB_STAMP)  ## make the notebooks' slides in build/slides
	$(BIN)/python tools/slides.py $(NAMES) $(if $(PDF),--pdf '$(PDF)')

site: $(DEV_STAMP) $(WEB_STAMP)  ## make the course's web site in build/site
	$(BIN)/python docs/gather.py build/site-source
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --conf-dir docs \
	    --doctree-dir build/site-doctrees build/site-source build/site

report: $(STAMP)  ## run the notebooks that students handed in, FOLDER=..., and write a table
	@OMP_NUM_THREADS=1 $(BIN)/python -m autodiff_course.exercises.report '$(FOLDER)'

outputs: $(DEV_STAMP)  ## run the notebooks again and keep the outputs that changed
	$(BIN)/python tools/notebooks.py outputs $(if $(TIMING),--timing) $(NAMES)
	@$(BIN)/python tools/lectures.py

address: $(DEV_STAMP)  ## carry the repository's address from pyproject.toml into badges and set-up cells
	$(BIN)/python tools/address.py

benchmarks: $(DEV_STAMP)  ## measure the course's engine beside others
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[benchmarks]'
	@for script in benchmarks/*.py; do $(BIN)/python "$$script" || exit 1; done

fuzz: $(DEV_STAMP)  ## compare the sparse engine with dense Hessians on thousands of random programs
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz_sparse.py --programs $(PROGRAMS)

lint: $(DEV_STAMP)  ## check the code, the notebooks and the spelling
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/codespell

format: $(DEV_STAMP)  ## format the code and the notebooks, and mend what can be mended
	@# What cannot be mended is told, and does not keep the rest from being done.
	$(BIN)/python -m ruff check --fix --exit-zero
	$(BIN)/python -m ruff format
	$(BIN)/python tools/notebooks.py normalise
	$(BIN)/python tools/lectures.py

clean:  ## remove .venv and every cache
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build src/*.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -prune -exec rm -rf {} +

$(WEB_STAMP): tools/web/package.json tools/web/package-lock.json
	@command -v npm > /dev/null || { echo "make: slides and site need npm, which comes with Node.js 18 or newer" >&2; exit 1; }
	@mkdir -p $(WEB)
	@cp tools/web/package.json tools/web/package-lock.json $(WEB)
	@npm ci --prefix $(WEB) --silent --no-audit --no-fund
	@touch $@

# A stamp is written last, so an installation that was interrupted is done again.
$(STAMP): requirements.txt pyproject.toml
	@PYTHON='$(PYTHON)' TORCH_INDEX='$(TORCH_INDEX)' sh tools/make_venv.sh $(VENV) $(BIN)/python requirements.txt
	@touch $@

$(DEV_STAMP): requirements-dev.txt $(STAMP)
	@PYTHON='$(PYTHON)' TORCH_INDEX='$(TORCH_INDEX)' sh tools/make_venv.sh $(VENV) $(BIN)/python requirements-dev.txt
	@touch $@
