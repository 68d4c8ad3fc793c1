#include "tests/unit/dataplane/rings.h"

#include "vswitch/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// ── The pipeline ───────────────────────────────────────────────────────────────────────────────

static void obey(struct burst *b)
{
	uint16_t live = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		const struct order *o = rte_pktmbuf_mtod(b->pkt[i], const struct order *);
		if ((o->flags & ORDER_PUNT) != 0) {
			struct punt *p = burst_punt(b);
			*p = (struct punt){.kind = PUNT_NEIGHBOUR_SEEN, .subnet = o->seq};
		}
		if ((o->flags & ORDER_DROP) != 0) {
			burst_drop(b, b->pkt[i], DROP_NO_ROUTE);
			continue;
		}
		pkt(b->pkt[i])->out = b->in->kind == VPORT_CONTROL ? b->node->uplink : o->out;
		b->pkt[live++] = b->pkt[i];
	}
	b->n = live;
}

const struct pipeline *pipeline_of(enum vport_kind)
{
	static const struct stage stages[] = {{"obey", obey}};
	static const struct pipeline p = {"test", stages, 1};
	return &p;
}

void pipeline_run(const struct pipeline *p, struct burst *b)
{
	for (size_t i = 0; i < p->n_stages; i++)
		p->stages[i].run(b);
}

// ── The data plane ─────────────────────────────────────────────────────────────────────────────

struct dataplane *dp;

int open_with(uint16_t n_workers, bool busy)
{
	const struct dataplane_conf conf = {
		.n_workers = n_workers,
		.busy = busy,
		.n_buffers = 16384,
		.n_routes = 1024,
	};
	return dataplane_open(&conf, &dp);
}

int setup(void **)
{
	return open_with(2, false);
}

int setup_one_worker(void **)
{
	return open_with(1, false);
}

int teardown(void **)
{
	dataplane_close(dp);
	return 0;
}

void no_punt(const struct punt *, void *)
{
}

void work(time_t deadline)
{
	dataplane_poll(dp, no_punt, NULL);
	assert_true(time(NULL) < deadline);
	(void)usleep(100);
}

time_t deadline(void)
{
	return time(NULL) + PATIENCE_S;
}

uint16_t publish(struct port *dev, enum vport_kind kind)
{
	struct vport vport = {.dev = dev, .kind = kind, .index = VPORT_NONE};

	assert_non_null(dev);
	assert_int_equal(dataplane_add_port(dp, &vport), 0);
	assert_int_not_equal(vport.index, VPORT_NONE);
	return vport.index;
}

struct port *new_ring(uint16_t size)
{
	return ring_open("ring", dataplane_pool(dp), size, true);
}

struct rte_mbuf *frame(uint16_t out, uint16_t flags, uint32_t seq)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(dataplane_pool(dp));
	assert_non_null(m);
	struct order *o = (struct order *)rte_pktmbuf_append(m, FRAME_LEN);
	if (o == NULL)
		abort();
	memset(o, 0, FRAME_LEN);
	*o = (struct order){.out = out, .flags = flags, .seq = seq};
	return m;
}

void feed(struct port *p, struct rte_mbuf *m)
{
	time_t end = deadline();
	while (ring_feed(p, &m, 1) == 0)
		work(end);
}

uint32_t next(struct port *p)
{
	struct rte_mbuf *m;
	time_t end = deadline();

	while (ring_drain(p, &m, 1) == 0)
		work(end);
	uint32_t seq = rte_pktmbuf_mtod(m, const struct order *)->seq;
	assert_int_equal(m->pkt_len, FRAME_LEN);
	rte_pktmbuf_free(m);
	return seq;
}

struct port_counters counters(uint16_t index)
{
	struct port_counters c;
	dataplane_port_counters(dp, index, &c);
	return c;
}

void retired(struct port *dev, void *arg)
{
	dev->ops->close(dev);
	(*(unsigned *)arg)++;
}

void remove_port(uint16_t index)
{
	unsigned closed = 0;
	time_t end = deadline();

	dataplane_del_port(dp, index, retired, &closed);
	while (closed == 0)
		work(end);
	assert_int_equal(closed, 1);
}

struct worker_counters worker(uint16_t i)
{
	struct worker_counters c;
	dataplane_worker_counters(dp, i, &c);
	return c;
}
