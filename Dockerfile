# AutoVoice as a container: `docker build --target cpu .` or `--target cuda` (the default).
#
# Both are Debian with its Python 3.11 and a virtual environment. The wheels of torch that pip finds by default bring
# the CUDA libraries along, so `cuda` needs the driver of its host only (NVIDIA container toolkit), and no CUDA image.
# For a `cpu` image that is four gigabytes smaller name the index of torch's CPU wheels: --build-arg TORCH_INDEX=URL.

FROM debian:bookworm-20250929-slim AS base
SHELL ["/bin/sh", "-eu", "-c"]
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 autovoice \
    && useradd --system --uid 10001 --gid autovoice --home-dir /data --shell /usr/sbin/nologin autovoice \
    && install -d -o autovoice -g autovoice /data /data/voice_profiles /data/cache
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1

# What changes seldom comes first: packages, then weights, then the program.
FROM base AS packages
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/venv
ARG TORCH_INDEX=""
WORKDIR /build
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; x = p['optional-dependencies']; print(*p['dependencies'], *x['postgresql'], *x['redis'], *x['speech'], sep='\n')" > requirements.txt
RUN if [ -n "$TORCH_INDEX" ]; then PIP_INDEX_URL="$TORCH_INDEX" pip install --no-cache-dir torch==2.11.0 torchaudio==2.11.0; fi
RUN pip install --no-cache-dir --constraint constraints.txt --requirement requirements.txt

FROM packages AS program
COPY README.md LICENSE NOTICE ./
COPY auto_voice auto_voice
COPY realtime realtime
COPY pipeline pipeline
COPY kernels kernels
COPY web_client web_client
COPY config config
RUN pip install --no-cache-dir --no-deps .
# The weights that the program needs, checked by sha256. Others are fetched into the volume: autovoice weights htdemucs
RUN AUTOVOICE_STORAGE__DATA_DIR=/opt/autovoice AUTOVOICE_STORAGE__MODELS_DIR=/opt/autovoice/models autovoice weights

FROM base AS runtime
COPY --from=program /opt/venv /opt/venv
COPY --from=program /opt/autovoice/models /opt/autovoice/models
COPY config/production.yaml /etc/autovoice/config.yaml
# /data is a volume: voices, songs, the database, the cache, and what numba compiles for this machine (XDG_CACHE_HOME).
ENV AUTOVOICE_CONFIG=/etc/autovoice/config.yaml \
    AUTOVOICE_STORAGE__DATA_DIR=/data \
    AUTOVOICE_STORAGE__MODELS_DIR=/opt/autovoice/models \
    XDG_CACHE_HOME=/data/cache
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:5000/health/live', timeout=4)"]
ENTRYPOINT ["autovoice"]
CMD ["serve"]

FROM runtime AS cpu
ENV AUTOVOICE_GPU__DEVICE=cpu

# Triton compiles its launchers with a C compiler and Python's headers when a card first runs them.
FROM runtime AS cuda
USER 0:0
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev python3-dev \
    && rm -rf /var/lib/apt/lists/*
USER 10001:10001
ENV AUTOVOICE_GPU__DEVICE=auto \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
