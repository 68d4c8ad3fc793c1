#include "ports.h"

#include <rte_eal.h>

#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "peer.h"
#include "pmd/pool.h"

#define POOL_SIZE 8192

struct rte_mempool *pool;

int ports_start(char *program, bool netns)
{
	char *eal[] = {program, (char[]){"--no-huge"}, (char[]){"--no-shconf"},
		(char[]){"--no-pci"}, (char[]){"-m"}, (char[]){"64"}, (char[]){"--no-telemetry"},
		(char[]){"--file-prefix=afxdp-test"}, (char[]){"--log-level=3"}, NULL};

	if (netns && unshare(CLONE_NEWNET) < 0) {
		perror("cannot create a network namespace (this test needs root)");
		return -1;
	}
	// The kernel's own neighbour discovery would mix with the test's frames.
	peer_sh("sysctl -qw net.ipv6.conf.default.disable_ipv6=1");
	if (rte_eal_init((int)(sizeof(eal) / sizeof(eal[0])) - 1, eal) < 0)
		return -1;
	pool = pool_new("afxdp_test", POOL_SIZE, PRIV_SIZE, SOCKET_ID_ANY);
	return pool != NULL ? 0 : -1;
}

int veth_add(void **)
{
	peer_sh("ip link add afxdp0 mtu 9000 type veth peer name afxdp1 mtu 9000 && "
		"ip link set afxdp0 up && ip link set afxdp1 up");
	return 0;
}

int veth_del(void **)
{
	// A test may have deleted it already.
	peer_sh("ip link del afxdp0 2>/dev/null || true");
	return 0;
}

struct port *port_on(
	const char *ifname, struct rte_mempool *mp, enum afxdp_mode mode, uint16_t ring_size)
{
	struct afxdp_conf conf = {.name = "test",
		.ifindex = (int)if_nametoindex(ifname),
		.pool = mp,
		.mtu = 9000,
		.ring_size = ring_size,
		.mode = mode};
	const char *why = NULL;
	struct port *p = NULL;
	int ret;

	ret = afxdp_open(&conf, &p, &why);
	if (ret < 0)
		fail_msg("%s: %s", why, strerror(-ret));
	return p;
}

struct port *port_open(enum afxdp_mode mode)
{
	return port_on("afxdp0", pool, mode, 0);
}

uint16_t receive(struct port *p, struct rte_mbuf **pkts, uint16_t n)
{
	struct pollfd fd = {.fd = p->ops->rx_fd(p, 0), .events = POLLIN};
	uint16_t got = 0;

	while (got < n) {
		got = (uint16_t)(got + port_rx(p, 0, pkts + got, (uint16_t)(n - got)));
		if (got < n && poll(&fd, 1, 1000) == 0)
			break;
	}
	return got;
}

struct rte_mbuf *mbuf_of(struct rte_mempool *mp, const uint8_t *frame, size_t len)
{
	struct rte_mbuf *head = NULL;

	while (len > 0) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(mp);
		uint16_t piece;

		assert_non_null(m);
		piece = (uint16_t)RTE_MIN(len, (size_t)rte_pktmbuf_tailroom(m));
		memcpy(rte_pktmbuf_append(m, piece), frame, piece);
		if (head == NULL)
			head = m;
		else
			assert_int_equal(rte_pktmbuf_chain(head, m), 0);
		frame += piece;
		len -= piece;
	}
	return head;
}

void assert_frame(const struct rte_mbuf *m, const uint8_t *frame, size_t len)
{
	static uint8_t flat[FRAME_MAX];

	assert_int_equal(rte_pktmbuf_pkt_len(m), len);
	assert_memory_equal(rte_pktmbuf_read(m, 0, (uint32_t)len, flat), frame, len);
}

void assert_comes_up(const struct port *p)
{
	for (int i = 0; i < 500 && !p->ops->link_up(p); i++)
		usleep(10000);
	assert_true(p->ops->link_up(p));
}

void assert_all_returned(struct rte_mempool *mp)
{
	for (int i = 0; i < 100 && rte_mempool_in_use_count(mp) > 0; i++)
		usleep(10000);
	assert_int_equal(rte_mempool_in_use_count(mp), 0);
}
