// Frames on the world's ports, written and compared byte by byte.
#include "tests/unit/node/fib_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

bool take_now(struct port *dev, uint8_t frame[FRAME_MAX], uint16_t *ret_len)
{
	struct rte_mbuf *m;

	if (ring_drain(dev, &m, 1) == 0)
		return false;
	assert_int_equal(m->nb_segs, 1);
	*ret_len = m->data_len;
	assert_true(m->data_len <= FRAME_MAX);
	memset(frame, 0, FRAME_MAX);
	memcpy(frame, rte_pktmbuf_mtod(m, void *), m->data_len);
	rte_pktmbuf_free(m);
	return true;
}

struct taking {
	struct port *dev;
	uint8_t *frame;
	uint16_t len;
};

static bool taken(void *arg)
{
	struct taking *t = arg;
	return take_now(t->dev, t->frame, &t->len);
}

uint16_t take(struct world *w, struct port *dev, uint8_t frame[FRAME_MAX])
{
	struct taking t = {.dev = dev, .frame = frame};

	world_until(w, taken, &t);
	return t.len;
}

void discard(struct world *w, struct port *dev)
{
	uint8_t frame[FRAME_MAX];
	uint16_t len;

	world_for(w, 50);
	while (take_now(dev, frame, &len))
		;
}

void give(struct world *w, struct port *dev, const void *frame, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(dataplane_pool(w->dp));

	assert_non_null(m);
	void *data = rte_pktmbuf_append(m, len);
	assert_non_null(data);
	memcpy(data, frame, len);
	assert_int_equal(ring_feed(dev, &m, 1), 1);
}

static uint16_t ether(
	uint8_t *frame, const uint8_t *dst, const uint8_t *src, uint16_t vlan, uint16_t type)
{
	uint16_t at = 12;

	memcpy(frame, dst, 6);
	memcpy(&frame[6], src, 6);
	if (vlan != 0) {
		const uint8_t tag[4] = {0x81, 0, (uint8_t)(vlan >> 8), (uint8_t)vlan};
		memcpy(&frame[at], tag, 4);
		at = 16;
	}
	frame[at] = (uint8_t)(type >> 8);
	frame[at + 1] = (uint8_t)type;
	return (uint16_t)(at + 2);
}

// The smallest frame, with its tag: what is shorter is padded with zeros.
static uint16_t min_len(uint16_t vlan)
{
	return vlan != 0 ? 64 : 60;
}

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t nobody[6];

struct arp {
	uint8_t op;
	const uint8_t *sender_mac, *target_mac;
	struct in6_addr sender, target;
};

static uint16_t arp(
	uint8_t frame[FRAME_MAX], const uint8_t *dst, uint16_t vlan, const struct arp *a)
{
	const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, a->op};

	memset(frame, 0, FRAME_MAX);
	uint16_t at = ether(frame, dst, a->sender_mac, vlan, 0x0806);
	memcpy(&frame[at], head, 8);
	memcpy(&frame[at + 8], a->sender_mac, 6);
	memcpy(&frame[at + 14], &a->sender.s6_addr[12], 4);
	memcpy(&frame[at + 18], a->target_mac, 6);
	memcpy(&frame[at + 24], &a->target.s6_addr[12], 4);
	return min_len(vlan);
}

struct expecting {
	struct port *dev;
	const uint8_t *expected;
	uint16_t len;
};

static bool has_come(void *arg)
{
	const struct expecting *e = arg;
	uint8_t frame[FRAME_MAX];
	uint16_t len;

	while (take_now(e->dev, frame, &len)) {
		if (len == e->len && memcmp(frame, e->expected, len) == 0)
			return true;
	}
	return false;
}

// Waits for just this frame; other business may be on the wire before it.
static void expect(struct world *w, const uint8_t *frame, uint16_t len)
{
	world_until(w, has_come, &(struct expecting){w->uplink, frame, len});
}

void expect_arp_request(struct world *w, uint16_t vlan, const char *sender, const char *target)
{
	const struct arp a = {
		.op = 1,
		.sender_mac = uplink_mac,
		.target_mac = nobody,
		.sender = ip(sender),
		.target = ip(target),
	};
	uint8_t frame[FRAME_MAX];
	uint16_t len = arp(frame, everybody, vlan, &a);

	expect(w, frame, len);
}

// Gratuitous ARP, as a request or as a reply.
static uint16_t announcement(
	uint8_t frame[FRAME_MAX], uint8_t op, uint16_t vlan, const struct in6_addr *addr)
{
	const struct arp a = {
		.op = op,
		.sender_mac = uplink_mac,
		.target_mac = op == 1 ? nobody : everybody,
		.sender = *addr,
		.target = *addr,
	};

	return arp(frame, everybody, vlan, &a);
}

void expect_announcement(struct world *w, uint16_t vlan, const char *addr)
{
	const struct in6_addr whose = ip(addr);

	for (uint8_t op = 1; op <= 2; op++) {
		uint8_t frame[FRAME_MAX];
		uint16_t len = announcement(frame, op, vlan, &whose);
		expect(w, frame, len);
	}
}

