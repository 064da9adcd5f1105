# Every command of the project; `make help` lists them. CI and the pre-commit hooks call the same ones.

ENGINE ?=
API ?=
WORKERS ?=
TRITON ?=
TESTS ?=

# Nothing is written outside the checkout, unless you say where.
export PIP_CACHE_DIR ?= $(CURDIR)/.cache/pip
export UV_CACHE_DIR ?= $(CURDIR)/.cache/uv
export PRE_COMMIT_HOME ?= $(CURDIR)/.cache/pre-commit
export PYRIGHT_PYTHON_CACHE_DIR ?= $(CURDIR)/.cache/pyright
export PYRIGHT_PYTHON_IGNORE_WARNINGS ?= 1
export PYTHON

BIN := .venv/bin
ROOMS := $(wildcard core store stream engine api local cli benchmarks)
PACKAGES := $(wildcard $(foreach room,$(ROOMS),$(room)/inferno_$(room)))
COMPILE := $(BIN)/python -m uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header

.DEFAULT_GOAL := help
.PHONY: help install development up down test lint format types imports explore exactness docs lock

help: ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r name what; do \
		printf '  make %-12s %s\n' "$$name" "$$what"; done

install: ## Install the platform into .venv
	@local/install platform

development: ## Install what the tests need into .venv
	@local/install development

up: install ## Install and start the stack: ENGINE=vllm|synthetic API=1 WORKERS=1 TRITON=1
	@$(BIN)/inferno up $(if $(ENGINE),--engine $(ENGINE)) $(if $(API),--api $(API)) $(if $(WORKERS),--workers $(WORKERS)) $(if $(TRITON),--triton $(TRITON))

down: install ## Stop the stack
	@$(BIN)/inferno down

test: lint types imports ## Run every check and every test; TESTS= chooses some
	$(BIN)/python -m pytest $(TESTS)

lint: development ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: development ## Correct style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: development ## Check types, with mypy and pyright
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/pyright

imports: development ## Check that imports run one way
	PYTHONPATH=$(subst $() ,:,$(ROOMS)) $(BIN)/lint-imports

explore: development ## Search the token log's protocol for violations, for longer than the tests do
	$(BIN)/python -m inferno_core.model_check

exactness: development ## Cut vLLM's generations at every token, go on, and compare: half an hour. SETTING=qwen3|deepseek_r1|guidance DTYPE=
	.venv-vllm/bin/python3 engine/tests/going_on/exactness.py $(if $(SETTING),--setting $(SETTING)) $(if $(DTYPE),--dtype $(DTYPE))

docs: development ## Write the generated pages
	$(BIN)/python -m inferno_core.settings_page >docs/settings.md
	$(BIN)/python -m inferno_api.document >docs/openapi.json
	$(BIN)/python -m inferno_api.requests.parameters_page >docs/parameters.md

lock: development ## Write the lock files anew, with the newest versions that pyproject.toml allows
	$(COMPILE) --upgrade pyproject.toml --extra build -o requirements/platform.lock
	$(COMPILE) --upgrade pyproject.toml --extra build --extra development -c requirements/platform.lock -o requirements/development.lock
	$(BIN)/python -m inferno_local.jar_lock
