# The server alone: FastAPI on uvicorn, SQLite or PostgreSQL, no parsers and no models.
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /opt/managed-sync \
    && /opt/managed-sync/bin/pip install --no-cache-dir --constraint constraints.txt ".[cli,postgres,server,spicedb]"

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home managed-sync \
    && install --directory --owner managed-sync /var/lib/managed-sync
COPY --from=build /opt/managed-sync /opt/managed-sync
USER managed-sync
ENV PATH=/opt/managed-sync/bin:$PATH PYTHONUNBUFFERED=1
VOLUME /var/lib/managed-sync
EXPOSE 8642
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8642/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["managed-sync"]
CMD ["serve", "--config", "/etc/managed-sync/server.yaml"]
