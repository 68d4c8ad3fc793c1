// Requests, announcements and next hops of the neighbours; one timer drives it all.
#include "ctrl/node/neighbour.h"

#include "ctrl/log.h"
#include "ctrl/model/object.h"
#include "ctrl/node/neighbour_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

// After these times an address is announced (once more).
static const uint64_t announce_at[] = {0, 1000, 3000};
#define N_ANNOUNCE (sizeof(announce_at) / sizeof(announce_at[0]))
// After a restart all pods are announced at once: not more at a time than the ring to the uplink holds.
#define ANNOUNCE_BURST 64
#define ANNOUNCE_PAUSE_MS 10
// Neighbours are not looked through more often than this, however many are due.
#define TICK_MIN_MS 50

struct announcement {
	struct in6_addr ip;
	uint16_t vlan;
	uint32_t step;
	uint64_t start, due;
	struct announcement *prev, *next;
};

struct neighbours {
	struct neighbours_conf conf;
	struct neighbour_core core;
	struct announcement *announcements; // owned, in order of `start`
	uv_timer_t timer;
	uint64_t armed; // when the timer fires, NEIGHBOUR_NEVER: it is off
};

uint64_t neighbours_now(const struct neighbours *ns)
{
	return uv_now(ns->conf.loop);
}

// ── Next hops ──────────────────────────────────────────────────────────────────────────────────

static struct nexthop nexthop_of(const struct neighbours *ns, const struct neighbour *n)
{
	static const enum nexthop_kind kinds[] = {
		[NEIGHBOUR_INCOMPLETE] = NEXTHOP_UNRESOLVED,
		[NEIGHBOUR_REACHABLE] = NEXTHOP_NEIGHBOUR,
		[NEIGHBOUR_STALE] = NEXTHOP_NEIGHBOUR,
		[NEIGHBOUR_FAILED] = NEXTHOP_FAILED,
	};
	struct nexthop nh = {
		.kind = kinds[n->state],
		.port = VPORT_NONE,
		.vlan = (uint16_t)n->key.vlan,
		.mtu = ns->conf.mtu,
		.remote = n->key.ip,
	};

	if (nh.kind == NEXTHOP_NEIGHBOUR)
		memcpy(&nh.dst, n->mac, sizeof(n->mac));
	return nh;
}

static bool nexthop_is_current(const struct neighbours *ns, uint32_t id, const struct nexthop *nh)
{
	const struct nexthop *now = ns->conf.tables->nexthops[id];

	return now != NULL && now->kind == nh->kind &&
	       memcmp(&now->dst, &nh->dst, sizeof(nh->dst)) == 0;
}

// Brings the slot in line with n; makes one if `make`.
static void publish(struct neighbours *ns, struct neighbour *n, bool make)
{
	const struct nexthop nh = nexthop_of(ns, n);
	int ret = 0;

	if (n->nexthop == NEXTHOP_NONE && make)
		ret = tables_add_nexthop(ns->conf.tables, &nh, &n->nexthop);
	else if (n->nexthop != NEXTHOP_NONE && !nexthop_is_current(ns, n->nexthop, &nh))
		ret = tables_set_nexthop(ns->conf.tables, n->nexthop, &nh);
	if (ret < 0) {
		char text[IP_TEXT_MAX];
		(void)log_err(ret, "neighbour %s on VLAN %u does not fit in the tables",
			ip_text(&n->key.ip, text), (unsigned)n->key.vlan);
	}
}

// ── The core's call-backs ──────────────────────────────────────────────────────────────────────

static bool on_request(void *arg, const struct neighbour *n, const uint8_t *mac)
{
	struct neighbours *ns = arg;
	struct neighbour_speaker from = {.vlan = (uint16_t)n->key.vlan};
	uint8_t frame[NEIGHBOUR_FRAME_MAX];
	struct in6_addr sender;

	if (!ns->conf.ops->sender(ns->conf.arg, n, &sender))
		return false;
	memcpy(from.mac, ns->conf.mac, sizeof(from.mac));
	uint16_t len = neighbour_frame_request(frame, &from, &sender, &n->key.ip, mac);
	ns->conf.ops->send(ns->conf.arg, frame, len);
	return true;
}

static void on_changed(void *arg, struct neighbour *n)
{
	struct neighbours *ns = arg;

	// While an address is only being asked for, it costs the tables nothing.
	publish(ns, n, n->has_route && n->state != NEIGHBOUR_INCOMPLETE);
	ns->conf.ops->changed(ns->conf.arg, n);
}

