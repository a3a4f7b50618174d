# The operator's image: `domicile operator` on the hub, and any other subcommand by its arguments.
# For a build that can be repeated, pass the base by digest: --build-arg PYTHON_IMAGE=python:3.12-slim@sha256:...
ARG PYTHON_IMAGE=python:3.12-slim

FROM ${PYTHON_IMAGE} AS build
ARG UV_VERSION=0.13.9
ENV UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
RUN python -m pip install --no-cache-dir --disable-pip-version-check "uv==${UV_VERSION}"
WORKDIR /src
# Dependencies first, by hash and as wheels alone: nothing of them is compiled or run at build time.
COPY pyproject.toml uv.lock ./
RUN uv export --frozen --no-dev --no-emit-project --quiet --output-file /requirements.txt \
 && uv venv --quiet --python "$(command -v python)" /opt/domicile \
 && uv pip install --python /opt/domicile/bin/python --require-hashes --only-binary :all: --requirement /requirements.txt
COPY README.md LICENSE ./
COPY operator ./operator
COPY examples ./examples
RUN uv build --quiet --wheel --out-dir /dist \
 && uv pip install --python /opt/domicile/bin/python --no-deps /dist/*.whl

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="domicile" \
      org.opencontainers.image.licenses="Apache-2.0"
# Neither pip nor a compiler: nothing can be installed into a running operator.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip
COPY --from=build /opt/domicile /opt/domicile
ENV PATH=/opt/domicile/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["domicile"]
