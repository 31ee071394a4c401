# The commands of the README. Whoever has uv may as well type what stands here behind scripts/uv.
.PHONY: repro test test-long coverage matrix check

repro:  ## from raw images to a registered, evaluated model and its report
	@scripts/uv run dvc repro

test:  ## the test suite, a file per core at a time, those that start Ray first
	@scripts/uv run pytest -m "not long" --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-long:  ## lost Ray nodes, a search killed twice, the README in a fresh clone: minutes each
	@scripts/uv run pytest -m long

coverage:  ## which lines of roigan and pipelines the tests of one process reach
	@scripts/uv run pytest -m "not slow and not ray" --numprocesses auto --maxprocesses 4 --cov --cov-report=term:skip-covered

matrix:  ## the fast tests on Python 3.11, 3.12 and 3.13, as far as they are installed
	@scripts/matrix

check:  ## format, lint, types, tests: what continuous integration runs
	@scripts/check
