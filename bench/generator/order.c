#include "order.h"

#include <rte_string_fns.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum value_kind {
	VALUE_U16,
	VALUE_U32,
	VALUE_U64,
	VALUE_SECONDS,
	VALUE_MAC,
	VALUE_IP,
	VALUE_IP4,
	VALUE_FRAME,
	VALUE_ENCAP,
	VALUE_ANSWER,
	VALUE_PATH,
};

struct key {
	const char *name;
	enum value_kind kind;
	size_t offset;
};

#define KEY(member, of_kind)                                                               \
	{                                                                                  \
		.name = #member, .kind = of_kind, .offset = offsetof(struct order, member) \
	}

static const struct key keys[] = {
	KEY(tx, VALUE_U16),
	KEY(rx, VALUE_U16),
	KEY(seconds, VALUE_SECONDS),
	KEY(warmup, VALUE_SECONDS),
	KEY(rate, VALUE_U64),
	KEY(frame, VALUE_FRAME),
	KEY(flows, VALUE_U32),
	KEY(destinations, VALUE_U32),
	KEY(src_mac, VALUE_MAC),
	KEY(dst_mac, VALUE_MAC),
	KEY(src, VALUE_IP),
	KEY(dst, VALUE_IP),
	KEY(encap, VALUE_ENCAP),
	KEY(vlan, VALUE_U16),
	KEY(vni, VALUE_U32),
	KEY(vxlan_port, VALUE_U16),
	KEY(outer_src_mac, VALUE_MAC),
	KEY(outer_dst_mac, VALUE_MAC),
	KEY(outer_src, VALUE_IP4),
	KEY(outer_dst, VALUE_IP4),
	KEY(answer, VALUE_ANSWER),
	KEY(pcap, VALUE_PATH),
};

static int parse_number(const char *text, uint64_t max, uint64_t *ret_number)
{
	char *end;

	errno = 0;
	uint64_t n = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n > max)
		return -EINVAL;
	*ret_number = n;
	return 0;
}

static int parse_seconds(const char *text, double *ret_seconds)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end != '\0' || !(s >= 0 && s <= 3600))
		return -EINVAL;
	*ret_seconds = s;
	return 0;
}

static int parse_ip(const char *text, struct in6_addr *ret_ip)
{
	struct in6_addr ip = {0};

	if (strchr(text, ':') != NULL)
		return inet_pton(AF_INET6, text, ret_ip) == 1 ? 0 : -EINVAL;
	ip.s6_addr16[5] = 0xffff;
	if (inet_pton(AF_INET, text, &ip.s6_addr32[3]) != 1)
		return -EINVAL;
	*ret_ip = ip;
	return 0;
}

static int parse_encap(const char *text, enum encap *ret_encap)
{
	static const char *const names[] = {
		[ENCAP_NONE] = "none", [ENCAP_VLAN] = "vlan", [ENCAP_VXLAN] = "vxlan"};

	for (unsigned i = 0; i < RTE_DIM(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret_encap = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_value(const struct key *key, const char *text, struct order *o)
{
	void *at = (char *)o + key->offset;
	uint64_t n = 0;
	int ret;

	switch (key->kind) {
	case VALUE_FRAME:
		if (strcmp(text, "imix") == 0) {
			o->frame = FRAME_IMIX;
			return 0;
		}
		// fall through
	case VALUE_U16:
		ret = parse_number(text, UINT16_MAX, &n);
		*(uint16_t *)at = (uint16_t)n;
		return ret;
	case VALUE_U32:
		ret = parse_number(text, UINT32_MAX, &n);
		*(uint32_t *)at = (uint32_t)n;
		return ret;
	case VALUE_U64:
		return parse_number(text, UINT64_MAX, at);
	case VALUE_SECONDS:
		return parse_seconds(text, at);
	case VALUE_ANSWER:
		o->answers = true;
		// fall through
	case VALUE_MAC:
		return rte_ether_unformat_addr(text, at) == 0 ? 0 : -EINVAL;
	case VALUE_IP:
		return parse_ip(text, at);
	case VALUE_IP4:
		return inet_pton(AF_INET, text, at) == 1 ? 0 : -EINVAL;
	case VALUE_ENCAP:
		return parse_encap(text, at);
	case VALUE_PATH:
		return rte_strscpy(at, text, sizeof(o->pcap)) < 0 ? -EINVAL : 0;
	}
	return -EINVAL;
}

static int parse_word(char *word, struct order *o)
{
	char *value = strchr(word, '=');

	if (value == NULL)
		return -EINVAL;
	for (unsigned i = 0; i < RTE_DIM(keys); i++) {
		size_t len = strlen(keys[i].name);
		if ((size_t)(value - word) == len && strncmp(word, keys[i].name, len) == 0)
			return parse_value(&keys[i], value + 1, o);
	}
	return -EINVAL;
}

int order_parse(char *line, struct order *ret_order, const char **ret_why)
{
	struct order o = {
		.rx = 1,
		.seconds = 1,
		.warmup = 0.2,
		.frame = 60,
		.flows = 1,
		.destinations = 1,
		.vxlan_port = 8472,
	};
	char *rest = NULL;

	for (char *word = strtok_r(line, " \t\r\n", &rest); word != NULL;
		word = strtok_r(NULL, " \t\r\n", &rest)) {
		if (parse_word(word, &o) < 0) {
			*ret_why = word;
			return -EINVAL;
		}
	}
	if (o.flows == 0 || o.destinations == 0) {
		*ret_why = "flows and destinations are at least 1";
		return -EINVAL;
	}
	o.ip6 = !IN6_IS_ADDR_V4MAPPED(&o.dst);
	*ret_order = o;
	return 0;
}
