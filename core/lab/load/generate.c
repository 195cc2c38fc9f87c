/*
 * First a plan of all lines is made, a few bytes each: which are events of their own ("bases"), of which kind, and
 * after which of them the duplicates and conflicts come. Then line by line is written; a base is written again from its
 * number wherever it is needed, so nothing of it has to be kept.
 */
#include "lab/load/generate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/prng.h"
#include "lab/load/payload.h"
#include "yaml/quantity.h"

_Static_assert((int)GENERATE_SIZE_MIN >= (int)PAYLOAD_SIZE_MIN, "every size that is allowed can be made");

enum { LATER_MAX = 1000 /* lines */, MILLION = 1000000 };

#define ID_OPEN "{\"messageId\":\""

struct line {
	uint32_t base;
	uint8_t kind; /* enum input_kind */
};

struct generator {
	struct generate_recipe recipe;
	struct line *lines;  /* recipe.count */
	uint32_t *sequences; /* of each base, in its stream */
	size_t next;         /* line */
	struct buffer id, payload, body;
};

/* How many lines are what. */
struct counts {
	size_t duplicates, conflicts, bad_signatures, malformed;
	size_t repeats, bases; /* duplicates and conflicts; all others */
};

/* In whole millionths, so that no machine rounds another way. */
static size_t share_of(size_t count, double share)
{
	return (size_t)(((uint64_t)count * (uint64_t)(share * MILLION + 0.5) + MILLION / 2) / MILLION);
}

static bool check_share(const char *name, double share, struct sluice_error *error)
{
	if (share >= 0 && share < 1)
		return true;
	return sluice_error_set(error, "%s: expected 0%%..99.9999%% of the lines", name);
}

static bool check(const struct generate_recipe *recipe, struct sluice_error *error)
{
	const struct generate_sizes *sizes = &recipe->sizes;
	if (recipe->count < 1 || recipe->count > GENERATE_LINES_MAX)
		return sluice_error_set(error, "count: expected 1..%" PRIu32 " lines", GENERATE_LINES_MAX);
	if (recipe->streams > UINT32_MAX)
		return sluice_error_set(error, "streams: expected 0..%" PRIu32, UINT32_MAX);
	if (!recipe->corpus && !sizes->is_real &&
	    (sizes->min < GENERATE_SIZE_MIN || sizes->min > sizes->max || sizes->max > GENERATE_SIZE_MAX))
		return sluice_error_set(error, "size: expected sizes between %dB and %dMiB", GENERATE_SIZE_MIN,
		                        GENERATE_SIZE_MAX >> 20);
	return check_share("duplicates", recipe->duplicates, error) &&
	       check_share("conflicts", recipe->conflicts, error) &&
	       check_share("bad-signatures", recipe->bad_signatures, error) &&
	       check_share("malformed", recipe->malformed, error);
}

static bool count_lines(const struct generate_recipe *recipe, struct counts *counts, struct sluice_error *error)
{
	size_t count = recipe->count;
	*counts = (struct counts){.duplicates = share_of(count, recipe->duplicates),
	                          .conflicts = share_of(count, recipe->conflicts),
	                          .bad_signatures = share_of(count, recipe->bad_signatures),
	                          .malformed = share_of(count, recipe->malformed)};
	counts->repeats = counts->duplicates + counts->conflicts;
	size_t others = counts->repeats + counts->bad_signatures + counts->malformed;
	if (others > count || (others == count && counts->repeats > 0))
		return sluice_error_set(
			error,
			"duplicates, conflicts, bad-signatures and malformed: expected to leave a line for a new event, got %zu of %zu",
			others, count);
	counts->bases = count - counts->repeats;
	return true;
}

static void shuffle(uint8_t *kinds, size_t count, struct prng *prng)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = prng_below(prng, i);
		uint8_t kind = kinds[i - 1];
		kinds[i - 1] = kinds[j];
		kinds[j] = kind;
	}
}

