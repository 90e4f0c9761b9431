# respcache as a container, for where a test environment is made of containers. It takes the arguments that the official
# image of Redis takes, runs as a user of its own, and says by itself whether it is healthy. See docs/guides/docker.md.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
COPY . /src
# The environment is given to the last stage as it is: without pip, which nobody needs there.
RUN python -m venv --without-pip /opt/respcache
RUN pip --disable-pip-version-check --python /opt/respcache install --no-cache-dir /src

FROM python:${PYTHON}-slim
RUN groupadd --system --gid 999 respcache \
    && useradd --system --uid 999 --gid respcache --no-create-home --home-dir /data --shell /usr/sbin/nologin respcache \
    && install -d -o respcache -g respcache /data
COPY --from=build /opt/respcache /opt/respcache
ENV PATH=/opt/respcache/bin:$PATH

# Everybody may connect, as in the official image: inside a container loopback is the container alone, and which ports
# are published is for whoever runs it. That comes first, so that a file and arguments may say otherwise.
COPY --chmod=755 <<"EOF" /usr/local/bin/entrypoint
#!/bin/sh
set -e

# The name of the program may be left out, and may be that of the program whose place this takes.
case "${1-}" in
    respcache | redis-server) shift ;;
    "" | -* | *.conf) ;;
    *) exec "$@" ;;
esac

# A file is read after the words below; so are those that stand behind it.
case "${1-}" in
    -v | --version | -h | --help) exec respcache "$@" ;;
    "" | --*) ;;
    -) shift && set -- --include /dev/stdin "$@" ;;
    *) file=$1 && shift && set -- --include "$file" "$@" ;;
esac

exec respcache --bind "*" "-::*" --protected-mode no "$@"
EOF

USER respcache
WORKDIR /data
VOLUME /data
EXPOSE 6379
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["python", "-m", "respcache.health"]
ENTRYPOINT ["entrypoint"]
CMD ["respcache"]
