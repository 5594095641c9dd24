PYTHON ?= python3
# Test processes, each with a Spark session of two workers and a heap of 1 GB; 0 is this process alone.
TEST_PROCESSES ?= 2
VENV := .venv
AIRFLOW_VENV := .venv-airflow
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Asked before anything is installed, so that a machine without Java fails in a second and in one line.
JAVA_PROBLEM = $(shell $(PYTHON) pmi_spark/java.py)
NEED_JAVA = $(if $(strip $(JAVA_PROBLEM)),$(error $(JAVA_PROBLEM)))
PYTHON_PROBLEM = $(shell $(PYTHON) -c 'import sys; print("" if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one with make PYTHON=...")')
NEED_PYTHON = $(if $(strip $(PYTHON_PROBLEM)),$(error $(PYTHON_PROBLEM)))

.PHONY: help demo test test-airflow test-cluster test-faults package check format conf clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

demo: java $(READY) ## train on the docstrings of the installed packages
	@$(BIN)/pmi-spark demo

test: java $(READY) ## unit and Spark tests, doctests, README examples
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

package: $(READY) ## dist/pmi_spark.zip and dist/environment.tar.gz, what spark-submit ships to a cluster
	$(BIN)/python deploy/build.py

test-cluster: java $(READY) ## a standalone master and two workers on this machine
	$(BIN)/python -m pytest tests/cluster

test-airflow: ## the Airflow DAG, read and run by Airflow in an environment of its own
	@$(NEED_PYTHON):
	@$(PYTHON) tests/airflow/run.py $(AIRFLOW_VENV)

test-faults: java $(READY) ## ten runs in which a process is killed, on such a cluster and in local mode
	$(BIN)/python benchmarks/faults.py --kills 10

check: $(READY) ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(READY) ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

conf: $(READY) ## write conf/pipeline.toml and conf/spark-local.conf from the code
	$(BIN)/python -c "from pmi_spark.config import render_toml; print(render_toml(), end='')" > conf/pipeline.toml
	$(BIN)/python -c "from pmi_spark.session import render_local_conf; print(render_local_conf(), end='')" > conf/spark-local.conf

.PHONY: java
java:
	@$(NEED_PYTHON)$(NEED_JAVA):

$(READY): pyproject.toml
	@$(NEED_PYTHON):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev,fast]'
	@touch $(READY)

clean: ## remove the environments and what the demo wrote
	rm -rf $(VENV) $(AIRFLOW_VENV) demo-output
