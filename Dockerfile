# infernode's image: the published npm packages on a slim Debian 12 with Node 20.
# docs/image.md tells how it is built and run; docs/decisions/0032, why it is so.
# Each step is a script in docker/, which `npm run test:image` runs too.

# Node, and the base of the final image; both as tags that do not move between releases.
ARG NODE_IMAGE=node:20.19.6-bookworm-slim
ARG BASE=debian:12.11-slim
# Where the packages are built. For CUDA: nvidia/cuda:12.8.1-devel-ubuntu22.04
ARG BUILD_BASE=debian:12.11-slim

FROM ${NODE_IMAGE} AS node

FROM ${BUILD_BASE} AS packages
RUN --mount=type=bind,source=docker,target=/docker /docker/toolchain.sh
COPY --from=node /usr/local/bin/ /usr/local/bin/
COPY --from=node /usr/local/lib/node_modules/ /usr/local/lib/node_modules/
WORKDIR /source
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY CMakeLists.txt LICENSE tsconfig.json *.md ./
COPY third_party/ third_party/
COPY cmake/ cmake/
COPY native/ native/
COPY tools/ tools/
COPY assets/ assets/
COPY docs/ docs/
COPY examples/ examples/
COPY src/ src/
# CUDA architectures as `infernode build --arch` takes them: 80,90 or runpod; empty: for CPUs.
ARG CUDA_ARCHITECTURES=
RUN --mount=type=bind,source=docker,target=/docker /docker/packages.sh /packages

FROM ${BASE} AS image
RUN --mount=type=bind,source=docker,target=/docker /docker/base.sh
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY docker/infernode /usr/local/bin/infernode
COPY docker/health.mjs /opt/infernode/health.mjs
RUN --mount=type=bind,source=docker,target=/docker \
    --mount=type=bind,from=packages,source=/packages,target=/packages \
    /docker/application.sh /packages
# A GGUF file's path in the build context; empty: no model is baked in.
ARG MODEL=
RUN --mount=type=bind,target=/context /context/docker/model.sh /context "${MODEL}"
# A name, a number, or root (Amazon SageMaker).
ARG USER=1000
RUN --mount=type=bind,source=docker,target=/docker /docker/user.sh "${USER}"

ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="infernode" \
      org.opencontainers.image.description="Text generation with GGUF models: a RunPod worker and a command line" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Where there is an NVIDIA GPU, its container runtime mounts the driver's files by these.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    INFERNODE_METRICS_PORT=9464
EXPOSE 9464
USER ${USER}
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
  CMD ["node", "/opt/infernode/health.mjs"]
ENTRYPOINT ["infernode"]
CMD ["worker"]
