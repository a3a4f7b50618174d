# What a developer runs. `make help` lists it. Needs only make, a Python from 3.11 to 3.13 and the package registries.

MAKEFLAGS += --no-print-directory
PYTHON := .venv/bin/python
READY := .venv/.domicile-ready

.DEFAULT_GOAL := help
.PHONY: help demo test test-full check fmt crds mutants clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  One gate alone: .venv/bin/python tests/stages.py --list, then .venv/bin/python tests/stages.py NAME..."
	@echo "  Flags for the demo: make demo DEMO=\"--keep\""

demo: $(READY) ## Show the main job on a real fleet on this machine
	@.venv/bin/domicile demo $(DEMO)

test: $(READY) ## check, then the tests on real API servers, of the chart, and of the users' stories
	@$(PYTHON) tests/stages.py test

test-full: $(READY) ## test, with many more generated examples
	@$(PYTHON) tests/stages.py test-full

check: $(READY) ## Lint, format, types, imports, CRDs and unit tests; no cluster
	@$(PYTHON) tests/stages.py check

fmt: $(READY) ## Format, and mend what ruff can mend
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .

crds: $(READY) ## Write crds/ and the chart's copy from operator/domicile/api
	@.venv/bin/domicile crds

mutants: $(READY) ## Change the residency engine in thousands of small ways, and list those that no test notices; one to two hours
	@UV_PROJECT_ENVIRONMENT=.venv-mutants UV_PYTHON_DOWNLOADS=never "$$(.ci/bootstrap uv)" sync --frozen --all-extras --group mutation && \
	  PYTHONPATH=tests .venv-mutants/bin/python -m mutation $(MUTANTS)

clean: ## Remove what the tools leave behind; .venv and the built components stay
	@rm -rf .mutants .venv-mutants .pytest_cache .ruff_cache .hypothesis .import_linter_cache .test-results .coverage .coverage.* dist
	@find operator tests e2e bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
	@echo "Kept: .venv (rm -rf .venv) and the cache of tools and built components (\$${DOMICILE_CACHE:-~/.cache/domicile})"

$(READY): pyproject.toml uv.lock
	@uv=$$(.ci/bootstrap uv) && python=$$(.ci/bootstrap python) && \
	  echo "[set-up] $$("$$python" --version): installing what uv.lock lists into .venv (first time: about 300 MB, 1 minute)" && \
	  UV_PYTHON_DOWNLOADS=never "$$uv" sync --frozen --all-extras --python "$$python" && touch $@ && \
	  echo "[set-up] .venv is ready"
