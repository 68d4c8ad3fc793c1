#include "tests/unit/vswitch/frame.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

static void put(struct bytes *b, const void *data, size_t len)
{
	if (b->len + len > sizeof(b->data))
		abort();
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len = (uint16_t)(b->len + len);
}

static void put8(struct bytes *b, uint8_t v)
{
	put(b, &v, 1);
}

static void put16(struct bytes *b, uint16_t v)
{
	put8(b, (uint8_t)(v >> 8));
	put8(b, (uint8_t)v);
}

static void put32(struct bytes *b, uint32_t v)
{
	put16(b, (uint16_t)(v >> 16));
	put16(b, (uint16_t)v);
}

static void set16(struct bytes *b, size_t at, uint16_t v)
{
	b->data[at] = (uint8_t)(v >> 8);
	b->data[at + 1] = (uint8_t)v;
}

static void put_mac(struct bytes *b, const char *text)
{
	struct rte_ether_addr mac = frame_mac(text);
	put(b, &mac, sizeof(mac));
}

static bool is_ip6(const char *text)
{
	return strchr(text, ':') != NULL;
}

static void put_ip(struct bytes *b, const char *text)
{
	struct in6_addr a = frame_addr(text);
	if (is_ip6(text))
		put(b, &a, sizeof(a));
	else
		put(b, &a.s6_addr[12], 4);
}

static uint32_t sum16(const uint8_t *data, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
	return sum;
}

static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_eth(struct bytes *b, const char *dst, const char *src, uint16_t vlan, uint16_t type)
{
	put_mac(b, dst);
	put_mac(b, src);
	if (vlan != 0) {
		put16(b, 0x8100);
		put16(b, vlan & 0xfff);
	}
	put16(b, type);
}

// Everything behind the IP header, with checksums as if over the given addresses.
static struct bytes l4(const struct packet *p)
{
	struct bytes b = {0};
	size_t checksum_at = 0;

	if (p->offset == 0) {
		switch (p->proto) {
		case IPPROTO_UDP:
			put16(&b, p->sport);
			put16(&b, p->dport);
			put16(&b, (uint16_t)(8 + p->payload_len));
			put16(&b, 0);
			checksum_at = p->no_udp_checksum ? 0 : 6;
			break;
		case IPPROTO_TCP:
			put16(&b, p->sport);
			put16(&b, p->dport);
			put32(&b, 1);
			put32(&b, 2);
			put32(&b, 0x50181000);
			put32(&b, 0);
			checksum_at = 16;
			break;
		case IPPROTO_ICMP:
		case IPPROTO_ICMPV6:
			put8(&b, p->icmp_type);
			put8(&b, p->icmp_code);
			put16(&b, 0);
			put32(&b, p->icmp_rest);
			checksum_at = 2;
			break;
		default:
			break;
		}
	}
	for (uint16_t i = 0; i < p->payload_len; i++)
		put8(&b, p->payload != NULL ? p->payload[i] : (uint8_t)i);

	if (checksum_at != 0) {
		struct bytes pseudo = {0};
		if (p->proto != IPPROTO_ICMP) {
			put_ip(&pseudo, p->src);
			put_ip(&pseudo, p->dst);
			put32(&pseudo, b.len);
			put32(&pseudo, p->proto);
		}
		uint16_t c = checksum(sum16(b.data, b.len, sum16(pseudo.data, pseudo.len, 0)));
		set16(&b, checksum_at, c == 0 && p->proto == IPPROTO_UDP ? 0xffff : c);
	}
	return b;
}

static void put_ip4_packet(struct bytes *b, const struct packet *p, const struct bytes *body)
{
	size_t at = b->len;

	put8(b, 0x45);
	put8(b, p->tos);
	put16(b, (uint16_t)(20 + body->len));
	put16(b, 0);
	put16(b,
		(uint16_t)((p->no_fragment ? 0x4000 : 0) | (p->more ? 0x2000 : 0) | p->offset / 8));
	put8(b, p->ttl);
	put8(b, p->proto);
	put16(b, 0);
	put_ip(b, p->src);
	put_ip(b, p->dst);
	set16(b, at + 10, checksum(sum16(b->data + at, 20, 0)));
	put(b, body->data, body->len);
}

static void put_ip6_packet(struct bytes *b, const struct packet *p, const struct bytes *body)
{
	bool fragment = p->is_fragment || p->more || p->offset != 0;

	put32(b, 6u << 28 | (uint32_t)p->tos << 20);
	put16(b, (uint16_t)(body->len + (fragment ? 8 : 0)));
	put8(b, fragment ? IPPROTO_FRAGMENT : p->proto);
	put8(b, p->ttl);
	put_ip(b, p->src);
	put_ip(b, p->dst);
	if (fragment) {
		put8(b, p->proto);
		put8(b, 0);
		put16(b, (uint16_t)(p->offset | (p->more ? 1 : 0)));
		put32(b, 77);
	}
	put(b, body->data, body->len);
}

