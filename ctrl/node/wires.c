#include "ctrl/node/wires.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_jhash.h>

#include "ctrl/log.h"
#include "pmd/afxdp.h"
#include "pmd/uplink.h"
#include "pmd/vhost.h"

#define MTU_DEFAULT 1500
#define VHOST_UPLINK "vhost-user:" // then the path of a socket
#define HOST_RING 1024 // all pods' traffic with the node goes through it
#define PEER_SUFFIX "-sw"

static uint16_t uplink_queues(const struct config *c, const struct dataplane *dp)
{
	return c->uplink_queues != 0 ? c->uplink_queues : dataplane_n_workers(dp);
}

// Another switch of this machine instead of a NIC. Its address is this node's own, and stays.
static int open_vhost_uplink(const struct config *c, struct dataplane *dp, struct port **ret_dev)
{
	char seed[HOST_NAME_MAX + sizeof(c->uplink_device)] = "";
	struct vhost_conf vhost = {
		.name = "uplink",
		.path = c->uplink_device + strlen(VHOST_UPLINK),
		.pool = dataplane_pool(dp),
		.n_queue_pairs = uplink_queues(c, dp),
		.n_workers = dataplane_n_workers(dp),
		.mtu = c->uplink_mtu != 0 ? c->uplink_mtu : MTU_DEFAULT,
	};

	(void)gethostname(seed, HOST_NAME_MAX);
	strcat(seed, vhost.path);
	uint32_t hash = rte_jhash(seed, (uint32_t)strlen(seed), 0);
	vhost.mac.addr_bytes[0] = RTE_ETHER_LOCAL_ADMIN_ADDR;
	memcpy(&vhost.mac.addr_bytes[2], &hash, sizeof(hash));
	return vhost_open(&vhost, ret_dev);
}

static int open_uplink(const struct config *c, struct dataplane *dp, struct fib_conf *conf)
{
	const char *why = "";
	struct port *dev;
	const struct uplink_conf uplink = {
		.name = "uplink",
		.device = c->uplink_device,
		.pool = dataplane_pool(dp),
		.n_rxq = uplink_queues(c, dp),
		.n_workers = dataplane_n_workers(dp),
		.mtu = c->uplink_mtu,
	};

	int ret = strncmp(c->uplink_device, VHOST_UPLINK, strlen(VHOST_UPLINK)) == 0
			  ? open_vhost_uplink(c, dp, &dev)
			  : uplink_open(&uplink, &dev, &why);
	if (ret < 0)
		return log_err(ret, "uplink '%s': %s", c->uplink_device, why);
	struct vport vport = {
		.dev = dev,
		.kind = VPORT_UPLINK,
		.mac = dev->mac,
		.subnet4 = SUBNET_NONE,
		.subnet6 = SUBNET_NONE,
		.name = "uplink",
	};
	memcpy(conf->uplink_mac, dev->mac.addr_bytes, sizeof(conf->uplink_mac));
	conf->uplink_mtu = dev->mtu;
	ret = dataplane_add_port(dp, &vport);
	if (ret < 0) {
		dev->ops->close(dev);
		return log_err(ret, "uplink '%s' finds no place in the switch", c->uplink_device);
	}
	conf->uplink = vport.index;
	return 0;
}

static void host_link(
	const struct config *c, const struct fib_conf *conf, struct link_host *ret_host)
{
	struct link_host h = {
		.mtu = conf->uplink_mtu,
		.addr = c->host_addr,
		.n_addr = c->n_host_addr,
		.gateway4 = c->host_gateway4,
		.gateway6 = c->host_gateway6,
	};

	strcpy(h.ifname, c->host_ifname);
	(void)snprintf(h.peer, sizeof(h.peer), "%.12s" PEER_SUFFIX, c->host_ifname);
	// What the fabric knows the node by stays: its own traffic keeps the NIC's address.
	if (conf->uplink != VPORT_NONE && c->uplink_carries_host)
		memcpy(h.mac, conf->uplink_mac, sizeof(h.mac));
	*ret_host = h;
}

static int open_host(const struct config *c, struct dataplane *dp, struct fib_conf *conf)
{
	char why[LINK_WHY_MAX];
	const char *step = "";
	struct link_host link;
	struct port *dev;
	int ifindex;

	host_link(c, conf, &link);
	int ret = link_host_create(&link, &ifindex, conf->host_mac, why);
	if (ret < 0)
		return log_err(ret, "host port: %s", why);
	struct afxdp_conf afxdp = {
		.name = link.peer,
		.ifindex = ifindex,
		.pool = dataplane_pool(dp),
		.mtu = link.mtu,
		.ring_size = HOST_RING,
		.mode = c->afxdp_native ? AFXDP_NATIVE : AFXDP_GENERIC,
	};
	memcpy(afxdp.mac.addr_bytes, conf->host_mac, sizeof(conf->host_mac));
	ret = afxdp_open(&afxdp, &dev, &step);
	if (ret < 0)
		return log_err(ret, "host port %s: %s", link.peer, step);
	struct vport vport = {
		.dev = dev,
		.kind = VPORT_HOST,
		.mac = afxdp.mac,
		.subnet4 = SUBNET_NONE,
		.subnet6 = SUBNET_NONE,
		.name = "host",
	};
	ret = dataplane_add_port(dp, &vport);
	if (ret < 0) {
		dev->ops->close(dev);
		return log_err(ret, "the host port finds no place in the switch");
	}
	conf->host = vport.index;
	return 0;
}

int wires_open(const struct config *c, struct dataplane *dp, struct fib_conf *ret_conf)
{
	int ret = 0;

	*ret_conf = (struct fib_conf){
		.config = c, .uplink = VPORT_NONE, .host = VPORT_NONE, .uplink_mtu = MTU_DEFAULT};
	if (c->uplink_device[0] != '\0')
		ret = open_uplink(c, dp, ret_conf);
	return ret < 0 ? ret : open_host(c, dp, ret_conf);
}

void wires_remove(const struct config *c)
{
	char why[LINK_WHY_MAX];

	if (link_delete(c->host_ifname, why) < 0)
		(void)log_warn(0, "the host port is left behind: %s", why);
}
