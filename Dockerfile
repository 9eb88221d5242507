FROM node:22-slim AS build
WORKDIR /app
ENV NEXT_TELEMETRY_DISABLED=1
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
# The build makes the public pages, which contain the site's URL. It needs no secret.
ARG APP_URL
# If plans are sold, any values like sk_test_x and whsec_x: then the public pages show prices.
ARG STRIPE_SECRET_KEY
ARG STRIPE_WEBHOOK_SECRET
# For more than one instance: see DEPLOY.md.
ARG NEXT_SERVER_ACTIONS_ENCRYPTION_KEY
RUN npm run build

FROM node:22-slim
WORKDIR /app
ENV NODE_ENV=production PORT=3000
COPY --from=build --chown=node:node /app/.next/standalone ./
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s CMD ["node", "-e", \
  "fetch(`http://127.0.0.1:${process.env.PORT}/api/health`).then((answer) => process.exit(answer.ok ? 0 : 1))"]
CMD ["node", "server.js"]
