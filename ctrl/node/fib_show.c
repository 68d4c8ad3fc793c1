// What `stratactl show` prints, as JSON records (doc/protocol.md). Read from the tables and the
// counters, so that it shows what is, not what should be.
#include "ctrl/node/fib_priv.h"

#include <string.h>

static void add_ip(cJSON *record, const char *name, const struct in6_addr *ip)
{
	char text[IP_TEXT_MAX];

	(void)cJSON_AddStringToObject(
		record, name, IN6_IS_ADDR_UNSPECIFIED(ip) ? "" : ip_text(ip, text));
}

static void add_mac(cJSON *record, const char *name, const struct rte_ether_addr *mac)
{
	char text[MAC_TEXT_MAX];

	(void)cJSON_AddStringToObject(
		record, name, rte_is_zero_ether_addr(mac) ? "" : mac_text(mac->addr_bytes, text));
}

static void add_number(cJSON *record, const char *name, uint64_t n)
{
	(void)cJSON_AddNumberToObject(record, name, (double)n);
}

static const char *subnet_name(const struct fib *f, uint32_t index)
{
	return index < f->n_by_index && f->by_index[index] != NULL ? f->by_index[index]->name : "";
}

static cJSON *add_record(cJSON *items)
{
	cJSON *record = cJSON_CreateObject();

	(void)cJSON_AddItemToArray(items, record);
	return record;
}

// ── Ports ──────────────────────────────────────────────────────────────────────────────────────

static uint64_t drop_sum(const struct port_counters *c)
{
	uint64_t sum = 0;

	for (int i = 0; i < DROP_REASON_COUNT; i++)
		sum += c->drops[i];
	return sum;
}

static void add_counters(const struct fib *f, cJSON *record, const struct vport *v)
{
	struct port_counters c;
	struct port_stats stats = {0};

	dataplane_port_counters(f->dp, v->index, &c);
	if (v->dev != NULL)
		v->dev->ops->stats(v->dev, &stats);
	add_number(record, "rx_packets", c.rx_packets);
	add_number(record, "rx_bytes", c.rx_bytes);
	add_number(record, "tx_packets", c.tx_packets);
	add_number(record, "tx_bytes", c.tx_bytes);
	add_number(record, "drops", drop_sum(&c));
	add_number(record, "rx_missed", stats.rx_missed + stats.rx_nombuf);
	add_number(record, "rx_errors", stats.rx_errors);
	add_number(record, "tx_errors", stats.tx_errors);
}

static void add_port(const struct fib *f, cJSON *items, const struct vport *v)
{
	static const char *const kinds[] = {
		[VPORT_POD] = "pod",
		[VPORT_UPLINK] = "uplink",
		[VPORT_HOST] = "host",
		[VPORT_CONTROL] = "control",
	};
	const struct port *dev = v->dev;
	cJSON *record = add_record(items);
	bool is_pod = v->kind == VPORT_POD;
	char text[IP_TEXT_MAX];

	add_number(record, "port", v->index);
	(void)cJSON_AddStringToObject(record, "name", v->name);
	(void)cJSON_AddStringToObject(record, "kind", kinds[v->kind]);
	(void)cJSON_AddStringToObject(record, "driver", dev != NULL ? dev->ops->kind : "");
	(void)cJSON_AddStringToObject(record, "detail", dev != NULL ? dev->detail : "");
	(void)cJSON_AddBoolToObject(record, "up", dev != NULL && dev->ops->link_up(dev));
	add_mac(record, "mac", &v->mac);
	cJSON *ips = cJSON_AddArrayToObject(record, "ips");
	if (is_pod && !IN6_IS_ADDR_UNSPECIFIED(&v->ip4))
		(void)cJSON_AddItemToArray(ips, cJSON_CreateString(ip_text(&v->ip4, text)));
	if (is_pod && !IN6_IS_ADDR_UNSPECIFIED(&v->ip6))
		(void)cJSON_AddItemToArray(ips, cJSON_CreateString(ip_text(&v->ip6, text)));
	const char *network = v->overlay ? "overlay" : "underlay";
	(void)cJSON_AddStringToObject(record, "network", is_pod ? network : "");
	add_number(record, "mtu", dev != NULL ? dev->mtu : 0);
	add_counters(f, record, v);
}

