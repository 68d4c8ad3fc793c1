#include "vswitch/ports.h"

#include "vswitch/counter.h"
#include "vswitch/rcu.h"
#include "vswitch/seats.h"

#include <errno.h>

// ── Ports ──────────────────────────────────────────────────────────────────────────────────────

static void sum_counters(const struct ports *ps, uint16_t index, struct port_counters *ret_sum)
{
	struct port_counters sum = {0};

	for (uint16_t i = 0; i < ps->n_workers; i++) {
		const struct port_count *count = &ps->worker[i]->count[index];
		sum.rx_packets += counter_read(&count->rx_packets);
		sum.rx_bytes += counter_read(&count->rx_bytes);
		sum.tx_packets += counter_read(&count->tx_packets);
		sum.tx_bytes += counter_read(&count->tx_bytes);
		for (unsigned why = 0; why < DROP_REASON_COUNT; why++)
			sum.drops[why] += counter_read(&count->drops[why]);
	}
	*ret_sum = sum;
}

int ports_add_at(struct ports *ps, struct vport *vport, uint16_t index)
{
	struct port_entry *e = &ps->port[index];
	struct new_lists lists = {0};
	struct vport numbered = *vport;
	int ret;

	e->dev = vport->dev;
	e->index = index;
	e->kind = vport->kind;
	ret = seats_give(ps, e, &lists);
	if (ret < 0)
		return ret;
	numbered.index = index;
	ret = tables_set_vport(ps->tables, &numbered);
	if (ret < 0) {
		lists_free(ps, &lists);
		return ret;
	}
	sum_counters(ps, index, &e->before);
	e->state = PORT_PUBLISHED;
	lists_publish(ps, &lists);
	vport->index = index;
	return 0;
}

int ports_add(struct ports *ps, struct vport *vport)
{
	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		if (ps->port[i].state == PORT_FREE)
			return ports_add_at(ps, vport, i);
	}
	return -ENOSPC;
}

static bool is_published(const struct ports *ps, uint16_t index)
{
	return index < VPORT_MAX && ps->port[index].state == PORT_PUBLISHED;
}

int ports_set(struct ports *ps, const struct vport *vport)
{
	if (!is_published(ps, vport->index))
		return -ENOENT;
	struct vport same_dev = *vport;
	same_dev.dev = ps->port[vport->index].dev;
	same_dev.kind = ps->port[vport->index].kind;
	return tables_set_vport(ps->tables, &same_dev);
}

// No worker knows the port any more.
static void port_gone(void *obj)
{
	struct port_entry *e = obj;
	struct port *dev = e->dev;

	e->dev = NULL;
	e->state = PORT_FREE;
	if (e->retired != NULL)
		e->retired(dev, e->retired_arg);
	else
		dev->ops->close(dev);
}

// Takes the port off the poll lists. Without memory for new lists it stays there, and is tried
// again later: workers skip a port that is not in the tables.
static void unlist(struct ports *ps, struct port_entry *e)
{
	struct new_lists lists = {0};

	if (seats_take(ps, e, &lists) < 0)
		return;
	lists_publish(ps, &lists);
	e->state = PORT_CLOSING;
	rcu_defer(ps->rcu, port_gone, e);
}

void ports_del(struct ports *ps, uint16_t index, port_retired *retired, void *arg)
{
	if (!is_published(ps, index))
		return;
	struct port_entry *e = &ps->port[index];
	e->retired = retired;
	e->retired_arg = arg;
	e->state = PORT_LISTED;
	tables_del_vport(ps->tables, index);
	unlist(ps, e);
}

void ports_counters(const struct ports *ps, uint16_t index, struct port_counters *ret_counters)
{
	struct port_counters now = {0};

	if (is_published(ps, index)) {
		const struct port_counters *before = &ps->port[index].before;
		sum_counters(ps, index, &now);
		now.rx_packets -= before->rx_packets;
		now.rx_bytes -= before->rx_bytes;
		now.tx_packets -= before->tx_packets;
		now.tx_bytes -= before->tx_bytes;
		for (unsigned why = 0; why < DROP_REASON_COUNT; why++)
			now.drops[why] -= before->drops[why];
	}
	*ret_counters = now;
}

int ports_move_queue(struct ports *ps, uint16_t index, uint16_t queue, uint16_t worker)
{
	if (!is_published(ps, index) || queue >= ps->port[index].dev->n_rxq ||
		worker >= ps->n_workers)
		return -ENOENT;
	if (ps->port[index].kind == VPORT_CONTROL)
		return -EPERM;
	return seat_move(ps, &ps->port[index], queue, worker);
}

int ports_queue_info(
	const struct ports *ps, uint16_t index, uint16_t queue, struct queue_info *ret_info)
{
	if (!is_published(ps, index) || queue >= ps->port[index].dev->n_rxq)
		return -ENOENT;
	const struct port_entry *e = &ps->port[index];
	const struct seat *seat = &e->seat[queue];
	*ret_info = (struct queue_info){.worker = seat->worker,
		.numa_node = e->dev->numa_node,
		.n_moves = seat->n_moves,
		.load = ps->interval > 0 ? (unsigned)(seat->load * 1000 / ps->interval) : 0,
		.counters = seat_counters(ps, seat)};
	return 0;
}

void ports_poll(struct ports *ps)
{
	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		if (ps->port[i].state == PORT_LISTED)
			unlist(ps, &ps->port[i]);
	}
	seats_poll(ps);
}

void ports_abandon(struct ports *ps)
{
	for (uint16_t i = 0; i < VPORT_MAX; i++)
		ps->port[i].retired = NULL;
}

void ports_fini(struct ports *ps)
{
	struct port *dev[VPORT_MAX];
	size_t n = 0;

	for (uint16_t i = 0; i < VPORT_MAX; i++) {
		struct port_entry *e = &ps->port[i];

		if (e->state != PORT_FREE)
			dev[n++] = e->dev;
		e->dev = NULL;
		e->state = PORT_FREE;
	}
	ports_close(dev, n);
}
