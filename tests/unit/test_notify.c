/*
 * What a service manager is told, and when: the function, and `sluice run` as a unit of Type=notify.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serve/notify.h"
#include "support/scratch.h"
#include "support/unit.h"

enum { TIMEOUT_MS = 20000 };

static char folder[SCRATCH_SIZE];
static char path[96];
static int receiver = -1;

/* A manager's socket, named as NOTIFY_SOCKET names it. */
static void listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = strlen(name);
	memcpy(address.sun_path, name, size);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(receiver, 0);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
	ck_assert_int_eq(bind(receiver, (const struct sockaddr *)&address, length), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static void set_up(void)
{
	scratch_folder(folder);
	(void)snprintf(path, sizeof(path), "%s/notify", folder);
}

static void tear_down(void)
{
	if (receiver >= 0)
		(void)close(receiver);
	(void)unlink(path);
	(void)rmdir(folder);
}

static void expect(const char *state)
{
	char got[64] = "";
	struct pollfd ready = {.fd = receiver, .events = POLLIN};
	ck_assert_msg(poll(&ready, 1, TIMEOUT_MS) == 1, "%s did not come", state);
	ssize_t size = recv(receiver, got, sizeof(got) - 1, 0);
	ck_assert_int_ge(size, 0);
	ck_assert_str_eq(got, state);
}

static bool is_silent(void)
{
	struct pollfd ready = {.fd = receiver, .events = POLLIN};
	return poll(&ready, 1, 0) == 0;
}

START_TEST(test_state_reaches_a_socket_with_a_path)
{
	listen_at(path);
	ck_assert(notify_send("READY=1"));
	expect("READY=1");
	ck_assert(is_silent());
}
END_TEST

START_TEST(test_state_reaches_an_abstract_socket)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "@sluice-notify-%d", (int)getpid());
	listen_at(name);
	ck_assert(notify_send("STOPPING=1"));
	expect("STOPPING=1");
}
END_TEST

START_TEST(test_nobody_asking_is_no_failure)
{
	ck_assert_int_eq(unsetenv("NOTIFY_SOCKET"), 0);
	ck_assert(notify_send("READY=1"));
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", "", 1), 0);
	ck_assert(notify_send("READY=1"));
}
END_TEST

START_TEST(test_socket_that_is_not_there_is_a_failure_with_its_cause)
{
	char longer[256];
	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	const struct {
		const char *name;
		int cause;
	} cases[] = {{path, ENOENT}, {"notify", EINVAL}, {longer, EINVAL}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(setenv("NOTIFY_SOCKET", cases[i].name, 1), 0);
		errno = 0;
		ck_assert(!notify_send("READY=1"));
		ck_assert_int_eq(errno, cases[i].cause);
	}
}
END_TEST

/* Starts `sluice run` with a pipeline that keeps nothing, on free ports. */
static pid_t run_server(void)
{
	char file[96];
	(void)snprintf(file, sizeof(file), "%s/pipeline.yaml", folder);
	FILE *pipeline = fopen(file, "w");
	ck_assert_ptr_nonnull(pipeline);
	(void)fprintf(pipeline,
	              "pipeline: notified\nlisten: { port: 0 }\nadmin: { port: 0 }\nstages:\n"
	              "  - auth: none\n  - parse: json\n  - persist: sqlite\n    path: %s/x.db\n",
	              folder);
	ck_assert_int_eq(fclose(pipeline), 0);
	pid_t child = fork();
	if (child == 0) {
		int nothing = open("/dev/null", O_RDWR);
		(void)dup2(nothing, STDOUT_FILENO);
		(void)dup2(nothing, STDERR_FILENO);
		(void)execl(TEST_BUILD_DIR "/sluice", "sluice", "run", file, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_gt(child, 0);
	return child;
}

static void remove_files(void)
{
	static const char *const names[] = {"pipeline.yaml", "x.db", "x.db-wal", "x.db-shm"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char file[96];
		(void)snprintf(file, sizeof(file), "%s/%s", folder, names[i]);
		(void)unlink(file);
	}
}

START_TEST(test_server_says_when_it_is_ready_and_when_it_stops)
{
	listen_at(path);
	pid_t server = run_server();
	expect("READY=1");
	ck_assert(is_silent());
	ck_assert_int_eq(kill(server, SIGTERM), 0);
	expect("STOPPING=1");
	int status;
	ck_assert_int_eq(waitpid(server, &status, 0), server);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert(is_silent());
	remove_files();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("notify");
	TCase *notify = tcase_create("notify");
	tcase_set_timeout(notify, 60);
	tcase_add_checked_fixture(notify, set_up, tear_down);
	tcase_add_test(notify, test_state_reaches_a_socket_with_a_path);
	tcase_add_test(notify, test_state_reaches_an_abstract_socket);
	tcase_add_test(notify, test_nobody_asking_is_no_failure);
	tcase_add_test(notify, test_socket_that_is_not_there_is_a_failure_with_its_cause);
	tcase_add_test(notify, test_server_says_when_it_is_ready_and_when_it_stops);
	suite_add_tcase(suite, notify);
	return suite;
}

UNIT_SUITE(test_notify, suite)
