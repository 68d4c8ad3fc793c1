// A port is where frames enter and leave the switch: a NIC, a pod, the host, or a ring in a
// test. Every kind of port has a driver in this directory; all of them look the same from here.
//
// Threads. open, close, stats and link are the control thread's. Each rx queue is polled by one
// worker. Any worker may send: the caller names the tx queue by its worker number, and a driver
// with fewer tx queues than workers takes its ring's lock once per burst. A port is closed only
// after it was unpublished from every worker and a grace period has passed.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

// Every driver leaves this much room in front of the frames it receives: VXLAN's outer headers
// over IPv6 with a VLAN tag are 74 bytes, and AF_XDP needs its transmit metadata before those.
#define PORT_HEADROOM_MIN 128

// Longest frame that any port takes or gives (64 KB of IP with an Ethernet header and a tag).
#define PORT_FRAME_MAX (65535 + 18)

#define PORT_QUEUES_MAX 16
#define PORT_NAME_MAX 32 // with its NUL

struct port;

// What a driver counts itself, since only it sees it. Frames that went through the switch are
// counted by the workers.
struct port_stats {
	uint64_t rx_missed; // the switch was too slow: the device or kernel had no room
	uint64_t rx_nombuf; // no packet buffer was free
	uint64_t rx_errors; // the device or the peer handed over something unusable
	uint64_t tx_errors;
};

struct port_ops {
	const char *kind; // "uplink", "vhost-user", "afxdp", "ring": what users read in `show port`

	// Receives up to n frames of queue q into pkts; the caller owns them. Lengths, chains and
	// pool are right; nothing else about the content is checked.
	uint16_t (*rx)(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n);

	// Sends pkts and returns how many were taken (a prefix). Taken ones are the driver's; the
	// caller still owns the rest. `worker` is the number of the calling worker.
	uint16_t (*tx)(struct port *p, uint16_t worker, struct rte_mbuf **pkts, uint16_t n);

	// A descriptor that becomes readable once queue q has frames to receive, or -1 if the
	// driver has none (its worker then polls with short sleeps). The driver owns it.
	int (*rx_fd)(struct port *p, uint16_t q);

	// Asks for (on) or declines (off) the wake-up of queue q by its rx_fd. After switching it
	// on the caller must poll once more before it sleeps. May be NULL: always on.
	void (*rx_wakeup)(struct port *p, uint16_t q, bool on);

	void (*stats)(const struct port *p, struct port_stats *ret_stats);

	// Whether the peer is there: carrier of a NIC, a connected guest, a pod's link.
	bool (*link_up)(const struct port *p);

	// Closes and frees p. Never blocks on a peer.
	void (*close)(struct port *p);
};

// The part that all drivers have in common; theirs begins with it.
struct port {
	const struct port_ops *ops;
	struct rte_mempool *pool; // where received frames live; the switch's, not owned
	uint16_t n_rxq; // fixed while open
	int16_t numa_node; // where the device is; SOCKET_ID_ANY: nowhere in particular, or unknown
	uint16_t mtu; // longest IP packet, bytes
	struct rte_ether_addr mac; // uplink: the NIC's; others: as configured
	char name[PORT_NAME_MAX];
	char detail
		[64]; // for people: "native copy", "server, 2 queues"; set by open and link changes
};

// Closes n ports as ops->close does, many at a time. Blocks. port_close.c
void ports_close(struct port *const *port, size_t n);

static inline uint16_t port_rx(struct port *p, uint16_t q, struct rte_mbuf **pkts, uint16_t n)
{
	return p->ops->rx(p, q, pkts, n);
}

static inline uint16_t port_tx(struct port *p, uint16_t worker, struct rte_mbuf **pkts, uint16_t n)
{
	return p->ops->tx(p, worker, pkts, n);
}
