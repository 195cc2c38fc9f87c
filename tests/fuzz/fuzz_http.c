/*
 * The webhook listener over a socket: whatever comes, it says HTTP or nothing, closes, and gives everything back.
 */
#include "exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!server) {
		block_alarm();
		prepare();
		puppet.config.listen.health = true;
		start_listening();
	}
	exchange(port, data, size, memmem(data, size, "HEAD ", 5) != NULL);
	wait_for(&puppet.inside, 0);
	wait_for(&puppet.receiving, 0);
	return 0;
}
