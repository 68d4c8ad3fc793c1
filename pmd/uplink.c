// The uplink port: any ethdev that DPDK has a driver for. The device is asked for as little as
// possible, so that every driver will do: no VLAN stripping (tags stay in the frame), no checksum
// offloads. What a device lacks is made up for here: too few tx queues are shared under a lock, and
// chains are made linear for a device that cannot send them.
#include "pmd/uplink.h"

#include <rte_common.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_spinlock.h>
#include <rte_string_fns.h>

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_DESC_DEFAULT 1024

// An Ethernet header with two tags: what a frame may have on top of the MTU.
#define FRAME_OVERHEAD 22

#define RSS_WANTED (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP)

struct uplink_txq {
	rte_spinlock_t lock; // taken only if queues are shared
	uint64_t n_errors; // written by who holds the queue, read by control
} __rte_cache_aligned;

struct uplink_rxq {
	int fd; // EAL's, -1: the device cannot interrupt
	bool is_eventfd; // has to be read after a wake-up; a tap's descriptor must not be
};

struct uplink {
	struct port port; // first: ops get a pointer to it
	uint16_t id; // of the ethdev
	uint16_t n_txq;
	bool txq_shared; // several workers send to one queue
	bool linear_only; // the device cannot send a chain of buffers
	struct rte_device *dev;
	struct uplink_rxq rxq[PORT_QUEUES_MAX];
	struct uplink_txq txq[PORT_QUEUES_MAX];
};

static struct uplink *uplink_of(const struct port *p)
{
	return (struct uplink *)(uintptr_t)p;
}

static uint16_t uplink_rx(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	return rte_eth_rx_burst(uplink_of(p)->id, q, pkts, n);
}

// Sends to a device that takes single buffers only: chains are made linear, and those that are too
// long for one buffer are freed and counted.
static uint16_t tx_linear(struct uplink *u, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t done = 0;

	while (done < n) {
		uint16_t end = done;
		while (end < n && rte_pktmbuf_linearize(pkts[end]) == 0)
			end++;
		done += rte_eth_tx_burst(u->id, q, pkts + done, end - done);
		if (done < end || end == n)
			return done;
		rte_pktmbuf_free(pkts[done++]);
		u->txq[q].n_errors++;
	}
	return done;
}

static uint16_t tx_queue(struct uplink *u, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	if (u->linear_only)
		return tx_linear(u, q, pkts, n);
	return rte_eth_tx_burst(u->id, q, pkts, n);
}

static uint16_t uplink_tx(struct port *p, uint16_t worker, struct rte_mbuf **pkts, uint16_t n)
{
	struct uplink *u = uplink_of(p);
	uint16_t sent;
	uint16_t q;

	if (!u->txq_shared)
		return tx_queue(u, worker, pkts, n);
	q = worker % u->n_txq;
	rte_spinlock_lock(&u->txq[q].lock);
	sent = tx_queue(u, q, pkts, n);
	rte_spinlock_unlock(&u->txq[q].lock);
	return sent;
}

static int uplink_rx_fd(struct port *p, uint16_t q)
{
	return uplink_of(p)->rxq[q].fd;
}

static void uplink_rx_wakeup(struct port *p, uint16_t q, bool on)
{
	struct uplink *u = uplink_of(p);
	eventfd_t count;

	if (u->rxq[q].fd < 0)
		return;
	if (on) {
		(void)rte_eth_dev_rx_intr_enable(u->id, q);
		return;
	}
	(void)rte_eth_dev_rx_intr_disable(u->id, q);
	if (u->rxq[q].is_eventfd)
		(void)eventfd_read(u->rxq[q].fd, &count);
}

static void uplink_stats(const struct port *p, struct port_stats *ret_stats)
{
	const struct uplink *u = uplink_of(p);
	struct port_stats s = {0};
	struct rte_eth_stats es;

	if (rte_eth_stats_get(u->id, &es) == 0) {
		s.rx_missed = es.imissed;
		s.rx_nombuf = es.rx_nombuf;
		s.rx_errors = es.ierrors;
		s.tx_errors = es.oerrors;
	}
	for (uint16_t i = 0; i < u->n_txq; i++)
		s.tx_errors += u->txq[i].n_errors;
	*ret_stats = s;
}

static bool uplink_link_up(const struct port *p)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(uplink_of(p)->id, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}

static void uplink_close(struct port *p)
{
	struct uplink *u = uplink_of(p);

	(void)rte_eth_dev_stop(u->id);
	(void)rte_eth_dev_close(u->id);
	(void)rte_dev_remove(u->dev);
	rte_free(u);
}

static const struct port_ops uplink_ops = {
	.kind = "uplink",
	.rx = uplink_rx,
	.tx = uplink_tx,
	.rx_fd = uplink_rx_fd,
	.rx_wakeup = uplink_rx_wakeup,
	.stats = uplink_stats,
	.link_up = uplink_link_up,
	.close = uplink_close,
};

