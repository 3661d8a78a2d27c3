import { describe, expect, it } from 'vitest';
import { PROBLEMS, problemType } from '../../src/contract/problems.ts';
import { problem } from '../../src/contract/schemas.ts';
import { SERVICE_ERROR_CODES } from '../../src/session/errors.ts';

describe('the problem registry', () => {
  it.each(SERVICE_ERROR_CODES)('has a status, a title and an explanation for %s', (code) => {
    const { status, title, explanation } = PROBLEMS[code];
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThanOrEqual(599);
    expect(title).toMatch(/^[A-Z].*[^.]$/);
    expect(explanation).toMatch(/\.$/);
  });

  it('has no code that the service cannot answer', () => {
    expect(Object.keys(PROBLEMS).sort()).toEqual([...SERVICE_ERROR_CODES].sort());
  });

  it('gives every code a type URI of its own', () => {
    expect(problemType('SESSION_NOT_OPEN')).toBe('/problems/session-not-open');
    expect(new Set(SERVICE_ERROR_CODES.map(problemType)).size).toBe(SERVICE_ERROR_CODES.length);
  });

  it('fits the schema that OpenAPI shows, extensions included', () => {
    for (const code of SERVICE_ERROR_CODES) {
      const { status, title } = PROBLEMS[code];
      const document = { type: problemType(code), title, status, detail: 'Why.', instance: 'request-1', code, lostBytes: 7 };
      expect(problem.parse(document)).toEqual(document);
    }
  });
});
