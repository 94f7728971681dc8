# make run   – everything needed, then http://localhost:5000
# make test  – the same, then lint, types, import contract and all tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup setup-test run test nightly clean

setup: $(VENV)/.installed
	@$(BIN)/autovoice weights

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "AutoVoice needs Python 3.11 or newer; run: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing AutoVoice (about two minutes, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[speech]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[speech,test]'
	@touch $@

setup-test: setup $(VENV)/.installed-test
	@scripts/install_test_programs

run: setup
	@$(BIN)/autovoice serve

test: setup-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile -m "not browser"
	$(BIN)/pytest -q -m browser

# the long checks that CI runs at night: half an hour of everything at once, and ten thousand damaged uploads
nightly: setup-test
	AUTOVOICE_SOAK_MINUTES=30 $(BIN)/pytest -q tests/bench/test_soak.py
	$(BIN)/python -m bench.fuzz

clean:
	rm -rf $(VENV)