/* The kind of each base; the caller frees it. */
static uint8_t *plan_bases(const struct counts *counts, struct prng *prng)
{
	uint8_t *kinds = must_alloc(counts->bases);
	memset(kinds, INPUT_NEW, counts->bases);
	memset(kinds, INPUT_BAD_SIGNATURE, counts->bad_signatures);
	memset(kinds + counts->bad_signatures, INPUT_MALFORMED, counts->malformed);
	shuffle(kinds, counts->bases, prng);
	return kinds;
}

/* A duplicate or a conflict of base `base`; it stands behind base `after`. */
struct repeat {
	uint32_t base, after;
	uint32_t serial; /* breaks ties, so that the order is one on every machine */
	uint8_t kind;
};

static int by_place(const void *a, const void *b)
{
	const struct repeat *left = a, *right = b;
	if (left->after != right->after)
		return left->after < right->after ? -1 : 1;
	return (left->serial > right->serial) - (left->serial < right->serial);
}

static uint32_t draw_new(const uint8_t *kinds, size_t count, struct prng *prng)
{
	size_t base = prng_below(prng, count);
	while (kinds[base] != INPUT_NEW)
		base = base + 1 < count ? base + 1 : 0;
	return (uint32_t)base;
}

static uint32_t draw_later(uint32_t base, size_t count, struct prng *prng)
{
	size_t left = count - 1 - base;
	if (left == 0)
		return base;
	return base + 1 + (uint32_t)prng_below(prng, left < LATER_MAX ? left : LATER_MAX);
}

/* In the order of their places; the caller frees it. */
static struct repeat *plan_repeats(const struct counts *counts, const uint8_t *kinds, struct prng *prng)
{
	struct repeat *repeats = must_calloc(counts->repeats + 1, sizeof(*repeats));
	for (size_t i = 0; i < counts->repeats; i++) {
		struct repeat *repeat = &repeats[i];
		repeat->kind = i < counts->duplicates ? INPUT_DUPLICATE : INPUT_CONFLICT;
		repeat->serial = (uint32_t)i;
		repeat->base = draw_new(kinds, counts->bases, prng);
		repeat->after = i % 2 == 0 ? repeat->base : draw_later(repeat->base, counts->bases, prng);
	}
	qsort(repeats, counts->repeats, sizeof(*repeats), by_place);
	return repeats;
}

static void plan_lines(struct generator *generator, const struct counts *counts, struct prng *prng)
{
	uint8_t *kinds = plan_bases(counts, prng);
	struct repeat *repeats = plan_repeats(counts, kinds, prng);
	struct line *line = generator->lines = must_calloc(generator->recipe.count, sizeof(*line));
	size_t next = 0;
	for (uint32_t base = 0; base < counts->bases; base++) {
		*line++ = (struct line){base, kinds[base]};
		for (; next < counts->repeats && repeats[next].after == base; next++)
			*line++ = (struct line){repeats[next].base, repeats[next].kind};
	}
	free(repeats);
	free(kinds);
}

static uint64_t number_of(const struct generator *generator, uint32_t base)
{
	return generator->recipe.first_number + base;
}

/* What the base draws: first its stream, so that this can be asked for alone. */
static void start_base(const struct generator *generator, uint32_t base, struct prng *prng, size_t *stream_out)
{
	prng_init(prng, prng_seed(generator->recipe.seed, number_of(generator, base)));
	*stream_out = generator->recipe.streams ? prng_below(prng, generator->recipe.streams) : 0;
}

static void plan_sequences(struct generator *generator, size_t bases)
{
	size_t streams = generator->recipe.streams;
	uint32_t *ends = must_calloc(streams + 1, sizeof(*ends));
	generator->sequences = must_calloc(bases, sizeof(*generator->sequences));
	for (size_t i = 0; i < generator->recipe.count; i++) {
		const struct line *line = &generator->lines[i];
		struct prng prng;
		size_t stream;
		if (line->kind != INPUT_NEW)
			continue;
		start_base(generator, line->base, &prng, &stream);
		generator->sequences[line->base] = ends[stream]++;
	}
	free(ends);
}

