import { type DestinationStream, type Logger, pino } from 'pino';
import { escapeInvisible } from '../../text/visible-text.ts';

/**
 * Makes the server's log: one JSON object a line, on standard output by default. Names in it come from requests, settings and other servers.
 * pino escapes only what JSON must, and a terminal or a viewer that shows the log would obey the remaining control characters.
 */
export function createLog(output: DestinationStream = pino.destination(1)): Logger {
  return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, escapingOutput(output));
}

function escapingOutput(output: DestinationStream): DestinationStream {
  return {
    write(line) {
      // The end of the line is the only control character that stays.
      output.write(`${escapeInvisible(line.slice(0, -1))}\n`);
    },
  };
}
