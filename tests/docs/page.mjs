// A page of Markdown as the check sees it: its code spans and links, and its fenced blocks in order.
//
// A comment right above a block says what the block is:
//     <!-- same as PATH -->   the whole file
//     <!-- part of PATH -->   lines of it; a line with `…` stands for lines left out
//     <!-- write NAME -->     is saved under NAME, for the commands below it
// A ```console block holds commands after `$ ` and what they print; it is run.
import { readFileSync } from 'node:fs';

export function readPage(file) {
	const page = { file, spans: [], links: [], blocks: [] };
	let block;
	let role;
	for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
		const fence = /^```(\w*)/.exec(line);
		if (block && line === '```') {
			page.blocks.push(block);
			block = undefined;
		} else if (block) {
			block.lines.push(line);
		} else if (fence) {
			block = { line: index + 1, language: fence[1], role, lines: [] };
			role = undefined;
		} else {
			const comment = /^<!-- (same as|part of|write) (\S+) -->$/.exec(line);
			if (comment) role = { verb: comment[1], path: comment[2] };
			for (const match of line.matchAll(/`([^`]+)`/g)) page.spans.push({ line: index + 1, text: match[1] });
			for (const match of line.matchAll(/\]\(([^)\s]+)\)/g)) page.links.push({ line: index + 1, text: match[1] });
		}
	}
	return page;
}

/** The commands of a console block, each with the lines that it is said to print. `^C` is a command, too. */
export function commandsOf(block) {
	const commands = [];
	let open = false;
	for (const [index, line] of block.lines.entries()) {
		const last = commands.at(-1);
		if (open) last.text += `\n${line}`;
		else if (line.startsWith('$ ') || line === '^C')
			commands.push({ line: block.line + 1 + index, text: line.replace(/^\$ /, ''), output: [] });
		else last.output.push(line);
		open = (open || line.startsWith('$ ')) && line.endsWith('\\');
	}
	return commands;
}
