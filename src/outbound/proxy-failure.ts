/** The proxy, and not the host behind it, ended the attempt. The message names the proxy without its user name and password. */
export class ProxyFailure extends Error {
  override readonly name = 'ProxyFailure';
}

/** A URL would go through a proxy that cannot be used, whatever the network does: a variable of the environment has to change. */
export class UnusableProxy extends Error {
  override readonly name = 'UnusableProxy';
  /** The name of that variable. */
  readonly variable: string;
  /** The command or setting to type, for a person. */
  readonly hint: string;

  /** @param message Names the variable and never its value, which may hold a password. */
  constructor(message: string, variable: string, hint: string) {
    super(message);
    this.variable = variable;
    this.hint = hint;
  }
}
