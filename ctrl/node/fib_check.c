// The checks before an underlay pod comes up: does its gateway answer, and does nobody else have
// its address? Both are asked at once, and both families side by side.
//
// A duplicate can only show by answering, so silence has to be waited for. It is waited for
// DUPLICATE_MS, not for the whole timeout: a station on the same wire answers as fast as the
// gateway does, and each pod pays for every millisecond. The timeout is for the gateway, which
// may have to wait for a switch port that just came up.
#include "ctrl/node/fib_priv.h"

#include "ctrl/log.h"
#include "ctrl/node/neighbour_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DUPLICATE_MS 200
#define GATEWAY_TRIES 3 // spread over the timeout
#define STEP_MS_MIN 50
#define MESSAGE_MAX 256

// One address of the pod.
struct probe {
	struct in6_addr ip;
	uint16_t vlan;
	uint32_t subnet;
	bool has_gateway, gateway_answered;
	struct in6_addr gateway;
};

struct fib_check {
	struct fib *f;
	struct probe probes[2];
	size_t n_probes;
	uint64_t start, timeout;
	uint32_t n_gateway, n_duplicate; // rounds of requests sent
	int err;
	char message[MESSAGE_MAX];
	void (*done)(void *arg, int err, const char *message);
	void *arg;
	uv_timer_t timer;
	struct fib_check *prev, *next;
};

static const char *on_vlan(uint16_t vlan, char buf[32])
{
	if (vlan == 0)
		return "untagged on the uplink";
	(void)snprintf(buf, 32, "on VLAN %u", vlan);
	return buf;
}

static void request(struct fib *f, const struct probe *p, const struct in6_addr *sender,
	const struct in6_addr *target)
{
	struct neighbour_speaker from = {.vlan = p->vlan};
	uint8_t frame[NEIGHBOUR_FRAME_MAX];

	memcpy(from.mac, f->conf.uplink_mac, sizeof(from.mac));
	uint16_t len = neighbour_frame_request(frame, &from, sender, target, NULL);
	dataplane_send(f->dp, frame, len);
}

// In whose name to ask the gateway. A request in the pod's own name would redirect the traffic of
// a duplicate to us before it had a chance to protest, so the first one is in the name of another
// pod of the Subnet or, without one, anonymous (IPv4) or from a link-local address (IPv6). Later
// ones are in the pod's: there are gateways that answer nobody else.
static struct in6_addr gateway_asker(const struct fib *f, const struct probe *p, uint32_t round)
{
	const struct port_address *a, *tmp;

	HASH_ITER (hh, f->port_addresses, a, tmp) {
		if (a->live != NULL && a->live->index == p->subnet && a->live_vlan == p->vlan)
			return a->ip;
	}
	if (round > 0)
		return p->ip;
	return ip_is_v4(&p->ip) ? in6addr_any : neighbour_link_local(f->conf.uplink_mac);
}

static void ask_gateways(struct fib_check *c)
{
	for (size_t i = 0; i < c->n_probes; i++) {
		const struct probe *p = &c->probes[i];
		if (!p->has_gateway || p->gateway_answered)
			continue;
		struct in6_addr sender = gateway_asker(c->f, p, c->n_gateway);
		request(c->f, p, &sender, &p->gateway);
	}
	c->n_gateway++;
}

