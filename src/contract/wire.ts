/** Types of the wire, for clients. Importing this file loads nothing at run time. */
import type { z } from 'zod';
import type * as schemas from './schemas.ts';

export type CreateRequest = z.infer<typeof schemas.createRequest>;
export type Session = z.infer<typeof schemas.session>;
export type SessionList = z.infer<typeof schemas.sessionList>;
export type PresignRequest = z.infer<typeof schemas.presignRequest>;
export type PresignedPart = z.infer<typeof schemas.presignedPart>;
export type PresignResponse = z.infer<typeof schemas.presignResponse>;
export type PartsResponse = z.infer<typeof schemas.partsResponse>;
export type WireStoredPart = z.infer<typeof schemas.storedPart>;
export type PlanRequest = z.infer<typeof schemas.planRequest>;
export type ReportRequest = z.input<typeof schemas.reportRequest>;
export type CompleteRequest = z.infer<typeof schemas.completeRequest>;
export type Progress = z.infer<typeof schemas.progress>;
export type CapabilityRequest = z.infer<typeof schemas.capabilityRequest>;
export type Capability = z.infer<typeof schemas.capability>;
export type StoredObject = z.infer<typeof schemas.storedObject>;
export type StoreReport = z.infer<typeof schemas.storeReport>;
export type ProblemDocument = z.infer<typeof schemas.problem>;
export type Readiness = z.infer<typeof schemas.readiness>;