// Finds the ethdev of a device string among those that EAL has probed. Returns its id, or
// RTE_MAX_ETHPORTS.
static uint16_t device_find(const char *device)
{
	char name[RTE_ETH_NAME_MAX_LEN];
	struct rte_dev_iterator it;
	uint16_t id;

	(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(device, ","), device);
	if (rte_eth_dev_get_port_by_name(name, &id) == 0)
		return id;
	// A driver may name its ports otherwise than the bus names the device.
	if (rte_eth_iterator_init(&it, device) != 0)
		return RTE_MAX_ETHPORTS;
	id = rte_eth_iterator_next(&it);
	if (id != RTE_MAX_ETHPORTS)
		rte_eth_iterator_cleanup(&it);
	return id;
}

// Finds the device, probing it first if EAL does not know it; *ret_probed tells which it was.
static int device_attach(const char *device, uint16_t *ret_id, bool *ret_probed)
{
	uint16_t id = device_find(device);
	bool probed = false;
	int ret;

	if (id == RTE_MAX_ETHPORTS) {
		ret = rte_dev_probe(device);
		if (ret < 0)
			return ret;
		probed = true;
		id = device_find(device);
	}
	if (id == RTE_MAX_ETHPORTS)
		return -ENODEV;
	*ret_id = id;
	*ret_probed = probed;
	return 0;
}

// The kernel's view of a device that is driven through it (net_af_xdp, net_af_packet, net_tap):
// reads its MTU and sets it up, which those drivers leave to others.
static void netdev_prepare(unsigned int if_index, uint16_t *ret_mtu)
{
	struct ifreq req = {0};
	int fd;

	if (if_index == 0 || if_indextoname(if_index, req.ifr_name) == NULL)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (ioctl(fd, SIOCGIFMTU, &req) == 0 && req.ifr_mtu > 0 && req.ifr_mtu <= UINT16_MAX)
		*ret_mtu = (uint16_t)req.ifr_mtu;
	if (ioctl(fd, SIOCGIFFLAGS, &req) == 0 && (req.ifr_flags & IFF_UP) == 0) {
		req.ifr_flags |= IFF_UP;
		(void)ioctl(fd, SIOCSIFFLAGS, &req);
	}
	(void)close(fd);
}

// How many queues: what is wanted, what there are, what a port may have.
static uint16_t least(uint16_t wanted, uint16_t available)
{
	uint16_t n = wanted < available ? wanted : available;

	return n < PORT_QUEUES_MAX ? n : PORT_QUEUES_MAX;
}

// Sets *eth to what the device can do of what is wanted.
static int eth_conf_init(
	struct rte_eth_conf *eth, const struct uplink *u, const struct rte_eth_dev_info *info)
{
	int room = rte_pktmbuf_data_room_size(u->port.pool) - RTE_PKTMBUF_HEADROOM;

	*eth = (struct rte_eth_conf){0};
	eth->rxmode.mtu = u->port.mtu;
	if (u->port.mtu + FRAME_OVERHEAD > room) {
		if ((info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) == 0)
			return -EMSGSIZE;
		eth->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	}
	eth->txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (u->port.n_rxq > 1 && (info->flow_type_rss_offloads & RSS_WANTED) != 0) {
		eth->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		eth->rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & RSS_WANTED;
	}
	return 0;
}

static int queues_setup(
	struct uplink *u, const struct uplink_conf *conf, const struct rte_eth_dev_info *info)
{
	uint16_t n_rxd = conf->n_desc != 0 ? conf->n_desc : N_DESC_DEFAULT;
	uint16_t n_txd = n_rxd;
	int socket = rte_eth_dev_socket_id(u->id);
	int ret;

	ret = rte_eth_dev_adjust_nb_rx_tx_desc(u->id, &n_rxd, &n_txd);
	if (ret < 0)
		return ret;
	for (uint16_t q = 0; q < u->port.n_rxq; q++) {
		ret = rte_eth_rx_queue_setup(
			u->id, q, n_rxd, (unsigned int)socket, NULL, conf->pool);
		if (ret < 0)
			return ret;
	}
	for (uint16_t q = 0; q < u->n_txq; q++) {
		struct rte_eth_txconf txconf = info->default_txconf;
		txconf.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
		ret = rte_eth_tx_queue_setup(u->id, q, n_txd, (unsigned int)socket, &txconf);
		if (ret < 0)
			return ret;
	}
	return 0;
}

// Sets the MTU. A device without a notion of it takes whatever fits into its buffers.
static int mtu_set(struct uplink *u)
{
	int ret = rte_eth_dev_set_mtu(u->id, u->port.mtu);

	return ret == -ENOTSUP ? 0 : ret;
}

