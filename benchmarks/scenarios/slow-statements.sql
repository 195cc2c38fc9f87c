-- Makes every statement that stores events take its time at the database, as the original service's did: about 46 ms, with a
-- spread. The place is the schema of an arm, its tables are there.
--
-- Why this is fair. The trigger runs once per statement, whatever the number of rows, inside the transaction: the connection
-- and the row locks are held as long as by a slow commit (a synchronous replica, a disk far away). It waits and burns nothing,
-- so no configuration is helped or hurt by the processors of the machine it is tried on. What it does not show: a database
-- that is slow because it is busy would slow down further with more connections, this one does not.
--
-- The sum of three uniform numbers is near enough to a bell: mean 1.5, deviation 0.5. So 44 ms, deviation 6 ms; the statement
-- itself makes up the rest.
SET search_path = :"place";

CREATE FUNCTION slow_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_sleep(0.044 + 0.012 * (random() + random() + random() - 1.5));
  RETURN NULL;
END $$;

CREATE TRIGGER slow_statement AFTER INSERT ON webhook_events
  FOR EACH STATEMENT EXECUTE FUNCTION slow_statement();
