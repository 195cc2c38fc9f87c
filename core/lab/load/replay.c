/*
 * The sending loop. One turn: what is due joins what is ready, what is ready goes out while connections are free, then
 * it sleeps until an answer comes or the next request is due.
 */
#include "lab/load/replay.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "lab/load/connection_set.h"
#include "lab/load/heap.h"
#include "lab/load/request.h"
#include "lab/load/schedule.h"
#include "lab/run/estimate.h"
#include "lab/run/run.h"

enum { NONE = -1, EVENTS_MAX = 256, CONNECT_TIMEOUT_S = 10 };

/* A year: far enough, and can be added to a time. */
#define TIMEOUT_MAX_NS (365 * 24 * 3600 * NS_PER_S)

const char *const replay_arrivals_names[] = {[REPLAY_UNIFORM] = "uniform", [REPLAY_POISSON] = "poisson", NULL};

/* The events of a stream that wait for the one on its way. */
struct stream_line {
	bool is_busy;
	int64_t first, last; /* requests; NONE: nobody waits */
};

/* What is known of a request besides its record. */
struct waiting {
	int64_t next_in_stream;
	int64_t stream_free_ns; /* from when on it could go, because of the one before it */
};

struct loop {
	const struct replay_plan *plan;
	struct replay_result *result;
	struct schedule schedule;
	struct connection_set sets[2];
	struct stream_line *streams;
	struct waiting *waiting;
	struct heap later; /* requests to be tried again, by when */
	int epoll;
	size_t next;                  /* of the schedule */
	size_t sent, done, in_flight; /* requests; a retried one counts once */
	int64_t start_ns;             /* monotonic: when the schedule begins */
	int64_t looked_ns;            /* when the loop was last told of answers */
	int64_t timeout_ns;
	bool stopping; /* nothing more is begun */
	struct request_writer writer;
	replay_each_fn each;
	void *context;
	struct replay_progress progress;
	struct histogram recent; /* corrected latencies since the last report */
	int64_t reported_ns, report_at_ns;
};

bool replay_answer_is_right(enum input_kind kind, int status, bool is_signed)
{
	switch (kind) {
	case INPUT_NEW: /* its duplicate may have come first */
	case INPUT_DUPLICATE:
		return status == 202 || status == 200;
	case INPUT_CONFLICT:
		return status == 422;
	case INPUT_BAD_SIGNATURE:
		return status == (is_signed ? 401 : 202);
	default:
		return status == 400;
	}
}

int64_t replay_lag_ns(const struct trace_record *record)
{
	return record->ready_ns < 0 ? -1 : record->sent_ns - record->ready_ns;
}

static const struct input_event *event_of(const struct loop *loop, size_t i)
{
	return &loop->plan->input->events[loop->plan->first + i];
}

static struct connection_set *set_of(struct loop *loop, size_t i)
{
	return &loop->sets[loop->schedule.items[i].target];
}

/* Times in a record count from the plan's origin. */
static int64_t stamp(const struct loop *loop, int64_t now_ns)
{
	return now_ns - loop->plan->origin_ns;
}

static void make_ready(struct loop *loop, size_t i)
{
	heap_put(&set_of(loop, i)->ready, loop->schedule.items[i].due_ns, (uint32_t)i);
}

static void join_stream(struct loop *loop, size_t i)
{
	uint32_t number = loop->schedule.items[i].stream;
	struct stream_line *line = number == SCHEDULE_NO_STREAM ? NULL : &loop->streams[number];
	if (!line || !line->is_busy) {
		if (line)
			line->is_busy = true;
		make_ready(loop, i);
		return;
	}
	if (line->first == NONE)
		line->first = (int64_t)i;
	else
		loop->waiting[line->last].next_in_stream = (int64_t)i;
	line->last = (int64_t)i;
}

