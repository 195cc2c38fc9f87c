// The original service's way in Express and pg: a SELECT for the message id, then an INSERT, over a pool of ten connections. Unlike
// the original it responds when the event is committed. One statement writes event and audit row, which spares it BEGIN and
// COMMIT.
import express from "express";
import pg from "pg";
import { randomUUID } from "node:crypto";
import { announce, AuditTrail, Refused, rowOf } from "./event.mjs";

const pool = new pg.Pool({ connectionString: process.env.DB_URL, max: 10 });

const trail = new AuditTrail(`express-${process.pid}`);

const lookUp = { name: "look-up", text: "SELECT digest FROM webhook_events WHERE message_id = $1" };
const insert = {
	name: "insert",
	text: `WITH event AS (
			INSERT INTO webhook_events (message_id, event_type, stream, sequence, payload, digest, request_id, received_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (message_id) DO NOTHING RETURNING id)
		INSERT INTO webhook_audit_trail (writer, position, written_at, covers, previous, hash)
		SELECT $9, $10, $11, $12, $13, $14 FROM event`,
};

async function store(row) {
	const known = await pool.query({ ...lookUp, values: [row.messageId] });
	if (known.rowCount > 0) return known.rows[0].digest.equals(row.digest) ? 200 : 422;
	const values = [row.messageId, row.eventType, row.stream, row.sequence, row.payload, row.digest, row.requestId, row.receivedAt];
	const inserted = await pool.query({ ...insert, values: [...values, ...trail.next([row.digest])] });
	return inserted.rowCount > 0 ? 202 : 200;
}

const app = express();
app.use(express.json({ limit: "1mb", strict: false }));
app.post("/webhooks", async (request, response) => {
	const requestId = request.get("x-request-id") ?? randomUUID();
	const row = rowOf(request.body, requestId);
	const status = await store(row);
	response.status(status).json({ status: status === 202 ? "accepted" : "duplicate", messageId: row.messageId, requestId });
});
app.use((error, _request, response, _next) => {
	const status = error instanceof Refused ? 400 : (error.status ?? 503);
	response.status(status).json({ error: error.message });
});

const server = app.listen(0, "127.0.0.1", () => announce(server.address().port, () => pool.end()));
