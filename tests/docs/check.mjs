// Proves the pages: what they name exists, what they list is the file, what they run prints what they show.
//
//     node tests/docs/check.mjs BUILD_FOLDER [PAGE…]
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openConsole } from './console.mjs';
import { checkLink, nameChecker } from './names.mjs';
import { commandsOf, readPage } from './page.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const [build, ...asked] = process.argv.slice(2).map((path) => resolve(path));

function pagesIn(folder) {
	return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
		const path = join(folder, entry.name);
		return entry.isDirectory() ? pagesIn(path) : path.endsWith('.md') ? [path] : [];
	});
}
const pagesAtTop = readdirSync(root).filter((name) => name.endsWith('.md')).map((name) => join(root, name));
const pages = asked.length ? asked : [...pagesAtTop, ...pagesIn(join(root, 'docs'))];

const done = { names: 0, links: 0, listings: 0, commands: 0 };
const failed = new Set();
function judge(what, page, line, text, flaw) {
	done[what]++;
	if (!flaw) return;
	failed.add(what);
	console.log(`${relative(root, page.file)}:${line}: ${text}: ${flaw}`);
}

/** What is wrong with a block that repeats a file, or undefined. */
function checkListing({ role, lines }) {
	const file = readFileSync(join(root, role.path), 'utf8').split('\n');
	if (role.verb === 'same as') return file.join('\n') === [...lines, ''].join('\n') ? undefined : 'the file says something else';
	let next = 0; // line of the file; the parts stand in its order
	let anywhere = true; // behind `…`
	for (const line of lines) {
		if (line !== '…') {
			const at = anywhere ? file.indexOf(line, next) : next;
			if (at < 0 || file[at] !== line) return `not in the file at this place: ${line}`;
			next = at + 1;
		}
		anywhere = line === '…';
	}
	return undefined;
}

async function checkBlocks(page) {
	let session;
	try {
		for (const block of page.blocks) {
			session ??= await openConsole(root, build);
			if (block.role?.verb === 'write') session.write(block.role.path, block.lines);
			else if (block.role) judge('listings', page, block.line, block.role.path, checkListing(block));
			if (block.language !== 'console') continue;
			for (const command of commandsOf(block))
				judge('commands', page, command.line, command.text, await session.check(command));
		}
	} finally {
		session?.close();
	}
}

const checkName = nameChecker(root);
for (const page of pages.map(readPage)) {
	for (const { line, text } of page.spans) judge('names', page, line, text, checkName(text, page));
	for (const { line, text } of page.links) judge('links', page, line, text, checkLink(text, page.file));
	await checkBlocks(page);
}
for (const [what, count] of Object.entries(done)) {
	console.log(`${what}: ${count}${failed.has(what) ? ', not all are right' : ''}`);
	if (count === 0 && asked.length === 0) failed.add(what); // the pages have some of each
}
const checks = Object.keys(done).length;
console.log(`${(100 * (checks - failed.size)) / checks}%: Checks: ${checks}, Failures: ${failed.size}, Errors: 0`);
process.exit(failed.size ? 1 : 0);
