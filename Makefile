# Needs Python 3.11 or newer, make and git; everything else goes below this folder, as uv.lock has it.
#   another interpreter:    make install PYTHON=/path/to/python3.12
#   options of a command:   make run ARGS="--port 9000"

DEV := .venv
RUN := .venv-run
UV := .venv-uv/bin/uv

PYTHON = $(shell for python in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

# uv reads this folder only: no configuration of the machine, no environment that happens to be active.
export UV_NO_CONFIG := 1
export UV_PYTHON_DOWNLOADS := never
unexport VIRTUAL_ENV UV_PROJECT_ENVIRONMENT UV_PYTHON PYTHONPATH PYTHONHOME
# Except for its certificates, where it has some: a company's proxy may sign with its own.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS ?= 1
endif

.PHONY: help install run test fuzz histories bench lint types migrations schema breaking check format lock build clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

install: $(DEV)/.installed ## Install everything for development into .venv

run: $(RUN)/.installed ## Start the service with demo data: web, worker and database in one command
	@$(RUN)/bin/triggers serve --demo $(ARGS)

# A process for each core, each with servers of its own; a file's tests stay together, with what they share. Files are not
# sorted by their number of tests: the last would be one long test, with which one process is busy when the others have ended.
TEST := $(DEV)/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# The tests of the service and of its clients have databases of their own, replay needs none: once is enough.
test: $(DEV)/.installed ## Run the tests on PostgreSQL, then on SQLite
	$(TEST) --database postgresql $(ARGS)
	$(TEST) --database sqlite --ignore tests/service --ignore tests/clients --ignore tests/replay $(ARGS)

fuzz: $(DEV)/.installed ## Make up requests; ARGS="--fuzz-seed 7 --fuzz-examples 1000" makes others, and more
	$(DEV)/bin/python -m pytest --database postgresql -s tests/fuzz $(ARGS)

bench: $(DEV)/.installed ## Measure speed, in forty minutes; ARGS=--quick takes three, ARGS="--only single-events" a part
	$(DEV)/bin/python -m benchmarks $(ARGS)

lint: $(DEV)/.installed ## Check style, format and which module may import which
	$(DEV)/bin/ruff check
	$(DEV)/bin/ruff format --check
	$(DEV)/bin/lint-imports --no-cache --no-logo

types: $(DEV)/.installed ## Check types
	$(DEV)/bin/mypy

histories: $(DEV)/.installed ## Record anew what replay is tested with: workflows of every shape
	$(DEV)/bin/python -m tests.replay.record

migrations: $(DEV)/.installed ## Check that the migrations match the models
	DJANGO_SETTINGS_MODULE=tests.settings $(DEV)/bin/python -m django makemigrations --check --dry-run

schema: $(DEV)/.installed ## Export the OpenAPI documents into openapi
	$(DEV)/bin/python -m openapi.export

breaking: $(DEV)/.installed ## Name changes of the API since the last release that break its clients
	$(DEV)/bin/python -m openapi.breaking

check: lint types migrations breaking ## All that is quick: lint, types, migrations and the API of the last release

format: $(DEV)/.installed ## Format the code and mend what can be mended
	$(DEV)/bin/ruff check --fix
	$(DEV)/bin/ruff format

lock: $(UV) ## Bring uv.lock in line with pyproject.toml; ARGS=--upgrade takes newer versions
	env -u UV_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS $(UV) lock --default-index https://pypi.org/simple $(ARGS)

build: $(UV) ## Build the sdist and the wheel into dist
	rm -rf dist
	$(UV) build --out-dir dist

clean: ## Remove what make and the tools have made; triggers-data stays
	rm -rf $(DEV) $(RUN) .venv-uv .venv-released dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEV)/.installed: SYNC := --extra service --extra temporal
$(RUN)/.installed: SYNC := --extra service --no-dev
$(DEV)/.installed $(RUN)/.installed: $(UV) pyproject.toml uv.lock
	test -x $(@D)/bin/python || .venv-uv/bin/python -m venv --without-pip $(@D)
	UV_PROJECT_ENVIRONMENT=$(@D) $(UV) sync --frozen $(SYNC)
	@touch $@

$(UV): Makefile
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer in PATH: install one, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11: name a newer one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment: install its venv module (Debian, Ubuntu: apt-get install python3-venv), then call make again" >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv-uv
	.venv-uv/bin/python -m pip install --quiet --disable-pip-version-check "uv~=0.13.9"
	@touch $@
