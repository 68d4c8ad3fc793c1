// The two rings of a virtqueue: what both directions do with them, and who tells whom of entries.
#include "pmd/virtqueue_inner.h"

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <sys/eventfd.h>

static bool has_feature(const struct virtqueue_conf *conf, unsigned number)
{
	return (conf->features >> number & 1) != 0;
}

void virtqueue_open(struct virtqueue *vq, const struct virtqueue_conf *conf)
{
	bool is_mergeable = has_feature(conf, VIRTIO_NET_F_MRG_RXBUF);

	*vq = (struct virtqueue){
		.desc = conf->rings.desc,
		.avail = conf->rings.avail,
		.used = conf->rings.used,
		.memory = conf->memory,
		.region = conf->memory->regions,
		.size = conf->rings.size,
		.next = conf->next,
		.header_len = is_mergeable || has_feature(conf, VIRTIO_F_VERSION_1)
				      ? sizeof(struct virtio_net_hdr_mrg_rxbuf)
				      : sizeof(struct virtio_net_hdr),
		.has_event_index = has_feature(conf, VIRTIO_RING_F_EVENT_IDX),
		.is_mergeable = is_mergeable,
		.call_fd = conf->rings.callfd,
		.log_vid = conf->log_vid,
		.log_ring = conf->log_ring,
		.n_errors = vq->n_errors,
		.n_nombuf = vq->n_nombuf,
	};
}

static void log_used(const struct virtqueue *vq, uint16_t n)
{
	const size_t len = sizeof(struct vring_used_elem);
	const struct view v = view_of(vq);

	for (uint16_t i = 0; i < n; i++)
		rte_vhost_log_used_vring(vq->log_vid, vq->log_ring,
			offsetof(struct vring_used, ring) + place(&v, i) * len, len);
	rte_vhost_log_used_vring(
		vq->log_vid, vq->log_ring, offsetof(struct vring_used, idx), sizeof(vq->used->idx));
}

// Whether the guest wants to hear of the entries up to `next` (2.6.7).
static bool wants_call(struct virtqueue *vq)
{
	uint16_t old = vq->signalled;
	bool is_first = !vq->has_signalled;

	if (!vq->has_event_index)
		return (__atomic_load_n(&vq->avail->flags, __ATOMIC_RELAXED) &
			       VRING_AVAIL_F_NO_INTERRUPT) == 0;
	vq->has_signalled = true;
	vq->signalled = vq->next;
	uint16_t event = __atomic_load_n(&vq->avail->ring[vq->size], __ATOMIC_RELAXED);
	return is_first || vring_need_event(event, vq->next, old);
}

void virtqueue_give_back(struct virtqueue *vq, uint16_t n)
{
	if (unlikely(vq->log_vid >= 0))
		log_used(vq, n);
	vq->next = (uint16_t)(vq->next + n);
	__atomic_store_n(&vq->used->idx, vq->next, __ATOMIC_RELEASE);
	if (vq->call_fd < 0)
		return;
	atomic_thread_fence(
		memory_order_seq_cst); // the index before a look at what the guest wants
	if (wants_call(vq))
		(void)eventfd_write(vq->call_fd, 1);
}

void virtqueue_want_kicks(struct virtqueue *vq, bool on)
{
	// An event index behind the next entry is as good as none.
	if (!vq->has_event_index)
		__atomic_store_n(
			&vq->used->flags, on ? 0 : VRING_USED_F_NO_NOTIFY, __ATOMIC_RELAXED);
	else if (on)
		__atomic_store_n((uint16_t *)&vq->used->ring[vq->size], vq->next, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst); // before the caller's last look
}