static void ask_duplicates(struct fib_check *c)
{
	const struct in6_addr nobody = in6addr_any;

	for (size_t i = 0; i < c->n_probes; i++)
		request(c->f, &c->probes[i], &nobody, &c->probes[i].ip);
	c->n_duplicate++;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void finish(struct fib_check *c)
{
	DL_DELETE(c->f->checks, c);
	c->done(c->arg, c->err, c->message);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}

static const struct probe *silent_gateway(const struct fib_check *c)
{
	for (size_t i = 0; i < c->n_probes; i++) {
		if (c->probes[i].has_gateway && !c->probes[i].gateway_answered)
			return &c->probes[i];
	}
	return NULL;
}

static void fail_gateway(struct fib_check *c, const struct probe *p)
{
	char ip[IP_TEXT_MAX], vlan[32];

	c->err = -EHOSTUNREACH;
	(void)snprintf(c->message, sizeof(c->message),
		"gateway %s does not answer %s; check the switch port of the uplink",
		ip_text(&p->gateway, ip), on_vlan(p->vlan, vlan));
}

// When request number `round` of the gateway is due, and that of the duplicate.
static uint64_t gateway_due(const struct fib_check *c)
{
	return c->n_gateway < GATEWAY_TRIES ? c->timeout * c->n_gateway / GATEWAY_TRIES
					    : c->timeout;
}

static uint64_t duplicate_due(const struct fib_check *c)
{
	return c->n_duplicate < 2 ? DUPLICATE_MS / 2 * c->n_duplicate : DUPLICATE_MS;
}

static void on_timer(uv_timer_t *timer)
{
	struct fib_check *c = timer->data;
	uint64_t age = uv_now(c->f->loop) - c->start;
	const struct probe *silent = silent_gateway(c);

	if (c->err == 0 && silent != NULL && age >= c->timeout)
		fail_gateway(c, silent);
	bool quiet = age >= DUPLICATE_MS || age >= c->timeout;
	if (c->err != 0 || (silent == NULL && quiet)) {
		finish(c);
		return;
	}

	if (silent != NULL && age >= gateway_due(c))
		ask_gateways(c);
	if (c->n_duplicate < 2 && age >= duplicate_due(c))
		ask_duplicates(c);

	uint64_t next = quiet ? c->timeout : duplicate_due(c);
	if (silent != NULL && gateway_due(c) < next)
		next = gateway_due(c);
	if (next > c->timeout)
		next = c->timeout;
	(void)uv_timer_start(&c->timer, on_timer, next > age ? next - age : 1, 0);
}

void fib_checks_seen(struct fib *f, uint16_t vlan, const struct in6_addr *ip, const uint8_t mac[6])
{
	struct fib_check *c;

	if (memcmp(mac, f->conf.uplink_mac, 6) == 0)
		return;
	DL_FOREACH (f->checks, c) {
		for (size_t i = 0; i < c->n_probes; i++) {
			struct probe *p = &c->probes[i];
			char text[IP_TEXT_MAX], where[32], who[MAC_TEXT_MAX];
			if (p->vlan != vlan)
				continue;
			if (p->has_gateway && IN6_ARE_ADDR_EQUAL(&p->gateway, ip))
				p->gateway_answered = true;
			if (!IN6_ARE_ADDR_EQUAL(&p->ip, ip) || c->err != 0)
				continue;
			c->err = -EADDRINUSE;
			(void)snprintf(c->message, sizeof(c->message),
				"%s is already used %s by %s", ip_text(ip, text),
				on_vlan(vlan, where), mac_text(mac, who));
		}
		// The verdict is passed by the timer, so the list does not change here.
		if (c->err != 0 || silent_gateway(c) == NULL)
			(void)uv_timer_start(&c->timer, on_timer, 0, 0);
	}
}

static void add_probe(struct fib_check *c, const struct in6_addr *ip, const char *subnet)
{
	const struct fib_subnet *s = fib_subnet_find(c->f, subnet);

	if (s == NULL || !s->usable || s->desired.overlay) {
		c->err = -EINVAL;
		(void)snprintf(c->message, sizeof(c->message),
			"subnet '%.100s' is not an underlay subnet that this node can use", subnet);
		return;
	}
	if (!s->desired.attached) {
		c->err = -EHOSTUNREACH;
		(void)snprintf(c->message, sizeof(c->message),
			"this node does not belong to the Network of subnet '%.100s'; "
			"compare its labels with the Network's nodeSelector",
			subnet);
		return;
	}
	c->probes[c->n_probes++] = (struct probe){
		.ip = *ip,
		.vlan = s->desired.vlan,
		.subnet = s->index,
		.has_gateway = s->has_gateway,
		.gateway = s->gateway,
	};
}

void fib_check_underlay(struct fib *f, const struct fib_pod *pod, uint32_t timeout_ms,
	void (*done)(void *arg, int err, const char *message), void *arg)
{
	struct fib_check *c = calloc(1, sizeof(*c));
	if (c == NULL || uv_timer_init(f->loop, &c->timer) < 0) {
		free(c);
		done(arg, -ENOMEM, "no memory for the underlay check");
		return;
	}

	c->f = f;
	c->timer.data = c;
	c->start = uv_now(f->loop);
	c->timeout = timeout_ms;
	c->done = done;
	c->arg = arg;
	if (f->conf.uplink == VPORT_NONE) {
		c->err = -EHOSTUNREACH;
		(void)snprintf(c->message, sizeof(c->message),
			"this node has no uplink; set uplink.device in its configuration");
	}
	if (timeout_ms > 0 && pod->has_ip4 && c->err == 0)
		add_probe(c, &pod->ip4, pod->subnet4);
	if (timeout_ms > 0 && pod->has_ip6 && c->err == 0)
		add_probe(c, &pod->ip6, pod->subnet6);
	DL_APPEND(f->checks, c);
	(void)uv_timer_start(&c->timer, on_timer, 0, 0);
}

void fib_checks_free(struct fib *f)
{
	struct fib_check *c, *tmp;

	DL_FOREACH_SAFE (f->checks, c, tmp) {
		c->err = -ECANCELED;
		(void)snprintf(c->message, sizeof(c->message), "the daemon is stopping");
		finish(c);
	}
}
