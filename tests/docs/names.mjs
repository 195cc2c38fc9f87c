// What the pages name: files, folders, stages, functions, structs, constants, tests, links. Each must exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const KINDS = ['auth', 'parse', 'idempotency', 'queue', 'persist'];

function* walk(folder) {
	for (const entry of readdirSync(folder, { withFileTypes: true })) {
		const path = join(folder, entry.name);
		if (entry.isDirectory() && !/^(node_modules|build.*|\..*)$/.test(entry.name)) yield* walk(path);
		else if (entry.isFile()) yield path;
	}
}

/** A function from the text of a code span to what is wrong with it, or undefined. */
export function nameChecker(root) {
	const sources = ['core', 'stages', 'plugins', 'tests', 'benchmarks'].flatMap((folder) => [...walk(join(root, folder))]);
	const code = sources
		.filter((path) => /(\.[ch]|\.cmake|CMakeLists\.txt)$/.test(path))
		.map((path) => readFileSync(path, 'utf8'))
		.join('\n');
	const words = new Set(code.match(/\w+/g));
	const called = new Set([...code.matchAll(/(\w+)\)?\(/g)].map((match) => match[1]));
	const structs = new Set([...code.matchAll(/\bstruct (\w+)/g)].map((match) => match[1]));
	const tops = new Set(readdirSync(root));
	const rooms = new Set(readdirSync(join(root, 'core')));

	const isFile = (path) => {
		const [first] = path.split('/');
		return /\w\.(c|h|md|mjs|sh|yaml|txt|cmake|json)$/.test(path) || (path.includes('/') && (tops.has(first) || rooms.has(first)));
	};
	const fileExists = (path, page) =>
		[root, join(root, 'core'), join(root, 'core/include'), dirname(page.file)].some((folder) => existsSync(join(folder, path))) ||
		page.blocks.some(({ role }) => role?.verb === 'write' && role.path === path);

	return (text, page) => {
		const [span] = text.split(/[ :](?=\d|$)/); // `file.c:12`
		if (/[<>*$…]|^(build|\.)?\/|^build\/|^https?:/.test(span)) return undefined; // a pattern, an absolute path, a product
		const [first, second, ...rest] = span.split('/');
		if (KINDS.includes(first) && second && rest.length === 0 && /^\w+$/.test(second))
			return ['stages', 'plugins'].some((place) => existsSync(join(root, place, span))) ? undefined : 'no such stage';
		if (/^[\w.+/-]+$/.test(span) && isFile(span)) return fileExists(span, page) ? undefined : 'no such file';
		if (/^\w+\(\)$/.test(span)) return called.has(span.slice(0, -2)) ? undefined : 'no such function';
		if (/^struct \w+$/.test(span)) return structs.has(span.slice(7)) ? undefined : 'no such struct';
		if (/^(SLUICE_[A-Z_]+|test_\w+)$/.test(span)) return words.has(span) ? undefined : 'no such name';
		return undefined;
	};
}

const slug = (heading) =>
	heading
		.toLowerCase()
		.replace(/[^\p{L}\p{N} _-]/gu, '')
		.replaceAll(' ', '-');

/** What is wrong with a relative link, or undefined. */
export function checkLink(target, page) {
	if (/^[a-z]+:/.test(target)) return undefined;
	const [path, anchor] = target.split('#');
	const file = path ? join(dirname(page), path) : page;
	if (!existsSync(file)) return 'leads nowhere';
	if (!anchor) return undefined;
	const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map((match) => slug(match[1]));
	return headings.includes(anchor) ? undefined : 'has no such heading';
}
