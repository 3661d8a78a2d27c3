# The control plane: docker build --tag partway:local .
# `docker run` needs the settings of docs/server.md and a volume at /data; compose.yaml sets all of that.

# Named by digest, because a tag may name other bytes tomorrow. For a newer one: --build-arg PARTWAY_NODE_IMAGE=… (docs/operations.md).
ARG PARTWAY_NODE_IMAGE=node:24-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d

FROM ${PARTWAY_NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No install scripts: for this Node, better-sqlite3 ships its binary, and nothing has to be compiled.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${PARTWAY_NODE_IMAGE}
ENV NODE_ENV=production \
    PARTWAY_HOST=0.0.0.0 \
    PARTWAY_DATABASE_URL=/data/partway.db
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
COPY bin ./bin
COPY migrations ./migrations
COPY deploy/healthcheck.js ./deploy/
# A new named volume inherits the owner of the folder that it is mounted on.
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 7373
HEALTHCHECK --interval=5s --timeout=5s --retries=3 --start-period=30s CMD ["node", "deploy/healthcheck.js"]
CMD ["node", "bin/partway.js", "serve"]
