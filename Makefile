# Postroom's one entry for people. `make help` lists the targets; each creates what it needs and is quick when it is there.

.DEFAULT_GOAL := help
SHELL := /bin/sh
.SHELLFLAGS := -eu -c
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
CI ?=
ARGS ?=
TESTS_TOGETHER := $(wildcard $(addprefix tests/,unit wire proto property contract integration gateway acceptance))
TESTS_ALONE := $(wildcard $(addprefix tests/,clients docs))
TESTS ?=
WORKERS ?= 3
NOTHING_CHOSEN := 5
BENCH ?= latency
ROUNDS ?= 5
SEED ?=

PYTHON_INPUTS := pyproject.toml clients/python/pyproject.toml scripts/bootstrap.py
RUN := .venv/.stamp-run
DEV := .venv/.stamp-dev
GO := .stamps/go
NODE := clients/ts/node_modules/.stamp examples/typescript/node_modules/.stamp
LINTED := $(wildcard server clients/python/src tests bench scripts examples)

##@ Two commands for a new user

.PHONY: run
run: $(RUN) ## Start Postroom on http://127.0.0.1:8080 with its data in ./.postroom (more options: ARGS="--nodes 2")
	@exec $(BIN)/postroom up --dev $(ARGS)

.PHONY: test
test: $(DEV) $(GO) $(NODE) debian ## Run every test, files beside one another (a part: TESTS=tests/unit, options of pytest: ARGS="-k feed")
ifdef TESTS
	@$(BIN)/pytest $(TESTS) $(ARGS)
else
	@$(BIN)/pytest $(TESTS_TOGETHER) --numprocesses $(WORKERS) --dist loadfile $(ARGS) || [ $$? -eq $(NOTHING_CHOSEN) ]
	@$(BIN)/pytest $(TESTS_ALONE) $(ARGS) || [ $$? -eq $(NOTHING_CHOSEN) ]
endif

##@ For changes

.PHONY: check
check: ruff types imports contract generated compiled envoy yaml docs ## Lint, types, import rules, contract, generated code, gateway configuration

.PHONY: gen
gen: $(DEV) $(GO) $(NODE) ## Generate the code of all languages from proto/
	@$(BIN)/python scripts/generate

.PHONY: fmt
fmt: $(DEV) ## Format Python and proto files
	@$(BIN)/ruff check --fix --exit-zero --quiet $(LINTED)
	@$(BIN)/ruff format $(LINTED)
	@$(BIN)/buf format proto --write

.PHONY: bench
bench: $(DEV) debian ## Measure, beside a bare IDLE loop where one can be: BENCH=latency, figures in docs/performance.md
	@$(BIN)/python -m bench.$(BENCH) $(ARGS)

.PHONY: docs
docs: $(DEV) ## Build the documentation as a site in site/, strictly and without a network
	@$(BIN)/zensical build --strict

.PHONY: stranger
stranger: ## Follow the README in a fresh clone with a clean environment, and time it per language
	@$(PYTHON) scripts/stranger.py $(ARGS)

.PHONY: chaos
chaos: $(DEV) debian ## Kill parts of a whole Postroom amid deliveries, again and again (ROUNDS=5 of each kind, SEED=)
	@$(BIN)/python -m bench.chaos --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Parts of `make check`

.PHONY: ruff
ruff: $(DEV) ## Ruff: lint and format
	@$(BIN)/ruff check $(LINTED)
	@$(BIN)/ruff format --check $(LINTED)

.PHONY: types
types: $(DEV) ## mypy --strict on the server and the Python client
	@$(BIN)/mypy

.PHONY: imports
imports: $(DEV) ## The rooms' import rules
	@$(BIN)/lint-imports

.PHONY: contract
contract: $(DEV) ## buf lint, format and breaking against the committed image
	@$(BIN)/buf lint
	@$(BIN)/buf format proto --diff --exit-code >/dev/null || { $(BIN)/buf format proto --diff; exit 1; }
	@$(BIN)/buf breaking proto --against proto/.baseline.binpb

.PHONY: generated
generated: $(DEV) $(GO) $(NODE) ## Generated code equals what proto/ generates
	@$(BIN)/python scripts/check_generated

.PHONY: compiled
compiled: $(GO) $(NODE) ## Go and TypeScript compile and pass their checkers, where their toolchains are there
	@if command -v go >/dev/null; then scripts/check_go clients/go examples/go; fi
	@if command -v npm >/dev/null; then \
		(cd clients/ts && npx --no-install tsc --noEmit && npx --no-install tsc -p tsconfig.build.json) \
		&& (cd examples/typescript && npx --no-install tsc); fi

.PHONY: envoy
envoy: $(DEV) ## Envoy accepts the gateway's configuration
	@$(BIN)/postroom check-config

.PHONY: yaml
yaml: $(DEV) ## yamllint
	@$(BIN)/yamllint --strict .

# What the targets stand on.

$(RUN): requirements.lock requirements-build.lock $(PYTHON_INPUTS)
	@$(PYTHON) scripts/bootstrap.py run
	@touch $@

$(DEV): requirements-dev.lock $(PYTHON_INPUTS)
	@$(PYTHON) scripts/bootstrap.py dev
	@touch $(RUN) $@

$(GO): clients/go/go.mod clients/go/go.sum examples/go/go.mod examples/go/go.sum scripts/generate $(DEV)
	@mkdir -p $(@D)
	@if command -v go >/dev/null; then (cd clients/go && go mod download) && (cd examples/go && go mod download) && $(BIN)/python scripts/generate --install-tools; \
	elif [ -n "$(CI)" ]; then echo "Go is needed here: install golang (1.24 or newer)." >&2; exit 1; \
	else echo "Go is not installed: the tests of the Go client are skipped." >&2; exit 0; fi
	@touch $@

examples/typescript/node_modules/.stamp: clients/ts/node_modules/.stamp

%/node_modules/.stamp: %/package.json %/package-lock.json
	@if command -v npm >/dev/null; then cd $* && npm ci --loglevel=error --no-audit --no-fund && touch node_modules/.stamp; \
	elif [ -n "$(CI)" ]; then echo "Node 20 is needed here: install nodejs and npm." >&2; exit 1; \
	else echo "Node is not installed: the tests of the TypeScript client are skipped." >&2; fi

.PHONY: debian
debian:
	@scripts/debian_packages
