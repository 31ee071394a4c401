# The commands of the README. Whoever has uv may as well type what stands here behind scripts/uv.
.PHONY: repro test test-cluster check

repro:  ## from raw images to a registered, evaluated model and its report
	@scripts/uv run dvc repro

test:  ## the test suite, a file per core at a time, those that start Ray first
	@scripts/uv run pytest -m "not cluster" --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-cluster:  ## the tests that lose Ray nodes: a quarter of an hour, before a change of roigan/launch lands
	@scripts/uv run pytest -m cluster

check:  ## format, lint, types, tests: what continuous integration runs
	@scripts/check
