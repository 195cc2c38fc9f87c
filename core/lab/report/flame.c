/*
 * Two profiles as one tree; see flame.h.
 */
#include "lab/report/flame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/hash_table.h"
#include "base/utf8.h"
#include "lab/run/run.h"

enum {
	DEPTH_MAX = 100,   /* of a stack; what is above counts for the frame there */
	NODES_MAX = 50000, /* likewise */
	SHARE_SHOWN = 500, /* frames of less than 1 / this are left out */
};

#define SAMPLES_MAX 1e12 /* of one stack: sums stay exact */

/* Children of one parent hang together by `next`. */
struct node {
	const char *name;
	size_t parent, first, next; /* 0: none, as the root is nobody's child */
	double samples[RUN_ARMS_MAX];
};

struct tree {
	struct arena names;
	struct node *nodes; /* the first is the root */
	size_t count;
	struct hash_table by_name; /* numbers of nodes */
};

struct wanted {
	const struct tree *tree;
	size_t parent;
	const char *name;
};

static bool matches(const void *key, uintptr_t number)
{
	const struct wanted *wanted = key;
	const struct node *node = &wanted->tree->nodes[number];
	return node->parent == wanted->parent && strcmp(node->name, wanted->name) == 0;
}

/* The child of that name, made where there is none; the parent itself where no more are made. */
static size_t descend(struct tree *tree, size_t parent, const char *name)
{
	struct wanted wanted = {tree, parent, name};
	uint64_t hash = digest_hash(name, strlen(name)) ^ (parent * UINT64_C(0x9e3779b97f4a7c15));
	size_t found = hash_table_find(&tree->by_name, hash, matches, &wanted);
	if (found || tree->count == NODES_MAX)
		return found ? found : parent;
	size_t number = tree->count++;
	tree->nodes[number] = (struct node){
		.name = arena_printf(&tree->names, "%s", name), .parent = parent, .next = tree->nodes[parent].first};
	tree->nodes[parent].first = number;
	hash_table_add(&tree->by_name, hash, number);
	return number;
}

/* "a;b;c 12". A line that is none is passed over: the file may be from anybody. */
static void add_line(struct tree *tree, char *line, size_t arm)
{
	char *end, *space = strrchr(line, ' ');
	double samples = space ? strtod(space + 1, &end) : 0;
	if (!(samples > 0 && samples <= SAMPLES_MAX) || !utf8_valid(line, (size_t)(space - line)))
		return;
	*space = '\0';
	size_t at = 0, depth = 0;
	char *rest = NULL;
	tree->nodes[0].samples[arm] += samples;
	for (const char *name = strtok_r(line, ";", &rest); name && depth < DEPTH_MAX;
	     name = strtok_r(NULL, ";", &rest), depth++) {
		size_t next = descend(tree, at, name);
		if (next == at)
			return;
		at = next;
		tree->nodes[at].samples[arm] += samples;
	}
}

/* False: it is there and cannot be read. */
static bool add_file(struct tree *tree, const char *directory, size_t arm, struct sluice_error *error)
{
	static const char *const names[RUN_ARMS_MAX] = {RUN_STACKS("a"), RUN_STACKS("b")};
	char *path = run_file(directory, names[arm]), *line = NULL;
	size_t room = 0;
	bool is_there = access(path, F_OK) == 0;
	FILE *file = is_there ? file_open(path, error) : NULL;
	while (file && getline(&line, &room, file) >= 0)
		add_line(tree, line, arm);
	if (file)
		(void)fclose(file);
	free(line);
	free(path);
	return !is_there || file;
}

static double both(const struct node *node)
{
	return node->samples[0] + node->samples[1];
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct node *const *)a)->name, (*(const struct node *const *)b)->name);
}

static json_t *write_node(const struct tree *tree, const struct node *node);

static json_t *write_children(const struct tree *tree, const struct node *parent)
{
	size_t count = 0;
	json_t *children = json_array();
	for (size_t i = parent->first; i; i = tree->nodes[i].next)
		count += both(&tree->nodes[i]) * SHARE_SHOWN >= both(tree->nodes);
	const struct node **shown = must_calloc(count + 1, sizeof(const struct node *));
	size_t at = 0;
	for (size_t i = parent->first; i; i = tree->nodes[i].next)
		if (both(&tree->nodes[i]) * SHARE_SHOWN >= both(tree->nodes))
			shown[at++] = &tree->nodes[i];
	qsort(shown, count, sizeof(const struct node *), by_name);
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(children, write_node(tree, shown[i]));
	free(shown);
	return children;
}

/* As deep as DEPTH_MAX. */
static json_t *write_node(const struct tree *tree, const struct node *node) /* NOLINT(misc-no-recursion) */
{
	return json_pack("[s, f, f, o]", node->name, node->samples[0], node->samples[1], write_children(tree, node));
}

json_t *flame_read(const char *directory, struct sluice_error *error)
{
	struct tree tree = {.nodes = must_calloc(NODES_MAX, sizeof(*tree.nodes)), .count = 1};
	bool ok = true;
	arena_init(&tree.names, 16384, NULL);
	tree.nodes[0].name = "all";
	for (size_t arm = 0; ok && arm < RUN_ARMS_MAX; arm++)
		ok = add_file(&tree, directory, arm, error);
	json_t *document = ok && both(tree.nodes) > 0 ? write_node(&tree, tree.nodes) : NULL;
	hash_table_finish(&tree.by_name);
	arena_finish(&tree.names);
	free(tree.nodes);
	return document;
}
