/** The upload engine, as a library: it prints nothing and reads no environment. */
export type { MakeAgent } from '../outbound/direct-agent.ts';
export { agentsThrough } from '../outbound/proxy-agents.ts';
export { type ProxySettings, parseProxies } from '../outbound/proxy-settings.ts';
export { UploadError } from '../session/errors.ts';
export { ControlPlane, type ControlPlaneOptions } from './control-plane/control-plane.ts';
export { type ProbeResult, probeNetwork } from './control-plane/network-probe.ts';
export { createUploadControl, type UploadControl, type UploadControlOptions } from './flow/upload-control.ts';
export type { ControlEvent, EngineEvent, ProgressFigures, UploadResult } from './progress/events.ts';
export { type ByteSource, blobSource, bytesSource, type SourceIdentity } from './source/byte-source.ts';
export { checksumOf } from './source/checksum.ts';
export { openFileSource } from './source/file-source.ts';
export { fingerprint } from './source/fingerprint.ts';
export type { VerifyResume } from './source/verify-resume.ts';
export { type OpenUploadOptions, openUpload } from './transfer/open-upload.ts';
export type { RunUploadOptions } from './transfer/run-options.ts';
export { runUpload } from './transfer/upload.ts';