cJSON *fib_show_ports(const struct fib *f)
{
	cJSON *items = cJSON_CreateArray();

	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		const struct vport *v = f->tables->vports[i];
		if (v != NULL)
			add_port(f, items, v);
	}
	return items;
}

cJSON *fib_show_drops(const struct fib *f)
{
	cJSON *items = cJSON_CreateArray();

	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		const struct vport *v = f->tables->vports[i];
		struct port_counters c;
		if (v == NULL)
			continue;
		dataplane_port_counters(f->dp, i, &c);
		for (int reason = 0; reason < DROP_REASON_COUNT; reason++) {
			if (c.drops[reason] == 0)
				continue;
			cJSON *record = add_record(items);
			add_number(record, "port", i);
			(void)cJSON_AddStringToObject(record, "name", v->name);
			(void)cJSON_AddStringToObject(record, "reason", drop_name(reason));
			add_number(record, "count", c.drops[reason]);
			(void)cJSON_AddStringToObject(record, "text", drop_text(reason));
		}
	}
	return items;
}

// ── Routes and next hops ───────────────────────────────────────────────────────────────────────

struct route_list {
	const struct fib *f;
	cJSON *items;
};

static void add_route(const struct route *r, void *arg)
{
	static const char *const kinds[ROUTE_KIND_COUNT] = {
		[ROUTE_LOCAL_POD] = "local-pod",
		[ROUTE_REMOTE_POD] = "remote-pod",
		[ROUTE_RESERVED] = "reserved",
		[ROUTE_NODE_SELF] = "node-self",
		[ROUTE_NODE_OTHER] = "node-other",
		[ROUTE_NEIGHBOUR] = "neighbour",
	};
	const struct route_list *list = arg;
	cJSON *record = add_record(list->items);
	const char *network = r->overlay ? "overlay" : "underlay";

	add_ip(record, "address", &r->addr);
	(void)cJSON_AddStringToObject(record, "kind", kinds[r->kind]);
	(void)cJSON_AddStringToObject(record, "network", r->subnet != SUBNET_NONE ? network : "");
	(void)cJSON_AddStringToObject(record, "subnet", subnet_name(list->f, r->subnet));
	add_number(record, "vlan", r->vlan);
	add_number(record, "nexthop", r->nexthop);
	add_number(record, "neighbour", r->neighbour);
}

cJSON *fib_show_routes(const struct fib *f)
{
	struct route_list list = {.f = f, .items = cJSON_CreateArray()};

	tables_each_route(f->tables, add_route, &list);
	return list.items;
}

static void add_nexthop(cJSON *items, const struct nexthop *nh)
{
	static const char *const kinds[] = {
		[NEXTHOP_PORT] = "port",
		[NEXTHOP_HOST] = "host",
		[NEXTHOP_TUNNEL] = "tunnel",
		[NEXTHOP_NEIGHBOUR] = "neighbour",
		[NEXTHOP_UNRESOLVED] = "unresolved",
		[NEXTHOP_FAILED] = "failed",
	};
	cJSON *record = add_record(items);

	add_number(record, "id", nh->id);
	(void)cJSON_AddStringToObject(record, "kind", kinds[nh->kind]);
	if (nh->kind == NEXTHOP_PORT || (nh->kind == NEXTHOP_HOST && nh->port != VPORT_NONE))
		add_number(record, "port", nh->port);
	add_number(record, "vlan", nh->vlan);
	add_mac(record, "dst", &nh->dst);
	add_ip(record, "remote", &nh->remote);
	add_mac(record, "inner_dst", &nh->inner_dst);
}

