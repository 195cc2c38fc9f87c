/*
 * Reading /proc; see host_figures.h and proc(5).
 */
#include "lab/trial/host_figures.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"

enum { PATH_SIZE = 512, TEXT_SIZE = 2048, SECTOR = 512, ANCESTORS_MAX = 32, KERNEL_PROCESS = 2, ROOM_FIRST = 256 };

static const char *const store_names[] = {"postgres", "redis-server", "pgbouncer"};

struct process {
	pid_t id, parent;
	uint64_t started; /* with the id: who it is */
	char name[17];
	double processor_ms, written_bytes; /* since its start, with those of children that have ended */
	double own_ms;                      /* without them */
	double known_ms, known_bytes;       /* what children that have ended since the look before had used by then */
};

/* Of the whole machine, since its start. */
struct machine {
	double busy_ms, stolen_ms;
	double disk_written_bytes, disk_read_bytes, disk_flushes, disk_busy_ms;
	double cpu_pressure_ms, io_pressure_ms, memory_pressure_ms;
};

struct processes {
	struct process *list; /* by id */
	size_t count, room;
};

struct host_reader {
	const char *root;
	pid_t laboratory, meter;
	double tick_ms;
	struct processes before, now;
	struct machine machine;
	bool has_looked;
};

/* As much of a file as fits; false if there is none. */
static bool read_text(const char *path, char text[TEXT_SIZE])
{
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	text[fread(text, 1, TEXT_SIZE - 1, file)] = '\0';
	(void)fclose(file);
	return true;
}

/* The number behind a word. */
static double number_after(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	return at ? strtod(at + strlen(word), NULL) : 0;
}

static bool read_stat(const struct host_reader *reader, const char *id, struct process *process)
{
	char path[PATH_SIZE], text[TEXT_SIZE];
	unsigned long long user, system, started;
	long long children_user, children_system;
	(void)snprintf(path, sizeof(path), "%s/proc/%s/stat", reader->root, id);
	if (!read_text(path, text))
		return false;
	const char *name = strchr(text, '('), *after = strrchr(text, ')');
	if (!name || !after ||
	    sscanf(after + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld %*d %*d %*d %*d %llu",
	           &process->parent, &user, &system, &children_user, &children_system, &started) != 6)
		return false;
	(void)snprintf(process->name, sizeof(process->name), "%.*s", (int)(after - name - 1), name + 1);
	process->started = started;
	process->own_ms = (double)(user + system) * reader->tick_ms;
	process->processor_ms = process->own_ms + (double)(children_user + children_system) * reader->tick_ms;
	return true;
}

/* Those of other users only root may read. What it had written to files that are gone by now was not written. */
static double read_written(const struct host_reader *reader, const char *id)
{
	char path[PATH_SIZE], text[TEXT_SIZE];
	(void)snprintf(path, sizeof(path), "%s/proc/%s/io", reader->root, id);
	if (!read_text(path, text))
		return 0;
	return fmax(0, number_after(text, "\nwrite_bytes: ") - number_after(text, "\ncancelled_write_bytes: "));
}

static int by_id(const void *a, const void *b)
{
	const struct process *left = a, *right = b;
	return (left->id > right->id) - (left->id < right->id);
}

static void add_process(struct host_reader *reader, const char *id)
{
	struct processes *all = &reader->now;
	struct process process = {.id = (pid_t)strtol(id, NULL, 10)};
	if (!read_stat(reader, id, &process)) /* it has just ended */
		return;
	if (process.parent != KERNEL_PROCESS && process.id != KERNEL_PROCESS)
		process.written_bytes = read_written(reader, id);
	if (all->count == all->room) {
		all->room = all->room > 0 ? 2 * all->room : ROOM_FIRST;
		all->list = must_realloc(all->list, all->room * sizeof(*all->list));
	}
	all->list[all->count++] = process;
}

static void list_processes(struct host_reader *reader)
{
	char path[PATH_SIZE];
	(void)snprintf(path, sizeof(path), "%s/proc", reader->root);
	DIR *entries = opendir(path);
	reader->now.count = 0;
	for (const struct dirent *entry; entries && (entry = readdir(entries)) != NULL;)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			add_process(reader, entry->d_name);
	if (entries)
		(void)closedir(entries);
	if (reader->now.count > 0)
		qsort(reader->now.list, reader->now.count, sizeof(*reader->now.list), by_id);
}

