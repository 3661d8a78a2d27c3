/** Names of the events in the audit log, for the server that writes it and for `partway audit --event`. `granted`: a capability was made. */
export const AUDIT_EVENTS = [
  'created',
  'completed',
  'aborted',
  'expired',
  'refused',
  'granted',
  'token-created',
  'token-revoked',
] as const;
export type AuditEventName = (typeof AUDIT_EVENTS)[number];
