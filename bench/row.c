#include "bench/row.h"

#include <stdio.h>

void row_print(const struct row *r)
{
	printf("{\"case\": \"%s\", \"frame\": %u, \"flows\": %u, \"ip\": %c, \"mpps\": %.3f, "
	       "\"cycles_per_packet\": %.1f, \"mpps_alone\": %.3f, \"cycles_alone\": %.1f, "
	       "\"ratio\": %.3f, \"loss\": %.9f, \"spread\": %.3f}\n",
		r->name, r->frame, r->flows, r->is_ip6 ? '6' : '4', r->mpps, r->cycles,
		r->mpps_alone, r->cycles_alone, r->ratio, r->loss, r->spread);
	(void)fflush(stdout);
}