static struct process *find(const struct processes *processes, pid_t id)
{
	struct process wanted = {.id = id};
	return processes->count > 0 ? bsearch(&wanted, processes->list, processes->count, sizeof(wanted), by_id) : NULL;
}

static bool is_store(const struct process *process)
{
	for (size_t i = 0; i < sizeof(store_names) / sizeof(store_names[0]); i++)
		if (strcmp(process->name, store_names[i]) == 0)
			return true;
	return false;
}

static enum host_owner owner_of(const struct host_reader *reader, const struct process *process)
{
	if (process->id == reader->laboratory || process->id == reader->meter)
		return HOST_OWNER_LABORATORY;
	if (process->id == KERNEL_PROCESS || process->parent == KERNEL_PROCESS)
		return HOST_OWNER_KERNEL;
	if (is_store(process))
		return HOST_OWNER_SERVER;
	const struct process *ancestor = process;
	for (int i = 0; ancestor && i < ANCESTORS_MAX; i++) {
		if (ancestor->parent == reader->laboratory)
			return HOST_OWNER_SERVER;
		ancestor = find(&reader->now, ancestor->parent);
	}
	return HOST_OWNER_OTHERS;
}

static bool is_same(const struct process *one, const struct process *other)
{
	return one && other && one->started == other->started;
}

/* Who waits for a process of the look before: the nearest ancestor that is still there. */
static struct process *find_heir(const struct host_reader *reader, const struct process *ended)
{
	const struct process *ancestor = find(&reader->before, ended->parent);
	for (int i = 0; ancestor && i < ANCESTORS_MAX; i++) {
		struct process *now = find(&reader->now, ancestor->id);
		if (is_same(now, ancestor))
			return now;
		ancestor = find(&reader->before, ancestor->parent);
	}
	return NULL;
}

/* The kernel adds to a parent all that a child has ever used when it ends: what was seen of it before is not of this time. */
static void settle_ended(const struct host_reader *reader)
{
	for (size_t i = 0; i < reader->before.count; i++) {
		const struct process *process = &reader->before.list[i];
		struct process *heir = is_same(find(&reader->now, process->id), process) ? NULL
		                                                                         : find_heir(reader, process);
		if (!heir)
			continue;
		heir->known_ms += process->processor_ms;
		heir->known_bytes += process->written_bytes;
	}
}

/* The laboratory's children are the servers, whose time is theirs. */
static double used_ms(const struct process *process, enum host_owner owner)
{
	return owner == HOST_OWNER_LABORATORY ? process->own_ms : process->processor_ms - process->known_ms;
}

static void compare_processes(const struct host_reader *reader, struct host_figures *figures)
{
	settle_ended(reader);
	for (size_t i = 0; i < reader->now.count; i++) {
		const struct process *now = &reader->now.list[i], *before = find(&reader->before, now->id);
		enum host_owner owner = owner_of(reader, now);
		bool is_known = is_same(before, now);
		double used_before = is_known && owner == HOST_OWNER_LABORATORY ? before->own_ms
		                     : is_known                                 ? before->processor_ms
		                                                                : 0;
		double written = now->written_bytes - now->known_bytes - (is_known ? before->written_bytes : 0);
		figures->processor_ms[owner] += fmax(0, used_ms(now, owner) - used_before);
		figures->written_bytes[owner] += fmax(0, written);
	}
}

/* cpu user nice system idle iowait irq softirq steal … */
static void read_processors(const struct host_reader *reader, struct machine *machine)
{
	char path[PATH_SIZE], text[TEXT_SIZE];
	double user, nice, system, irq, softirq, steal;
	(void)snprintf(path, sizeof(path), "%s/proc/stat", reader->root);
	if (!read_text(path, text) ||
	    sscanf(text, "cpu %lf %lf %lf %*f %*f %lf %lf %lf", &user, &nice, &system, &irq, &softirq, &steal) != 6)
		return;
	machine->busy_ms = (user + nice + system + irq + softirq) * reader->tick_ms;
	machine->stolen_ms = steal * reader->tick_ms;
}

