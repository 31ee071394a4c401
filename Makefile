# The commands of the README. Whoever has uv may as well type what stands here behind scripts/uv.
.PHONY: repro test check

repro:  ## from raw images to a registered, evaluated model and its report
	@scripts/uv run dvc repro

test:  ## the whole test suite
	@scripts/uv run pytest

check:  ## format, lint, types, tests: what continuous integration runs
	@scripts/check
