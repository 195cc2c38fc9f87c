/* See stated.h. */
#include "conform/stated.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "conform/concurrent.h"
#include "conform/sample.h"

enum { THREADS = 4, ROUNDS = 100 };

static struct stated all[STATED_MAX];
static size_t all_count;
static bool all_read;

static struct buffer read_file(struct check *check, const char *path)
{
	struct buffer content = {0};
	char part[65536];
	FILE *file = fopen(path, "re");
	check_that(check, file, "%s: %s", path, strerror(errno));
	for (size_t size; (size = fread(part, 1, sizeof(part), file)) > 0;)
		buffer_add(&content, part, size);
	(void)fclose(file);
	buffer_add(&content, "", 0);
	return content;
}

/* A file is looked for beside the statement. */
static struct sluice_bytes value_of(struct check *check, const char *text, const char *folder)
{
	if (*text != '@')
		return (struct sluice_bytes){text, strlen(text)};
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s%s%s", text[1] == '/' ? "" : folder, text[1] == '/' ? "" : "/", text + 1);
	struct buffer content = read_file(check, path); /* lives as long as the process */
	return (struct sluice_bytes){content.data ? content.data : "", content.size};
}

static void state_verdict(struct check *check, struct stated *stated, const char *value)
{
	static const enum sluice_verdict verdicts[] = {SLUICE_PASS, SLUICE_REJECT, SLUICE_DONE};
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		stated->verdict = verdicts[i];
		if (strcmp(value, verdict_name(verdicts[i])) == 0)
			return;
	}
	check_fail(check, __FILE__, __LINE__, "--expect: verdict: expected PASS, REJECT or DONE, got %s", value);
}

static void state_alike(struct check *check, struct stated *stated, const char *header)
{
	size_t count = 0;
	while (stated->alike[count])
		count++;
	check_that(check, count < ALIKE_MAX, "--expect: alike: expected at most %d headers", ALIKE_MAX);
	stated->alike[count] = header;
}

static void state(struct check *check, struct stated *stated, char *line, const char *folder)
{
	char *equals = strchr(line, '=');
	check_that(check, equals, "--expect: expected NAME=VALUE, got %s", line);
	*equals = '\0';
	const char *value = equals + 1;
	const struct {
		const char *name;
		struct sluice_bytes *field;
	} fields[] = {{"message_id", &stated->message_id},
	              {"event_type", &stated->event_type},
	              {"stream", &stated->stream},
	              {"payload", &stated->payload}};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(line, fields[i].name) == 0) {
			*fields[i].field = value_of(check, value, folder);
			return;
		}
	}
	if (strcmp(line, "verdict") == 0)
		state_verdict(check, stated, value);
	else if (strcmp(line, "status") == 0)
		stated->status = atoi(value);
	else if (strcmp(line, "client") == 0)
		stated->client = value;
	else if (strcmp(line, "alike") == 0)
		state_alike(check, stated, value);
	else if (strcmp(line, "sequence") == 0) {
		stated->sequence = strtoll(value, NULL, 10);
		stated->has_sequence = true;
	} else
		check_fail(check, __FILE__, __LINE__,
		           "--expect: there is no %s: expected verdict, status, message_id, event_type, stream, "
		           "sequence, payload, client or alike",
		           line);
}

/* The statements live as long as the process. */
static void state_all(struct check *check, struct stated *stated, char *text, const char *separators,
                      const char *folder)
{
	for (char *line; (line = strsep(&text, separators));) {
		if (*line)
			state(check, stated, line, folder);
	}
}

static struct stated *add(struct check *check, const char *path)
{
	check_that(check, all_count < STATED_MAX, "--request: expected at most %d requests", STATED_MAX);
	struct stated *stated = &all[all_count++];
	const char *slash = strrchr(path, '/');
	(void)snprintf(stated->name, sizeof(stated->name), "%s", slash ? slash + 1 : path);
	struct buffer text = read_file(check, path); /* lives as long as the process */
	if (text.size == 0)
		check_skip(check, "cannot read %s: it is empty", path);
	request_parse(check, text.data, text.size, &stated->request);
	return stated;
}

static int is_request(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);
	return size > 5 && strcmp(entry->d_name + size - 5, ".http") == 0;
}

