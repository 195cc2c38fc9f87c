// Waiting for a condition with a deadline; never for a length of time.

// A sanitizer build or a loaded machine is given more time: SLUICE_PATIENCE=5.
export const patience = Number(process.env.SLUICE_PATIENCE || 1);

const turn = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks until the answer is truthy and returns it. */
export async function until(what, condition, { within = 10, every = 5 } = {}) {
  const deadline = performance.now() + within * patience * 1000;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`waited ${within * patience} s in vain: ${what}`);
    await turn(every);
  }
}

/** What the promise comes to, or an error once its time is over. */
export function within(seconds, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    const error = new Error(`waited ${seconds * patience} s in vain: ${what}`);
    timer = setTimeout(() => reject(error), seconds * patience * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A moment between two tries of somebody who was turned away. */
export const pause = turn;
