# kimai-sync: build with `docker build -t kimai-sync .`
#
# The result: Debian slim, one binary, the mu scripts, a user without rights. No shell is needed to run it.
# The dependencies of the binary are listed twice: in the binary itself, where `cargo audit bin` and scanners of
# images read it, and as a CycloneDX document at /usr/share/doc/kimai-sync/sbom.cdx.json.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# The two tools that list them, with the dependencies tested by their authors.
RUN cargo install --locked cargo-auditable@0.7.7 cargo-cyclonedx@0.5.9

# Dependencies first, with empty sources of our own: this layer is built anew only when Cargo.toml or
# Cargo.lock change. The image's gcc and libc headers are all the C that SQLite (bundled) and ring need.
# The manifest names a library, a binary, a test and a bench; cargo wants the file of each.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src tests/it benches/speed \
    && touch src/lib.rs tests/it/main.rs \
    && echo 'fn main() {}' | tee src/main.rs benches/speed/main.rs > /dev/null \
    && cargo auditable build --release --locked --bin kimai-sync \
    && cargo cyclonedx --format json --spec-version 1.5 --override-filename sbom.cdx

COPY config config
COPY src src
# COPY keeps the files' times, which are older than the empty sources just built: without `touch` cargo
# would find nothing changed and the image would hold the empty program.
RUN touch src/lib.rs src/main.rs \
    && cargo auditable build --release --locked --bin kimai-sync


FROM debian:bookworm-slim

# ca-certificates: the root certificates for Kimai (read by rustls; without them the service does not start).
# Time zones (TZ) are inside the binary.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*

# `mu script kimai-sync …` copies this folder out of the container and runs its files as they are.
COPY scripts /app/scripts
COPY --from=build /build/target/release/kimai-sync /usr/local/bin/kimai-sync
COPY --from=build /build/sbom.cdx.json /usr/share/doc/kimai-sync/sbom.cdx.json

# /data holds the queue. No VOLUME: that would make a nameless volume at every `docker run`. Mount one
# there to keep the queue across `docker compose up` with a new image; without it the service starts
# with an empty queue and compares both sides.
RUN chmod 755 /app/scripts/*/run.sh \
    && groupadd --gid 10001 kimai-sync \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin kimai-sync \
    && install -d -o 10001 -g 10001 -m 750 /data

# The defaults of a mu service; set here so that `standalone` and `demo`, which otherwise
# listen on 127.0.0.1:8080, are reachable in a container too. All settings: config/default.env.
ENV HOST="0.0.0.0" \
    PORT="80" \
    MU_SPARQL_ENDPOINT="http://database:8890/sparql" \
    LOG_SPARQL_ALL="false" \
    DATA_DIR="/data" \
    TZ="UTC"

# Port 80 without being root: Docker (since 20.10) opens all ports inside a container to every user
# (net.ipv4.ip_unprivileged_port_start=0). Elsewhere, or with `network_mode: host`, set PORT above 1023.
EXPOSE 80

USER 10001:10001
WORKDIR /data

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["kimai-sync", "healthcheck"]

# The binary is process 1 and gets SIGTERM itself: it lets running requests end, keeps the rest in the
# queue and exits within the 10 seconds that Docker waits.
ENTRYPOINT ["kimai-sync"]
CMD ["serve"]

LABEL org.opencontainers.image.title="kimai-sync" \
      org.opencontainers.image.description="Syncs work logs from a mu-semtech triplestore to Kimai timesheets, one way" \
      org.opencontainers.image.licenses="MIT"
