import { type DestinationStream, type Logger, pino } from 'pino';
import { escapeUnseen } from '../../text/visible-text.ts';

/**
 * Makes the server's log: one JSON object a line, on standard output unless told otherwise. Names in it come from requests, settings and
 * other servers, and pino escapes only what JSON must: a terminal or a viewer that shows the log would obey the rest.
 */
export function createLog(output: DestinationStream = pino.destination(1)): Logger {
  return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, escapingOutput(output));
}

function escapingOutput(output: DestinationStream): DestinationStream {
  return {
    write(line) {
      // The line's own end is the one control character that stays.
      output.write(`${escapeUnseen(line.slice(0, -1))}\n`);
    },
  };
}