cJSON *fib_show_nexthops(const struct fib *f)
{
	cJSON *items = cJSON_CreateArray();

	for (uint32_t i = 0; i < NEXTHOP_MAX; i++) {
		const struct nexthop *nh = f->tables->nexthops[i];
		if (nh != NULL)
			add_nexthop(items, nh);
	}
	return items;
}

cJSON *fib_show_neighbours(const struct fib *f)
{
	cJSON *items = cJSON_CreateArray();
	uint64_t now = neighbours_now(f->neighbours);

	for (const struct neighbour *n = neighbours_first(f->neighbours); n != NULL;
		n = n->hh.next) {
		cJSON *record = add_record(items);
		char mac[MAC_TEXT_MAX] = "";
		if (n->state == NEIGHBOUR_REACHABLE || n->state == NEIGHBOUR_STALE)
			(void)mac_text(n->mac, mac);
		add_ip(record, "address", &n->key.ip);
		add_number(record, "vlan", n->key.vlan);
		(void)cJSON_AddStringToObject(record, "mac", mac);
		(void)cJSON_AddStringToObject(record, "state", neighbour_state_name(n->state));
		(void)cJSON_AddStringToObject(record, "subnet", subnet_name(f, n->subnet));
		add_number(record, "age", (now - n->confirmed) / 1000);
	}
	return items;
}

// ── Workers ────────────────────────────────────────────────────────────────────────────────────

cJSON *fib_show_workers(const struct fib *f)
{
	cJSON *items = cJSON_CreateArray();

	for (uint16_t i = 0; i < dataplane_n_workers(f->dp); i++) {
		struct worker_counters c;
		cJSON *record = add_record(items);
		dataplane_worker_counters(f->dp, i, &c);
		uint64_t cycles = c.cycles_busy + c.cycles_idle;
		add_number(record, "worker", i);
		add_number(record, "lcore", c.lcore);
		(void)cJSON_AddNumberToObject(record, "numa_node", c.numa_node);
		add_number(record, "queues", c.n_queues);
		(void)cJSON_AddNumberToObject(record, "load_percent", c.load / 10.0);
		add_number(record, "packets", c.packets);
		add_number(record, "rounds", c.rounds);
		add_number(record, "busy_rounds", c.busy_rounds);
		add_number(record, "sleeps", c.sleeps);
		add_number(
			record, "cycles_per_packet", c.packets > 0 ? c.cycles_busy / c.packets : 0);
		(void)cJSON_AddNumberToObject(record, "busy_percent",
			cycles > 0 ? (double)(c.cycles_busy / (cycles / 1000 + 1)) / 10 : 0);
	}
	return items;
}

static void add_queue(cJSON *items, const struct fib *f, const struct vport *vport, uint16_t q)
{
	struct queue_info info;

	if (dataplane_queue_info(f->dp, vport->index, q, &info) < 0)
		return;
	cJSON *record = add_record(items);
	add_number(record, "port", vport->index);
	(void)cJSON_AddStringToObject(record, "name", vport->name);
	add_number(record, "queue", q);
	add_number(record, "worker", info.worker);
	(void)cJSON_AddNumberToObject(record, "load_percent", info.load / 10.0);
	add_number(record, "packets", info.counters.packets);
	add_number(record, "cycles_per_packet",
		info.counters.packets > 0 ? info.counters.cycles / info.counters.packets : 0);
	add_number(record, "moves", info.n_moves);
	(void)cJSON_AddNumberToObject(record, "numa_node", info.numa_node);
}

cJSON *fib_show_queues(const struct fib *f)
{
	cJSON *items = cJSON_CreateArray();

	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		const struct vport *vport = f->tables->vports[i];
		for (uint16_t q = 0; vport != NULL && vport->dev != NULL && q < vport->dev->n_rxq;
			q++)
			add_queue(items, f, vport, q);
	}
	return items;
}
