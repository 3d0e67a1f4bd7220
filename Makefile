# Everything a developer or CI does here. `make` explains itself.
PYTHON ?= python3
PORT ?= 8123

export PYTHON
VENV := .venv/bin
PY := $(VENV)/python
NODE := node_modules/node/bin/node
PYTEST := $(PY) -m pytest

ifdef MAKE_TERMOUT
BOLD := \033[1m
CYAN := \033[36m
RESET := \033[0m
endif

.DEFAULT_GOAL := help
.PHONY: help setup dev demo test lint types unit contract workerd e2e chaos format differential bench soak rows measure lock clean

help: ## Show this list
	@printf '$(BOLD)Superstep$(RESET): LangGraph as a service on Cloudflare Workers\n\n'
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  $(CYAN)make %-12s$(RESET) %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\nStart with $(CYAN)make demo$(RESET). PORT=… changes the port of make dev, PYTHON=… the Python to set up with.\n'

setup: .venv/.stamp node_modules/.stamp ## Install the development tools into .venv and node_modules

.venv/.stamp: requirements-dev.lock
	@tools/prerequisites.sh
	@printf '$(BOLD)Installing the Python tools into .venv$(RESET) (about half a minute)\n'
	@$(PYTHON) -m venv .venv
	@$(PY) -m pip install -qq --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@touch $@

node_modules/.stamp: package-lock.json package.json .npmrc
	@tools/prerequisites.sh
	@printf '$(BOLD)Installing wrangler, workerd, Node and Pyodide into node_modules$(RESET)\n'
	@npm ci --no-progress --loglevel=error
	@touch $@

dev: setup ## Serve on local workerd and reload on changes (PORT=8123)
	@$(PY) -m tools.serve --port $(PORT)

demo: setup ## Set up, serve, stream a run of the example agency, stop
	@$(PY) -m tools.demo

test: lint types ## Everything CI runs: lint, types and all tests
	@$(PYTEST)

lint: setup ## ruff: rules and formatting
	@$(VENV)/ruff check --quiet .
	@$(VENV)/ruff format --quiet --check .

format: setup ## Let ruff format and repair what it can
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .

types: setup ## pyright, strict on src/
	@$(NODE) node_modules/pyright/index.js --pythonpath $(PY)

unit: setup ## The tests of pure parts, on CPython
	@$(PYTEST) tests/unit

contract: setup ## The tests against LangGraph's own suites and schemas
	@$(PYTEST) tests/contract

workerd: setup ## The tests that run inside workerd
	@$(PYTEST) tests/workerd

e2e: setup ## The official clients against a local server
	@$(PYTEST) tests/e2e

chaos: setup ## Crashes, kills, lost messages; KILLS=200 for a campaign, SEED=… for the same one again
	@$(if $(KILLS),$(PY) -m tests.chaos.campaign --kills $(KILLS) $(if $(SEED),--seed $(SEED)),$(PYTEST) tests/chaos)

differential: setup ## Compare every answer with those of langgraph dev
	@$(PY) -m tools.differential

bench: setup ## Latency, throughput and rows written of a local server
	@$(PY) -m bench

soak: setup ## Ten thousand runs, and whether memory stays flat (RUNS=10000)
	@$(PY) -m bench.soak --runs $(or $(RUNS),10000)

rows: setup ## Keep what this release stores, for the tests of the next one
	@LANGGRAPH_STRICT_MSGPACK=true PYTHONPATH=src $(PY) -m tests.support.release_rows

measure: setup ## Cold start, wasm heap and package size
	@$(PY) -m tools.measure_cold_start

lock: setup ## Resolve the dependencies anew and write the lock files
	@$(PY) -m tools.lock

clean: ## Remove everything built; .venv, node_modules and the local state in .wrangler stay
	@rm -rf .superstep python_modules src/project wrangler.local.json .pytest_cache .ruff_cache .hypothesis
	@find src tools tests bench examples vendor -name __pycache__ -prune -exec rm -rf {} +