struct bytes frame_ip(const struct packet *p)
{
	struct bytes b = {0};
	struct bytes body = l4(p);

	put_eth(&b, p->eth_dst, p->eth_src, p->vlan, is_ip6(p->src) ? 0x86dd : 0x0800);
	if (is_ip6(p->src))
		put_ip6_packet(&b, p, &body);
	else
		put_ip4_packet(&b, p, &body);
	return b;
}

struct bytes frame_arp(const struct arp *a)
{
	struct bytes b = {0};

	put_eth(&b, a->eth_dst, a->eth_src, a->vlan, 0x0806);
	put16(&b, 1);
	put16(&b, 0x0800);
	put8(&b, 6);
	put8(&b, 4);
	put16(&b, a->op);
	put_mac(&b, a->sha);
	put_ip(&b, a->sip);
	put_mac(&b, a->tha);
	put_ip(&b, a->tip);
	return b;
}

struct bytes frame_nd(const struct nd *n)
{
	struct bytes body = {0};

	put_ip(&body, n->target);
	if (n->option != 0) {
		put8(&body, n->option);
		put8(&body, 1);
		put_mac(&body, n->lladdr);
	}
	return frame_ip(&(struct packet){
		.eth_src = n->eth_src,
		.eth_dst = n->eth_dst,
		.vlan = n->vlan,
		.src = n->src,
		.dst = n->dst,
		.ttl = n->hop_limit,
		.proto = IPPROTO_ICMPV6,
		.icmp_type = n->type,
		.icmp_rest = n->flags,
		.payload = body.data,
		.payload_len = body.len,
	});
}

struct bytes frame_vxlan(
	const struct packet *outer, uint8_t flags, uint32_t vni, const struct bytes *inner)
{
	struct bytes body = {0};

	put32(&body, (uint32_t)flags << 24);
	put32(&body, vni << 8);
	put(&body, inner->data, inner->len);

	struct packet p = *outer;
	p.proto = IPPROTO_UDP;
	p.payload = body.data;
	p.payload_len = body.len;
	return frame_ip(&p);
}

struct bytes frame_payload(const struct bytes *frame)
{
	struct bytes b = {0};
	size_t header = frame->data[12] == 0x81 ? 18 : 14;

	put(&b, frame->data + header, frame->len - header);
	return b;
}

struct in6_addr frame_addr(const char *text)
{
	struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	int ret = is_ip6(text) ? inet_pton(AF_INET6, text, &a)
			       : inet_pton(AF_INET, text, &a.s6_addr[12]);
	if (ret != 1) {
		(void)fprintf(stderr, "'%s' is no address\n", text);
		abort();
	}
	return a;
}

struct rte_ether_addr frame_mac(const char *text)
{
	struct rte_ether_addr mac;

	if (rte_ether_unformat_addr(text, &mac) != 0) {
		(void)fprintf(stderr, "'%s' is no MAC address\n", text);
		abort();
	}
	return mac;
}

struct rte_mbuf *frame_mbuf(struct frame *f, uint16_t headroom, const void *data, uint16_t len)
{
	if ((size_t)headroom + len > sizeof(f->buffer))
		abort();
	f->m = (struct rte_mbuf){
		.buf_addr = f->buffer,
		.buf_len = sizeof(f->buffer),
		.data_off = headroom,
		.refcnt = 1,
		.nb_segs = 1,
		.data_len = len,
		.pkt_len = len,
		.priv_size = sizeof(struct pkt),
	};
	memset(&f->priv, 0xa5, sizeof(f->priv)); // what a packet before it left there
	memset(f->buffer, 0x5a, sizeof(f->buffer));
	memcpy(f->buffer + headroom, data, len);
	return &f->m;
}

struct rte_mbuf *frame_tight(struct frame *f, uint16_t headroom, const void *data, uint16_t len)
{
	size_t size = (size_t)headroom + len;
	uint8_t *memory = malloc(size);
	if (memory == NULL)
		abort();

	struct rte_mbuf *m = frame_mbuf(f, headroom, data, len);
	memcpy(memory, f->buffer, size);
	m->buf_addr = memory;
	m->buf_len = (uint16_t)size;
	return m;
}

void frame_tight_free(struct frame *f)
{
	free(f->m.buf_addr);
	f->m.buf_addr = NULL;
}
