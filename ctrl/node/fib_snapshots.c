// What the data path holds as snapshots: all Subnets and the node itself; and the kernel's NAT
// table, which is made of the same. Written at most once per turn of the event loop, for objects
// come in hundreds.
#include "ctrl/node/fib_priv.h"

#include "ctrl/log.h"

#include <stdlib.h>
#include <string.h>

#define FLUSH_RETRY_MS 1000
#define VNI_MAX 0xffffff

static void on_flush(uv_timer_t *timer)
{
	fib_snapshots_flush(timer->data);
}

void fib_snapshots_touch(struct fib *f)
{
	if (f->snapshots_dirty)
		return;
	f->snapshots_dirty = true;
	(void)uv_timer_start(&f->flush, on_flush, 0, 0);
}

bool fib_vtep_of(const struct fib *f, bool v4, struct in6_addr *ret_ip)
{
	const struct config *c = f->config;

	if (!IN6_IS_ADDR_UNSPECIFIED(&c->vtep) && ip_is_v4(&c->vtep) == v4) {
		*ret_ip = c->vtep;
		return true;
	}
	for (size_t i = 0; i < c->n_host_addr; i++) {
		if (ip_is_v4(&c->host_addr[i].ip) == v4) {
			*ret_ip = c->host_addr[i].ip;
			return true;
		}
	}
	return false;
}

bool fib_vtep(const struct fib *f, struct in6_addr *ret_ip, uint8_t ret_mac[6])
{
	struct in6_addr ip = f->config->vtep;

	if (IN6_IS_ADDR_UNSPECIFIED(&ip) && !fib_vtep_of(f, true, &ip) &&
		!fib_vtep_of(f, false, &ip))
		return false;
	if (f->conf.uplink == VPORT_NONE && f->conf.host == VPORT_NONE)
		return false;
	bool has_uplink = f->conf.uplink != VPORT_NONE;
	memcpy(ret_mac, has_uplink ? f->conf.uplink_mac : f->conf.host_mac, 6);
	*ret_ip = ip;
	return true;
}

bool fib_is_own_address(const struct fib *f, const struct in6_addr *ip)
{
	for (size_t i = 0; i < f->n_addresses; i++) {
		if (IN6_ARE_ADDR_EQUAL(&f->addresses[i], ip))
			return true;
	}
	return false;
}

static bool has_vni(const struct fib_network *net)
{
	return net->known && net->type == NETWORK_OVERLAY && net->has_net_id && net->net_id >= 1 &&
	       net->net_id <= VNI_MAX;
}

// There is one Overlay Network at most; if objects say otherwise, the first one stays in force.
static void choose_overlay(struct fib *f)
{
	struct fib_network *net, *tmp;

	if (f->overlay != NULL && !has_vni(f->overlay))
		f->overlay = NULL;
	HASH_ITER (hh, f->networks, net, tmp) {
		if (f->overlay == NULL && has_vni(net))
			f->overlay = net;
	}
}

static void node_of(const struct fib *f, struct node *ret)
{
	const struct config *c = f->config;
	struct in6_addr any;

	memset(ret, 0, sizeof(*ret)); // padding too: nodes are compared as bytes
	ret->uplink = f->conf.uplink;
	ret->host = f->conf.host;
	ret->carries_host = c->uplink_carries_host;
	memcpy(&ret->uplink_mac, f->conf.uplink_mac, 6);
	memcpy(&ret->host_mac, f->conf.host_mac, 6);
	(void)fib_vtep_of(f, true, &ret->vtep4);
	(void)fib_vtep_of(f, false, &ret->vtep6);
	(void)fib_vtep(f, &any, ret->vtep_mac.addr_bytes);
	ret->vxlan_port = c->vxlan_port;
	if (f->overlay != NULL) {
		ret->has_vni = true;
		ret->vni = (uint32_t)f->overlay->net_id;
	}
	for (uint32_t i = 0; i < f->n_by_index; i++) {
		const struct fib_subnet *s = f->by_index[i];
		if (s != NULL && s->usable && !s->desired.overlay && s->desired.attached)
			ret->vlans[s->desired.vlan / 64] |= UINT64_C(1) << s->desired.vlan % 64;
	}
}

static int flush_node(struct fib *f)
{
	struct node node;

	choose_overlay(f);
	node_of(f, &node);
	if (memcmp(&node, &f->node, sizeof(node)) == 0)
		return 0;
	int ret = tables_set_node(f->tables, &node);
	if (ret == 0)
		f->node = node;
	return ret;
}

static int flush_subnets(struct fib *f)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_by_index; i++) {
		if (f->by_index[i] != NULL)
			n = i + 1;
	}
	struct subnet *all = calloc(n + 1, sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		if (f->by_index[i] != NULL)
			all[i] = f->by_index[i]->desired;
	}
	int ret = tables_set_subnets(f->tables, all, n);
	free(all);
	return ret;
}

static void flush_nat(struct fib *f)
{
	if (!f->nat_dirty || f->kernel == NULL || !f->config->masquerade)
		return;
	struct cidr *nat = calloc(f->n_by_index + 1, sizeof(*nat));
	struct cidr *cluster = calloc(f->n_by_index + 1, sizeof(*cluster));
	size_t n_nat = 0, n_cluster = 0;

	for (uint32_t i = 0; i < f->n_by_index && nat != NULL && cluster != NULL; i++) {
		const struct fib_subnet *s = f->by_index[i];
		if (s == NULL || !s->usable)
			continue;
		const struct cidr prefix = {
			.ip = s->desired.prefix,
			.len = s->desired.prefix_len,
		};
		cluster[n_cluster++] = prefix;
		if (s->desired.overlay && s->desired.nat_outgoing)
			nat[n_nat++] = prefix;
	}
	if (nat != NULL && cluster != NULL) {
		fib_kernel_nat(f->kernel, nat, n_nat, cluster, n_cluster);
		f->nat_dirty = false;
	}
	free(nat);
	free(cluster);
}

void fib_snapshots_flush(struct fib *f)
{
	if (!f->snapshots_dirty)
		return;

	int ret = flush_subnets(f);
	if (ret == 0)
		ret = flush_node(f);
	flush_nat(f);
	if (ret < 0) {
		(void)log_err(ret, "subnets and node do not fit in the tables, trying again");
		(void)uv_timer_start(&f->flush, on_flush, FLUSH_RETRY_MS, 0);
		return;
	}
	f->snapshots_dirty = false;
	(void)uv_timer_stop(&f->flush);
}

const struct in6_addr *fib_node_addresses(const struct fib *f, size_t *ret_n)
{
	*ret_n = f->n_addresses;
	return f->addresses;
}

// What a tunnel puts between the uplink's MTU and the inner packet: the inner Ethernet header, outer IP,
// UDP and VXLAN headers.
#define OVERHEAD_V4 50
#define OVERHEAD_V6 70

uint16_t fib_tunnel_mtu(const struct fib *f, bool ip4)
{
	return (uint16_t)(f->conf.uplink_mtu - (ip4 ? OVERHEAD_V4 : OVERHEAD_V6));
}

uint16_t fib_pod_mtu(const struct fib *f, bool overlay)
{
	struct in6_addr vtep;
	uint8_t mac[6];

	if (f->config->pod_mtu != 0)
		return f->config->pod_mtu;
	if (!overlay)
		return f->conf.uplink_mtu;
	return fib_tunnel_mtu(f, !fib_vtep(f, &vtep, mac) || ip_is_v4(&vtep));
}
