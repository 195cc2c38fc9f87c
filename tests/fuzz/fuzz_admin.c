/*
 * The admin listener over a socket, with a token and without: whatever comes, it says HTTP or nothing, and closes; without
 * the token it says nothing else than that.
 */
#include "exchange.h"
#include "serve/admin.h"

static struct admin *start_admin(const char *token)
{
	struct sluice_error error = {0};
	puppet.config.admin = (struct admin_config){.enabled = true, .address = "127.0.0.1", .token = token};
	struct admin *admin = admin_start(&service, &error);
	require(admin != NULL, error.text);
	return admin;
}

static int port_of(const struct admin *admin)
{
	char url[LISTENER_URL_SIZE];
	admin_get_url(admin, url);
	return wire_port(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const none[] = {NULL};
	static int open_port, guarded_port;
	if (!open_port) {
		block_alarm();
		prepare();
		puppet.config.file = "p.yaml";
		puppet.config.optimizations = none;
		service_init(&service, &puppet, NULL);
		open_port = port_of(start_admin(NULL));
		guarded_port = port_of(start_admin("token"));
	}
	bool may_be_head = memmem(data, size, "HEAD ", 5) != NULL;
	exchange(open_port, data, size, may_be_head);
	exchange(guarded_port, data, size, may_be_head);
	return 0;
}