static void leave_stream(struct loop *loop, size_t i, int64_t free_ns)
{
	uint32_t number = loop->schedule.items[i].stream;
	if (number == SCHEDULE_NO_STREAM)
		return;
	struct stream_line *line = &loop->streams[number];
	int64_t next = line->first;
	line->is_busy = next != NONE;
	if (next == NONE)
		return;
	line->first = loop->waiting[next].next_in_stream;
	loop->waiting[next].stream_free_ns = free_ns;
	make_ready(loop, (size_t)next);
}

static int64_t latest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The request's own times, which further tries do not change. */
static void stamp_sending(struct loop *loop, struct http_client *client)
{
	size_t i = client->request;
	struct trace_record *record = &loop->result->records[i];
	int64_t free_ns = latest(client->free_ns, loop->waiting[i].stream_free_ns);
	int64_t due_ns = loop->plan->rate > 0 ? loop->start_ns + loop->schedule.items[i].due_ns : free_ns;
	record->intended_ns = stamp(loop, due_ns);
	record->ready_ns = stamp(loop, latest(due_ns, free_ns));
	record->sent_ns = stamp(loop, client->since_ns);
	if (loop->plan->rate > 0)
		client->late_ns = replay_lag_ns(record);
}

static struct http_client *begin(struct loop *loop, struct connection_set *set, size_t i)
{
	struct http_client *client = connection_set_take(set);
	client->request = (uint32_t)i;
	loop->result->records[i].connected = client->state == HTTP_CLIENT_CLOSED;
	request_write(&loop->writer, i, set->target, &client->out);
	client->since_ns = clock_now_ns();
	client->late_ns = 0;
	if (loop->result->records[i].tries++ > 0) {
		loop->result->retried++;
	} else {
		stamp_sending(loop, client);
		loop->sent++;
		loop->in_flight++;
	}
	http_client_send(client);
	return client;
}

static uint64_t key_of(const struct buffer *text)
{
	return trace_key(text->data, text->size);
}

static void describe(struct loop *loop, size_t i)
{
	const struct replay_plan *plan = loop->plan;
	const struct replay_target *target = &plan->targets[loop->schedule.items[i].target];
	struct trace_record *record = &loop->result->records[i];
	struct buffer *text = &loop->writer.id;
	trace_record_init(record);
	record->number = (uint32_t)(plan->request_first + i);
	record->input = (uint32_t)(plan->first + i);
	record->block = plan->block;
	record->arm = target->arm;
	buffer_empty(text);
	request_write_id(plan, i, text);
	record->request = key_of(text);
	buffer_empty(text);
	request_write_message_id(plan, i, target, text);
	if (text->size > 0)
		record->message = key_of(text);
}

static bool is_tried_again(struct loop *loop, size_t i, int status)
{
	const struct trace_record *record = &loop->result->records[i];
	return (status == 0 || status == 503) && record->tries <= loop->plan->retries && !loop->stopping;
}

/* What the server asks for, or a pause that doubles from 50 ms. */
static int64_t pause_ns(const struct http_client *client, int status, unsigned tries)
{
	int64_t asked_s = status == 503 ? client->response.retry_after_s : -1;
	return asked_s >= 0 ? asked_s * NS_PER_S : 50 * NS_PER_MS << (tries < 8 ? tries - 1 : 7);
}

static void conclude(struct loop *loop, size_t i, int64_t free_ns)
{
	const struct trace_record *record = &loop->result->records[i];
	loop->done++;
	loop->in_flight--;
	if (record->status)
		histogram_record(&loop->recent, run_corrected_ns(record));
	if (!replay_answer_is_right(event_of(loop, i)->kind, record->status, loop->plan->signer != NULL))
		loop->progress.wrong++;
	leave_stream(loop, i, free_ns);
}

static void finish_request(struct loop *loop, struct http_client *client, int status, int64_t end_ns)
{
	size_t i = client->request;
	struct trace_record *record = &loop->result->records[i];
	record->status = (uint16_t)status;
	record->answered_ns = status ? stamp(loop, end_ns) : -1;
	if (is_tried_again(loop, i, status))
		heap_put(&loop->later, end_ns + pause_ns(client, status, record->tries), (uint32_t)i);
	else
		conclude(loop, i, client->free_ns);
}

