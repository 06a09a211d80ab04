FROM python:3.12-slim AS build
WORKDIR /build
RUN python -m venv /opt/memcubed
ENV PATH=/opt/memcubed/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# The dependencies make a layer of their own, which a change of the code leaves as it is. There is no compiler here:
# every one of them comes as a wheel.
COPY pyproject.toml ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*p['dependencies'], *p['optional-dependencies']['otel'], sep='\n')" > requirements.txt \
    && pip install --only-binary=:all: --requirement requirements.txt

COPY README.md LICENSE ./
COPY migrations migrations
COPY src src
RUN pip install --no-deps .


FROM python:3.12-slim
RUN useradd --uid 10001 --user-group --home-dir /var/lib/memcubed --create-home --shell /usr/sbin/nologin memcubed
COPY --from=build /opt/memcubed /opt/memcubed
ENV PATH=/opt/memcubed/bin:$PATH PYTHONUNBUFFERED=1 MEMCUBED_HOME=/var/lib/memcubed
WORKDIR /var/lib/memcubed
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
ENTRYPOINT ["memcubed"]
CMD ["serve", "--host", "0.0.0.0"]
