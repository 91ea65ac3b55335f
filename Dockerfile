# Build stage: the whole toolchain, and musl, so that the binary stands alone.
FROM rust:1.95-alpine AS build
RUN apk add --no-cache build-base
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src ./src
COPY scenarios ./scenarios
COPY benches ./benches
COPY tests/face ./tests/face
RUN cargo build --locked --profile dist --bin mock-kestra

# The image: the binary alone, as nobody.
FROM scratch
COPY --from=build /src/target/dist/mock-kestra /usr/local/bin/mock-kestra
COPY LICENSE THIRD-PARTY.txt /usr/share/doc/mock-kestra/
USER 65534:65534
# Application port, management port of the first member, control port; further members lie 10 above each other.
EXPOSE 8080 8081 8082
HEALTHCHECK --interval=10s --timeout=6s --start-period=2s CMD ["/usr/local/bin/mock-kestra", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/mock-kestra"]
CMD ["serve", "--bind", "0.0.0.0", "--control-bind", "0.0.0.0"]