/* When the answer had come. Where there is none, or no word of the system's for it: when the loop was told. */
static int64_t end_of(const struct loop *loop, const struct http_client *client)
{
	bool is_known = client->state == HTTP_CLIENT_ANSWERED && client->came_ns != 0;
	return latest(client->since_ns, is_known ? client->came_ns : loop->looked_ns);
}

/* A client whose request has come to an end is free again. Had the request been sent in time, it would have been so by
 * that much earlier: what one that was late makes wait is late, too. */
static void settle(struct loop *loop, struct http_client *client)
{
	struct connection_set *set = &loop->sets[client->target];
	if (client->state != HTTP_CLIENT_ANSWERED && client->state != HTTP_CLIENT_FAILED)
		return;
	int64_t end_ns = end_of(loop, client);
	client->free_ns = end_ns - client->late_ns;
	finish_request(loop, client, client->state == HTTP_CLIENT_ANSWERED ? client->response.status : 0, end_ns);
	http_client_release(client);
	connection_set_give_back(set, client);
}

static void take_what_is_due(struct loop *loop, int64_t now_ns)
{
	const struct schedule_item *items = loop->schedule.items;
	while (!loop->stopping && loop->next < loop->plan->count && loop->start_ns + items[loop->next].due_ns <= now_ns)
		join_stream(loop, loop->next++);
	while (loop->later.count > 0 && heap_get_first(&loop->later)->key <= now_ns)
		make_ready(loop, heap_take_first(&loop->later));
}

/* Of those that can send, the one whose request was meant to go first: no target is served before another. */
static struct connection_set *choose_set(struct loop *loop)
{
	struct connection_set *chosen = NULL;
	for (size_t t = 0; t < loop->plan->target_count; t++) {
		struct connection_set *set = &loop->sets[t];
		if (set->free.first && set->ready.count > 0 &&
		    (!chosen || heap_comes_before(&set->ready, &chosen->ready)))
			chosen = set;
	}
	return chosen;
}

static void send_what_is_ready(struct loop *loop)
{
	for (struct connection_set *set; !loop->stopping && (set = choose_set(loop)) != NULL;)
		settle(loop, begin(loop, set, heap_take_first(&set->ready))); /* it may fail at once */
}

static void give_up_on_the_slow(struct loop *loop)
{
	for (size_t t = 0; t < loop->plan->target_count; t++) {
		const struct client_list *busy = &loop->sets[t].busy;
		while (busy->first && busy->first->since_ns + loop->timeout_ns <= loop->looked_ns) {
			struct http_client *slow = busy->first;
			http_client_abandon(slow);
			settle(loop, slow);
		}
	}
}

/* From now on answers are waited for, and nothing else: what was to be tried again keeps what came of it. */
static void stop(struct loop *loop)
{
	loop->stopping = true;
	while (loop->later.count > 0)
		conclude(loop, heap_take_first(&loop->later), 0);
	for (size_t t = 0; t < loop->plan->target_count; t++)
		while (loop->sets[t].ready.count > 0) {
			size_t i = heap_take_first(&loop->sets[t].ready);
			if (loop->result->records[i].tries > 0)
				conclude(loop, i, 0);
		}
}

static void report(struct loop *loop, int64_t now_ns)
{
	struct replay_progress *progress = &loop->progress;
	double passed_s = (double)(now_ns - loop->reported_ns) / 1e9;
	progress->rate = passed_s > 0 ? (double)(loop->done - progress->answered) / passed_s : 0;
	progress->sent = loop->sent;
	progress->answered = loop->done;
	progress->seconds = (double)(now_ns - loop->start_ns) / 1e9;
	progress->p95_ns = histogram_quantile(&loop->recent, 0.95);
	memset(&loop->recent, 0, sizeof(loop->recent));
	loop->reported_ns = now_ns;
	loop->report_at_ns = now_ns + NS_PER_S;
	if (loop->each && !loop->stopping && !loop->each(loop->context, progress))
		stop(loop);
}

