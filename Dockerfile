# The one image of docker-compose.yml: command line, worker and dashboard. PyTorch's wheel carries its own CUDA.
FROM python:3.12-slim

# Everything that is written goes below /runs, a volume: checkpoints, results that wait, logs, downloaded data and weights.
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    XDG_CACHE_HOME=/runs/.cache \
    HOME=/runs
RUN useradd --uid 1000 --home-dir /runs --no-create-home colgan \
    && mkdir /runs \
    && chown colgan:colgan /runs

COPY pyproject.toml README.md LICENSE /source/
COPY colgan_search /source/colgan_search
COPY study_configs /source/study_configs
RUN pip install /source && rm -r /source

USER colgan
WORKDIR /runs
VOLUME /runs
STOPSIGNAL SIGTERM
ENTRYPOINT ["colgan-search"]
CMD ["--help"]