struct generator *generate_create(const struct generate_recipe *recipe, struct sluice_error *error)
{
	struct counts counts;
	if (!check(recipe, error) || !count_lines(recipe, &counts, error))
		return NULL;
	struct generator *generator = must_calloc(1, sizeof(*generator));
	struct prng prng;
	generator->recipe = *recipe;
	prng_init(&prng, prng_seed(~recipe->seed, recipe->first_number)); /* apart from those of the bases */
	plan_lines(generator, &counts, &prng);
	plan_sequences(generator, counts.bases);
	return generator;
}

void generate_free(struct generator *generator)
{
	if (!generator)
		return;
	buffer_finish(&generator->id);
	buffer_finish(&generator->payload);
	buffer_finish(&generator->body);
	free(generator->sequences);
	free(generator->lines);
	free(generator);
}

static size_t draw_size(const struct generate_sizes *sizes, struct prng *prng)
{
	return sizes->is_real ? payload_size_draw(prng) : sizes->min + prng_below(prng, sizes->max - sizes->min + 1);
}

static void write_payload(struct generator *generator, const struct payload_type *type, uint64_t number,
                          struct prng *prng)
{
	const struct corpus *corpus = generator->recipe.corpus;
	if (corpus) {
		const struct sluice_bytes *payload = &corpus->payloads[prng_below(prng, corpus->count)];
		buffer_add(&generator->payload, payload->data, payload->size);
	} else {
		payload_write(type, number, draw_size(&generator->recipe.sizes, prng), prng, &generator->payload);
	}
}

/* How a body can be malformed. */
enum flaw { FLAW_NONE, FLAW_CUT, FLAW_FORM, FLAW_NO_ID, FLAW_ID_TYPE, FLAW_TWICE, FLAW_NOT_UTF8, FLAWS };

static void write_id_member(struct buffer *out, enum flaw flaw, const char *id, uint64_t number)
{
	if (flaw == FLAW_NO_ID)
		buffer_add_text(out, "{");
	else if (flaw == FLAW_ID_TYPE)
		buffer_printf(out, "{\"messageId\":%" PRIu64 ",", number);
	else
		buffer_printf(out, ID_OPEN "%s\",", id);
	if (flaw == FLAW_TWICE)
		buffer_printf(out, "\"messageId\":\"%s\",", id);
}

/* Everything that a line is made from. */
struct draft {
	const struct payload_type *type;
	const char *stream; /* NULL: none */
	uint32_t sequence;
	uint64_t number;
	enum flaw flaw;
};

/* Returns where the payload begins. */
static size_t write_body(struct generator *generator, const struct draft *draft)
{
	struct buffer *body = &generator->body;
	write_id_member(body, draft->flaw, generator->id.data, draft->number);
	buffer_printf(body, "\"eventType\":\"%s%s\",", draft->type->name, draft->flaw == FLAW_NOT_UTF8 ? "\xff" : "");
	if (draft->stream)
		buffer_printf(body, "\"stream\":\"%s\",\"sequence\":%" PRIu32 ",", draft->stream, draft->sequence);
	buffer_add_text(body, "\"payload\":");
	size_t payload_at = body->size;
	buffer_add(body, generator->payload.data, generator->payload.size);
	buffer_add_text(body, "}");
	return payload_at;
}

static void cut_body(struct buffer *body, struct prng *prng)
{
	body->size = 1 + prng_below(prng, body->size - 1);
	body->data[body->size] = '\0';
}

static struct sluice_bytes keep(struct input *input, const char *data, size_t size)
{
	return (struct sluice_bytes){arena_strndup(&input->arena, data, size), size};
}

static void keep_body(struct generator *generator, struct input *input, struct input_event *event)
{
	event->body = keep(input, generator->body.data, generator->body.size);
	event->payload_size = event->body.size;
}

static void write_malformed(struct generator *generator, struct draft *draft, struct prng *prng, struct input *input,
                            struct input_event *event)
{
	draft->flaw = (enum flaw)(1 + prng_below(prng, FLAWS - 1));
	if (draft->flaw == FLAW_FORM)
		buffer_printf(&generator->body, "messageId=%s&eventType=%s", generator->id.data, draft->type->name);
	else
		(void)write_body(generator, draft);
	if (draft->flaw == FLAW_CUT)
		cut_body(&generator->body, prng);
	keep_body(generator, input, event);
}

