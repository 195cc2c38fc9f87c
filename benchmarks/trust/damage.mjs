// Damage to one stored event, by triggers in arm B's own store: made by a real server's own commit, and known to nobody but the
// store. For `--prepare`, which runs when the tables exist.

// In the first block; the ids of the warm-up are larger. The stores refuse an event whose own insert changes its row, so it is a later one.
const [victim, id] = [300, 310].map((number) => `b-msg-1-${number}`);

const sqlite = {
  lost: `DELETE FROM webhook_events WHERE message_id = '${victim}';`,
  // The one before it in its stream moves behind all others.
  reordered: `UPDATE webhook_events SET id = id + 1000000 WHERE id =
    (SELECT max(id) FROM webhook_events WHERE stream = NEW.stream AND id < NEW.id);`,
};

const postgres = {
  lost: `DELETE FROM webhook_events WHERE message_id = '${victim}';`,
  // The key of the table says nothing of one that inherits from it.
  doubled: `SELECT * INTO moved FROM webhook_events WHERE message_id = '${victim}';
    moved.id := moved.id + 1000000;
    INSERT INTO twins SELECT moved.*;`,
  reordered: `DELETE FROM webhook_events WHERE id =
      (SELECT max(id) FROM webhook_events WHERE stream = NEW.stream AND id < NEW.id) RETURNING * INTO moved;
    moved.id := moved.id + 1000000;
    INSERT INTO webhook_events OVERRIDING SYSTEM VALUE SELECT moved.*;`,
};

export const damages = { sqlite, postgres };

const onSqlite = (what) =>
  `CREATE TRIGGER damage AFTER INSERT ON webhook_events WHEN NEW.message_id = '${id}' BEGIN ${sqlite[what]} END;`;

const onPostgres = (what) => `
  CREATE TABLE twins () INHERITS (webhook_events);
  CREATE FUNCTION damage() RETURNS trigger LANGUAGE plpgsql AS $do$
    DECLARE moved webhook_events;
    BEGIN ${postgres[what]} RETURN NULL; END $do$;
  CREATE TRIGGER damage AFTER INSERT ON webhook_events FOR EACH ROW WHEN (NEW.message_id = '${id}') EXECUTE FUNCTION damage();`;

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A shell command that plants it in arm B. */
export function damage(store, what, url) {
  const plant =
    store === 'sqlite'
      ? `sqlite3 -bail -cmd '.timeout 5000' "$SLUICE_LOCATION" ${quoted(onSqlite(what))}`
      : `{ echo "SET search_path = $SLUICE_LOCATION;"; echo ${quoted(onPostgres(what))}; } | psql -X -q -v ON_ERROR_STOP=1 ${quoted(url)}`;
  return `[ "$SLUICE_ARM" = a ] || ${plant}`;
}
