// Frames to the guest.
#include "pmd/virtqueue_inner.h"

#include <linux/virtio_net.h>
#include <rte_memcpy.h>

// Copies bytes behind the first `at` ones of the pieces.
static void scatter(const struct virtqueue *vq, const struct piece *pieces, uint32_t at,
	const uint8_t *from, uint32_t len)
{
	const struct piece *p = pieces;

	if (len == 0)
		return;
	for (; at >= p->len; p++)
		at -= p->len;
	for (; len > 0; p++, at = 0) {
		uint32_t part = RTE_MIN(len, p->len - at);
		rte_memcpy(p->at + at, from, part);
		log_write(vq, p->guest + at, part);
		from += part;
		len -= part;
	}
}

// What a frame needs of the ring: its pieces, and where each entry's pieces end.
struct room {
	struct piece pieces[VIRTQUEUE_PIECES_MAX];
	uint32_t n_pieces;
	uint16_t heads[VIRTQUEUE_PIECES_MAX];
	uint32_t head_len[VIRTQUEUE_PIECES_MAX];
	uint16_t n_heads;
};

enum fit {
	FIT,
	FIT_LATER, // the guest has to make more entries available
	FIT_NEVER,
};

// Gathers room for len bytes from up to n_heads entries behind the i-th.
static enum fit find_room(
	struct virtqueue *vq, uint16_t i, uint16_t n_heads, uint64_t len, struct room *room)
{
	const struct view v = view_of(vq);
	uint64_t there = 0;

	room->n_pieces = 0;
	room->n_heads = 0;
	while (there < len) {
		uint32_t before = room->n_pieces;
		uint32_t head_len = 0;
		if (room->n_heads == n_heads)
			return n_heads == vq->size ? FIT_NEVER : FIT_LATER;
		if (room->n_heads == VIRTQUEUE_PIECES_MAX ||
			(room->n_heads == 1 && !vq->is_mergeable))
			return FIT_NEVER;
		uint16_t head = head_at(&v, (uint16_t)(i + room->n_heads));
		if (!chain_gather(vq, head, true, room->pieces, &room->n_pieces))
			return FIT_NEVER;
		for (uint32_t p = before; p < room->n_pieces; p++)
			head_len += room->pieces[p].len;
		room->heads[room->n_heads] = head;
		room->head_len[room->n_heads++] = head_len;
		there += head_len;
	}
	return FIT;
}

// Writes any frame into entries behind the i-th, of which n_heads are available. Returns how many it
// took, 0: none, for now. A frame that fits none takes one entry, unwritten: the guest is to blame, and
// must not block others.
static uint16_t write_chain(
	struct virtqueue *vq, uint16_t i, uint16_t n_heads, const struct rte_mbuf *m)
{
	const struct view v = view_of(vq);
	struct virtio_net_hdr_mrg_rxbuf header = {.num_buffers = 1};
	uint64_t left = (uint64_t)vq->header_len + m->pkt_len;
	uint32_t at = vq->header_len;
	struct room room;

	enum fit fit = find_room(vq, i, n_heads, left, &room);
	if (fit == FIT_LATER)
		return 0;
	if (fit == FIT_NEVER) {
		vq->n_errors++;
		use(&v, i, head_at(&v, i), 0);
		return 1;
	}
	header.num_buffers = room.n_heads;
	scatter(vq, room.pieces, 0, (const void *)&header, vq->header_len);
	for (; m != NULL; at += m->data_len, m = m->next)
		scatter(vq, room.pieces, at, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
	for (uint16_t h = 0; h < room.n_heads; h++) {
		uint32_t part = (uint32_t)RTE_MIN(left, room.head_len[h]);
		use(&v, (uint16_t)(i + h), room.heads[h], part);
		left -= part;
	}
	return room.n_heads;
}

// Buffers are used again and again, and a driver leaves the header in front of the frame as it is. So it is
// only written if it says something else: a cache line that nobody writes stays with both.
static inline void put_header(uint8_t *at, uint32_t len)
{
	const struct virtio_net_hdr_mrg_rxbuf header = {.num_buffers = 1};

	if (likely(len == sizeof(header))) {
		if (memcmp(at, &header, sizeof(header)) != 0)
			memcpy(at, &header, sizeof(header));
	} else {
		memcpy(at, &header, sizeof(header.hdr));
	}
}

// Writes the first of n packets into the entries from the first on, as long as each finds a single buffer, as
// usual. Returns how many. Fetching the buffers' memory before brings nothing: the processor writes on while
// lines of earlier packets are still on their way.
static uint16_t write_singles(
	struct virtqueue *vq, uint16_t first, struct rte_mbuf **pkts, uint16_t n)
{
	const uint32_t header = vq->header_len;
	struct view v = view_of(vq);

	for (uint16_t i = 0; i < n; i++) {
		const struct rte_mbuf *m = pkts[i];
		uint32_t len = header + m->pkt_len;
		uint16_t entry = (uint16_t)(first + i);
		uint16_t head = head_at(&v, entry);
		struct piece to = single(vq, &v, head, VRING_DESC_F_WRITE, len);

		if (unlikely(to.at == NULL || m->nb_segs > 1))
			return i;
		put_header(to.at, header);
		rte_memcpy(to.at + header, rte_pktmbuf_mtod(m, const void *), m->data_len);
		log_write(vq, to.guest, len);
		use(&v, entry, head, len);
	}
	return n;
}

uint16_t virtqueue_enqueue(struct virtqueue *vq, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t n_entries = available(vq, vq->size), entry = 0, sent = 0;

	while (sent < n && entry < n_entries) {
		uint16_t batch = (uint16_t)RTE_MIN(n - sent, n_entries - entry);
		uint16_t singles = write_singles(vq, entry, pkts + sent, batch);
		entry = (uint16_t)(entry + singles);
		sent = (uint16_t)(sent + singles);
		if (singles == batch)
			continue;
		uint16_t took = write_chain(vq, entry, (uint16_t)(n_entries - entry), pkts[sent]);
		if (took == 0)
			break;
		entry = (uint16_t)(entry + took);
		sent++;
	}
	if (entry > 0)
		virtqueue_give_back(vq, entry);
	return sent;
}
