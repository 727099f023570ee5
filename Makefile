# `make demo` and `make test` do all the set-up themselves; both need Python 3.11+, npm and a network once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
# The locks are whole: with --no-deps pip resolves nothing, so a release of tomorrow cannot break an install.
PHOTO ?=

# Processes that run tests side by side.
WORKERS ?= 2
SIDE_BY_SIDE := -n $(WORKERS) --dist worksteal -m "not slow and not clients"

.PHONY: demo photo llama test check lint coverage clients bench vllm docs reference lock clean

# The shell gets the name as it is, blanks and quotes and all.
demo: export PHOTO_NAME = $(value PHOTO)
demo: photo $(VENV)/.demo
	@$(BIN)/python examples/first_look.py "$$PHOTO_NAME"

# Before anything is fetched.
photo: export PHOTO_NAME = $(value PHOTO)
photo:
	@test -z "$$PHOTO_NAME" || test -f "$$PHOTO_NAME" || { echo "There is no photo $$PHOTO_NAME." >&2; exit 2; }

# What open vision-language models need: then `vidi pull gemma-4-e2b`.
llama: $(VENV)/.llama

# Everything. What is slow starts servers, models and other people's programs, and mostly waits for them.
test: lint
	$(BIN)/pytest $(SIDE_BY_SIDE)
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "slow and not clients"

# The contributor's loop, about a minute on two cores: all but what is slow, with fewer random examples.
check: lint
	$(BIN)/pytest $(SIDE_BY_SIDE) --hypothesis-profile dev

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Every test, servers and decoders watched too; prints the branches that no test takes, file by file.
coverage: $(VENV)/.dev
	$(BIN)/coverage erase
	-$(BIN)/coverage run -m pytest $(SIDE_BY_SIDE)
	-$(BIN)/coverage run -m pytest -m "slow and not clients"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Writes the generated parts of docs/: settings, commands, errors, the table of model families.
reference: $(VENV)/.dev
	$(BIN)/python tools/reference.py
	$(BIN)/python tools/dialect_table.py

# Every client, each installed by its own package manager from its lock; prints a table. Then the page in Firefox.
clients: $(VENV)/.dev
	$(BIN)/pytest tests/clients -m "clients or not clients"
	$(BIN)/pytest tests/playground -m clients

# The pages as a site that needs no server: open build/site/index.html. A link or an anchor that leads nowhere fails.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --jobs 2 --conf-dir docs . build/site

bench: $(VENV)/.dev
	$(BIN)/python -m bench

# Before a real vLLM, by hand: 6 GB into the folder, minutes to install and to start; PYTHON runs it, 3.10 to 3.13.
VLLM ?= .vllm
vllm: $(VENV)/.dev
	PYTHON=$(PYTHON) sh tools/vllm/run.sh $(VLLM)

$(VENV)/.base: requirements/build.txt requirements/base.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vidi needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo "Installing Vidi into $(VENV): about 150 MB of packages, a minute or less."
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes --no-deps -r requirements/build.txt
	$(PIP) install --require-hashes --no-deps -r requirements/base.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.demo: $(VENV)/.base requirements/demo.txt requirements/photos.txt
	$(PIP) install --require-hashes --no-deps -r requirements/demo.txt
	$(PIP) install --require-hashes --no-deps -r requirements/photos.txt
	touch $@

$(VENV)/.docs: $(VENV)/.base requirements/docs.txt
	$(PIP) install --require-hashes --no-deps -r requirements/docs.txt
	touch $@

$(VENV)/.dev: $(VENV)/.base $(VENV)/.docs $(VENV)/.llama requirements/dev.txt requirements/cluster.txt requirements/traces.txt requirements/photos.txt
	$(PIP) install --require-hashes --no-deps -r requirements/dev.txt
	$(PIP) install --require-hashes --no-deps -r requirements/cluster.txt
	$(PIP) install --require-hashes --no-deps -r requirements/traces.txt
	$(PIP) install --require-hashes --no-deps -r requirements/photos.txt
	touch $@

$(VENV)/.llama: $(VENV)/.base requirements/llama.txt
	$(PIP) install --require-hashes --no-deps -r requirements/llama.txt
	touch $@

# Needs uv. Hashes, and no addresses: the user's own index is asked.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
# What only rapidocr's code needs, of which none is run: pip brings it with a wheel, 176 MB; a checkout does without.
UNREAD := certifi charset-normalizer colorama colorlog omegaconf opencv-python-headless pyclipper \
  pyyaml requests shapely six tqdm urllib3
lock:
	$(LOCK) pyproject.toml $(UNREAD:%=--no-emit-package %) -o requirements/base.txt
	$(LOCK) requirements/build.in -c requirements/base.txt -o requirements/build.txt
	$(LOCK) requirements/dev.in -c requirements/base.txt -o requirements/dev.txt
	$(LOCK) requirements/demo.in -c requirements/base.txt -o requirements/demo.txt
	$(LOCK) requirements/llama.in -c requirements/base.txt -c requirements/dev.txt -c requirements/demo.txt -o requirements/llama.txt
	$(LOCK) requirements/cluster.in -c requirements/base.txt -c requirements/dev.txt -o requirements/cluster.txt
	$(LOCK) requirements/traces.in -c requirements/base.txt -c requirements/dev.txt -c requirements/llama.txt -o requirements/traces.txt
	$(LOCK) requirements/docs.in -c requirements/base.txt -c requirements/dev.txt -c requirements/llama.txt -o requirements/docs.txt
	$(LOCK) requirements/photos.in --no-deps -o requirements/photos.txt
	$(LOCK) tools/shapes/requirements.in -o tools/shapes/requirements.txt

clean:
	rm -rf $(VENV) demo-output .coverage .coverage.*
