const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export interface Interruption {
  /** The exit code for the signal; undefined until one arrives. */
  exitCode(): number | undefined;
  /** Calls `react` at the first signal, and at once if there was one already. */
  onInterrupt(react: (signal: NodeJS.Signals) => void): void;
  stopListening(): void;
}

/** Handles signals, so that this process can shut down its servers in order instead of ending at once. */
export function listenForInterruption(): Interruption {
  let received: keyof typeof SIGNALS | undefined;
  let react: (signal: NodeJS.Signals) => void = () => {};
  const receive = (signal: NodeJS.Signals) => {
    if (received !== undefined) return;
    received = signal as keyof typeof SIGNALS;
    react(signal);
  };
  for (const signal of Object.keys(SIGNALS)) process.on(signal, receive);
  return {
    exitCode: () => (received === undefined ? undefined : SIGNALS[received]),
    onInterrupt: (newReaction) => {
      react = newReaction;
      if (received !== undefined) react(received);
    },
    stopListening: () => {
      for (const signal of Object.keys(SIGNALS)) process.off(signal, receive);
    },
  };
}
