# Two commands: `make demo` restores a picture, `make test` checks everything. Both work offline once .venv is there.

PYTHON ?= python3
BIN := .venv/bin
SOURCES := restoration $(wildcard plugins/*/restoration_*)
TESTS := tests $(wildcard plugins/*/tests)

.PHONY: demo test format develop slow clean

demo: .venv/installed
	@mkdir -p demo
	@$(BIN)/restore run --method ir-sde --task derain --offline --overwrite examples/derain/rain/hopper.png \
	    -o demo/ --report demo/before-and-after.html

test: .venv/developing
	@# The tests run against what a user would install, so build and install it again; nothing is fetched.
	$(BIN)/python -m pip install --quiet --no-index --no-deps --no-build-isolation --force-reinstall . ./plugins/*/
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest $(TESTS) -m "not slow"

slow: .venv/developing
	$(BIN)/pytest $(TESTS) -m slow

format: .venv/developing
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

develop: .venv/developing
	$(BIN)/python -m pip install --quiet $$(printf -- '-e %s ' . plugins/*/)

.venv/installed: | .venv
	$(BIN)/python -m pip install --quiet . ./plugins/*/
	@touch $@

.venv/developing: .venv/installed pyproject.toml
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

.venv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

clean:
	rm -rf .venv demo
