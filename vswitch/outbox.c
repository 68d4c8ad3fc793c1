#include "vswitch/outbox.h"

#include "vswitch/counter.h"
#include "vswitch/worker.h"

// A packet knows the port where it came in by m->port, see receive() in worker.c.
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

void outbox_add(struct worker *w, struct rte_mbuf *m)
{
	uint16_t port = pkt(m)->out;

	if (unlikely(port >= VPORT_MAX)) {
		drop(w, &m, 1, DROP_PORT_DOWN);
		return;
	}
	struct outbox_port *box = box_of(w, port);
	box->pkt[box->n++] = m;
	box->bytes += m->pkt_len;
	if (box->n == BURST_MAX)
		box_send(w, box);
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
