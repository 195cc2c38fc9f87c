// Events as senders make them.

/** Numbers that look random and are the same for the same seed (mulberry32); print the seed to repeat a run. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export const seed = Number(process.env.SLUICE_SEED || Math.floor(Math.random() * 2 ** 31));

/** A webhook in the default mapping. `payload` is JSON text, sent exactly as it is. */
export function webhook(messageId, { payload = '{"n":1}', eventType = 'test.made', stream, sequence } = {}) {
  const fields = [`"messageId":${JSON.stringify(messageId)}`, `"eventType":${JSON.stringify(eventType)}`];
  if (stream !== undefined) fields.push(`"stream":${JSON.stringify(stream)}`);
  if (sequence !== undefined) fields.push(`"sequence":${sequence}`);
  return `{${fields.join(',')},"payload":${payload}}`;
}
