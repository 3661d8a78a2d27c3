/** Reads `<Error><Code>…</Code><Message>…</Message>…`: two flat fields with XML entities need no parser. */
export function readS3Error(body: string): { code: string | undefined; message: string | undefined } {
  return { code: field(body, 'Code'), message: field(body, 'Message') };
}

function field(body: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1];
  return text?.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w+));/gi, (entity, decimal, hexadecimal, named) => {
    if (named !== undefined) return NAMED_ENTITIES[named] ?? entity;
    const codePoint = decimal === undefined ? Number.parseInt(hexadecimal, 16) : Number(decimal);
    return codePoint <= MAX_CODE_POINT ? String.fromCodePoint(codePoint) : entity;
  });
}

const MAX_CODE_POINT = 0x10ffff;
const NAMED_ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
