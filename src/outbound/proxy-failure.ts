/** The proxy, and not the host behind it, ended the attempt. Its message names the proxy, without name and password. */
export class ProxyFailure extends Error {
  override readonly name = 'ProxyFailure';
}
