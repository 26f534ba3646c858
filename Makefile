# The way in: `make help` lists the targets. CMake does the work, deploy/packages.txt names what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

JOBS ?= $(shell nproc)
# SETUP=no skips the installation of packages (not Debian, or no way to install).
SETUP ?= yes
# Parts that `make asan`, `make tsan` and `make fuzz` build and run; empty: all.
SUITES ?=
# `make fuzz`: seconds for each fuzzer.
FUZZ_SECONDS ?= 60
# `make lint` looks at what differs from this commit; LINT_BASE=all: everything.
LINT_BASE ?= $(shell git rev-parse --verify --quiet '@{upstream}' || git rev-parse --verify --quiet HEAD~1 || echo all)

BINARY := build/release/stillwatch

.PHONY: help setup setup-lint setup-sdk build test demo bench format lint asan tsan fuzz clean

help: ## this list
	@echo "stillwatch finds distillation campaigns in the logs of an LLM API. Targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## install the Debian packages that are missing
	@if [ "$(SETUP)" != no ]; then tools/setup.sh build; fi

setup-lint:
	@if [ "$(SETUP)" != no ]; then tools/setup.sh lint; fi

setup-sdk:
	@if [ "$(SETUP)" != no ]; then tools/setup_npm.sh tests/sdk; fi

build/%/build.ninja: CMakeLists.txt cmake/stillwatch.cmake CMakePresets.json | setup
	@mkdir -p build
	@cmake --preset $* >build/configure-$*.log 2>&1 || { tail -n 30 build/configure-$*.log; exit 1; }

build: setup build/release/build.ninja ## the release binary, build/release/stillwatch
	@cmake --build build/release -j $(JOBS) --target stillwatch

test: setup setup-sdk build/release/build.ninja ## build everything and run all tests and checks
	@cmake --build build/release -j $(JOBS)
	@ctest --test-dir build/release -j $(JOBS) --output-on-failure --no-tests=error 2>&1 | tee build/ctest.log

demo: build ## a small month with one hidden campaign: simulate, replay, evaluate, report; then live by real clients
	@if [ "$(SETUP)" != no ]; then tools/setup_npm.sh tests/sdk || echo "demo: going on without the live part" >&2; fi
	@tools/demo.sh

bench: setup build/release/build.ninja ## the benchmarks of the modules, then `stillwatch bench replay`
	@cmake --build build/release -j $(JOBS)
	@for bench in $$(find build/release -maxdepth 1 -name '*_bench' -type f | sort); do echo "== $$bench"; $$bench; done
	@$(BINARY) bench replay

format: setup-lint ## clang-format over all C++ files
	@git ls-files '*.h' '*.cc' | xargs clang-format-14 -i
	@git diff --stat

lint: setup setup-lint ## clang-tidy over the files that changed (LINT_BASE=all: every file)
	@tools/lint.sh $(LINT_BASE)

asan: setup build/asan/build.ninja ## tests under address and undefined-behaviour sanitizers (SUITES="base text")
	@tools/sanitize.sh asan "$(SUITES)"

tsan: setup build/tsan/build.ninja ## tests under the thread sanitizer (SUITES="engine replay")
	@tools/sanitize.sh tsan "$(SUITES)"

fuzz: setup setup-lint build/fuzz/build.ninja ## each fuzzer with libFuzzer for FUZZ_SECONDS seconds
	@tools/fuzz.sh $(FUZZ_SECONDS) "$(SUITES)"

clean: ## remove build/ and out/
	@rm -rf build out
