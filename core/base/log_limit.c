/*
 * A limit on log lines; see log_limit.h.
 */
#include "base/log_limit.h"

#include "base/clock.h"

bool log_limit_pass(struct log_limit *limit, int64_t *suppressed_out)
{
	int64_t now = clock_now_ns(), last = atomic_load(&limit->last_ns);
	if ((last && now - last < NS_PER_S) || !atomic_compare_exchange_strong(&limit->last_ns, &last, now)) {
		atomic_fetch_add(&limit->suppressed, 1);
		return false;
	}
	*suppressed_out = (int64_t)atomic_exchange(&limit->suppressed, 0);
	return true;
}
