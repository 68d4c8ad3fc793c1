// AF_XDP ports on veths for tests, in a network namespace that dies with the test: what port_open()
// opens is afxdp0, its other end is afxdp1.
#pragma once

#include <stdbool.h>

#include "pmd/afxdp.h"

#define BURST 64
#define FRAME_MAX 9100
#define PRIV_SIZE 128

extern struct rte_mempool *pool;

// Starts EAL, in a network namespace of its own or in that of the caller, and makes the pool; -1 if
// it cannot (it needs root).
int ports_start(char *program, bool netns);

// cmocka's: the veth.
int veth_add(void **state);
int veth_del(void **state);

struct port *port_on(
	const char *ifname, struct rte_mempool *mp, enum afxdp_mode mode, uint16_t ring_size);
struct port *port_open(enum afxdp_mode mode);
// Receives up to n frames, for a second at most.
uint16_t receive(struct port *p, struct rte_mbuf **pkts, uint16_t n);

// A chain of mbufs, as long as the frame needs.
struct rte_mbuf *mbuf_of(struct rte_mempool *mp, const uint8_t *frame, size_t len);
void assert_frame(const struct rte_mbuf *m, const uint8_t *frame, size_t len);
// Fails the test if the link is not up after some seconds: the kernel says so a while after it is.
void assert_comes_up(const struct port *p);
// Fails the test if buffers are neither in the pool nor in this thread's cache. A send's completion
// follows it.
void assert_all_returned(struct rte_mempool *mp);