static bool is_announcement(
	uint16_t vlan, const struct in6_addr *addr, const uint8_t *got, uint16_t got_len)
{
	for (uint8_t op = 1; op <= 2; op++) {
		uint8_t frame[FRAME_MAX];
		uint16_t len = announcement(frame, op, vlan, addr);
		if (got_len == len && memcmp(frame, got, len) == 0)
			return true;
	}
	return false;
}

uint32_t count_announcements(struct world *w, uint16_t vlan, const char *addr, unsigned ms)
{
	const struct in6_addr whose = ip(addr);
	uint8_t frame[FRAME_MAX];
	uint16_t len;
	uint32_t n = 0;

	world_for(w, ms);
	while (take_now(w->uplink, frame, &len))
		n += is_announcement(vlan, &whose, frame, len);
	return n;
}

uint32_t count_frames(struct world *w, unsigned ms)
{
	uint8_t frame[FRAME_MAX];
	uint16_t len;
	uint32_t n = 0;

	world_for(w, ms);
	while (take_now(w->uplink, frame, &len))
		n++;
	return n;
}

void give_arp_reply(struct world *w, uint16_t vlan, const char *from, const uint8_t mac[6])
{
	const struct arp a = {
		.op = 2,
		.sender_mac = mac,
		.target_mac = uplink_mac,
		.sender = ip(from),
	};
	uint8_t frame[FRAME_MAX];
	uint16_t len = arp(frame, uplink_mac, vlan, &a);

	give(w, w->uplink, frame, len);
}

struct nd {
	uint8_t type, flags, option; // ICMPv6 type; R, S and O; option that carries the MAC address
	const uint8_t *mac;
	struct in6_addr src, dst, target;
};

static uint16_t nd(uint8_t frame[FRAME_MAX], const uint8_t *dst, uint16_t vlan, const struct nd *n)
{
	const uint8_t head[8] = {0x60, 0, 0, 0, 0, 32, 58, 255};
	uint32_t sum = 32 + 58;

	memset(frame, 0, FRAME_MAX);
	uint16_t at = ether(frame, dst, n->mac, vlan, 0x86dd);
	uint8_t *ip6 = &frame[at], *icmp = &frame[at + 40];
	memcpy(ip6, head, 8);
	memcpy(&ip6[8], &n->src, 16);
	memcpy(&ip6[24], &n->dst, 16);
	icmp[0] = n->type;
	icmp[4] = n->flags;
	memcpy(&icmp[8], &n->target, 16);
	icmp[24] = n->option;
	icmp[25] = 1;
	memcpy(&icmp[26], n->mac, 6);
	for (int i = 8; i < 72; i += 2)
		sum += (uint32_t)ip6[i] << 8 | ip6[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
	return (uint16_t)(at + 72);
}

void expect_solicitation(struct world *w, uint16_t vlan, const char *sender, const char *target)
{
	const struct in6_addr wanted = ip(target);
	const uint8_t *t = wanted.s6_addr;
	const uint8_t mac[6] = {0x33, 0x33, 0xff, t[13], t[14], t[15]};
	const struct nd n = {
		.type = 135,
		.option = 1,
		.mac = uplink_mac,
		.src = ip(sender),
		.dst = {.s6_addr = {0xff, 2, [11] = 1, [12] = 0xff, t[13], t[14], t[15]}},
		.target = wanted,
	};
	uint8_t frame[FRAME_MAX];
	uint16_t len = nd(frame, mac, vlan, &n);

	expect(w, frame, len);
}

void expect_unsolicited_advertisement(struct world *w, uint16_t vlan, const char *whose)
{
	const uint8_t mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	const struct nd n = {
		.type = 136,
		.flags = 0x20,
		.option = 2,
		.mac = uplink_mac,
		.src = ip(whose),
		.dst = {.s6_addr = {0xff, 2, [15] = 1}},
		.target = ip(whose),
	};
	uint8_t frame[FRAME_MAX];
	uint16_t len = nd(frame, mac, vlan, &n);

	expect(w, frame, len);
}

void give_advertisement(
	struct world *w, uint16_t vlan, const char *from, const char *to, const uint8_t mac[6])
{
	const struct nd n = {
		.type = 136,
		.flags = 0x60,
		.option = 2,
		.mac = mac,
		.src = ip(from),
		.dst = ip(to),
		.target = ip(from),
	};
	uint8_t frame[FRAME_MAX];
	uint16_t len = nd(frame, uplink_mac, vlan, &n);

	give(w, w->uplink, frame, len);
}

void give_ip4(
	struct world *w, const struct test_pod *pod, const struct fib_pod *from, const char *dst)
{
	uint8_t frame[60] = {0};
	const uint8_t gateway[6] = {0xee, 0xee, 0xee, 0xee, 0xee, 0xee};
	const struct in6_addr to = ip(dst);
	uint16_t at = ether(frame, gateway, from->mac, 0, 0x0800);
	const uint8_t head[12] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0};
	uint32_t sum = 0;

	memcpy(&frame[at], head, 12);
	memcpy(&frame[at + 12], &from->ip4.s6_addr[12], 4);
	memcpy(&frame[at + 16], &to.s6_addr[12], 4);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)frame[at + i] << 8 | frame[at + i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[at + 10] = (uint8_t)(sum >> 8);
	frame[at + 11] = (uint8_t)sum;
	frame[at + 25] = 8; // UDP length
	give(w, pod->dev, frame, sizeof(frame));
}
