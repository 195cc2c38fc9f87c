// Runs the commands of a page, in a folder of their own that looks like the top of the tree, and compares what they print.
// `cd` holds for what follows. The folder is also the home: what is installed into ~/.local is found.
//
// `sluice run` serves until `^C`. Its two doors get free ports, and curl and sluice find them there, so that the pages can
// say 5000 and 9464. What differs from run to run (ids, times, hashes, figures) is replaced on both sides.
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const PATIENCE_MS = 120_000;
const DOORS = { public: 5000, admin: 9464 };

const VARYING = [
	[/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UUID'],
	[/\b([0-9a-f]{64}|[0-9a-f]{32})\b/g, 'HASH'],
	[/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, 'TIME'],
	[/\b\d\d:\d\d:\d\d\.\d{3,6}\b/g, 'TIME'],
	[/\bsha256 [0-9a-f]{12}\b/g, 'sha256 HASH'],
	[/^Date: .*/gm, 'Date: TIME'],
	[/\b\d+(ms|µs)(?!\w)/g, 'DURATION'],
	[/\b\d+(\.\d+)?(?= s$|\/s\b| % busy)/gm, 'N'],
	[/^(\w+\/\w+|respond|total)( .*\|.*)/gm, (_, stage, figures) => stage + figures.replace(/\d+\.\d+/g, 'N')],
	[/[ \t]+/g, ' '],
	[/\s+$/gm, ''],
];

const normalise = (text) => VARYING.reduce((all, [pattern, instead]) => all.replace(pattern, instead), text);

const quote = (line) => line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Whether the output is what is shown, where a line `…` stands for any lines. */
function matches(shown, output) {
	const pattern = normalise(shown.join('\n'))
		.split('\n')
		.map((line) => (line === '…' ? '(?:.*\n)*?' : `${quote(line)}\n`))
		.join('');
	return new RegExp(`^${shown.length ? pattern : ''}$`).test(output ? `${normalise(output)}\n`.replace(/\n+$/, '\n') : '');
}

const freePort = () =>
	new Promise((resolve) => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});

/** The top of the tree as the commands see it: `build/sluice` moves the doors to the free ports. */
function makeFolder(root, build, ports) {
	const folder = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
	for (const name of ['core', 'pipelines', 'plugins', 'stages', 'tests']) symlinkSync(join(root, name), join(folder, name));
	mkdirSync(join(folder, 'build'));
	for (const name of readdirSync(build)) if (name !== 'sluice') symlinkSync(join(build, name), join(folder, 'build', name));
	const sluice = join(folder, 'build', 'sluice');
	writeFileSync(
		sluice,
		`#!/bin/sh
case $1 in
run) exec "${build}/sluice" "$@" --set listen.port=${ports.public} --set admin.port=${ports.admin} ;;
replay) exec "${build}/sluice" $(printf '%s\\n' "$@" | sed s/:${DOORS.public}/:${ports.public}/) ;;
status | lineage) exec "${build}/sluice" "$@" --admin http://127.0.0.1:${ports.admin} ;;
*) exec "${build}/sluice" "$@" ;;
esac
`,
	);
	chmodSync(sluice, 0o755);
	const doors = Object.keys(DOORS).map((door) => `connect-to = "localhost:${DOORS[door]}:127.0.0.1:${ports[door]}"`);
	writeFileSync(join(folder, '.curlrc'), `silent\n${doors.join('\n')}\n`);
	return folder;
}

export async function openConsole(root, build) {
	const ports = { public: await freePort(), admin: await freePort() };
	const folder = makeFolder(root, build, ports);
	const env = { PATH: `${folder}/.local/bin:${process.env.PATH}`, HOME: folder, CURL_HOME: folder, LC_ALL: 'C.UTF-8' };
	let server;
	let here = folder;

	const asShown = (text) =>
		Object.keys(DOORS)
			.reduce((all, door) => all.replaceAll(`:${ports[door]}`, `:${DOORS[door]}`), text)
			.replaceAll(build, '…/build');

	const start = (text) => {
		const child = spawn('bash', ['-c', `exec 2>&1; ${text}`], { cwd: here, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
		const run = { child, output: '', read: 0 };
		child.stdout.setEncoding('utf8').on('data', (data) => (run.output += data));
		run.ended = new Promise((resolve) => child.on('close', resolve));
		return run;
	};
	/** Waits until it is done, or kills it and says so in its output. */
	const finish = async (run, done) => {
		const timer = setTimeout(() => {
			run.output += '\n(killed: it took too long)';
			process.kill(-run.child.pid, 'SIGKILL');
		}, PATIENCE_MS);
		await done;
		clearTimeout(timer);
	};
	const take = (run) => {
		const text = run.output.slice(run.read);
		run.read = run.output.length;
		return asShown(text);
	};

	const serve = async (text) => {
		const run = start(text);
		server = run;
		const ready = new Promise((resolve) => {
			run.child.stdout.on('data', () => /^ready .*\n/m.test(run.output) && resolve());
		});
		await finish(run, Promise.race([ready, run.ended]));
		return take(run);
	};
	const interrupt = async () => {
		const run = server;
		server = undefined;
		process.kill(-run.child.pid, 'SIGINT');
		await finish(run, run.ended);
		return take(run);
	};
	const runOnce = async (text) => {
		const run = start(text);
		await finish(run, run.ended);
		for (const [, to] of text.matchAll(/(?:^|&& )cd (\S+)/g)) here = resolve(here, to);
		return take(run);
	};

	return {
		write: (name, lines) => writeFileSync(join(here, name), `${lines.join('\n')}\n`),
		/** What is wrong with the command, or undefined. */
		async check({ text, output }) {
			const said = text === '^C' ? await interrupt() : await (/sluice run /.test(text) ? serve : runOnce)(text);
			return matches(output, said) ? undefined : `expected\n${output.join('\n')}\ngot\n${said}`;
		},
		close() {
			if (server) process.kill(-server.child.pid, 'SIGKILL');
			rmSync(folder, { recursive: true });
		},
	};
}
