// What a good engineer would write in Node today: Fastify, and whatever waits while a statement runs goes to the database as the
// next one, as arrays for unnest. Two statements may run at once.
import Fastify from "fastify";
import pg from "pg";
import { randomUUID } from "node:crypto";
import { announce, AuditTrail, Refused, rowOf } from "./event.mjs";

const WRITERS = 2;
const BATCH_MAX = 256;

const pool = new pg.Pool({ connectionString: process.env.DB_URL, max: WRITERS });

const insert = {
	name: "insert",
	text: `WITH event AS (
			INSERT INTO webhook_events (message_id, event_type, stream, sequence, payload, digest, request_id, received_at)
			SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::bytea[], $7::text[], $8::timestamptz[])
			ON CONFLICT (message_id) DO NOTHING RETURNING message_id),
		audit AS (
			INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash)
			SELECT $9, $10, $11, $12, $13, $14 WHERE EXISTS (SELECT FROM event))
		SELECT message_id FROM event`,
};

const columns = ["messageId", "eventType", "stream", "sequence", "payload", "digest", "requestId", "receivedAt"];
const waiting = [];
const trails = Array.from({ length: WRITERS }, (_, i) => new AuditTrail(`fastify-${process.pid}-${i}`));

async function storeBatch(trail) {
	const batch = waiting.splice(0, BATCH_MAX);
	const rows = batch.map((entry) => entry.row);
	const values = columns.map((column) => rows.map((row) => row[column]));
	try {
		const inserted = await pool.query({ ...insert, values: [...values, ...trail.next(rows.map((row) => row.digest))] });
		const fresh = new Set(inserted.rows.map((row) => row.message_id));
		for (const { row, resolve } of batch) resolve(fresh.has(row.messageId) ? 202 : 200);
	} catch (error) {
		for (const { reject } of batch) reject(error);
	}
}

async function write(trail) {
	while (waiting.length > 0) await storeBatch(trail);
	trails.push(trail);
}

function store(row) {
	return new Promise((resolve, reject) => {
		waiting.push({ row, resolve, reject });
		// What else is read from the sockets in this turn goes into the same statement.
		if (trails.length > 0) setImmediate(() => trails.length > 0 && waiting.length > 0 && write(trails.pop()));
	});
}

const app = Fastify({ bodyLimit: 1048576, keepAliveTimeout: 65000 });
const response = {
	type: "object",
	properties: { status: { type: "string" }, messageId: { type: "string" }, requestId: { type: "string" } },
};
app.post("/webhooks", { schema: { response: { 200: response, 202: response } } }, async (request, reply) => {
	const requestId = request.headers["x-request-id"] ?? randomUUID();
	const row = rowOf(request.body, requestId);
	const status = await store(row);
	reply.code(status);
	return { status: status === 202 ? "accepted" : "duplicate", messageId: row.messageId, requestId };
});
app.setErrorHandler((error, _request, reply) =>
	reply.code(error instanceof Refused ? 400 : (error.statusCode ?? 503)).send({ error: error.message }));

await app.listen({ port: 0, host: "127.0.0.1" });
announce(app.server.address().port, () => pool.end());
