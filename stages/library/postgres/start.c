/* The first connection of a stage. */
#include "start.h"

#include "address.h"

struct connection *start_connection(struct server *server, enum connection_use use, struct sluice_error *error)
{
	const struct config *config = server->stage->config;
	struct sluice_error why = {0};
	char where[ADDRESS_SIZE];
	struct connection *connection = connection_open(server, use, &why);
	if (connection)
		return connection;
	address_describe(config->url, where);
	(void)sluice_error_set(error, "%s%s%s%s", why.text, where[0] ? " (" : "", where, where[0] ? ")" : "");
	return NULL;
}
