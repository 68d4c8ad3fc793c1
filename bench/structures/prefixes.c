#include "bench/structures/prefixes.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/structures/lines.h"
#include "vswitch/addr.h"

struct prefixes {
	struct entries entries;
	const struct prefix_table *ops;
	void *table;
	struct line *lines;
	struct prefix_keys keys; // reader's
};

void prefixes_free(void *arg)
{
	struct prefixes *s = arg;

	s->ops->free(s->table);
	rte_free(s->lines);
	free(s);
}

void *prefixes_new(const struct structure *self, const struct entries *e, struct rcu *)
{
	static unsigned serial; // EAL keeps them by name
	char name[32];
	(void)snprintf(name, sizeof(name), "compared%u", serial++);

	struct prefixes *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->entries = *e;
	s->ops = self->variant;
	s->lines = lines_new(e);
	s->table = s->ops->create(name, e);
	if (s->lines == NULL || s->table == NULL) {
		prefixes_free(s);
		return NULL;
	}
	return s;
}

int prefixes_put(void *arg, uint32_t i, uint32_t number)
{
	struct prefixes *s = arg;
	struct in6_addr addr = entry_addr(&s->entries, i);

	return s->ops->add(s->table, &addr, line_put(s->lines, &s->entries, i, number));
}

void prefixes_del(void *arg, uint32_t i)
{
	struct prefixes *s = arg;
	struct in6_addr addr = entry_addr(&s->entries, i);

	s->ops->del(s->table, &addr);
}

void prefixes_load(void *arg, const uint32_t *i)
{
	struct prefixes *s = arg;

	for (uint32_t k = 0; k < BURST_MAX; k++) {
		struct in6_addr addr = entry_addr(&s->entries, i[k]);

		s->keys.ip4[k] = ntohl(addr_ip4(&addr));
		memcpy(s->keys.ip6[k], &addr, sizeof(addr));
	}
}

void prefixes_find(void *arg, uint32_t *ret_numbers)
{
	struct prefixes *s = arg;
	uint64_t lines[BURST_MAX];

	s->ops->find(s->table, &s->keys, lines);
	for (uint32_t k = 0; k < BURST_MAX; k++)
		ret_numbers[k] = s->lines[lines[k]].route.nexthop;
}