static void read_folder(struct check *check, const char *folder)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, is_request, alphasort);
	check_that(check, count > 0, "--request: %s: has no file NAME.http", folder);
	for (int i = 0; i < count; i++) {
		char path[4096];
		(void)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		struct stated *stated = add(check, path);
		memcpy(path + strlen(path) - strlen("http"), "expect", sizeof("expect"));
		struct stat status;
		if (stat(path, &status) == 0)
			state_all(check, stated, read_file(check, path).data, "\r\n", folder);
		free(entries[i]);
	}
	free(entries);
}

const struct stated *stated_all(struct check *check, size_t *count_out)
{
	const char *path = check_request(check);
	struct stat status;
	if (all_read) {
		*count_out = all_count;
		return all;
	}
	if (path && stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
		read_folder(check, path);
	} else if (path) {
		struct stated *stated = add(check, path);
		static char *expect; /* the statements point into it */
		expect = check_expect(check) ? strdup(check_expect(check)) : NULL;
		if (expect)
			state_all(check, stated, expect, ",", check_start_folder(check));
	}
	all_read = true;
	*count_out = all_count;
	return all;
}

const struct stated *stated_model(struct check *check)
{
	size_t count;
	const struct stated *stated = stated_all(check, &count);
	for (size_t i = 0; i < count; i++) {
		if (stated[i].verdict == SLUICE_PASS)
			return &stated[i];
	}
	return NULL;
}

struct sluice_event *stated_event(struct bench *bench, const struct stated *stated)
{
	const struct request *request = &stated->request;
	struct sluice_event *event = request_event(bench, request);
	for (size_t i = 0; i < request->header_count; i++)
		bench_add_header(event, request->headers[i].name, request->headers[i].value);
	bench_set_body(event, request->body.data, request->body.size);
	if (stated->client)
		bench_set_client(event, stated->client);
	return event;
}

bool stated_is_alike(const struct stated *stated, const char *header)
{
	for (size_t i = 0; stated && i < ALIKE_MAX && stated->alike[i]; i++) {
		if (strcasecmp(stated->alike[i], header) == 0)
			return true;
	}
	return false;
}

static void expect_field(struct check *check, const struct stated *stated, const char *name,
                         struct sluice_bytes expected, struct sluice_bytes seen)
{
	check_that(check, !expected.data || sluice_bytes_equal(expected, seen),
	           "%s: expected the %s \"%.*s\", got \"%.*s\"", stated->name, name, (int)expected.size,
	           expected.size ? expected.data : "", (int)seen.size, seen.size ? seen.data : "");
}

static void expect_as_stated(struct check *check, struct bench *bench, const struct stated *stated)
{
	struct sluice_event *event = stated_event(bench, stated);
	bool is_parse = check_ops(check)->kind == SLUICE_KIND_PARSE;
	enum sluice_verdict verdict = sample_wait(check, event, bench_process(bench, event));
	int status = bench_status(event);
	check_that(check, verdict == stated->verdict, "%s: expected %s, got %s: %s", stated->name,
	           verdict_name(stated->verdict), verdict_name(verdict), bench_detail(event));
	check_that(check, !stated->status || status == stated->status, "%s: expected status %d, got %d", stated->name,
	           stated->status, status);
	if (is_parse && verdict == SLUICE_PASS) {
		expect_field(check, stated, "message id", stated->message_id, event->message_id);
		expect_field(check, stated, "event type", stated->event_type, event->event_type);
		expect_field(check, stated, "stream", stated->stream, event->stream);
		expect_field(check, stated, "payload", stated->payload, event->payload);
		check_that(check, !stated->has_sequence || (event->has_sequence && event->sequence == stated->sequence),
		           "%s: expected the sequence %lld, got %s%lld", stated->name, (long long)stated->sequence,
		           event->has_sequence ? "" : "none, ", (long long)event->sequence);
	}
	bench_settle(bench, event, verdict);
}

struct readers {
	struct check *check;
	struct bench *bench;
	const struct stated *stated;
	size_t count;
};

static void read_all(void *context, unsigned number)
{
	const struct readers *readers = context;
	for (size_t i = 0; i < ROUNDS; i++)
		expect_as_stated(readers->check, readers->bench, &readers->stated[(i + number) % readers->count]);
}

void stated_holds(struct check *check)
{
	struct readers readers = {.check = check};
	readers.stated = stated_all(check, &readers.count);
	if (readers.count == 0)
		check_skip(check, "nothing is stated: see --request and --expect");
	readers.bench = check_open(check);
	for (size_t i = 0; i < readers.count; i++)
		expect_as_stated(check, readers.bench, &readers.stated[i]);
	concurrent_collide(check, THREADS, read_all, &readers);
	bench_close(readers.bench);
}
