# make check: everything that a commit must pass.
UV ?= uv

.PHONY: check format lint types layers test theorems nightly processors mutation

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
	$(UV) run pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=15

theorems:
	$(UV) run ntval list --markdown docs/theorems

# What is too long for a commit: many examples, other processors, measured levels, measured power.
nightly:
	HYPOTHESIS_PROFILE=nightly $(UV) run pytest -n 2 --dist loadfile --no-loadscope-reorder
	$(MAKE) processors
	$(MAKE) mutation
	$(UV) run ntval check --profile standard --seed commit --workers 2
	$(UV) run ntval calibrate --runs 400 --seed commit --workers 2
	$(UV) run ntval power --workers 2

# Numbers with other last digits: NumPy without its vector functions, OpenBLAS and XLA with the code
# that they have for older processors. The names of what NumPy has come from NumPy: one that it does
# not know is a warning, and warnings are errors here.
NUMERIC = $(UV) run pytest -n 2 --dist loadfile --no-loadscope-reorder property_tests/test_activations.py \
	property_tests/test_arrays.py property_tests/observables property_tests/theory property_tests/kernels \
	--ignore=property_tests/kernels/test_neural_tangents.py
SIMD = $(shell $(UV) run python -c \
	"import numpy; print(*numpy.show_config('dicts')['SIMD Extensions'].get('found', []))")
ONE_THREAD = --xla_cpu_multi_thread_eigen=false

processors:
	NPY_DISABLE_CPU_FEATURES="$(filter %V4 AVX512%,$(SIMD))" $(NUMERIC)
	OPENBLAS_CORETYPE=Haswell XLA_FLAGS="--xla_cpu_max_isa=AVX2 $(ONE_THREAD)" $(NUMERIC)
	NPY_DISABLE_CPU_FEATURES="$(SIMD)" OPENBLAS_CORETYPE=Nehalem \
		XLA_FLAGS="--xla_cpu_max_isa=SSE4_2 $(ONE_THREAD)" $(NUMERIC)

# Faults put into the code of this commit, one at a time, on lines changed since SINCE: at most
# MUTANTS of them, drawn by the commit. It works in a clone, so the working tree stays as it is.
SINCE ?= HEAD~20
MUTANTS ?= 150
CLONE = .cache/mutation
MUTATED = cd $(CLONE) && $(UV) run --project $(CURDIR) --group mutation
CONFIG = property_tests/mutation/mutation.toml

mutation:
	rm -rf $(CLONE)
	git clone --quiet . $(CLONE)
	git -C $(CLONE) tag since $$(git rev-parse $(SINCE)^{commit})
	$(MUTATED) cosmic-ray init $(CONFIG) session.sqlite
	$(MUTATED) cr-filter-operators session.sqlite $(CONFIG)
	$(MUTATED) cr-filter-git session.sqlite --config $(CONFIG)
	$(MUTATED) python property_tests/mutation/judge.py draw session.sqlite $(MUTANTS)
	$(MUTATED) python property_tests/mutation/judge.py judge
	$(MUTATED) cosmic-ray exec $(CONFIG) session.sqlite
	$(MUTATED) cr-report --show-diff --surviving-only session.sqlite