static void on_gone(void *arg, struct neighbour *n)
{
	struct neighbours *ns = arg;

	ns->conf.ops->gone(ns->conf.arg, n);
	if (n->nexthop != NEXTHOP_NONE)
		tables_del_nexthop(ns->conf.tables, n->nexthop);
}

static const struct neighbour_core_ops core_ops = {
	.request = on_request,
	.changed = on_changed,
	.gone = on_gone,
};

// ── Announcements ──────────────────────────────────────────────────────────────────────────────

static void announce(struct neighbours *ns, const struct announcement *a)
{
	struct neighbour_speaker from = {.vlan = a->vlan};
	uint8_t frame[NEIGHBOUR_FRAME_MAX];

	memcpy(from.mac, ns->conf.mac, sizeof(from.mac));
	if (!ip_is_v4(&a->ip)) {
		uint16_t len =
			neighbour_frame_announce(frame, &from, &a->ip, NEIGHBOUR_ANNOUNCE_ND);
		ns->conf.ops->send(ns->conf.arg, frame, len);
		return;
	}
	for (enum neighbour_announcement form = NEIGHBOUR_ANNOUNCE_REQUEST;
		form <= NEIGHBOUR_ANNOUNCE_REPLY; form++) {
		uint16_t len = neighbour_frame_announce(frame, &from, &a->ip, form);
		ns->conf.ops->send(ns->conf.arg, frame, len);
	}
}

// Sends what is due and returns when to come again.
static uint64_t announce_due(struct neighbours *ns, uint64_t now)
{
	struct announcement *a, *tmp;
	uint64_t next = NEIGHBOUR_NEVER;
	uint32_t sent = 0;

	DL_FOREACH_SAFE (ns->announcements, a, tmp) {
		if (a->due <= now && sent < ANNOUNCE_BURST) {
			announce(ns, a);
			sent++;
			a->step++;
			if (a->step == N_ANNOUNCE) {
				DL_DELETE(ns->announcements, a);
				free(a);
				continue;
			}
			a->due = a->start + announce_at[a->step];
		}
		uint64_t due = a->due <= now ? now + ANNOUNCE_PAUSE_MS : a->due;
		next = due < next ? due : next;
	}
	return next;
}

// ── The timer ──────────────────────────────────────────────────────────────────────────────────

static void on_timer(uv_timer_t *timer);

static void arm(struct neighbours *ns, uint64_t when)
{
	if (when >= ns->armed)
		return;
	uint64_t now = neighbours_now(ns);
	if (uv_timer_start(&ns->timer, on_timer, when > now ? when - now : 0, 0) == 0)
		ns->armed = when;
}

static void on_timer(uv_timer_t *timer)
{
	struct neighbours *ns = timer->data;
	uint64_t now = neighbours_now(ns);

	ns->armed = NEIGHBOUR_NEVER;
	arm(ns, announce_due(ns, now));
	uint64_t due = neighbour_core_tick(&ns->core, now);
	if (due != NEIGHBOUR_NEVER)
		arm(ns, due < now + TICK_MIN_MS ? now + TICK_MIN_MS : due);
}

// Whatever was begun just now has its next step within that time.
static void arm_soon(struct neighbours *ns)
{
	arm(ns, neighbours_now(ns) + NEIGHBOUR_ASK_MS);
}

// ── Interface ──────────────────────────────────────────────────────────────────────────────────

