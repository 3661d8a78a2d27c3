/**
 * The origins whose pages may send parts to MinIO, as MINIO_API_CORS_ALLOW_ORIGIN takes them: the control plane's own, and those of
 * PARTWAY_CORS_ORIGINS. Never empty, which MinIO takes for any origin; no spaces, which it compares; no empty item, with which it does
 * not start.
 */
export function allowedOrigins(controlPlane: string, others = ''): string {
  const listed = others.split(',').map((origin) => origin.trim());
  return [controlPlane, ...listed.filter((origin) => origin !== '')].join(',');
}
