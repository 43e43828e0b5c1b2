# `make lab` to look, `make test` to check everything, `make help` for the rest.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help lab test setup setup-js setup-browser lint test-js bundle test-python test-browser \
        setup-hosts test-hosts test-oldest docs bench constraints clean

VENV := .venv
BIN := $(VENV)/bin
COMMA := ,
# What `make lab` is to have besides: an extra of the package, as in `make lab WITH=torch`.
WITH :=
LAB_READY := $(VENV)/.ready-lab$(WITH:%=-%)
PY_READY := $(VENV)/.ready
OLDEST := build/oldest
OLDEST_READY := $(OLDEST)/.ready
COLAB := build/colab
COLAB_READY := $(COLAB)/.ready
JS_READY := js/node_modules/.ready
HOSTS_READY := tests/hosts/node_modules/.ready
STATIC := lstm_widgets/static

# The package with an extra (3), into a virtual environment (1), with constraints (2). pip compiles bytecode on
# one core, which takes as long as the rest of installing: it is done after it, on all.
define install
@echo "Installing into $(1) (a few minutes, once)"
$(1)/bin/python -m pip --disable-pip-version-check install $(if $(CI),-qq) --no-compile -c $(2) -e ".[$(3)]"
@$(1)/bin/python -c 'import compileall, sysconfig as s; compileall.compile_dir(s.get_path("purelib"), quiet=2, workers=0)'
endef
# As many processes as there are cores, each with whole files. Not so in the browser: pages that have to
# share a core with others come late, and a test that waits for one can't tell that from never.
PYTHON_TESTS := -m pytest --ignore=tests/browser --ignore=tests/hosts -n auto --dist loadfile
TEST_PYTHON := $(BIN)/python $(PYTHON_TESTS)
TEST_BROWSER := $(BIN)/python -m pytest tests/browser
TEST_HOSTS := $(BIN)/python -m pytest tests/hosts
# JupyterLab won't start for root (a container, usually) unless told to.
LAB_OPTIONS := $(if $(filter 0,$(shell id -u)),--allow-root)

help: ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{printf "  make %-14s %s\n", $$1, $$2}'

lab: $(LAB_READY) ## Open the first notebook in JupyterLab (needs Python only); WITH=torch sets up PyTorch, too
	$(BIN)/jupyter lab $(LAB_OPTIONS) notebooks/01_addition.ipynb

test: ## Check everything: lint, types, JavaScript, bundles, site, Python, browser, hosts, notebooks
	@$(MAKE) --no-print-directory setup-js setup setup-browser setup-hosts
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test-js
	@$(MAKE) --no-print-directory bundle
	@$(MAKE) --no-print-directory docs
	$(TEST_PYTHON)
	$(TEST_BROWSER)
	$(TEST_HOSTS)

setup: $(PY_READY) ## Set up .venv with the package and its development tools

$(BIN)/python:
	@found=; \
	for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	  then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Python 3.11, 3.12 or 3.13 is missing: install one, or say make PYTHON=path" >&2; exit 1; fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "Python's venv module is missing: install the package python3-venv" >&2; exit 1; fi; \
	$$found -m venv $(VENV)

# What the lab needs is part of what development needs: who has that has both.
$(LAB_READY): pyproject.toml constraints.txt | $(BIN)/python
	$(call install,$(VENV),constraints.txt,lab$(WITH:%=$(COMMA)%))
	@touch $@

$(PY_READY): pyproject.toml constraints.txt | $(BIN)/python
	$(call install,$(VENV),constraints.txt,dev)
	@touch $(LAB_READY) $@

setup-js: $(JS_READY) ## Set up the JavaScript tools (needs Node 20 or newer)

$(JS_READY): js/package.json js/package-lock.json
	@node -e 'process.exit(+process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null || \
	  { echo "Node.js 20 or newer is missing: install it (only the JavaScript checks need it)" >&2; exit 1; }
	@command -v npm >/dev/null || { echo "npm is missing: install it beside Node.js" >&2; exit 1; }
	npm --prefix js ci --no-audit --no-fund
	@touch $@