// Configures and starts the device, with or without receive interrupts.
static int device_start(struct uplink *u, const struct uplink_conf *conf,
	const struct rte_eth_dev_info *info, bool interrupts, const char **ret_why)
{
	struct rte_eth_conf eth;
	int ret;

	ret = eth_conf_init(&eth, u, info);
	if (ret < 0) {
		*ret_why = "frames of this MTU do not fit into one packet buffer and the device "
			   "cannot scatter";
		return ret;
	}
	eth.intr_conf.rxq = interrupts;
	ret = rte_eth_dev_configure(u->id, u->port.n_rxq, u->n_txq, &eth);
	if (ret == -EINVAL && u->port.n_rxq != u->n_txq) {
		// net_af_xdp and net_tap have queues in pairs only.
		u->n_txq = least(u->port.n_rxq, info->max_tx_queues);
		u->port.n_rxq = u->n_txq;
		ret = rte_eth_dev_configure(u->id, u->port.n_rxq, u->n_txq, &eth);
	}
	if (ret < 0) {
		*ret_why = ret == -EBUSY ? "the device is in use by another port"
					 : "the device refuses the configuration";
		return ret;
	}
	ret = conf->mtu != 0 ? mtu_set(u) : 0;
	if (ret < 0) {
		*ret_why = "the device refuses the MTU";
		return ret;
	}
	ret = queues_setup(u, conf, info);
	if (ret < 0) {
		*ret_why = "the device's queues cannot be set up";
		return ret;
	}
	ret = rte_eth_dev_start(u->id);
	if (ret < 0)
		*ret_why = "the device does not start";
	return ret;
}

// Learns the descriptors that tell of received frames.
static void interrupts_init(struct uplink *u, bool enabled)
{
	for (uint16_t q = 0; q < u->port.n_rxq; q++) {
		char path[32], kind[32];
		struct uplink_rxq *rxq = &u->rxq[q];
		ssize_t len;

		rxq->fd = enabled ? rte_eth_dev_rx_intr_ctl_q_get_fd(u->id, q) : -1;
		if (rxq->fd < 0)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", rxq->fd);
		len = readlink(path, kind, sizeof(kind) - 1);
		kind[len > 0 ? len : 0] = '\0';
		rxq->is_eventfd = strcmp(kind, "anon_inode:[eventfd]") == 0;
		// Any other kind (UIO) needs a driver's own way to be quietened: poll instead.
		if (!rxq->is_eventfd && strcmp(kind, "/dev/net/tun") != 0)
			rxq->fd = -1;
	}
}

// Brings up the attached device u->id. On failure the device is not started.
static int device_init(struct uplink *u, const struct uplink_conf *conf, const char **ret_why)
{
	struct rte_eth_dev_info info;
	bool interrupts = true;
	int ret;

	ret = rte_eth_dev_info_get(u->id, &info);
	if (ret < 0) {
		*ret_why = "the device does not tell its capabilities";
		return ret;
	}
	u->dev = info.device;
	u->port.numa_node = (int16_t)rte_eth_dev_socket_id(u->id);
	u->port.n_rxq = least(conf->n_rxq, info.max_rx_queues);
	u->n_txq = least(conf->n_workers, info.max_tx_queues);
	u->linear_only = (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) == 0;
	u->port.mtu = RTE_ETHER_MTU;
	(void)rte_eth_dev_get_mtu(u->id, &u->port.mtu);
	netdev_prepare(info.if_index, &u->port.mtu);
	if (conf->mtu != 0)
		u->port.mtu = conf->mtu;
	ret = device_start(u, conf, &info, interrupts, ret_why);
	if (ret < 0 && ret != -EBUSY && ret != -EMSGSIZE) {
		interrupts = false;
		ret = device_start(u, conf, &info, interrupts, ret_why);
	}
	if (ret < 0)
		return ret;
	u->txq_shared = u->n_txq < conf->n_workers;
	interrupts_init(u, interrupts);
	// Neighbour discovery over IPv6 is multicast. A device that can do neither filters nothing.
	if (rte_eth_allmulticast_enable(u->id) < 0)
		(void)rte_eth_promiscuous_enable(u->id);
	(void)rte_eth_macaddr_get(u->id, &u->port.mac);
	(void)snprintf(u->port.detail, sizeof(u->port.detail), "%.30s, %u rx, %u tx queues",
		info.driver_name, u->port.n_rxq, u->n_txq);
	return 0;
}

int uplink_open(const struct uplink_conf *conf, struct port **ret_port, const char **ret_why)
{
	bool probed;
	struct uplink *u;
	int ret;

	if (conf->n_rxq == 0 || conf->n_workers == 0) {
		*ret_why = "an uplink needs a queue and a worker";
		return -EINVAL;
	}
	u = rte_zmalloc("uplink", sizeof(*u), RTE_CACHE_LINE_SIZE);
	if (u == NULL) {
		*ret_why = "out of memory";
		return -ENOMEM;
	}
	u->port.ops = &uplink_ops;
	u->port.pool = conf->pool;
	(void)rte_strscpy(u->port.name, conf->name, sizeof(u->port.name));
	ret = device_attach(conf->device, &u->id, &probed);
	if (ret < 0) {
		*ret_why = "no driver takes the device";
		goto free_port;
	}
	ret = device_init(u, conf, ret_why);
	if (ret < 0)
		goto detach;
	*ret_port = &u->port;
	return 0;

detach:
	if (probed) { // else it is somebody else's, maybe in use
		(void)rte_eth_dev_close(u->id);
		(void)rte_dev_remove(u->dev);
	}
free_port:
	rte_free(u);
	return ret;
}
