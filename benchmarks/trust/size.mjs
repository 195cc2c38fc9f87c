// How much of everything: what the documentation's table rests on, and what fits into a test.

/** `limit`s are the most that may be wrong. Shares of the lives' comparisons that are called something hold for as many draws
 * as the full size makes; so the short one draws, and judges nothing by it. */
export const sizes = {
  full: {
    folder: 'trust',
    lives: 60,
    life: ['--pairs', '6', '--block', '1s'],
    draws: { comparisons: 1000, pairs: 20, limit: 70 },
    same: { each: 10, load: ['--pairs', '20', '--block', '2s'], limit: 3, seconds: 240 },
    disturbed: { each: 5, load: ['--pairs', '20', '--block', '2s'], limit: 1 },
    large: { percent: 10, each: 5, load: ['--pairs', '40', '--block', '2s'], limit: 1, seconds: 900 },
    small: { percent: 2, each: [3, 2], load: ['--pairs', '40', '--block', '2s'], limit: 0, seconds: 900 },
    stages: { each: 4, limit: 0 },
    events: { each: 5, limit: 0 },
  },
  short: {
    folder: 'trust-short',
    lives: 3,
    life: ['--pairs', '4', '--block', '500ms'],
    draws: { comparisons: 100, pairs: 8 },
    same: { each: 1, load: ['--pairs', '10', '--block', '1s'], limit: 1, seconds: 240 },
    disturbed: { each: 1, load: ['--pairs', '10', '--block', '1s'], limit: 1 },
    large: { percent: 50, each: 1, load: ['--pairs', '10', '--block', '1s'], limit: 1, seconds: 900 },
    small: { percent: 2, each: [1, 0], load: ['--pairs', '10', '--block', '1s'], limit: 1, seconds: 900 },
    stages: { each: 1, limit: 0 },
    events: { each: 1, limit: 0 },
  },
};

export const stores = ['sqlite', 'postgres'];

/** What is done how often: [store, store, …] for a count of both, or one of each. */
export const spread = (each) =>
  stores.flatMap((store, i) => Array.from({ length: Array.isArray(each) ? each[i] : each }, () => store));
