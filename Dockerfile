# One static binary and nothing else: no shell, no package manager, under 30 MB.
#
#     docker build -t katydid .
#     docker run --rm -v ./scripts:/mnt/katydid katydid -f hello.rhai -H http://… --headless

# The pages of the web UI.
FROM node:22-bookworm-slim AS web
WORKDIR /web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY web ./
RUN node build.mjs /dist

FROM rust:1.95-bookworm AS build
WORKDIR /katydid
COPY --from=web /dist /dist
COPY Cargo.toml Cargo.lock build.rs ./
COPY src src
COPY scripts/coupon.rhai scripts/
COPY docs/openapi.json docs/
# glibc and its allocator, as everywhere else, but nothing that is loaded when it runs. `--target`
# keeps the flag away from what only the build runs.
RUN host=$(rustc -vV | sed -n 's/^host: //p') && \
    KATYDID_WEB_DIST=/dist RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --release --locked --bin katydid --target "$host" && \
    mkdir -p /image/empty && mv "target/$host/release/katydid" /image/

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /image/katydid /usr/local/bin/
# A new volume takes over who owns the folder below it: `run` for the token, `lib` for what is kept.
COPY --from=build --chown=10001:10001 /image/empty /run/katydid
COPY --from=build --chown=10001:10001 /image/empty /var/lib/katydid
USER 10001:10001
WORKDIR /mnt/katydid
ENV PATH=/usr/local/bin
# In a container loopback leads nowhere. Beyond it, the web UI and the master ask for tokens.
ENV KATYDID_WEB_HOST=0.0.0.0 \
    KATYDID_MASTER_BIND_HOST=0.0.0.0 \
    KATYDID_HEALTH_PORT=8090
EXPOSE 8089 5557 8090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 CMD ["katydid", "health"]
ENTRYPOINT ["katydid"]