static void write_event(struct generator *generator, const struct draft *draft, struct input *input,
                        struct input_event *event)
{
	event->payload_at = write_body(generator, draft);
	keep_body(generator, input, event);
	event->payload_size = generator->payload.size;
	event->id_at = strlen(ID_OPEN);
	event->message_id = keep(input, generator->id.data, generator->id.size);
	event->event_type = (struct sluice_bytes){draft->type->name, strlen(draft->type->name)};
	if (draft->stream) {
		event->stream = keep(input, draft->stream, strlen(draft->stream));
		event->has_sequence = true;
		event->sequence = draft->sequence;
	}
}

/* Another payload than the original's and than that of any other line. */
static void amend_payload(struct buffer *payload, size_t line)
{
	struct buffer amended = {0};
	buffer_printf(&amended, "{\"amendment\":%zu,\"of\":%s}", line, payload->data);
	buffer_finish(payload);
	*payload = amended;
}

/* `prng` has drawn the stream. */
static void write_line(struct generator *generator, const struct line *line, struct draft *draft, struct prng *prng,
                       struct input *input)
{
	buffer_empty(&generator->id);
	buffer_empty(&generator->payload);
	buffer_empty(&generator->body);
	buffer_printf(&generator->id, "msg-%" PRIu64 "-%" PRIu64, generator->recipe.seed, draft->number);
	draft->type = payload_type_draw(prng);
	write_payload(generator, draft->type, draft->number, prng);
	if (line->kind == INPUT_CONFLICT)
		amend_payload(&generator->payload, generator->next);
	struct input_event *event = input_add(input);
	event->kind = (enum input_kind)line->kind;
	if (line->kind == INPUT_MALFORMED)
		write_malformed(generator, draft, prng, input, event);
	else
		write_event(generator, draft, input, event);
}

bool generate_next(struct generator *generator, struct input *input)
{
	if (generator->next == generator->recipe.count)
		return false;
	const struct line *line = &generator->lines[generator->next];
	bool has_stream = generator->recipe.streams > 0 && line->kind != INPUT_BAD_SIGNATURE &&
	                  line->kind != INPUT_MALFORMED;
	struct prng prng;
	size_t stream;
	char stream_name[24];
	start_base(generator, line->base, &prng, &stream);
	(void)snprintf(stream_name, sizeof(stream_name), "s-%zu", stream);
	struct draft draft = {.stream = has_stream ? stream_name : NULL,
	                      .sequence = generator->sequences[line->base],
	                      .number = number_of(generator, line->base)};
	write_line(generator, line, &draft, &prng, input);
	generator->next++;
	return true;
}

bool generate_fill(const struct generate_recipe *recipe, struct input *input, struct sluice_error *error)
{
	struct generator *generator = generate_create(recipe, error);
	if (!generator)
		return false;
	while (generate_next(generator, input))
		;
	generate_free(generator);
	return true;
}

bool generate_sizes_parse(const char *text, struct generate_sizes *sizes_out, struct sluice_error *error)
{
	char low[32];
	uint64_t min, max;
	const char *dots = strstr(text, "..");
	size_t length = dots ? (size_t)(dots - text) : strlen(text);
	*sizes_out = (struct generate_sizes){.is_real = strcmp(text, "real") == 0};
	if (sizes_out->is_real)
		return true;
	(void)snprintf(low, sizeof(low), "%.*s", (int)(length < sizeof(low) ? length : sizeof(low)), text);
	if (!quantity_parse_size(low, &min) || !quantity_parse_size(dots ? dots + 2 : low, &max) ||
	    min < GENERATE_SIZE_MIN || min > max || max > GENERATE_SIZE_MAX)
		return sluice_error_set(error,
		                        "expected a size of %dB..%dMiB, two with .. between them, or real, got \"%s\"",
		                        GENERATE_SIZE_MIN, GENERATE_SIZE_MAX >> 20, text);
	sizes_out->min = (size_t)min;
	sizes_out->max = (size_t)max;
	return true;
}
