/**
 * The value of MINIO_API_CORS_ALLOW_ORIGIN, the origins whose pages may send parts to MinIO: the control plane's own, and those of
 * PARTWAY_CORS_ORIGINS. It is never empty, because MinIO then allows any origin; it has no spaces, because MinIO would compare them, too; and
 * it has no empty item, because MinIO does not start with one.
 */
export function allowedOrigins(controlPlane: string, others = ''): string {
  const listed = others.split(',').map((origin) => origin.trim());
  return [controlPlane, ...listed.filter((origin) => origin !== '')].join(',');
}
