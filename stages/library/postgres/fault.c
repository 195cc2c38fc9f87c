/* What a failure of PostgreSQL means. */
#include "fault.h"

#include <stdio.h>
#include <string.h>

/* By SQLSTATE or its beginning, the longer first. Those without words are about the event: data, constraints, triggers. */
static const struct {
	const char *state, *words;
} states[] = {
	{"08P01",
         "the server, or a pooler before it, refuses what Sluice sends (pool_mode=statement, or `options` in url?)"},
	{"08", "the connection failed"},
	{"0A", "the server does not support what Sluice asks of its tables (is there a rule on them?)"},
	{"25006", "the server only reads (a standby, or default_transaction_read_only)"},
	{"25P03", "a transaction was idle for too long"},
	{"25", "the transaction is in a wrong state"},
	{"26", "a prepared statement is missing"},
	{"28P01", "password authentication failed"},
	{"28", "the server does not let this role in (pg_hba.conf, or the role may not log in)"},
	{"3D", "the database does not exist"},
	{"3F", "the schema does not exist"},
	{"40001", "transactions were in conflict"},
	{"40P01", "transactions were in deadlock"},
	{"40", "the transaction was rolled back"},
	{"42501", "the role lacks a right"},
	{"42703", "a column of Sluice's tables is missing"},
	{"42804", "a column of Sluice's tables has another type"},
	{"42P01", "a table of Sluice's is missing"},
	{"42P10", "the unique key of webhook_events.message_id is missing"},
	{"42", "Sluice's tables are not as it made them"},
	{"53100", "the disk of the server is full"},
	{"53200", "the server is out of memory"},
	{"53300", "the server has too many connections, or the role has"},
	{"53", "the server lacks a resource"},
	{"55P03", "a lock could not be had"},
	{"55", "the server is not in the state that is needed"},
	{"57014", "a statement took longer than statement_timeout (a lock on Sluice's tables, or a slow disk?)"},
	{"57P01", "the server ended the connection"},
	{"57P02", "the server crashed"},
	{"57P03", "the server is starting up, shutting down or recovering"},
	{"57P05", "the server ended an idle connection"},
	{"57", "an operator intervened"},
	{"58030", "the server cannot read or write its files"},
	{"58P01", "a file of the server is missing"},
	{"58", "the server's system failed"},
	{"XX001", "a table is damaged"},
	{"XX002", "an index is damaged"},
	{"XX", "the server failed"},
};

/* What libpq says, by a part of it that is its own: we never set a locale, so that it speaks English. */
static const struct {
	const char *part, *words;
} messages[] = {
	{"could not translate host name",
         "a host name in url cannot be resolved; in a password, characters such as @ / ? # must be percent-encoded"},
	{"could not parse network address", "an address in url is not numeric"},
	{"invalid port number",
         "a port in url is not a number; in a password, characters such as @ / ? # must be percent-encoded"},
	{"invalid integer value", "a number in url is not one"},
	{"Connection refused", "connection refused"},
	{"timeout expired", "no answer in time"},
	{"Connection timed out", "no answer in time"},
	{"No route to host", "there is no route to the host"},
	{"Network is unreachable", "the network is unreachable"},
	{"Connection reset", "the connection was reset"},
	{"no password supplied", "the server wants a password, and there is none"},
	{"password authentication failed", "password authentication failed"},
	{"session is read-only", "the server only reads, and target_session_attrs wants one that writes"},
	{"in hot standby mode", "the server is a standby, and target_session_attrs wants another"},
	{"session is not read-only", "the server writes, and target_session_attrs wants another"},
	{"not in hot standby mode", "the server is no standby, and target_session_attrs wants one"},
	{"does not support SSL", "the server does not offer TLS, and sslmode requires it"},
	{"certificate", "a TLS certificate is missing or not accepted (sslmode, sslrootcert, sslcert)"},
	{"SSL", "TLS failed (sslmode)"},
	{"GSSAPI", "GSSAPI failed (gssencmode)"},
	{"service", "the service that url or PGSERVICE names cannot be read"},
	{"No such file or directory", "there is no such socket"},
	{"Permission denied", "the socket may not be opened"},
	{"server closed the connection", "the server closed the connection"},
	{"invalid response", "this is no PostgreSQL server"},
	{"out of memory", "out of memory"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *words_of_state(const char *sqlstate)
{
	for (size_t i = 0; i < COUNT(states); i++)
		if (strncmp(sqlstate, states[i].state, strlen(states[i].state)) == 0)
			return states[i].words;
	return NULL;
}

static const char *field(const PGresult *result, int which)
{
	const char *text = PQresultErrorField(result, which);
	return text ? text : "";
}

static void set_state(struct trouble *trouble, const char *sqlstate)
{
	(void)snprintf(trouble->sqlstate, sizeof(trouble->sqlstate), "%s", sqlstate);
}

void fault_of_state(const char *sqlstate, struct trouble *trouble)
{
	const char *words = words_of_state(sqlstate);
	set_state(trouble, sqlstate);
	(void)snprintf(trouble->text, TROUBLE_SIZE, "%s (SQLSTATE %s)", words ? words : "the server refused", sqlstate);
}

enum fault fault_of_result(const PGresult *result, struct trouble *trouble)
{
	const char *constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
	set_state(trouble, field(result, PG_DIAG_SQLSTATE));
	const char *words = words_of_state(trouble->sqlstate);
	if (words)
		(void)snprintf(trouble->text, TROUBLE_SIZE, "%s (SQLSTATE %s)", words, trouble->sqlstate);
	else
		(void)snprintf(trouble->text, TROUBLE_SIZE, "SQLSTATE %s%s%s", trouble->sqlstate,
		               constraint[0] ? ", constraint " : "", constraint);
	return words ? FAULT_LATER : FAULT_REFUSED;
}

/* "FATAL:  28P01" at the end of a line: how the server's errors look with that verbosity. */
static bool find_state(const char *message, char sqlstate_out[SQLSTATE_SIZE])
{
	for (const char *at = strstr(message, ":  "); at; at = strstr(at + 1, ":  ")) {
		size_t size = strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		if (size != SQLSTATE_SIZE - 1 || (at[3 + size] != '\n' && at[3 + size] != '\0'))
			continue;
		memcpy(sqlstate_out, at + 3, size);
		sqlstate_out[size] = '\0';
		return true;
	}
	return false;
}

void fault_of_message(const char *message, struct trouble *trouble)
{
	char sqlstate[SQLSTATE_SIZE];
	if (find_state(message, sqlstate)) {
		fault_of_state(sqlstate, trouble);
		return;
	}
	for (size_t i = 0; i < COUNT(messages); i++) {
		if (strstr(message, messages[i].part)) {
			fault_say(trouble, messages[i].words);
			return;
		}
	}
	fault_say(trouble, "the connection failed");
}

void fault_say(struct trouble *trouble, const char *text)
{
	trouble->sqlstate[0] = '\0';
	(void)snprintf(trouble->text, TROUBLE_SIZE, "%s", text);
}

static bool begins(const struct trouble *trouble, const char *state)
{
	return strncmp(trouble->sqlstate, state, strlen(state)) == 0;
}

bool fault_is_conflict(const struct trouble *trouble)
{
	return begins(trouble, "40");
}

bool fault_is_final(const struct trouble *trouble)
{
	return begins(trouble, "25006") || begins(trouble, "57P") || begins(trouble, "08");
}

bool fault_is_of_schema(const struct trouble *trouble)
{
	return begins(trouble, "42") || begins(trouble, "3F");
}
