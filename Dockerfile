# The container image. "make image" makes the same one without an engine, and a test holds
# the two together; what the image promises is in docs/deployment.md.
#
#   docker build --build-arg VERSION=1.0.0 --tag pocket-id:1.0.0 .

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=unknown
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH make build VERSION=$VERSION OUT=/image/app/pocket-id && \
    cp LICENSE /image/app/LICENSE && \
    mkdir -m 700 /data && mkdir /image/etc && \
    printf 'root:x:0:0:root:/:/sbin/nologin\npocket-id:x:1000:1000:Pocket ID:/app/data:/sbin/nologin\n' >/image/etc/passwd && \
    printf 'root:x:0:\npocket-id:x:1000:\n' >/image/etc/group

FROM scratch
ARG VERSION=unknown
COPY --from=build /image/ /
COPY --from=build --chown=1000:1000 /data /app/data
LABEL org.opencontainers.image.title="Pocket ID" \
      org.opencontainers.image.description="An OpenID Connect provider on which people sign in with passkeys" \
      org.opencontainers.image.licenses="BSD-2-Clause" \
      org.opencontainers.image.version="$VERSION"
ENV PATH=/app TMPDIR=/app/data
WORKDIR /app
USER 1000:1000
VOLUME /app/data
EXPOSE 1411/tcp
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s --retries=3 CMD ["/app/pocket-id", "healthcheck"]
ENTRYPOINT ["/app/pocket-id"]
