# make check: everything that a commit must pass.
UV ?= uv

.PHONY: check format lint types layers test theorems nightly

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
	$(UV) run pytest -n 2 --dist loadgroup --durations=15

theorems:
	$(UV) run ntval list --markdown > THEOREMS.md

# What is too long for a commit: many examples, measured levels, measured power.
nightly:
	HYPOTHESIS_PROFILE=nightly $(UV) run pytest -n 2 --dist loadgroup
	$(UV) run ntval check --profile standard --seed commit --workers 2
	$(UV) run ntval calibrate --runs 400 --seed commit --workers 2
	$(UV) run ntval power --workers 2