static int64_t earliest(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t wakes_at_ns(const struct loop *loop)
{
	int64_t at_ns = loop->report_at_ns;
	if (loop->later.count > 0)
		at_ns = earliest(at_ns, heap_get_first(&loop->later)->key);
	if (!loop->stopping && loop->next < loop->plan->count)
		at_ns = earliest(at_ns, loop->start_ns + loop->schedule.items[loop->next].due_ns);
	for (size_t t = 0; t < loop->plan->target_count; t++)
		if (loop->sets[t].busy.first)
			at_ns = earliest(at_ns, loop->sets[t].busy.first->since_ns + loop->timeout_ns);
	return at_ns;
}

static bool wait_for_answers(struct loop *loop, int64_t until_ns, struct sluice_error *error)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t left_ns = latest(0, until_ns - clock_now_ns());
	struct timespec left = {.tv_sec = (time_t)(left_ns / NS_PER_S), .tv_nsec = (long)(left_ns % NS_PER_S)};
	int count = epoll_pwait2(loop->epoll, events, EVENTS_MAX, &left, NULL);
	if (count < 0 && errno == EINTR) {
		loop->report_at_ns = 0; /* a signal: ask whether to go on */
		return true;
	}
	if (count < 0)
		return sluice_error_set(error, "waiting for answers: %s", strerror(errno));
	loop->looked_ns = clock_now_ns();
	for (int i = 0; i < count; i++) {
		struct http_client *client = events[i].data.ptr;
		http_client_work(client, (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
		settle(loop, client);
	}
	if (count < EVENTS_MAX) /* else an answer may lie there that has not been looked at */
		give_up_on_the_slow(loop);
	return true;
}

static bool is_over(const struct loop *loop)
{
	return loop->stopping ? loop->in_flight == 0 : loop->done == loop->plan->count;
}

static bool go_round(struct loop *loop, struct sluice_error *error)
{
	while (!is_over(loop)) {
		int64_t now_ns = clock_now_ns();
		take_what_is_due(loop, now_ns);
		send_what_is_ready(loop);
		if (now_ns >= loop->report_at_ns)
			report(loop, now_ns);
		if (!is_over(loop) && !wait_for_answers(loop, wakes_at_ns(loop), error))
			return false;
	}
	return true;
}

static bool is_connecting(const struct loop *loop)
{
	for (size_t t = 0; t < loop->plan->target_count; t++)
		if (connection_set_is_connecting(&loop->sets[t]))
			return true;
	return false;
}

static bool connect_all(struct loop *loop, struct sluice_error *error)
{
	const struct replay_plan *plan = loop->plan;
	int64_t until_ns = clock_now_ns() + CONNECT_TIMEOUT_S * NS_PER_S;
	for (size_t t = 0; t < plan->target_count; t++)
		if (!connection_set_open(&loop->sets[t], &plan->targets[t], (uint8_t)t, plan->connections, loop->epoll,
		                         error))
			return false;
	while (is_connecting(loop) && clock_now_ns() < until_ns)
		if (!wait_for_answers(loop, until_ns, error))
			return false;
	return true;
}

static int64_t thread_cpu_ns(void)
{
	struct timespec spent;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
	return spent.tv_sec * NS_PER_S + spent.tv_nsec;
}

static void prepare(struct loop *loop)
{
	const struct replay_plan *plan = loop->plan;
	schedule_init(&loop->schedule, plan);
	loop->streams = must_calloc(loop->schedule.stream_count + 1, sizeof(*loop->streams));
	for (size_t i = 0; i < loop->schedule.stream_count; i++)
		loop->streams[i] = (struct stream_line){.first = NONE, .last = NONE};
	loop->waiting = must_calloc(plan->count + 1, sizeof(*loop->waiting));
	loop->result->records = must_calloc(plan->count + 1, sizeof(*loop->result->records));
	for (size_t i = 0; i < plan->count; i++) {
		loop->waiting[i].next_in_stream = NONE;
		describe(loop, i);
	}
}

static bool start(struct loop *loop, struct sluice_error *error)
{
	int64_t now_ns = clock_now_ns();
	loop->start_ns = loop->reported_ns = loop->looked_ns = now_ns;
	loop->report_at_ns = now_ns + NS_PER_S;
	for (size_t t = 0; t < loop->plan->target_count; t++)
		if (!connection_set_start(&loop->sets[t], now_ns, error))
			return false;
	return true;
}

/* Of a run that was ended early: only what was sent. */
static void keep_what_was_sent(struct loop *loop)
{
	struct replay_result *result = loop->result;
	for (size_t i = 0; i < loop->plan->count; i++)
		if (result->records[i].tries > 0)
			result->records[result->count++] = result->records[i];
	result->interrupted = result->count < loop->plan->count;
}

static void sum_up(struct loop *loop)
{
	struct replay_result *result = loop->result;
	int64_t *lags = must_calloc(result->count + 1, sizeof(*lags));
	for (size_t i = 0; i < result->count; i++)
		lags[i] = replay_lag_ns(&result->records[i]);
	estimate_sort(lags, result->count);
	result->late_p95_ns = estimate_quantile(lags, result->count, 0.95);
	free(lags);
}

static void finish(struct loop *loop)
{
	for (size_t t = 0; t < loop->plan->target_count; t++)
		connection_set_finish(&loop->sets[t]);
	heap_finish(&loop->later);
	schedule_finish(&loop->schedule);
	request_writer_finish(&loop->writer);
	free(loop->streams);
	free(loop->waiting);
	(void)close(loop->epoll);
	free(loop);
}

/* Short turns: a thread that asks for them gets its own sooner (from Linux 6.12 on), and no more of the processor. The
 * struct is the first version of the kernel's sched_attr. */
static void ask_for_short_turns(void)
{
	const struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attributes = {.size = sizeof(attributes),
	                .policy = SCHED_OTHER,
	                .nice = getpriority(PRIO_PROCESS, 0),
	                .runtime_ns = (uint64_t)(100 * NS_PER_US)};
	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)syscall(SYS_sched_setattr, 0, &attributes, 0U);
}

/* A request due in 1.9 ms is not to wait until 1.95, nor until a server's thread has had its turn. Where this is
 * refused, the lag says what came of it. */
static void ask_for_punctuality(void)
{
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	ask_for_short_turns();
}

bool replay_run(const struct replay_plan *plan, replay_each_fn each, void *context, struct replay_result *result_out,
                struct sluice_error *error)
{
	*result_out = (struct replay_result){0};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		return sluice_error_set(error, "epoll: %s", strerror(errno));
	struct loop *loop = must_calloc(1, sizeof(*loop));
	*loop = (struct loop){.plan = plan,
	                      .result = result_out,
	                      .epoll = epoll,
	                      .each = each,
	                      .context = context,
	                      .timeout_ns = earliest(plan->timeout_ns, TIMEOUT_MAX_NS),
	                      .writer = {.plan = plan}};
	ask_for_punctuality();
	prepare(loop);
	bool ok = connect_all(loop, error);
	int64_t cpu_ns = thread_cpu_ns();
	ok = ok && start(loop, error) && go_round(loop, error);
	result_out->start_ns = loop->start_ns;
	result_out->end_ns = clock_now_ns();
	result_out->cpu_ns = thread_cpu_ns() - cpu_ns;
	keep_what_was_sent(loop);
	sum_up(loop);
	finish(loop);
	return ok;
}

void replay_free(struct replay_result *result)
{
	free(result->records);
	*result = (struct replay_result){0};
}
