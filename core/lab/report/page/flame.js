/* The flame graph of both arms: frames as wide as what both spent in them, coloured where one spent more than chance makes. */
(() => {
	'use strict';

	const { flame } = JSON.parse(document.getElementById('data').textContent);
	const section = document.querySelector('[data-chart=flame]');
	if (!flame) return;

	const ROW = 18;
	const LETTER = 6.6; // the widest there is, about
	const LARGEST = 8;
	const [, totalA, totalB] = flame;
	const arms = [totalA, totalB].filter((total) => total > 0).length;

	const create = (element, attributes, children) => {
		for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
		element.append(...children.flat(Infinity).filter(Boolean));
		return element;
	};
	const svg = (name, attributes = {}, ...children) =>
		create(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
	const html = (name, attributes = {}, ...children) => create(document.createElement(name), attributes, children);

	const round = (value) => Math.round(value * 10) / 10;
	const share = (samples, total) => (total > 0 ? `${((100 * samples) / total).toFixed(1)}\u00a0%` : '–');
	const count = (samples) => samples.toLocaleString('en-US', { maximumFractionDigits: 0 });

	/** As many samples of both arms are what the same load costs: more in one of them is more time. */
	const difference = (a, b) => (Math.abs(b - a) > 2 * Math.sqrt(a + b) ? (b - a) / (a + b) : 0);

	const said = ([name, a, b]) =>
		arms < 2
			? `${name}: ${count(a + b)} samples, ${share(a + b, totalA + totalB)}`
			: `${name}: A ${count(a)} samples (${share(a, totalA)}), B ${count(b)} (${share(b, totalB)})`;

	const fillOf = ([, a, b]) => {
		const more = arms < 2 ? 0 : difference(a, b);
		if (!more) return 'fill: var(--margin)';
		return `fill: var(--${more > 0 ? 'b' : 'a'}); fill-opacity: ${(0.2 + 0.6 * Math.abs(more)).toFixed(2)}`;
	};

	const cut = (name, width) => {
		const room = Math.floor((width - 6) / LETTER);
		if (room < 3) return '';
		return name.length <= room ? name : `${name.slice(0, room - 1)}…`;
	};

	/** Every frame with its place: callers below, callees above. */
	const lay = (root, width) => {
		const frames = [];
		const put = (frame, depth, x, scale) => {
			const [, a, b, children] = frame;
			const room = (a + b) * scale;
			if (room < 0.4) return;
			frames.push({ frame, depth, x, width: room });
			let at = x;
			for (const child of children) {
				put(child, depth + 1, at, scale);
				at += (child[1] + child[2]) * scale;
			}
		};
		put(root, 0, 0, width / (root[1] + root[2]));
		return frames;
	};

	const listFrames = (frame, list = new Map()) => {
		const [name, a, b, children] = frame;
		const own = list.get(name) ?? { name, a: 0, b: 0 };
		own.a += a - children.reduce((sum, child) => sum + child[1], 0);
		own.b += b - children.reduce((sum, child) => sum + child[2], 0);
		list.set(name, own);
		for (const child of children) listFrames(child, list);
		return list;
	};

	const drawTable = () => {
		const rows = [...listFrames(flame).values()]
			.filter(({ a, b }) => difference(a, b))
			.sort((one, other) => Math.abs(other.b - other.a) - Math.abs(one.b - one.a))
			.slice(0, LARGEST);
		if (arms < 2) return null;
		if (!rows.length) return html('p', {}, 'No function took more time in one arm than chance makes.');
		const cell = (text) => html('td', {}, text);
		return html(
			'table',
			{ class: 'narrow' },
			html('thead', {}, html('tr', {}, ['Samples in the function itself', 'A', 'B'].map((text) => html('th', { scope: 'col' }, text)))),
			html(
				'tbody',
				{},
				rows.map(({ name, a, b }) => html('tr', {}, html('th', { scope: 'row' }, html('code', {}, name)), cell(count(a)), cell(count(b)))),
			),
		);
	};

	const drawGraph = (root, width, zoom) => {
		const frames = lay(root, width);
		const rows = 1 + Math.max(...frames.map(({ depth }) => depth));
		const shapes = frames.map(({ frame, depth, x, width: room }) => {
			const y = (rows - 1 - depth) * ROW;
			const shape = svg(
				'g',
				{ class: 'frame' },
				svg('title', {}, said(frame)),
				svg('rect', { x: round(x), y, width: round(room), height: ROW - 1, style: fillOf(frame) }),
				svg('text', { x: round(x + 4), y: y + 13, class: 'strong' }, cut(frame[0], room)),
			);
			shape.addEventListener('click', () => zoom(frame === root ? flame : frame));
			return shape;
		});
		const title = 'Processor time by function';
		return svg(
			'svg',
			{ viewBox: `0 0 ${width} ${rows * ROW}`, role: 'img', 'aria-label': title },
			svg('title', {}, title),
			svg('desc', {}, `${said(root)}. ${root[3].map(said).join('. ')}.`),
			shapes,
		);
	};

	let root = flame;
	const draw = (width) => {
		section.hidden = false;
		section.querySelector('.drawn')?.remove();
		const zoom = (frame) => {
			root = frame;
			draw(width);
		};
		section.append(html('div', { class: 'drawn', role: 'presentation' }, drawGraph(root, width, zoom), drawTable()));
	};

	const PAPER_WIDTH = 680;
	const fit = () => draw(document.querySelector('main').clientWidth);
	fit();
	window.addEventListener('resize', fit);
	window.addEventListener('beforeprint', () => draw(PAPER_WIDTH));
	window.addEventListener('afterprint', fit);
})();
