# syntax=docker/dockerfile:1

# respcache as a container, for test environments that are made of containers. It takes the arguments of the official
# Redis image, runs as its own user, and has a health check. See docs/guides/docker.md.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
COPY . /src
# The last stage copies this environment. It needs no pip there.
RUN python -m venv --without-pip /opt/respcache
RUN pip --disable-pip-version-check --python /opt/respcache install --no-cache-dir '/src[http]'

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="respcache" \
      org.opencontainers.image.description="A Redis-protocol-compatible server in Python, for tests and development" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"

RUN groupadd --system --gid 999 respcache \
    && useradd --system --uid 999 --gid respcache --no-create-home --home-dir /data --shell /usr/sbin/nologin respcache \
    && install -d -o respcache -g respcache /data
COPY --from=build /opt/respcache /opt/respcache
ENV PATH=/opt/respcache/bin:$PATH

# Anyone may connect, as with the official image: loopback inside a container is the container alone, and publishing
# ports is up to the user. These directives come first, so a file and arguments override them.
COPY --chmod=755 <<"EOF" /usr/local/bin/entrypoint
#!/bin/sh
set -e

# The program's name may be left out, and `redis-server` means this server.
case "${1-}" in
    respcache | redis-server) shift ;;
    "" | -* | *.conf) ;;
    *) exec "$@" ;;
esac

# A file is included after the directives below, and before the arguments that follow it.
case "${1-}" in
    -v | --version | -h | --help) exec respcache "$@" ;;
    "" | --*) ;;
    -) shift && set -- --include /dev/stdin "$@" ;;
    *) file=$1 && shift && set -- --include "$file" "$@" ;;
esac

exec respcache --bind "*" "-::*" --protected-mode no "$@"
EOF

# Compose files written for the official image run `redis-cli ping`. This runs it, and any other command.
COPY --chmod=755 <<"EOF" /usr/local/bin/redis-cli
#!/bin/sh
exec python -P -m respcache.redis_cli "$@"
EOF

USER respcache
WORKDIR /data
VOLUME /data
EXPOSE 6379
# Checked twice a second until the first success (Docker 25 or newer), so that dependent containers start soon.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --start-interval=500ms CMD ["python", "-m", "respcache.health"]
ENTRYPOINT ["entrypoint"]
CMD ["respcache"]
