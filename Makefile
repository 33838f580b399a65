# make retrain [CONFIG=configs/quickstart.toml] [ARGS="--set training.epochs=3"]   set up if needed, then retrain
# make test    [ARGS="-k windows"]                                                 set up if needed, then all checks
# make docs                                                                        the documentation as a site, in build/docs
# make reference                                                                   the pages of it that are made of the code
# make tables                                                                      the SQL of empty databases, after a change of Prefect or MLflow
# make theory                                                                      the runs and the picture of docs/explanation/theory.md

PYTHON ?= python3
CONFIG ?= configs/quickstart.toml
WORKERS ?= 4
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: retrain test docs reference tables benchmark agreement roofline scaling theory lock
retrain: .venv/ready
	$(BIN)/w2v retrain $(CONFIG) $(ARGS)

# Four workers on two cores, as many tests wait for servers; a file stays with one worker, for its module fixtures.
# In the order of the folders: those that start servers take longest and come first.
test: .venv/tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(or $(ARGS),--numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder)

docs: .venv/tools
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build
	@echo "Open build/docs/index.html, or for its search: $(BIN)/python -m http.server --directory build/docs"

reference: .venv/tools
	$(BIN)/python -m docs.generate

benchmark: .venv/tools
	$(BIN)/python -m benchmarks.side_by_side $(ARGS)

agreement: .venv/tools
	$(BIN)/python -m benchmarks.agreement $(ARGS)

roofline: .venv/tools
	$(BIN)/python -m benchmarks.core $(ARGS)

scaling: .venv/tools
	$(BIN)/python -m benchmarks.scaling $(ARGS)

theory: .venv/tools
	$(BIN)/python -m benchmarks.batch_size $(ARGS)

# Made anew when a lock or the project's own metadata changed. A lock is complete, so nothing is left to resolve. The
# developers' lock is the other one, with the same versions, and their tools: it makes both.
.venv/ready: requirements.lock pyproject.toml
	$(call install,requirements.lock,about 1.1 GB)
	@touch $@

.venv/tools: requirements-dev.lock pyproject.toml
	$(call install,requirements-dev.lock,about 1.4 GB)
	@touch .venv/ready $@

define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
@echo "Setting up .venv from $(1) ($(2), one to four minutes) …"
@test -x $(BIN)/python || $(PYTHON) -m venv .venv
@$(PIP) install --no-deps --require-hashes --requirement $(1)
@$(PIP) install --no-deps --no-build-isolation --editable .
endef

tables: .venv/tools
	$(BIN)/python -m tasks.engine.databases.empty

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--extra postgres --extra remote --extra s3 --extra segment --extra dask --extra index --extra build

lock: # the developers' first: it has to hold all, and the other takes its versions
	$(LOCK) --extra dev pyproject.toml --output-file requirements-dev.lock
	$(LOCK) --constraint requirements-dev.lock pyproject.toml --output-file requirements.lock
