# Everyday commands; `make` alone lists them. Nothing needs preparing: the environment is made on first use.
.DEFAULT_GOAL := help
PYTHON ?= python3
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false

.PHONY: help setup demo test check truth samples bench docs lock

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.ready: pyproject.toml uv.lock scripts/setup
	@PYTHON=$(PYTHON) sh scripts/setup

setup: .venv/.ready ## make the environment (.venv) from the lock

demo: setup ## walk the journey on the sample hospitals, in demo/; no server needed
	@.venv/bin/fonds demo demo

test: setup ## install what the tests need and run them all
	@sh scripts/test-parts
	.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder

check: setup ## lint, types, import directions
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

truth: setup ## what the stages found against what the sample generator hid
	@.venv/bin/python benchmarks/truth.py

samples: setup ## make the committed sample hospitals again (same seed, same bytes)
	.venv/bin/python -m fonds.samples data_samples/small

bench: setup ## ratios against the rivals (crawl, quality, matching, duplicates, transfer)
	@for name in crawl quality matching duplicates transfer; do .venv/bin/python benchmarks/$$name.py || exit; done

docs: setup ## write the generated pages and JSON schemas
	@.venv/bin/python scripts/generate.py

lock: ## resolve the dependencies anew
	.tools/bin/uv lock
