/* The host meter as a process, and what it reads from /proc, with a /proc that is made up. */
#include <check.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/judge/host.h"
#include "lab/trial/host_figures.h"
#include "lab/trial/host_meter.h"
#include "support/scratch.h"
#include "support/unit.h"
#include "support/wait.h"

enum { KERNEL = 2, THREAD = 30, LABORATORY = 100, METER = 101, SERVER = 102, CHILD = 103, STORE = 104, OTHER = 105 };

static char folder[SCRATCH_SIZE];
static struct sluice_error error;

static void set_up(void)
{
	scratch_folder(folder);
	error.text[0] = '\0';
}

static void tear_down(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static void write_file(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void write_file(const char *text, const char *format, ...)
{
	char path[256], command[600];
	va_list arguments;
	int used = snprintf(path, sizeof(path), "%s/", folder);
	va_start(arguments, format);
	(void)vsnprintf(path + used, sizeof(path) - (size_t)used, format, arguments);
	va_end(arguments);
	(void)snprintf(command, sizeof(command), "mkdir -p \"$(dirname '%s')\"", path);
	ck_assert_int_eq(system(command), 0);
	FILE *file = fopen(path, "we");
	ck_assert_msg(file != NULL, "%s", path);
	(void)fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
}

static void write_process(int id, const char *name, int parent, int ticks, int children_ticks, long long written)
{
	char text[512];
	(void)snprintf(text, sizeof(text),
	               "%d (%s) S %d 1 1 0 -1 0 0 0 0 0 %d 0 %d 0 20 0 1 0 77 1000 10 18446744073709551615\n", id, name,
	               parent, ticks, children_ticks);
	write_file(text, "proc/%d/stat", id);
	(void)snprintf(text, sizeof(text),
	               "rchar: 1\nwchar: 1\nsyscr: 1\nsyscw: 1\nread_bytes: 7\nwrite_bytes: %lld\n"
	               "cancelled_write_bytes: 0\n",
	               written);
	write_file(text, "proc/%d/io", id);
}

static void remove_process(int id)
{
	char command[160];
	(void)snprintf(command, sizeof(command), "rm -r '%s/proc/%d'", folder, id);
	ck_assert_int_eq(system(command), 0);
}

static void write_machine(int busy_ticks, int stolen_ticks, long long sectors, int flushes)
{
	char text[1024];
	(void)snprintf(text, sizeof(text), "cpu  %d 0 0 5000 10 0 0 %d 0 0\ncpu0 1 2 3\n", busy_ticks, stolen_ticks);
	write_file(text, "proc/stat");
	(void)snprintf(text, sizeof(text),
	               "   7 0 loop0 9 9 999999 9 9 9 999999 9 0 9 9\n"
	               " 254 0 vda 10 0 80 5 20 0 %lld 9 0 250 9 1 0 8 1 %d 3\n"
	               " 254 1 vda1 10 0 80 5 20 0 999999 9 0 250 9 0 0 0 0 0 0\n",
	               sectors, flushes);
	write_file(text, "proc/diskstats");
	write_file("", "sys/block/vda/device");
	write_file("some avg10=0.00 avg60=0.00 avg300=0.00 total=5000\nfull avg10=0.00 total=1\n",
	           "proc/pressure/memory");
}

START_TEST(test_everybody_gets_what_they_used)
{
	struct host_figures figures;
	double tick_ms = 1e3 / (double)sysconf(_SC_CLK_TCK);
	struct host_reader *reader = host_reader_create(folder, LABORATORY, METER);
	for (int look = 0; look < 2; look++) {
		write_process(KERNEL, "kthreadd", 0, 0, 0, 0);
		write_process(THREAD, "jbd2/vda-8", KERNEL, 500 * look, 0, 777 * look);
		write_process(LABORATORY, "sluice-lab", 50, 10 + 20 * look, 1000 * look, 100 + 30 * look);
		write_process(METER, "sluice-host", LABORATORY, 1 * look, 0, 5 * look);
		write_process(SERVER, "sluice (a) b", LABORATORY, 100 + 40 * look, 7 * look, 1000 + 4000 * look);
		write_process(CHILD, "sh", SERVER, 2 * look, 0, 6 * look);
		write_process(STORE, "postgres", 1, 60 + 5 * look, 0, 9000 * look);
		write_process(OTHER, "dd", 50, 20 + 30 * look, 0, 500 + 70000 * look);
		write_machine(1000 + 110 * look, 5 + 3 * look, 100 + 400 * look, 4 + 50 * look);
		host_reader_look(reader, &figures);
	}
	ck_assert_double_eq_tol(figures.processor_ms[HOST_OWNER_SERVER], 54 * tick_ms, 1e-6);
	ck_assert_double_eq_tol(figures.processor_ms[HOST_OWNER_LABORATORY], 21 * tick_ms, 1e-6);
	ck_assert_double_eq_tol(figures.processor_ms[HOST_OWNER_OTHERS], 30 * tick_ms, 1e-6);
	ck_assert_double_eq_tol(figures.written_bytes[HOST_OWNER_SERVER], 13006, 1e-6);
	ck_assert_double_eq_tol(figures.written_bytes[HOST_OWNER_LABORATORY], 35, 1e-6);
	ck_assert_double_eq_tol(figures.written_bytes[HOST_OWNER_OTHERS], 70000, 1e-6);
	ck_assert_double_eq_tol(figures.stolen_ms, 3 * tick_ms, 1e-6);
	ck_assert_double_eq_tol(figures.disk_written_bytes, 400 * 512, 1e-6);
	ck_assert_double_eq_tol(figures.disk_flushes, 50, 1e-6);
	host_reader_free(reader);
}
END_TEST

/* A build that ends hands a minute's writing to its shell at once: that was not written in this second. */
START_TEST(test_what_ended_children_have_used_is_not_of_this_second)
{
	struct host_figures figures;
	double tick_ms = 1e3 / (double)sysconf(_SC_CLK_TCK);
	struct host_reader *reader = host_reader_create(folder, LABORATORY, METER);
	write_process(OTHER, "sh", 50, 5, 0, 100);
	write_process(OTHER + 1, "make", OTHER, 10, 200, 4000);
	write_process(OTHER + 2, "cc1", OTHER + 1, 300, 0, 900000);
	write_machine(1000, 0, 0, 0);
	host_reader_look(reader, &figures);
	remove_process(OTHER + 2);
	remove_process(OTHER + 1);
	write_process(OTHER, "sh", 50, 5, 10 + 200 + 300 + 8, 100 + 4000 + 900000 + 70);
	write_machine(1020, 0, 0, 0);
	host_reader_look(reader, &figures);
	ck_assert_double_eq_tol(figures.written_bytes[HOST_OWNER_OTHERS], 70, 1e-6);
	ck_assert_double_eq_tol(figures.processor_ms[HOST_OWNER_OTHERS], 8 * tick_ms, 1e-6);
	host_reader_free(reader);
}
END_TEST

START_TEST(test_others_have_no_more_than_is_left)
{
	struct host_figures figures;
	double tick_ms = 1e3 / (double)sysconf(_SC_CLK_TCK);
	struct host_reader *reader = host_reader_create(folder, LABORATORY, METER);
	for (int look = 0; look < 2; look++) {
		write_process(OTHER, "make", 50, 0, 500 * look, 0);
		write_machine(1000 + 60 * look, 0, 0, 0);
		host_reader_look(reader, &figures);
	}
	ck_assert_double_eq_tol(figures.processor_ms[HOST_OWNER_OTHERS], 60 * tick_ms, 1e-6);
	host_reader_free(reader);
}
END_TEST

static size_t count_lines(void)
{
	char *path = run_file(folder, RUN_HOST);
	FILE *file = fopen(path, "re");
	size_t lines = 0;
	for (int byte; file && (byte = fgetc(file)) != EOF;)
		lines += byte == '\n';
	if (file)
		(void)fclose(file);
	free(path);
	return lines;
}

/* A child of the laboratory's that computes until it is killed. */
static pid_t start_spinner(void)
{
	volatile unsigned long turns = 0;
	pid_t child = fork();
	if (child == 0)
		while (turns < ULONG_MAX)
			turns++;
	return child;
}

START_TEST(test_meter_records_the_host_and_whose_load_it_is)
{
	struct host host;
	struct host_meter *meter = host_meter_start(folder, clock_now_ns(), &error);
	ck_assert_msg(meter != NULL, "%s", error.text);
	pid_t spinner = start_spinner();
	WAIT_FOR(count_lines() >= 4);
	ck_assert_int_eq(kill(spinner, SIGKILL), 0);
	ck_assert_int_eq(waitpid(spinner, NULL, 0), spinner);
	ck_assert_msg(host_meter_stop(meter, &error), "%s", error.text);
	ck_assert_msg(host_read(folder, (struct host_span){0, 0}, &host, &error), "%s", error.text);
	double server_ms = 0, sync_ms = 0;
	for (size_t i = 0; i < host.second_count; i++) {
		server_ms += host.seconds[i].server_ms;
		sync_ms += host.seconds[i].sync_ms;
	}
	ck_assert_uint_ge(host.second_count, 3);
	ck_assert_double_ge(server_ms, 50);
	ck_assert_double_gt(sync_ms, 0);
	host_finish(&host);
}
END_TEST

START_TEST(test_meter_ends_with_the_laboratory)
{
	int ends[2];
	char byte;
	ck_assert_int_eq(pipe(ends), 0);
	pid_t laboratory = fork();
	if (laboratory == 0) {
		(void)host_meter_start(folder, clock_now_ns(), &error); /* which inherits the pipe's end, too */
		(void)kill(getpid(), SIGKILL);
	}
	(void)close(ends[1]);
	ck_assert_int_eq(waitpid(laboratory, NULL, 0), laboratory);
	ck_assert_int_eq(read(ends[0], &byte, 1), 0); /* the last process that has it open has ended */
	(void)close(ends[0]);
}
END_TEST

START_TEST(test_meter_without_a_place_for_its_record_says_so)
{
	ck_assert_ptr_null(host_meter_start("/nowhere/at/all", clock_now_ns(), &error));
	ck_assert_msg(strstr(error.text, "/nowhere/at/all/.host-probe: cannot be written") != NULL, "%s", error.text);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("host_meter");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, set_up, tear_down);
	tcase_set_timeout(all, 120);
	tcase_add_test(all, test_everybody_gets_what_they_used);
	tcase_add_test(all, test_what_ended_children_have_used_is_not_of_this_second);
	tcase_add_test(all, test_others_have_no_more_than_is_left);
	tcase_add_test(all, test_meter_records_the_host_and_whose_load_it_is);
	tcase_add_test(all, test_meter_ends_with_the_laboratory);
	tcase_add_test(all, test_meter_without_a_place_for_its_record_says_so);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_host_meter, make_suite)
