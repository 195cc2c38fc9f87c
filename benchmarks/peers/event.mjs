// What both peers share: the columns of a webhook, the tables (those that Sluice has made), and the rows of the audit trail.
import { createHash } from "node:crypto";

export class Refused extends Error {}

const isText = (value) => typeof value === "string" && value.length > 0;

/** The row of a webhook whose body was parsed. */
export function rowOf(body, requestId) {
	if (!isText(body?.messageId)) throw new Refused("messageId: expected a non-empty string");
	if (typeof body.eventType !== "string") throw new Refused("eventType: expected a string");
	if (body.payload === undefined) throw new Refused("payload is missing");
	const payload = Buffer.from(JSON.stringify(body.payload));
	const digest = createHash("sha256");
	for (const part of [body.eventType, body.stream ?? "", String(body.sequence ?? ""), payload]) digest.update(part).update("\0");
	return {
		messageId: body.messageId,
		eventType: body.eventType,
		stream: body.stream ?? null,
		sequence: body.sequence ?? null,
		payload,
		digest: digest.digest(),
		requestId,
		receivedAt: new Date(),
	};
}

/** The rows of a writer's audit trail: each has the hash of the one before. */
export class AuditTrail {
	constructor(writer) {
		this.writer = writer;
		this.position = 0;
		this.previous = Buffer.alloc(32);
	}

	next(digests) {
		const covers = Buffer.concat(digests);
		const previous = this.previous;
		this.previous = createHash("sha256").update(previous).update(covers).digest();
		this.position++;
		return [this.writer, this.position, new Date(), covers, previous, this.previous];
	}
}

/** Says where the server listens as Sluice does, and ends it when it is asked to. */
export function announce(port, close) {
	console.log(`ready http://127.0.0.1:${port}`);
	process.once("SIGTERM", async () => {
		await close();
		process.exit(0);
	});
}
