/* The charts of a report, drawn from the documents of the run to the width there is. */
(() => {
	'use strict';

	const { run, compare, gate } = JSON.parse(document.getElementById('data').textContent);
	const ARMS = ['a', 'b'];
	const PAPER_WIDTH = 680; // of A4 and Letter, between the margins

	// ── figures, as figure.c writes them ──────────────────────────────────────────────────────────────────────────

	const group = (text) => text.replace(/^\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ','));

	const digits = (size) => {
		const decimals = size > 0 ? 2 - Math.floor(Math.log10(size)) : 0;
		const unit = 10 ** -decimals;
		return group(decimals < 0 ? (Math.round(size / unit) * unit).toFixed(0) : size.toFixed(Math.min(decimals, 6)));
	};

	const milliseconds = (value) => {
		if (value > 0 && value < 0.1) return `${digits(value * 1000)}\u00a0µs`;
		return value < 1000 ? `${digits(value)}\u00a0ms` : `${digits(value / 1000)}\u00a0s`;
	};

	/** A tick: no more digits than it needs. */
	const tickText = (value) =>
		value < 1000 ? `${+value.toPrecision(6)}\u00a0ms` : `${+(value / 1000).toPrecision(6)}\u00a0s`;

	const percent = (fraction) => {
		const size = Math.abs(fraction) * 100;
		const sign = fraction < 0 ? '−' : fraction > 0 ? '+' : '';
		return `${sign}${size < 1 ? +size.toFixed(2) : digits(size)}\u00a0%`;
	};

	const percentTick = (fraction) =>
		`${fraction < 0 ? '−' : fraction > 0 ? '+' : ''}${+Math.abs(fraction * 100).toPrecision(6)}\u00a0%`;

	const percentileText = (q) => `P${+(q * 100).toPrecision(7)}`;

	// ── elements ──────────────────────────────────────────────────────────────────────────────────────────────────

	const create = (element, attributes, children) => {
		for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
		element.append(...children.flat(Infinity).filter((child) => child || child === 0));
		return element;
	};
	const svg = (name, attributes = {}, ...children) =>
		create(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
	const html = (name, attributes = {}, ...children) => create(document.createElement(name), attributes, children);

	const round = (value) => Math.round(value * 10) / 10;
	const label = (text, x, y, attributes = {}) => svg('text', { x: round(x), y: round(y), ...attributes }, text);
	const segment = (x1, y1, x2, y2, kind) =>
		svg('line', { x1: round(x1), y1: round(y1), x2: round(x2), y2: round(y2), class: kind });
	const box = (x, y, width, height, kind) =>
		svg('rect', { x: round(x), y: round(y), width: round(Math.max(width, 0)), height: round(height), class: kind });
	const hint = (text) => svg('title', {}, text);
	const path = (points, kind) =>
		svg('path', { d: `M${points.map(([x, y]) => `${round(x)},${round(y)}`).join('L')}`, class: kind });

	/** A circle for A, a diamond for B. */
	const mark = (arm, x, y, size, text) =>
		arm === 'a'
			? svg('circle', { cx: round(x), cy: round(y), r: size, class: 'mark' }, text && hint(text))
			: svg(
					'path',
					{
						d: `M${round(x)},${round(y - size * 1.25)}l${size * 1.25},${size * 1.25}l${-size * 1.25},${size * 1.25}l${-size * 1.25},${-size * 1.25}z`,
						class: 'mark',
					},
					text && hint(text),
				);

	/** A drawing that says what it shows to who cannot see it. */
	const drawing = (width, height, title, description, ...children) =>
		svg(
			'svg',
			{ viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': title },
			svg('title', {}, title),
			svg('desc', {}, description),
			children,
		);

	// ── scales: functions from a value to a place, with the ticks worth drawing ───────────────────────────────────

	const linear =
		([low, high], [from, to]) =>
		(value) =>
			from + ((value - low) / (high - low || 1)) * (to - from);

	const steps = (low, high, count) => {
		const rough = (high - low) / count || 1;
		const power = 10 ** Math.floor(Math.log10(rough));
		const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.8) * power;
		const first = Math.ceil(low / step - 1e-9);
		return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
	};

	const decades = (low, high) => {
		const ticks = [];
		for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++)
			ticks.push(...[1, 2, 5].map((factor) => factor * 10 ** power));
		const shown = ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
		return shown.length > 8
			? shown.filter((tick) => Number.isInteger(Math.round(Math.log10(tick) * 1e6) / 1e6))
			: shown;
	};

	/** From zero, or logarithmic where the values lie too far apart for that. */
	const latencyScale = (values, range) => {
		const seen = values.filter((value) => value > 0);
		const [low, high] = [Math.min(...seen), Math.max(...seen)];
		if (high / low < 25) return Object.assign(linear([0, high * 1.06], range), { ticks: steps(0, high * 1.06, 5) });
		const scale = linear([Math.log(low * 0.8), Math.log(high * 1.2)], range);
		return Object.assign((value) => scale(Math.log(Math.max(value, low * 0.8))), {
			ticks: decades(low * 0.8, high * 1.2),
		});
	};

	/** 1/(1−p): as much room for every tenth of what is left. */
	const percentileScale = (last, range) => {
		const scale = linear([Math.log10(2), -Math.log10(1 - last)], range);
		const place = (q) => scale(-Math.log10(1 - q));
		const isCrowded = place(0.95) - place(0.9) < 42;
		const ticks = [0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999].filter(
			(q) => q <= last + 1e-9 && !(isCrowded && q === 0.9),
		);
		return Object.assign(place, { ticks });
	};

	// ── the frame of a chart ──────────────────────────────────────────────────────────────────────────────────────

	const frameOf = (width, height) => ({ width, height, left: 58, right: width - 14, top: 12, bottom: height - 26 });

	const horizontals = (frame, scale, text) =>
		scale.ticks.map((tick) => [
			segment(frame.left, scale(tick), frame.right, scale(tick), 'grid'),
			label(text(tick), frame.left - 8, scale(tick) + 4, { 'text-anchor': 'end' }),
		]);

	const verticals = (frame, scale, text) =>
		scale.ticks.map((tick) => [
			segment(scale(tick), frame.top, scale(tick), frame.bottom, 'grid'),
			label(text(tick), scale(tick), frame.bottom + 18, { 'text-anchor': 'middle' }),
		]);

	const key = (kind, text, ...shapes) =>
		html('span', { class: `key ${kind}` }, svg('svg', { viewBox: '0 0 34 14', 'aria-hidden': 'true' }, shapes), text);

	const armName = (index) => {
		const { label: name } = (compare?.arms ?? run.arms)?.[index] ?? {};
		return name ? `${'AB'[index]}: ${name}` : 'AB'[index];
	};
	const armKeys = (names) =>
		names.map((name, i) =>
			key(
				ARMS[i],
				name,
				path(
					[
						[0, 7],
						[34, 7],
					],
					'line',
				),
				mark(ARMS[i], 17, 7, 4),
			),
		);

	// ── latency by percentile ─────────────────────────────────────────────────────────────────────────────────────

	const percentilesOfRun = ({ p50_ms, p95_ms, p99_ms }) => [
		[0.5, p50_ms],
		[0.95, p95_ms],
		[0.99, p99_ms],
	];

	/** What there is to draw: both arms, or one from both moments that latency can count from. */
	const percentileSeries = () => {
		if (compare?.quantiles?.length)
			return ['a', 'b'].map((arm, i) => ({
				name: armName(i),
				points: compare.quantiles.map((row) => [row.q, row[arm]]),
			}));
		const { corrected, raw } = run.results ?? {};
		if (compare || !corrected || !raw) return [];
		return [
			{ name: 'from when it was due', points: percentilesOfRun(corrected) },
			{ name: 'from when it was sent', points: percentilesOfRun(raw) },
		];
	};

	/** The limits that a gate sets on percentiles of the whole, from rows named "p95" and the like. */
	const latencyLimits = () =>
		(gate?.rows ?? []).flatMap(({ name, figures }) => {
			const [, number] = /^p(\d+(?:\.\d+)?)$/.exec(name) ?? [];
			return number && figures?.limit > 0 ? [{ q: number / 100, bound: figures.limit }] : [];
		});

	const drawLimit = (frame, x, y, { q, bound }) => {
		const text = `${percentileText(q)} ≤ ${tickText(bound)}`;
		const fits = x(q) + text.length * 8 < frame.right;
		return [
			path(
				[
					[frame.left, y(bound)],
					[x(q), y(bound)],
					[x(q), y(bound) + 9],
				],
				'limit',
			),
			label(text, x(q) + (fits ? 6 : -4), y(bound) + (fits ? 4 : -6), {
				'text-anchor': fits ? 'start' : 'end',
				class: 'limit-text',
			}),
		];
	};

	const drawSeries = ({ name, points }, arm, x, y) =>
		svg(
			'g',
			{ class: arm },
			path(
				points.map(([q, value]) => [x(q), y(value)]),
				'line',
			),
			points.map(([q, value]) =>
				mark(arm, x(q), y(value), 3.5, `${name}, ${percentileText(q)}: ${milliseconds(value)}`),
			),
		);

	const describePercentiles = (series) =>
		series
			.map(
				({ name, points }) =>
					`${name}: ${points.map(([q, value]) => `${percentileText(q)} ${milliseconds(value)}`).join(', ')}.`,
			)
			.join(' ');

	const drawPercentiles = (width) => {
		const series = percentileSeries().map(({ name, points }) => ({
			name,
			points: points.filter(([q, value]) => q >= 0.5 && q < 1 && value > 0),
		}));
		if (!series.some(({ points }) => points.length)) return null;
		const limits = latencyLimits();
		const frame = frameOf(width, Math.max(260, Math.min(360, width * 0.5)));
		const all = series.flatMap(({ points }) => points);
		const x = percentileScale(Math.max(0.99, ...all.map(([q]) => q)), [frame.left + 6, frame.right - 12]);
		const y = latencyScale(
			[...all.map(([, value]) => value), ...limits.map(({ bound }) => bound)],
			[frame.bottom, frame.top],
		);
		return [
			html(
				'div',
				{},
				armKeys(series.map(({ name }) => name)),
				limits.length > 0 &&
					key(
						'limit-key',
						'the gate’s limit',
						path(
							[
								[2, 4],
								[30, 4],
								[30, 12],
							],
							'limit',
						),
					),
			),
			drawing(
				frame.width,
				frame.height,
				'Latency by percentile',
				describePercentiles(series),
				horizontals(frame, y, tickText),
				verticals(frame, x, percentileText),
				series.map((each, i) => drawSeries(each, ARMS[i], x, y)),
				limits.map((limit) => drawLimit(frame, x, y, limit)),
			),
		];
	};

	// ── difference by percentile ──────────────────────────────────────────────────────────────────────────────────

	const isFigure = (...values) => values.every(Number.isFinite);

	/** A scale for changes that shows zero, the margin and all of them, but nothing beyond five times. */
	const changeScale = (rows, range) => {
		const cut = (value) => Math.max(-1, Math.min(5, value));
		const margin = compare.margin ?? 0;
		const ends = rows.flatMap(({ low, high }) => [cut(low), cut(high)]);
		const [low, high] = [Math.min(...ends, -margin * 1.6), Math.max(...ends, margin * 1.6)];
		const scale = linear([low, high], range);
		return Object.assign((value) => scale(Math.max(low, Math.min(high, value))), { ticks: steps(low, high, 5) });
	};

	const marginBand = (frame, y) => {
		const margin = compare.margin ?? 0;
		return box(frame.left, y(margin), frame.right - frame.left, y(-margin) - y(margin), 'margin');
	};

	const drawDifference = (width) => {
		const rows = (compare?.quantiles ?? []).filter(
			({ q, change, low, high }) => q >= 0.5 && q < 1 && isFigure(change, low, high),
		);
		if (rows.length < 2) return null;
		const frame = frameOf(width, Math.max(220, Math.min(300, width * 0.42)));
		const x = percentileScale(rows[rows.length - 1].q, [frame.left + 6, frame.right - 12]);
		const y = changeScale(rows, [frame.bottom, frame.top]);
		const edge = (side) => rows.map((row) => [x(row.q), y(row[side])]);
		const said = (row) =>
			`${percentileText(row.q)}: ${percent(row.change)}, ${percent(row.low)} to ${percent(row.high)}`;
		return [
			drawing(
				frame.width,
				frame.height,
				'Difference by percentile',
				`${rows.map(said).join('; ')}.`,
				marginBand(frame, y),
				horizontals(frame, y, percentTick),
				verticals(frame, x, percentileText),
				segment(frame.left, y(0), frame.right, y(0), 'zero'),
				path([...edge('low'), ...edge('high').reverse()], 'band'),
				svg(
					'g',
					{ class: 'b' },
					path(edge('change'), 'line'),
					rows.map((row) => mark('b', x(row.q), y(row.change), 3.5, said(row))),
				),
			),
		];
	};

	// ── the intervals in the table ────────────────────────────────────────────────────────────────────────────────

	/** A bar across; an arrow where the interval goes on beyond the scale. */
	const drawWhiskerEnd = (x, end, inwards) => {
		const back = end < x.low || end > x.high ? 5 * inwards : 0;
		const points = [8, 13, 18].map((y) => [x(end) + (y === 13 ? 0 : back), y]);
		return path(points, 'whisker');
	};

	const drawWhisker = ({ title, name, change, low, high }, x, width) =>
		drawing(
			width,
			26,
			`${title ?? name}: the interval`,
			`${percent(low)} to ${percent(high)}`,
			box(x(-(compare.margin ?? 0)), 0, x(compare.margin ?? 0) - x(-(compare.margin ?? 0)), 26, 'margin'),
			segment(x(0), 0, x(0), 26, 'zero'),
			segment(x(low), 13, x(high), 13, 'whisker'),
			drawWhiskerEnd(x, low, 1),
			drawWhiskerEnd(x, high, -1),
			svg('circle', { cx: round(x(change)), cy: 13, r: 4, class: 'dot' }, hint(percent(change))),
		);

	/** As in the table, for the line that explains it. */
	const drawOffScale = () =>
		svg(
			'svg',
			{ viewBox: '0 0 34 26', 'aria-hidden': 'true' },
			segment(0, 13, 33, 13, 'whisker'),
			drawWhiskerEnd(Object.assign((value) => value, { low: 0, high: 32 }), 33, -1),
		);

	const drawWhiskerAxis = (x, width) =>
		svg(
			'svg',
			{ viewBox: `0 0 ${width} 16`, 'aria-hidden': 'true' },
			label(percentTick(x.low), 0, 12),
			label(percentTick(x.high), width, 12, { 'text-anchor': 'end' }),
		);

	/** One scale for all rows, in whole steps, cut at twice as much. */
	const whiskerScale = (metrics, width) => {
		const ends = metrics.flatMap(({ low, high }) => [low, high]);
		const margin = compare.margin ?? 0;
		const unit = Math.max(...ends.map(Math.abs), margin) > 0.3 ? 0.1 : 0.05;
		const low = Math.max(-1, Math.floor(Math.min(...ends, -margin) / unit) * unit);
		const high = Math.min(1, Math.ceil(Math.max(...ends, margin) / unit) * unit);
		const scale = linear([low, high], [6, width - 6]);
		return Object.assign((value) => scale(Math.max(low, Math.min(high, value))), { low, high });
	};

	const drawWhiskers = () => {
		const metrics = (compare?.metrics ?? []).filter(({ change, low, high }) => isFigure(change, low, high));
		const cells = document.querySelectorAll('td.bar');
		if (!metrics.length) return;
		const width = cells[0].clientWidth;
		const x = whiskerScale(metrics, width);
		for (const cell of cells) {
			const metric = metrics.find(({ name }) => name === cell.dataset.metric);
			if (metric) cell.replaceChildren(drawWhisker(metric, x, width));
		}
		document.querySelector('th.bar').replaceChildren(drawWhiskerAxis(x, width));
		document.querySelector('[data-note=intervals]').hidden = false;
		const isOff = metrics.some(({ low, high }) => low < x.low || high > x.high);
		document.querySelector('[data-note=off-scale]').hidden = !isOff;
		document.querySelector('[data-mark=off-scale]').replaceChildren(drawOffScale());
	};

	// ── block by block ────────────────────────────────────────────────────────────────────────────────────────────

	const pairsOf = (blocks) => {
		const pairs = new Map();
		for (const block of blocks) pairs.set(block.pair, [...(pairs.get(block.pair) ?? []), block]);
		return [...pairs.values()].map((pair) => pair.sort((one, other) => one.start_s - other.start_s));
	};

	/** Blocks have no end of their own: the next one's start, and for the last as long as the one before. */
	const withEnds = (blocks) => {
		const sorted = [...blocks].sort((one, other) => one.start_s - other.start_s);
		const usual = sorted.length > 1 ? sorted[1].start_s - sorted[0].start_s : 1;
		return sorted.map((block, i) => ({ ...block, end_s: sorted[i + 1]?.start_s ?? block.start_s + usual }));
	};

	const blockText = ({ pair, arm, p95_ms, requests, errors, dropped }) =>
		`pair ${pair + 1}, ${'AB'[arm]}: P95 ${milliseconds(p95_ms)}, ${requests} requests, ${errors} unexpected responses${dropped ? ', left out' : ''}`;

	const drawBlock = (block, x, y) => {
		const [cx, cy] = [x((block.start_s + block.end_s) / 2), y(block.p95_ms)];
		const bad = block.errors > 0;
		return svg(
			'g',
			{ class: `${ARMS[block.arm]}${block.dropped ? ' dropped' : ''}` },
			mark(ARMS[block.arm], cx, cy, 4, blockText(block)),
			bad && [
				svg('circle', { cx: round(cx), cy: round(cy), r: 8, class: 'ring' }),
				label(block.errors, cx, cy - 12, { 'text-anchor': 'middle', class: 'strong' }),
			],
		);
	};

	const drawPair = (pair, index, frame, x, y) => {
		const [from, to] = [x(pair[0].start_s), x(pair[pair.length - 1].end_s)];
		const link = pair.map((block) => [x((block.start_s + block.end_s) / 2), y(block.p95_ms)]);
		return [index % 2 ? null : box(from, frame.top, to - from, frame.bottom - frame.top, 'pair'), path(link, 'link')];
	};

	const describeBlocks = (pairs) =>
		pairs
			.map(
				(pair) =>
					`pair ${pair[0].pair + 1}: ${pair.map(({ arm, p95_ms }) => `${'AB'[arm]} ${milliseconds(p95_ms)}`).join(', then ')}`,
			)
			.join('; ');

	// ── the host under the blocks ─────────────────────────────────────────────────────────────────────────────────

	/** What is drawn of a second of the host's record: where it stands in it, and whose stall it has. */
	const hostStrips = () => [
		{ name: 'waking', at: 1, markAt: 4, limit: 10, text: 'woken late by' },
		{ name: 'disk', at: 2, markAt: 5, limit: compare.host.sync_limit_ms, text: 'the disk took' },
	];
	const STRIP = 34;
	const MARKS = ['host-calm', 'own-stall', 'host-stall'];

	const drawStrip = (strip, index, seconds, frame, x) => {
		const base = index * (STRIP + 10) + STRIP + 6;
		const most = Math.max(strip.limit * 1.5, ...seconds.map((second) => second[strip.at]));
		const height = (value) => (Math.log1p(value) / Math.log1p(most)) * STRIP;
		const bars = seconds.map((second, i) => {
			const [from, to] = [seconds[i - 1]?.[0] ?? second[0] - 1, second[0]];
			const [left, right] = [Math.max(frame.left, x(from)), Math.min(frame.right, x(to))];
			const bar = box(
				left,
				base - height(second[strip.at]),
				Math.max(1, right - left),
				height(second[strip.at]),
				MARKS[second[strip.markAt]],
			);
			bar.append(hint(`${Math.round(from)} s: ${strip.text} ${milliseconds(second[strip.at])}`));
			return bar;
		});
		return [
			bars,
			segment(frame.left, base - height(strip.limit), frame.right, base - height(strip.limit), 'stall-line'),
			segment(frame.left, base, frame.right, base, 'grid'),
			label(strip.name, frame.left - 8, base - 4, { 'text-anchor': 'end' }),
			label(tickText(strip.limit), frame.right, base - height(strip.limit) - 3, {
				'text-anchor': 'end',
				class: 'small',
			}),
		];
	};

	const hostKeys = (seconds) =>
		[
			['host-stall', 'stall of the host'],
			['own-stall', 'stall that the server caused'],
		]
			.filter(([kind]) => seconds.some((second) => [second[4], second[5]].includes(MARKS.indexOf(kind))))
			.map(([kind, text]) => key('part-key', text, svg('rect', { width: 34, height: 14, class: kind })));

	const drawHost = (frame, x, first, last) => {
		const seconds = (compare.host?.seconds ?? []).filter(([at]) => at > first && at - 1 < last);
		if (!seconds.length) return null;
		const strips = hostStrips();
		return [
			drawing(
				frame.width,
				strips.length * (STRIP + 10) + 8,
				'The host meanwhile',
				`${compare.host.stalls} stalls of the host, ${compare.host.stalls_of_server} that the server caused.`,
				strips.map((strip, i) => drawStrip(strip, i, seconds, frame, x)),
			),
			html('div', {}, hostKeys(seconds)),
		];
	};

	const drawBlocks = (width) => {
		const blocks = withEnds((compare?.blocks ?? []).filter(({ start_s, p95_ms }) => isFigure(start_s, p95_ms)));
		if (!blocks.length) return null;
		const frame = frameOf(width, Math.max(240, Math.min(320, width * 0.45)));
		const [first, last] = [blocks[0].start_s, blocks[blocks.length - 1].end_s];
		const x = Object.assign(linear([first, last], [frame.left, frame.right]), {
			ticks: steps(first, last, Math.min(8, width / 80)),
		});
		const y = latencyScale(
			blocks.map(({ p95_ms }) => p95_ms),
			[frame.bottom, frame.top + 14],
		);
		const pairs = pairsOf(blocks);
		return [
			html('div', {}, armKeys([armName(0), armName(1)])),
			drawing(
				frame.width,
				frame.height,
				'P95 of each block over time',
				`${describeBlocks(pairs)}.`,
				pairs.map((pair, i) => drawPair(pair, i, frame, x, y)[0]),
				horizontals(frame, y, tickText),
				x.ticks.map((tick) =>
					label(`${+tick.toPrecision(6)}\u00a0s`, x(tick), frame.bottom + 18, { 'text-anchor': 'middle' }),
				),
				pairs.map((pair, i) => drawPair(pair, i, frame, x, y)[1]),
				blocks.map((block) => drawBlock(block, x, y)),
			),
			drawHost(frame, x, first, last),
		];
	};

	// ── where the time went ───────────────────────────────────────────────────────────────────────────────────────

	const stages = (compare?.stages ?? []).map((stage) => ({ ...stage, name: stage.title ?? stage.stage }));

	/** A stage has its colour in report.css, and a step that begins with a stage's name has it, too. */
	const colourOf = (name) => {
		const { stage = '' } = stages.find((each) => name.startsWith(each.name)) ?? {};
		return /^\w+$/.test(stage) ? `fill: var(--part-${stage}, var(--part-other))` : 'fill: var(--part-other)';
	};

	const partKey = (name) =>
		html(
			'span',
			{ class: 'key part-key' },
			svg(
				'svg',
				{ viewBox: '0 0 12 12', 'aria-hidden': 'true' },
				svg('rect', { width: 12, height: 12, style: colourOf(name) }),
			),
			name,
		);

	const partBox = (name, x, y, width, height, text) =>
		svg(
			'rect',
			{ x: round(x), y: round(y), width: round(Math.max(width, 1.5)), height, class: 'part', style: colourOf(name) },
			hint(text),
		);

	const stageBars = () =>
		['body', 'tail']
			.flatMap((place) =>
				ARMS.map((arm, i) => ({
					arm: i,
					place,
					parts: stages
						.map((stage) => ({ name: stage.name, took: stage[`${place}_ms`]?.[i] }))
						.filter(({ took }) => took > 0),
				})),
			)
			.map((bar) => ({ ...bar, total: bar.parts.reduce((sum, { took }) => sum + took, 0) }));

	const drawStageBar = (bar, y, left, scale) => {
		let at = left;
		const boxes = bar.parts.map(({ name, took }) => {
			const [x, width] = [at, took * scale];
			at += width;
			const fits = width > name.length * 6.5 + 8;
			return [
				partBox(name, x, y, width, 26, `${name}: ${milliseconds(took)}`),
				fits && label(name, x + 5, y + 17, { class: 'on-part' }),
			];
		});
		return [
			label(`${'AB'[bar.arm]}, ${bar.place}`, left - 8, y + 17, { 'text-anchor': 'end', class: 'strong' }),
			boxes,
			label(milliseconds(bar.total), at + 6, y + 17),
		];
	};

	const describeBars = (bars) =>
		bars
			.map(
				(bar) =>
					`${'AB'[bar.arm]}, ${bar.place}: ${bar.parts.map(({ name, took }) => `${name} ${milliseconds(took)}`).join(', ')}.`,
			)
			.join(' ');

	const drawStages = (width) => {
		const bars = stages.length ? stageBars().filter(({ total }) => total > 0) : [];
		if (!bars.length) return null;
		const left = 62;
		const scale = (width - left - 66) / Math.max(...bars.map(({ total }) => total));
		const place = (i) => i * 34 + (i >= bars.length / 2 ? 12 : 0);
		return [
			html(
				'div',
				{},
				stages.map(({ name }) => partKey(name)),
			),
			drawing(
				width,
				place(bars.length - 1) + 28,
				'Time by stage, in the body and in the tail',
				describeBars(bars),
				bars.map((bar, i) => drawStageBar(bar, place(i), left, scale)),
			),
		];
	};

	// ── the slowest requests ──────────────────────────────────────────────────────────────────────────────────────

	/** Behind its bar where there is room, else in it, else before it: a bar too short for that begins far to the right. */
	const placeOfValue = (x, width, size, room) => {
		if (x + width + 5 + size < room) return { at: x + width + 5, 'text-anchor': 'start' };
		if (size + 10 < width) return { at: x + width - 5, 'text-anchor': 'end', class: 'on-part' };
		return { at: x - 5, 'text-anchor': 'end' };
	};

	const drawStep = ({ name, start_ms, took_ms }, i, left, scale, room) => {
		const y = i * 19;
		const [x, width] = [left + start_ms * scale, took_ms * scale];
		const text = milliseconds(took_ms);
		const { at, ...attributes } = placeOfValue(x, width, text.length * 6.5, room);
		return [
			label(name, left - 8, y + 13, { 'text-anchor': 'end' }),
			partBox(name, x, y + 2, width, 14, `${name}: ${text}`),
			label(text, at, y + 13, attributes),
		];
	};

	const drawWaterfall = (request, width) => {
		const left = Math.min(150, Math.max(...request.steps.map(({ name }) => name.length)) * 6.6 + 12);
		const scale = (width - left - 4) / (request.total_ms || 1);
		const said = request.steps.map(({ name, took_ms }) => `${name} ${milliseconds(took_ms)}`).join(', ');
		return html(
			'figure',
			{},
			html(
				'h3',
				{},
				html('span', { class: `arm ${ARMS[request.arm]}` }, 'AB'[request.arm]),
				` ${milliseconds(request.total_ms)}, due at ${digits(request.at_s)}\u00a0s `,
				html('code', {}, request.request_id),
			),
			drawing(
				width,
				request.steps.length * 19 + 2,
				`Request ${request.request_id}`,
				`${said}.`,
				request.steps.map((step, i) => drawStep(step, i, left, scale, width)),
			),
		);
	};

	/** A's in the left column and B's in the right one, where there are two. */
	const inColumns = (requests) => {
		const columns = ARMS.map((_, arm) => requests.filter((request) => request.arm === arm));
		return columns[0]
			.flatMap((request, i) => [request, columns[1][i]])
			.concat(columns[1].slice(columns[0].length))
			.filter(Boolean);
	};

	const drawSlowest = (width) => {
		const requests = inColumns((compare?.slowest ?? []).filter(({ steps: each }) => each?.length));
		if (!requests.length) return null;
		const column = width > 640 ? (width - 32) / 2 : width;
		return [
			html(
				'div',
				{ class: 'waterfalls' },
				requests.map((request) => drawWaterfall(request, column)),
			),
		];
	};

	// ── drawing them all ──────────────────────────────────────────────────────────────────────────────────────────

	const charts = {
		percentiles: drawPercentiles,
		difference: drawDifference,
		blocks: drawBlocks,
		stages: drawStages,
		slowest: drawSlowest,
	};

	const drawCharts = (width) => {
		for (const [name, draw] of Object.entries(charts)) {
			const section = document.querySelector(`[data-chart=${name}]`);
			const content = draw(width);
			section.hidden = !content;
			section.querySelector('.drawn')?.remove();
			if (content) section.append(html('div', { class: 'drawn', role: 'presentation' }, content));
		}
	};

	let drawnWidth = 0;
	const fit = () => {
		const width = document.querySelector('main').clientWidth;
		if (width === drawnWidth) return;
		drawnWidth = width;
		drawWhiskers();
		drawCharts(width);
	};

	fit();
	window.addEventListener('resize', fit);
	window.addEventListener('beforeprint', () => drawCharts(PAPER_WIDTH));
	window.addEventListener('afterprint', () => drawCharts(drawnWidth));
})();
