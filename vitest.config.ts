import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/start-minio.ts', 'test/support/start-postgres.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // The AWS SDK warns on Node 20; the server sets the same before it makes a client.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  },
});
