# Everything here sets itself up: it needs make and Python 3.11 or newer, and keeps all it installs in .venv.

VENV ?= .venv
JOBS ?= 2
IMAGE ?= chartrepo:dev
ARGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help serve test check lint format types lock image bench clean

help: ## Tell what there is to do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'ARGS="..." hands more arguments to serve, test and bench.'

serve: $(VENV)/.server ## Serve charts from ./data at http://127.0.0.1:8080, open to writes from this machine
	@exec $(BIN)/chartrepo serve --open-writes $(ARGS)

test: $(VENV)/.dev ## Run the tests
	$(BIN)/python -m pytest -n $(JOBS) -r sfE $(ARGS)

check: lint types ## Run what looks at the code without running it
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev ## Look for mistakes
	$(BIN)/ruff check .

format: $(VENV)/.dev ## Lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## Check the types
	$(BIN)/mypy -p chartrepo -p storage -p tests.support

# The server's lock takes its versions from the other, so that what is tested is what is shipped.
COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock: $(VENV)/.dev ## Renew the locked versions in requirements/
	$(PIP) uv==$(UV_VERSION)
	$(COMPILE) pyproject.toml --all-extras --group dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml --all-extras -c requirements/dev.txt -o requirements/server.txt
	$(COMPILE) --group build -c requirements/dev.txt -o requirements/build.txt
	$(COMPILE) --group ci -o requirements/ci.txt

# Podman keeps the health check only in Docker's format of images; docker knows no other.
image: ## Build the container image, with podman or docker
	@if command -v podman >/dev/null; then set -- podman build --format docker; \
	elif command -v docker >/dev/null; then set -- docker build; \
	else echo "make image needs podman or docker." >&2; exit 2; fi; \
	"$$@" --tag $(IMAGE) .

bench: $(VENV)/.dev ## Measure; benchmarks/run.py --help tells the arguments
	$(BIN)/python benchmarks/run.py $(ARGS)

clean: ## Remove all that was installed or built, but no data
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.server: requirements/build.txt requirements/server.txt pyproject.toml | $(BIN)/pip
	@echo "Installing what the server needs into $(VENV) ..."
	@$(PIP) --require-hashes -r requirements/build.txt -r requirements/server.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.server
	@echo "Installing what the tests need into $(VENV) ..."
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

# The newest Python that can make a virtual environment; Debian's lacks the means until python3-venv is installed.
$(BIN)/pip:
	@for python in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
	    if "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Making $(VENV) with $$("$$python" --version) ..."; \
	        exec "$$python" -m venv --clear $(VENV); \
	    fi; \
	done; \
	echo "chartrepo needs Python 3.11 or newer with venv and ensurepip; here is $$(python3 --version 2>&1)." >&2; \
	echo "On Debian or Ubuntu: apt-get install python3-venv. Elsewhere: make PYTHON=/path/to/python3.13" >&2; \
	exit 2
