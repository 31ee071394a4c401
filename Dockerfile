# The whole pipeline on a machine with a GPU:
#   docker build --tag roigan .
#   docker run --name roigan --gpus all --shm-size 8g roigan
#   docker cp roigan:/home/roigan/project/reports .
# The base image is what the driver needs; CUDA's libraries, cuDNN and NCCL come with torch's wheels.
FROM nvidia/cuda:13.0.3-base-ubuntu24.04
COPY --from=ghcr.io/astral-sh/uv:0.13 /uv /usr/local/bin/uv

RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home roigan \
    && install --directory --owner=roigan --group=roigan /home/roigan/project
USER roigan
WORKDIR /home/roigan/project
ENV UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never PATH=/home/roigan/project/.venv/bin:$PATH

# Dependencies first: they change less often than the code.
COPY --chown=roigan:roigan pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project

COPY --chown=roigan:roigan . .
# No git in here: DVC must not look for it.
RUN uv sync --frozen --no-dev && dvc config --local core.no_scm true

ENTRYPOINT ["dvc", "repro"]
