# make retrain [CONFIG=configs/quickstart.toml] [ARGS="--set training.epochs=3"]   set up if needed, then retrain
# make test    [ARGS="-k windows"]                                                 set up if needed, then all checks
# make docs                                                                        the documentation as a site, in build/docs
# make reference                                                                   the pages of it that are made of the code
# make tables                                                                      the SQL of empty databases, after a change of Prefect or MLflow
# make theory                                                                      the runs and the picture of docs/explanation/theory.md

PYTHON ?= python3
CONFIG ?= configs/quickstart.toml
WORKERS ?= 3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: retrain test docs reference tables benchmark agreement roofline scaling theory lock
retrain: .venv/ready
	$(BIN)/w2v retrain $(CONFIG) $(ARGS)

# Three workers on two cores, as many tests wait for servers; a file stays with one worker, for its module fixtures.
# In the order of the folders: those that start servers take longest and come first.
test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(or $(ARGS),--numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder)

docs: .venv/ready
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build
	@echo "Open build/docs/index.html, or for its search: $(BIN)/python -m http.server --directory build/docs"

reference: .venv/ready
	$(BIN)/python -m docs.generate

benchmark: .venv/ready
	$(BIN)/python -m benchmarks.side_by_side $(ARGS)

agreement: .venv/ready
	$(BIN)/python -m benchmarks.agreement $(ARGS)

roofline: .venv/ready
	$(BIN)/python -m benchmarks.core $(ARGS)

scaling: .venv/ready
	$(BIN)/python -m benchmarks.scaling $(ARGS)

theory: .venv/ready
	$(BIN)/python -m benchmarks.batch_size $(ARGS)

# Made anew when the lock or the project's own metadata changed. The lock is complete, so nothing is left to resolve.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	@echo "Setting up .venv (about 1.3 GB, one to four minutes) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install --no-deps --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

tables: .venv/ready
	$(BIN)/python -m tasks.engine.databases.empty

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--extra dev --extra postgres --extra remote --extra s3 --extra segment --extra dask pyproject.toml --output-file requirements.lock
