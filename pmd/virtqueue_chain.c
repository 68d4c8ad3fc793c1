// Chains of descriptors of any form. Each ends, whatever the guest wrote.
#include "pmd/virtqueue_inner.h"

struct chain {
	const struct vring_desc *table; // the ring's, or an indirect one
	uint32_t n; // descriptors in the table
	uint32_t left; // that may still follow: a loop ends
	uint32_t at; // the next one
	bool ended;
};

// Follows an indirect descriptor (2.6.5.3) into its table.
static bool chain_begin(struct virtqueue *vq, uint16_t head, struct chain *c)
{
	if (head >= vq->size)
		return false;
	*c = (struct chain){.table = vq->desc, .n = vq->size, .left = vq->size, .at = head};
	struct vring_desc d = desc_read(&vq->desc[head]);
	if ((d.flags & VRING_DESC_F_INDIRECT) == 0)
		return true;
	if (d.len == 0 || d.len % sizeof(d) != 0 || (d.flags & VRING_DESC_F_NEXT) != 0)
		return false;
	*c = (struct chain){.table = host_of_all(vq, d.addr, d.len),
		.n = (uint32_t)(d.len / sizeof(d)),
		.left = vq->size};
	return c->table != NULL;
}

// False: the chain is broken. Not to be called when it has ended.
static bool chain_next(struct chain *c, struct vring_desc *ret_desc)
{
	if (c->left-- == 0 || c->at >= c->n)
		return false;
	*ret_desc = desc_read(&c->table[c->at]);
	if ((ret_desc->flags & VRING_DESC_F_INDIRECT) != 0)
		return false;
	c->at = ret_desc->next;
	c->ended = (ret_desc->flags & VRING_DESC_F_NEXT) == 0;
	return true;
}

// Where one descriptor's bytes are: in several pieces if they lie across two of the guest's regions.
static bool gather_one(struct virtqueue *vq, struct vring_desc d, struct piece *pieces, uint32_t *n)
{
	while (d.len > 0) {
		uint64_t len = d.len;
		void *at = host_of(vq, d.addr, &len);
		if (at == NULL || *n == VIRTQUEUE_PIECES_MAX)
			return false;
		pieces[(*n)++] = (struct piece){.at = at, .len = (uint32_t)len, .guest = d.addr};
		d.addr += len;
		d.len -= (uint32_t)len;
	}
	return true;
}

bool chain_gather(struct virtqueue *vq, uint16_t head, bool writable, struct piece *pieces,
	uint32_t *n_pieces)
{
	struct chain c;

	if (!chain_begin(vq, head, &c))
		return false;
	while (!c.ended) {
		struct vring_desc d;
		if (!chain_next(&c, &d) || ((d.flags & VRING_DESC_F_WRITE) != 0) != writable ||
			!gather_one(vq, d, pieces, n_pieces))
			return false;
	}
	return true;
}
