"""The search: a pipeline of its own (`uv run dvc repro pipelines/tune/dvc.yaml`)."""
