# Two commands: `make demo` restores a picture, `make test` checks everything. Both work offline once .venv is there.
# `make demo TORCH_INDEX=URL` takes torch from an index of PyTorch's own, say without the libraries of CUDA: see README.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
SOURCES := restoration $(wildcard plugins/*/restoration_*)
TESTS := tests $(wildcard plugins/*/tests)
HOUSE := tests/test_house.py tests/test_layout.py tests/test_distributions.py tests/test_pages.py
NAMES := restoration-toolbox $(notdir $(wildcard plugins/*))
FILES := $(wildcard *.toml *.md plugins/*/*.toml plugins/*/*.md) $(shell find $(SOURCES) docs -not -path '*/__pycache__*')
EDITABLE = $(wildcard .venv/lib/*/site-packages/*restoration_toolbox.pth)
EMPTY :=
HERE := .$(subst $(EMPTY) $(EMPTY),,$(patsubst %,:%,$(wildcard plugins/*)))

# Tests start many processes: modules are compiled by the first that imports them, whatever the user's shell has set.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check slow format develop dist clean

demo: .venv/installed
	@mkdir -p demo
	@$(BIN)/restore run --method ir-sde --task derain --offline --overwrite examples/derain/rain/hopper.png \
	    -o demo/ --report demo/before-and-after.html

# The tests run against what a user would install; nothing is fetched once all that it needs is there.
test: EDITABLE =
test: .venv/installed .venv/developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES) examples
	$(BIN)/mypy benchmarks
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest $(TESTS) -m "not slow" -n auto --dist worksteal

# The working tree as it is, whatever is installed.
check: $(if $(wildcard .venv/installed)$(EDITABLE),,.venv/installed) .venv/developing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES) examples
	MYPYPATH=$(HERE) $(BIN)/mypy benchmarks
	PYTHONPATH=$(HERE) $(BIN)/lint-imports
	PYTHONPATH=$(HERE) OMP_NUM_THREADS=1 $(BIN)/pytest $(HOUSE)

slow: .venv/installed .venv/developing
	$(PIP) install --group slow
	$(BIN)/pytest $(TESTS) -m slow

format: .venv/developing
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

develop: .venv/developing
	$(PIP) install --no-index --no-deps --no-build-isolation $$(printf -- '-e %s ' . plugins/*/)
	$(PIP) install --no-compile $(NAMES)
	@rm -f .venv/installed

dist: .venv/developing
	$(PIP) install --group dist
	rm -rf dist
	for folder in . plugins/*/; do $(BIN)/python -m build --no-isolation --outdir dist $$folder || exit 1; done
	$(BIN)/twine check --strict dist/*

# First what is ours, from wheels and with nothing fetched; then what it needs and is not there yet. Modules are compiled
# when they are first imported, not all of them here.
define INSTALL
@rm -rf .venv/wheels
$(PIP) wheel --no-index --no-deps --no-build-isolation --wheel-dir .venv/wheels . ./plugins/*/
$(PIP) install --no-index --no-deps --force-reinstall .venv/wheels/*.whl
$(PIP) install --no-compile $(NAMES)
@touch $@
endef

# A working tree that is installed in place is always current.
.venv/installed: $(FILES) | .venv
	$(if $(EDITABLE),,$(INSTALL))

.venv/developing: pyproject.toml | .venv
	$(PIP) install --no-compile --group dev
	@touch $@

.venv:
	$(PYTHON) -m venv .venv
	$(PIP) install --upgrade "pip>=25.1" "hatchling>=1.27" || { rm -r .venv; exit 1; }
	$(if $(TORCH_INDEX),$(PIP) install --no-compile --index-url "$(TORCH_INDEX)" torch torchvision || { rm -r .venv; exit 1; })

clean:
	rm -rf .venv demo dist
