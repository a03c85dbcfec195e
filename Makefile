# tidegate: everything a person does here. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/tidegate
# In CI the compiled parts outlive the clone, so that a second run is quick.
ifdef CI
export CARGO_TARGET_DIR ?= $(CACHE)/target
endif
# Profile of the engine: `release`, or `fast` to build it in a fraction of the time for development.
PROFILE ?= release
# `make test EXTRAS=` leaves out what trains models (600 MB); the tests of that are skipped then.
EXTRAS ?= --extra ai --group ai

VENV := .venv
BIN := $(VENV)/bin
RUST := Cargo.toml Cargo.lock $(shell find crates -name '*.rs' -o -name Cargo.toml)

.PHONY: help
help: ## list what can be done
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / - /' | sort

.PHONY: tools
tools:
	@printf '%s\n' 1.91 "$$(cargo --version 2>/dev/null | cut -d' ' -f2)" | sort -VC || { echo "tidegate needs cargo (Rust 1.91 or newer): https://rustup.rs"; exit 1; }
	@command -v cc >/dev/null || { echo "tidegate needs a C compiler, for the cryptography: on Debian, apt install build-essential"; exit 1; }
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "tidegate needs Python 3.11 or newer: https://www.python.org/downloads"; exit 1; }

$(VENV)/.dependencies: pyproject.toml uv.lock | tools
	@echo "== Python dependencies"
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	@command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	@PATH="$(PATH):$(CURDIR)/$(BIN)" uv sync --locked --no-install-project --group dev $(EXTRAS) --compile-bytecode
	@touch $@

$(VENV)/.engine-$(PROFILE): $(VENV)/.dependencies $(RUST)
	@echo "== the engine ($(PROFILE) profile; the first build takes some minutes)"
	@PATH="$(PATH):$(CURDIR)/$(BIN)" VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/maturin develop --uv --profile $(PROFILE)
	@rm -f $(VENV)/.engine-*
	@touch $@

.PHONY: build
build: $(VENV)/.engine-$(PROFILE) ## build everything; leaves .venv/bin/tidegate
	@$(BIN)/python -m compileall -q src  # as pip does with what it installs: the first command is as quick as the next

# The engine is stripped after it is packed: so the symbols are those of the very code that is in the wheel.
.PHONY: wheel
wheel: $(VENV)/.dependencies ## build the wheel in dist/, with the engine's symbols beside it
	@rm -rf dist && mkdir dist
	@PATH="$(PATH):$(CURDIR)/$(BIN)" $(BIN)/maturin build --profile $(PROFILE) --out dist/whole
	@$(BIN)/python -m wheel unpack --dest dist/parts dist/whole/*.whl
	@engine=$$(echo dist/parts/*/tidegate/_engine.abi3.so); symbols=dist/_engine.abi3.so.debug; \
		objcopy --only-keep-debug $$engine $$symbols; \
		objcopy --strip-unneeded --add-gnu-debuglink=$$symbols $$engine; \
		stat --format='the engine has %s bytes' $$engine
	@$(BIN)/python -m wheel pack --dest-dir dist dist/parts/*
	@rm -r dist/whole dist/parts

.PHONY: run
run: build ## start the demo: gateway on 8080, admin API on 127.0.0.1:9090
	@$(BIN)/tidegate demo

.PHONY: test
test: test-tools lint test-rust test-python ## install what the tests need and run them all

.PHONY: test-tools
test-tools: tools
	@tests/install-tools

.PHONY: lint
lint: build
	@echo "== format, lints, types"
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/stubtest tidegate._engine
	$(BIN)/lint-imports --no-logo

.PHONY: test-rust
test-rust: tools
	@echo "== Rust tests"
	cargo test --locked --workspace

.PHONY: test-python
test-python: build
	@echo "== Python tests: unit, contract, end to end"
	$(BIN)/pytest -n 2 -q

.PHONY: bench
bench: build ## run the benchmarks of decisions; bench/ holds those of the whole
	cargo bench -p tidegate-core

# Seconds that each target of the fuzzer gets.
SECONDS ?= 60

.PHONY: fuzz
fuzz: tools ## look for bytes that break the parsers: SECONDS=60 for each of them
	@cargo fuzz --version >/dev/null 2>&1 || { echo "make fuzz needs cargo-fuzz: cargo install cargo-fuzz --version 0.13.2 --locked"; exit 1; }
	@fuzz/run $(SECONDS)

.PHONY: docs
docs: build ## write the generated pages anew
	$(BIN)/python -m tidegate.config.schema > schema/tidegate.schema.json
	$(BIN)/python -m tidegate.config.reference > docs/reference/configuration.md
	$(BIN)/python -m tidegate.cli.reference > docs/reference/cli.md
	WRITE_DOCS=1 cargo test --quiet --locked -p tidegate-core --test failures_page

.PHONY: fmt
fmt: $(VENV)/.dependencies ## format all code
	cargo fmt --all
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
