/*
 * The log's thread; see log_writer.h. Lines wait in one buffer while the other is being written.
 */
#include "base/log_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

struct log_writer {
	int fd;
	void (*note)(uint64_t dropped, struct buffer *line);
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t some, idle; /* of lines; nothing waits or is being written */
	struct buffer waiting;
	bool writing, stopping, has_ended;
	uint64_t untold; /* lines dropped since it was last said */
	_Atomic uint64_t dropped;
};

bool log_write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, data, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		data += written;
		size -= (size_t)written;
	}
	return true;
}

static size_t count_lines(const struct buffer *lines)
{
	size_t count = 0;
	for (size_t i = 0; i < lines->size; i++)
		count += lines->data[i] == '\n';
	return count;
}

/* With the lock held. */
static void drop(struct log_writer *self, size_t lines)
{
	self->untold += lines;
	atomic_fetch_add_explicit(&self->dropped, lines, memory_order_relaxed);
}

/* Takes what waits and writes it; called and returns with the lock held. */
static void write_waiting(struct log_writer *self)
{
	struct buffer lines = self->waiting;
	uint64_t untold = self->untold;
	self->waiting = (struct buffer){0};
	self->untold = 0;
	self->writing = true;
	(void)pthread_mutex_unlock(&self->lock);
	size_t count = count_lines(&lines);
	if (untold)
		self->note(untold, &lines);
	bool written = log_write_all(self->fd, lines.data, lines.size);
	buffer_finish(&lines);
	(void)pthread_mutex_lock(&self->lock);
	self->writing = false;
	if (!written) {
		self->untold += untold;
		drop(self, count);
	}
}

static void *work(void *argument)
{
	struct log_writer *self = argument;
	(void)pthread_setname_np(pthread_self(), "sluice-log");
	(void)pthread_mutex_lock(&self->lock);
	while (self->waiting.size || !self->stopping) {
		if (self->waiting.size) {
			write_waiting(self);
			continue;
		}
		(void)pthread_cond_broadcast(&self->idle);
		(void)pthread_cond_wait(&self->some, &self->lock);
	}
	self->has_ended = true;
	(void)pthread_cond_broadcast(&self->idle);
	(void)pthread_mutex_unlock(&self->lock);
	return NULL;
}

/* The thread takes no signal from those who wait for one. */
static bool start(struct log_writer *self)
{
	sigset_t all, before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	int problem = pthread_create(&self->thread, NULL, work, self);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return problem == 0;
}

struct log_writer *log_writer_create(int fd, void (*note)(uint64_t dropped, struct buffer *line))
{
	struct log_writer *self = must_calloc(1, sizeof(*self));
	self->fd = fd;
	self->note = note;
	(void)pthread_mutex_init(&self->lock, NULL);
	(void)pthread_cond_init(&self->some, NULL);
	pthread_condattr_t attributes;
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&self->idle, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	if (start(self))
		return self;
	free(self);
	return NULL;
}

static struct timespec time_in(int64_t ns)
{
	int64_t until_ns = clock_now_ns() + ns;
	return (struct timespec){.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
}

void log_writer_flush(struct log_writer *self, int64_t at_most_ns)
{
	struct timespec until = time_in(at_most_ns);
	(void)pthread_mutex_lock(&self->lock);
	while ((self->waiting.size || self->writing) && pthread_cond_timedwait(&self->idle, &self->lock, &until) == 0)
		continue;
	(void)pthread_mutex_unlock(&self->lock);
}

bool log_writer_destroy(struct log_writer *self, int64_t at_most_ns)
{
	struct timespec until = time_in(at_most_ns);
	(void)pthread_mutex_lock(&self->lock);
	self->stopping = true;
	(void)pthread_cond_signal(&self->some);
	while (!self->has_ended && pthread_cond_timedwait(&self->idle, &self->lock, &until) == 0)
		continue;
	bool has_ended = self->has_ended;
	(void)pthread_mutex_unlock(&self->lock);
	if (!has_ended) {
		(void)pthread_detach(self->thread);
		return false;
	}
	(void)pthread_join(self->thread, NULL);
	(void)pthread_cond_destroy(&self->idle);
	(void)pthread_cond_destroy(&self->some);
	(void)pthread_mutex_destroy(&self->lock);
	free(self);
	return true;
}

void log_writer_add(struct log_writer *self, const char *line, size_t size)
{
	(void)pthread_mutex_lock(&self->lock);
	if (self->stopping || self->waiting.size + size > LOG_WRITER_ROOM) {
		drop(self, 1);
	} else {
		buffer_add(&self->waiting, line, size);
		(void)pthread_cond_signal(&self->some);
	}
	(void)pthread_mutex_unlock(&self->lock);
}

uint64_t log_writer_dropped(const struct log_writer *self)
{
	return atomic_load_explicit(&self->dropped, memory_order_relaxed);
}
