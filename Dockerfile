# Any image with python3 (3.11 or newer) and its venv module will do as a base; this is the official one.
ARG BASE=docker.io/library/python:3.13-slim-trixie

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The environment that is shipped has no pip; that of the build installs into it.
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/chartrepo
COPY requirements/build.txt requirements/server.txt requirements/
RUN /build/bin/pip install --require-hashes -r requirements/build.txt \
    && /build/bin/pip --python /opt/chartrepo/bin/python install --require-hashes -r requirements/server.txt
COPY pyproject.toml README.md LICENSE ./
COPY chartrepo chartrepo
COPY storage storage
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /build/bin/pip --python /opt/chartrepo/bin/python install --no-deps --no-index /wheels/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="chartrepo" \
      org.opencontainers.image.description="A Helm chart repository" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin chartrepo \
    && install --directory --owner=chartrepo --group=chartrepo /data
COPY --from=build /opt/chartrepo /opt/chartrepo
COPY deploy/healthcheck.py /opt/chartrepo/
ENV PATH=/opt/chartrepo/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# Numbers, so that Kubernetes can see that this is not root. The folder's state is ./data/.chartrepo from here.
USER 10001:10001
WORKDIR /
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "/opt/chartrepo/healthcheck.py"]
ENTRYPOINT ["chartrepo"]
CMD ["serve", "--host", "0.0.0.0", "--storage", "/data"]
