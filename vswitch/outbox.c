#include "vswitch/outbox.h"

#include "vswitch/counter.h"
#include "vswitch/worker.h"

// A packet knows the port where it came in by m->port, see count_received() in worker.c.
static void drop(struct worker *w, struct rte_mbuf **pkts, uint16_t n, enum drop_reason why)
{
	for (uint16_t i = 0; i < n; i++)
		counter_add(&w->count[pkts[i]->port].drops[why], 1);
	rte_pktmbuf_free_bulk(pkts, n);
}

static void box_send(struct worker *w, struct outbox_port *box)
{
	struct port_count *count = &w->count[box->port];
	const struct vport *out =
		atomic_load_explicit(&w->tables->vports[box->port], memory_order_acquire);

	if (unlikely(out == NULL)) {
		drop(w, box->pkt, box->n, DROP_PORT_DOWN);
		box->n = 0;
		box->bytes = 0;
		return;
	}

	uint16_t sent = port_tx(out->dev, w->number, box->pkt, box->n);
	if (unlikely(sent < box->n)) {
		for (uint16_t i = sent; i < box->n; i++)
			box->bytes -= box->pkt[i]->pkt_len;
		drop(w, &box->pkt[sent], (uint16_t)(box->n - sent), DROP_TX_FULL);
	}
	counter_add(&count->tx_packets, sent);
	counter_add(&count->tx_bytes, box->bytes);
	box->n = 0;
	box->bytes = 0;
}

static struct outbox_port *box_of(struct worker *w, uint16_t port)
{
	struct outbox *o = &w->out;
	uint8_t slot = o->slot[port];

	if (slot < o->n && o->box[slot].port == port)
		return &o->box[slot];
	if (o->n == OUTBOX_PORTS)
		outbox_flush(w);
	slot = (uint8_t)o->n++;
	o->slot[port] = slot;
	o->box[slot].port = port;
	return &o->box[slot];
}

// Takes the first of the packets, and those in a row behind it that go there too and have room. Returns how
// many.
static uint16_t box_fill(
	struct worker *w, struct outbox_port *box, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t room = (uint16_t)(BURST_MAX - box->n);
	uint16_t most = n < room ? n : room;
	uint32_t bytes = 0;
	uint16_t i = 0;

	do {
		box->pkt[box->n + i] = pkts[i];
		bytes += pkts[i]->pkt_len;
		i++;
	} while (i < most && pkt(pkts[i])->out == box->port);
	box->n = (uint16_t)(box->n + i);
	box->bytes += bytes;
	if (box->n == BURST_MAX)
		box_send(w, box);
	return i;
}

void outbox_put(struct worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n;) {
		uint16_t port = pkt(pkts[i])->out;
		if (unlikely(port >= VPORT_MAX))
			drop(w, &pkts[i++], 1, DROP_PORT_DOWN);
		else
			i = (uint16_t)(i +
				       box_fill(w, box_of(w, port), &pkts[i], (uint16_t)(n - i)));
	}
}

void outbox_flush(struct worker *w)
{
	struct outbox *o = &w->out;

	for (uint16_t i = 0; i < o->n; i++) {
		if (o->box[i].n > 0)
			box_send(w, &o->box[i]);
	}
	o->n = 0;
}
