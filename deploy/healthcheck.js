// Exits with 0 if the control plane of this container is ready: for HEALTHCHECK, in an image without curl.
import { get as httpGet } from 'node:http';
import { get as httpsGet } from 'node:https';

const { PARTWAY_PORT = '7373', PARTWAY_TLS_CERT } = process.env;
const isTls = PARTWAY_TLS_CERT !== undefined;
// The certificate is for the name that clients use, and this connection never leaves the container: there is nothing to verify.
const options = { rejectUnauthorized: false, timeout: 4_000 };

(isTls ? httpsGet : httpGet)(`${isTls ? 'https' : 'http'}://127.0.0.1:${PARTWAY_PORT}/readyz`, options, ({ statusCode }) => {
  process.exit(statusCode === 200 ? 0 : 1);
})
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1));
