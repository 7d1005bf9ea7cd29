# make check: everything that a commit must pass.
UV ?= uv

.PHONY: check format lint types layers test theorems

check: lint types layers test

format:
	$(UV) run ruff format .
	$(UV) run ruff check --fix .

lint:
	$(UV) run ruff format --check .
	$(UV) run ruff check .

types:
	$(UV) run basedpyright

layers:
	$(UV) run lint-imports

test:
	$(UV) run pytest -n 2 --durations=15

theorems:
	$(UV) run ntval list --markdown > THEOREMS.md