# No stamp of its own: the browser may be removed or named by $$CHROMIUM at any time; looking is quick.
setup-browser: $(PY_READY) ## Find Chromium, or install it
	@$(BIN)/python tests/browser/chromium.py

setup-hosts: $(HOSTS_READY) $(COLAB_READY) ## Set up what other hosts have in their pages, and Colab's kernel

# The bundles as they are published: no scripts of theirs need to run.
$(HOSTS_READY): tests/hosts/package.json tests/hosts/package-lock.json | $(JS_READY)
	npm --prefix tests/hosts ci --ignore-scripts --no-audit --no-fund
	@touch $@

# What Colab has must stay as it is: that pip finds a way to install the package beside it is a test in itself.
$(COLAB_READY): pyproject.toml constraints-colab.txt | $(BIN)/python
	rm -rf $(COLAB)
	@for python in $(BIN)/python python3.12 python3.11; do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info >= (3, 13))' 2>/dev/null; \
	  then $$python -m venv $(COLAB); break; fi; \
	done
	@test -e $(COLAB)/bin/python || { echo "Python 3.11 or 3.12 is missing: Colab's versions need one of them" >&2; exit 1; }
	$(call install,$(COLAB),constraints-colab.txt,tensorflow)
	@touch $@

lint: $(PY_READY) ## ruff (rules and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-js: $(JS_READY) ## Biome, the TypeScript compiler and the JavaScript tests
	npm --prefix js run check
	npm --prefix js test

bundle: $(JS_READY) ## Rebuild the bundles; fail if the committed ones differ
	npm --prefix js run build
	@git diff --exit-code --stat -- $(STATIC) && test -z "$$(git ls-files --others -- $(STATIC))" || \
	  { echo "$(STATIC) differs from what js/ builds: commit the rebuilt files" >&2; exit 1; }

test-python: $(PY_READY) ## The Python tests that need no browser
	$(TEST_PYTHON)

test-browser: setup-browser ## The tests in a real JupyterLab
	$(TEST_BROWSER)

test-hosts: setup-browser setup-hosts ## Every widget in every host of notebooks
	$(TEST_HOSTS)

$(OLDEST_READY): pyproject.toml tests/oldest.py | $(BIN)/python
	rm -rf $(OLDEST)
	$(BIN)/python -m venv $(OLDEST)
	$(BIN)/python tests/oldest.py > $(OLDEST)/constraints.txt
	$(call install,$(OLDEST),$(OLDEST)/constraints.txt,dev)
	@touch $@

test-oldest: $(OLDEST_READY) ## The Python tests with the oldest versions of what the package needs
	$(OLDEST)/bin/python $(PYTHON_TESTS)

docs: $(PY_READY) ## Build the site into build/docs; warnings, such as a link to nowhere, are errors
	@rm -rf docs/reference/generated
	$(BIN)/python -m sphinx -q -W --keep-going -d build/doctrees -b html docs build/docs

bench: setup-browser ## Run the benchmarks and print their ratios
	@for script in importing recording torch_recording training grid text relevance matching ranking probing concepts series_plot state_space fixed_points figures; do echo "== $$script"; $(BIN)/python benchmarks/$$script.py || exit 1; done

constraints: $(PY_READY) ## Renew constraints.txt from the newest versions that fit together
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && \
	  $(BIN)/python -m venv "$$fresh" && \
	  "$$fresh/bin/python" -m pip --disable-pip-version-check install ".[dev]" && \
	  { sed -n '/^#/p' constraints.txt; \
	    "$$fresh/bin/python" -m pip --disable-pip-version-check freeze | grep '^[A-Za-z0-9._-]*==' | \
	    grep -v '^lstm[-_]widgets=='; } > "$$fresh/constraints.txt" && \
	  cp "$$fresh/constraints.txt" constraints.txt

clean: ## Remove what was set up and built here, .venv and node_modules too
	rm -rf $(VENV) js/node_modules tests/hosts/node_modules build dist .artifacts .pytest_cache .mypy_cache .ruff_cache .hypothesis
