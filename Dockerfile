# The one image of docker-compose.yml, Kubernetes and SkyPilot: command line, worker and dashboard.
#
#   docker build -t colgan-search .                                            for GPUs: PyTorch's wheel carries its CUDA
#   docker build -t colgan-search:cpu --build-arg PYTORCH_INDEX=URL .          without: URL is PyTorch's index of CPU wheels
FROM python:3.12-slim

# Everything that is written goes below /runs, a volume: checkpoints, results that wait, logs, downloaded data and weights.
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    XDG_CACHE_HOME=/runs/.cache \
    HOME=/runs
RUN useradd --uid 1000 --home-dir /runs --no-create-home colgan \
    && mkdir /runs \
    && chown colgan:colgan /runs

# A layer of its own, by far the largest: it stays as long as pyproject.toml does not change what is below.
ARG PYTORCH_INDEX=""
# What pyproject.toml asks for, word for word (a test holds it); a pin here would be another one.
# hadolint ignore=DL3013
RUN pip install ${PYTORCH_INDEX:+--index-url "$PYTORCH_INDEX"} "torch>=2.11" "torchvision>=0.26"

COPY pyproject.toml README.md LICENSE /source/
COPY colgan_search /source/colgan_search
COPY study_configs /source/study_configs
# `s3`: checkpoints and pictures in buckets.
RUN pip install "/source[s3]" && rm -r /source

# By number, as Kubernetes' runAsNonRoot wants it.
USER 1000:1000
WORKDIR /runs
VOLUME /runs
STOPSIGNAL SIGTERM
# Healthy: the program starts and its database answers. Nothing is restarted for it: workers wait for a database by themselves.
HEALTHCHECK --interval=5m --timeout=60s --start-period=2m CMD ["colgan-search", "studies", "--work-dir", "/runs"]
ENTRYPOINT ["colgan-search"]
CMD ["--help"]
