// The Prometheus text format, as far as tests ask about it.

export function parseMetrics(text) {
  const samples = [];
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match) continue;
    const labels = {};
    for (const [, name, value] of (match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
    samples.push({ name: match[1], labels, value: Number(match[3]) });
  }
  return new Metrics(text, samples);
}

class Metrics {
  constructor(text, samples) {
    this.text = text;
    this.samples = samples;
  }

  all(name, labels = {}) {
    const fits = (sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === String(value));
    return this.samples.filter((sample) => sample.name === name && fits(sample));
  }

  /** The sum over all samples with that name and those labels; 0 if there are none. */
  value(name, labels) {
    return this.all(name, labels).reduce((sum, sample) => sum + sample.value, 0);
  }
}