/* A disk of its own; no partition, and nothing that is made of other disks. */
static bool is_disk(const struct host_reader *reader, const char *name)
{
	char path[PATH_SIZE];
	(void)snprintf(path, sizeof(path), "%s/sys/block/%s/device", reader->root, name);
	return access(path, F_OK) == 0;
}

/* Kernels before 5.5 do not count flushes. */
static void add_disk(const char *figures, struct machine *machine)
{
	double read, written, busy, discards = 0, flushes = 0;
	if (sscanf(figures, "%*u %*u %lf %*u %*u %*u %lf %*u %*u %lf %*u %lf %*u %*u %*u %lf", &read, &written, &busy,
	           &discards, &flushes) < 3)
		return;
	machine->disk_read_bytes += read * SECTOR;
	machine->disk_written_bytes += written * SECTOR;
	machine->disk_busy_ms += busy;
	machine->disk_flushes += flushes + discards;
}

static void read_disks(const struct host_reader *reader, struct machine *machine)
{
	char path[PATH_SIZE], line[TEXT_SIZE], name[64];
	int end = 0;
	(void)snprintf(path, sizeof(path), "%s/proc/diskstats", reader->root);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*u %*u %63s%n", name, &end) == 1 && is_disk(reader, name))
			add_disk(line + end, machine);
	if (file)
		(void)fclose(file);
}

/* some avg10=… total=MICROSECONDS */
static double read_pressure(const struct host_reader *reader, const char *of)
{
	char path[PATH_SIZE], text[TEXT_SIZE];
	(void)snprintf(path, sizeof(path), "%s/proc/pressure/%s", reader->root, of);
	return read_text(path, text) ? number_after(text, "total=") / 1e3 : 0;
}

static struct machine read_machine(const struct host_reader *reader)
{
	struct machine machine = {.cpu_pressure_ms = read_pressure(reader, "cpu"),
	                          .io_pressure_ms = read_pressure(reader, "io"),
	                          .memory_pressure_ms = read_pressure(reader, "memory")};
	read_processors(reader, &machine);
	read_disks(reader, &machine);
	return machine;
}

static void compare_machine(const struct machine *before, const struct machine *now, struct host_figures *figures)
{
	double left = now->busy_ms - before->busy_ms - figures->processor_ms[HOST_OWNER_SERVER] -
	              figures->processor_ms[HOST_OWNER_LABORATORY];
	/* What came and went between two looks may have been counted with two parents. */
	figures->processor_ms[HOST_OWNER_OTHERS] = fmin(figures->processor_ms[HOST_OWNER_OTHERS], fmax(0, left));
	figures->stolen_ms = fmax(0, now->stolen_ms - before->stolen_ms);
	figures->disk_written_bytes = fmax(0, now->disk_written_bytes - before->disk_written_bytes);
	figures->disk_read_bytes = fmax(0, now->disk_read_bytes - before->disk_read_bytes);
	figures->disk_flushes = fmax(0, now->disk_flushes - before->disk_flushes);
	figures->disk_busy_ms = fmax(0, now->disk_busy_ms - before->disk_busy_ms);
	figures->cpu_pressure_ms = fmax(0, now->cpu_pressure_ms - before->cpu_pressure_ms);
	figures->io_pressure_ms = fmax(0, now->io_pressure_ms - before->io_pressure_ms);
	figures->memory_pressure_ms = fmax(0, now->memory_pressure_ms - before->memory_pressure_ms);
}

struct host_reader *host_reader_create(const char *root, pid_t laboratory, pid_t meter)
{
	struct host_reader *reader = must_calloc(1, sizeof(*reader));
	*reader = (struct host_reader){
		.root = root, .laboratory = laboratory, .meter = meter, .tick_ms = 1e3 / (double)sysconf(_SC_CLK_TCK)};
	return reader;
}

void host_reader_free(struct host_reader *reader)
{
	free(reader->before.list);
	free(reader->now.list);
	free(reader);
}

void host_reader_look(struct host_reader *reader, struct host_figures *figures_out)
{
	struct machine machine = read_machine(reader);
	list_processes(reader);
	*figures_out = (struct host_figures){0};
	if (reader->has_looked) {
		compare_processes(reader, figures_out);
		compare_machine(&reader->machine, &machine, figures_out);
	}
	struct processes free_list = reader->before;
	reader->before = reader->now;
	reader->now = free_list;
	reader->machine = machine;
	reader->has_looked = true;
}
