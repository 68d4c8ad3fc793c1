// Frames from the guest.
#include "pmd/virtqueue_inner.h"

#include "pmd/port.h"

#include <rte_memcpy.h>
#include <rte_prefetch.h>

#define BATCH 64 // entries that are looked at before the first is copied

// Appends bytes to a packet, with more buffers where needed. False: there are none.
static bool append(struct rte_mbuf *head, struct rte_mbuf **last, struct rte_mempool *pool,
	const struct piece *p)
{
	for (uint32_t done = 0; done < p->len;) {
		if (rte_pktmbuf_tailroom(*last) == 0) {
			struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
			if (m == NULL)
				return false;
			(*last)->next = m;
			head->nb_segs++;
			*last = m;
		}
		uint32_t part = RTE_MIN(p->len - done, rte_pktmbuf_tailroom(*last));
		rte_memcpy(rte_pktmbuf_mtod_offset(*last, uint8_t *, (*last)->data_len),
			p->at + done, part);
		(*last)->data_len = (uint16_t)((*last)->data_len + part);
		head->pkt_len += part;
		done += part;
	}
	return true;
}

// A frame from a chain of any form, into an empty packet. False: it is none.
static bool read_chain(
	struct virtqueue *vq, uint16_t head, struct rte_mempool *pool, struct rte_mbuf *m)
{
	struct piece pieces[VIRTQUEUE_PIECES_MAX];
	struct rte_mbuf *last = m;
	uint32_t n = 0, skip = vq->header_len;
	uint64_t len = 0;

	if (!chain_gather(vq, head, false, pieces, &n))
		return false;
	for (uint32_t i = 0; i < n; i++)
		len += pieces[i].len;
	if (len < skip + RTE_ETHER_HDR_LEN || len > skip + PORT_FRAME_MAX)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct piece *p = &pieces[i];
		uint32_t cut = RTE_MIN(skip, p->len);
		p->at += cut;
		p->len -= cut;
		skip -= cut;
		if (!append(m, &last, pool, p))
			return false;
	}
	return true;
}

// The frame, and not the header in front of it: that is never read, and drivers let it end where a cache
// line does.
static inline void prefetch_frame(const uint8_t *at, uint32_t len)
{
	rte_prefetch0(at);
	if (len > RTE_CACHE_LINE_SIZE)
		rte_prefetch0(at + RTE_CACHE_LINE_SIZE);
}

// Looks at the next n entries; a chain of several pieces, or of none that is right, has .at NULL.
static void find_frames(struct virtqueue *vq, uint16_t n, uint16_t *heads, struct piece *from)
{
	const uint32_t header = vq->header_len;
	struct view v = view_of(vq);

	for (uint16_t i = 0; i < n; i++) {
		heads[i] = head_at(&v, i);
		from[i] = single(vq, &v, heads[i], 0, header + RTE_ETHER_HDR_LEN);
		if (likely(from[i].at != NULL))
			prefetch_frame(from[i].at + header, from[i].len - header);
	}
}

// Buffers of a pool are whole, of one segment, and used once; the rest must be said anew.
static inline void begin(struct rte_mbuf *m, uint32_t len)
{
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->ol_flags = 0;
	m->packet_type = 0;
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
}

uint16_t virtqueue_dequeue(
	struct virtqueue *vq, struct rte_mempool *pool, struct rte_mbuf **pkts, uint16_t n)
{
	const uint32_t header = vq->header_len;
	const uint32_t room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
	const struct view v = view_of(vq);
	uint16_t heads[BATCH];
	struct piece from[BATCH];
	uint16_t got = 0;

	n = available(vq, n < BATCH ? n : BATCH);
	if (n == 0)
		return 0;
	if (unlikely(rte_mempool_get_bulk(pool, (void **)pkts, n) < 0)) {
		vq->n_nombuf += n;
		return 0;
	}
	find_frames(vq, n, heads, from);
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		uint32_t len = from[i].len - header;
		use(&v, i, heads[i], 0);
		if (likely(from[i].at != NULL && len <= room)) {
			begin(m, len);
			rte_memcpy(rte_pktmbuf_mtod(m, void *), from[i].at + header, len);
		} else {
			begin(m, 0);
			if (!read_chain(vq, heads[i], pool, m)) {
				vq->n_errors++;
				rte_pktmbuf_free(m);
				continue;
			}
		}
		pkts[got++] = m;
	}
	virtqueue_give_back(vq, n);
	return got;
}
