// Decoding Subnets, and their defaults.
#include "ctrl/model/subnet.h"

#include <stdlib.h>
#include <string.h>

#include "ctrl/model/decode.h"

// An address whose text may be anything: admission refuses a bad one in its own words.
static void loose_ip(const char *text, bool *ret_has, struct in6_addr *ret_ip)
{
	*ret_has = text[0] != '\0' && ip_parse(text, ret_ip) == 0;
}

static void range_decode(struct reader *r, const cJSON *range, struct subnet_obj *s)
{
	field_version(r, range, "spec.range.version", s->range.version, sizeof(s->range.version));
	field_text(r, range, "spec.range.cidr", s->range.cidr_text, sizeof(s->range.cidr_text));
	field_text(r, range, "spec.range.start", s->range.start_text, sizeof(s->range.start_text));
	field_text(r, range, "spec.range.end", s->range.end_text, sizeof(s->range.end_text));
	field_text(r, range, "spec.range.gateway", s->range.gateway_text,
		sizeof(s->range.gateway_text));
	s->range.has_cidr = cidr_parse(s->range.cidr_text, &s->range.cidr) == 0;
	loose_ip(s->range.start_text, &s->range.has_start, &s->range.start);
	loose_ip(s->range.end_text, &s->range.has_end, &s->range.end);
	loose_ip(s->range.gateway_text, &s->range.has_gateway, &s->range.gateway);
	s->range.has_bad_reserved = field_ips_loose(r, range, "spec.range.reservedIPs",
		&s->range.reserved, &s->range.n_reserved, s->range.bad_reserved);
	s->range.has_bad_excluded = field_ips_loose(r, range, "spec.range.excludeIPs",
		&s->range.excluded, &s->range.n_excluded, s->range.bad_excluded);
}

void subnet_decode(struct reader *r, const cJSON *json, struct subnet_obj *s)
{
	const cJSON *spec = field_object(r, json, "spec");
	const cJSON *config = field_object(r, spec, "spec.config");
	const cJSON *status = field_object(r, json, "status");
	bool has;

	field_text(r, spec, "spec.network", s->network, sizeof(s->network));
	field_int(r, spec, "spec.netID", &s->has_net_id, &s->net_id);
	range_decode(r, field_object(r, spec, "spec.range"), s);

	s->auto_nat_outgoing = true;
	field_bool(r, config, "spec.config.autoNatOutgoing", &s->has_auto_nat_outgoing,
		&s->auto_nat_outgoing);
	field_bool(r, config, "spec.config.private", &has, &s->private);

	field_int(r, status, "status.total", &has, &s->status.count.total);
	field_int(r, status, "status.used", &has, &s->status.count.used);
	field_int(r, status, "status.available", &has, &s->status.count.available);
	field_text(r, status, "status.lastAllocatedIP", s->status.last_allocated_ip,
		sizeof(s->status.last_allocated_ip));
}

void subnet_fini(struct subnet_obj *s)
{
	free(s->range.reserved);
	free(s->range.excluded);
}

bool subnet_net_id(const struct subnet_obj *subnet, const struct network *network, int64_t *ret_id)
{
	if (!subnet->has_net_id && !network->has_net_id)
		return false;
	*ret_id = subnet->has_net_id ? subnet->net_id : network->net_id;
	return true;
}

void subnet_bounds(
	const struct subnet_obj *subnet, struct in6_addr *ret_start, struct in6_addr *ret_end)
{
	struct in6_addr first = cidr_first(&subnet->range.cidr);
	struct in6_addr last = cidr_last(&subnet->range.cidr);

	if (!ip_add(&first, 1, ret_start))
		*ret_start = first;
	*ret_end = last;
	// IPv4's last address is the broadcast; IPv6 has none.
	if (ip_is_v4(&last) && subnet->range.cidr.len < 128)
		(void)ip_add(&last, -1, ret_end);
	if (subnet->range.has_start)
		*ret_start = subnet->range.start;
	if (subnet->range.has_end)
		*ret_end = subnet->range.end;
}
