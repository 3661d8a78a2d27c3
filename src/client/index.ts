/** The upload engine, as a library: it prints nothing and reads no environment. */
export { UploadError } from '../session/errors.ts';
export { type ByteSource, blobSource, bytesSource, type SourceIdentity } from './byte-source.ts';
export { checksumOf } from './checksum.ts';
export { ControlPlane, type ControlPlaneOptions } from './control-plane.ts';
export type { ProgressFigures, UploadEvent, UploadResult } from './events.ts';
export { openFileSource } from './file-source.ts';
export { fingerprint } from './fingerprint.ts';
export { type ProbeResult, probeNetwork } from './network-probe.ts';
export { type OpenUploadOptions, openUpload } from './open-upload.ts';
export { type RunUploadOptions, runUpload } from './run-upload.ts';
