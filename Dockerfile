# The service: web server, worker and commands, as docs/deploy.md runs them.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/triggers UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never UV_PYTHON=/usr/local/bin/python
WORKDIR /src
RUN pip install --no-cache-dir "uv~=0.13.9"
# What changes seldom comes first: all that is needed, as uv.lock has it, without dj-triggers itself.
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --extra service --extra temporal --no-install-project
COPY README.md LICENSE ./
COPY triggers triggers
COPY triggers_api triggers_api
RUN uv sync --frozen --no-dev --extra service --extra temporal --no-editable

FROM python:${PYTHON}-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin triggers \
    && install --directory --owner=triggers --mode=700 /data
COPY --from=build /opt/triggers /opt/triggers
ENV PATH=/opt/triggers/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TRIGGERS_DATA=/data
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# Of the web server; other commands have their own way to say that they are well, or none.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/api/v1/health/live/', timeout=4)"]
ENTRYPOINT ["triggers"]
CMD ["web", "--host", "0.0.0.0"]