int neighbours_new(const struct neighbours_conf *conf, struct neighbours **ret_ns)
{
	struct neighbours *ns = calloc(1, sizeof(*ns));
	if (ns == NULL)
		return -ENOMEM;

	ns->conf = *conf;
	ns->armed = NEIGHBOUR_NEVER;
	ns->timer.data = ns;
	int ret = uv_timer_init(conf->loop, &ns->timer);
	if (ret < 0) {
		free(ns);
		return ret;
	}
	neighbour_core_init(&ns->core, &core_ops, ns, NEIGHBOUR_MAX, uv_hrtime());
	*ret_ns = ns;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void neighbours_free(struct neighbours *ns)
{
	struct announcement *a, *tmp;

	if (ns == NULL)
		return;
	neighbour_core_fini(&ns->core);
	DL_FOREACH_SAFE (ns->announcements, a, tmp) {
		DL_DELETE(ns->announcements, a);
		free(a);
	}
	uv_close((uv_handle_t *)&ns->timer, on_closed);
}

static struct neighbour *add(
	struct neighbours *ns, uint32_t subnet, uint16_t vlan, const struct in6_addr *ip)
{
	struct neighbour *n = neighbour_core_add(&ns->core, vlan, ip, neighbours_now(ns));

	if (n != NULL && n->subnet == SUBNET_NONE)
		n->subnet = subnet;
	return n;
}

void neighbours_want(
	struct neighbours *ns, uint32_t subnet, uint16_t vlan, const struct in6_addr *ip)
{
	struct neighbour *n = add(ns, subnet, vlan, ip);
	if (n == NULL)
		return; // the packet's sender will try again, and there may be room then

	if (!n->has_route) {
		n->has_route = true;
		if (n->nexthop != NEXTHOP_NONE)
			ns->conf.ops->changed(ns->conf.arg, n);
	}
	neighbour_core_want(&ns->core, n, neighbours_now(ns));
	arm_soon(ns);
}

void neighbours_want_nexthop(struct neighbours *ns, uint32_t nexthop)
{
	if (nexthop >= NEXTHOP_MAX)
		return;
	const struct nexthop *nh = ns->conf.tables->nexthops[nexthop];
	if (nh == NULL || nh->kind != NEXTHOP_UNRESOLVED)
		return; // resolved while the message was under way

	struct neighbour *n = neighbour_core_get(&ns->core, nh->vlan, &nh->remote);
	if (n == NULL)
		return;
	neighbour_core_want(&ns->core, n, neighbours_now(ns));
	arm_soon(ns);
}

struct neighbour *neighbours_pin(
	struct neighbours *ns, uint32_t subnet, uint16_t vlan, const struct in6_addr *ip)
{
	struct neighbour *n = add(ns, subnet, vlan, ip);
	if (n == NULL)
		return NULL;
	publish(ns, n, true);
	neighbour_core_pin(&ns->core, n, neighbours_now(ns));
	arm_soon(ns);
	return n;
}

void neighbours_unpin(struct neighbours *ns, struct neighbour *n)
{
	neighbour_core_unpin(&ns->core, n);
}

void neighbours_wake(struct neighbours *ns, struct neighbour *n)
{
	neighbour_core_wake(&ns->core, n, neighbours_now(ns));
	arm_soon(ns);
}

void neighbours_moved(struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip)
{
	struct neighbour *n = neighbour_core_get(&ns->core, vlan, ip);
	if (n == NULL)
		return;
	neighbour_core_doubt(&ns->core, n, neighbours_now(ns));
	arm_soon(ns);
}

void neighbours_forget(struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip)
{
	struct neighbour *n = neighbour_core_get(&ns->core, vlan, ip);
	if (n != NULL)
		neighbour_core_forget(&ns->core, n);
}

void neighbours_seen(
	struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip, const uint8_t mac[6])
{
	// Our own announcements come back from some switches; a group is nobody's address.
	if (memcmp(mac, ns->conf.mac, sizeof(ns->conf.mac)) == 0 || (mac[0] & 1) != 0)
		return;
	neighbour_core_seen(&ns->core, vlan, ip, mac, neighbours_now(ns));
}

struct neighbour *neighbours_get(
	const struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip)
{
	return neighbour_core_get(&ns->core, vlan, ip);
}

struct neighbour *neighbours_first(const struct neighbours *ns)
{
	return ns->core.all;
}

static struct announcement *find(
	const struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip)
{
	struct announcement *a;

	DL_FOREACH (ns->announcements, a) {
		if (a->vlan == vlan && IN6_ARE_ADDR_EQUAL(&a->ip, ip))
			return a;
	}
	return NULL;
}

void neighbours_retract(struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip)
{
	struct announcement *a = find(ns, vlan, ip);

	if (a == NULL)
		return;
	DL_DELETE(ns->announcements, a);
	free(a);
}

void neighbours_announce(struct neighbours *ns, uint16_t vlan, const struct in6_addr *ip)
{
	neighbours_retract(ns, vlan, ip);
	struct announcement *a = calloc(1, sizeof(*a));
	if (a == NULL) {
		(void)log_warn(-ENOMEM, "a pod's address is not announced");
		return;
	}
	a->ip = *ip;
	a->vlan = vlan;
	a->start = neighbours_now(ns);
	a->due = a->start;
	DL_APPEND(ns->announcements, a);
	arm(ns, a->due);
}
