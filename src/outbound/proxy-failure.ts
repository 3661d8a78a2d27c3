/** The proxy, and not the host behind it, ended the attempt. The message names the proxy without its user name and password. */
export class ProxyFailure extends Error {
  override readonly name = 'ProxyFailure';
}
