#include "tests/unit/pmd/guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void guest_reset(struct guest *g, uint64_t features, uint16_t next)
{
	memset(g->bytes[0], 0, GUEST_BUFFERS);
	g->rings->avail.idx = next;
	g->rings->used.idx = next;
	virtqueue_open(&g->vq,
		&(struct virtqueue_conf){.rings = {.desc = g->rings->desc,
						 .avail = (struct vring_avail *)&g->rings->avail,
						 .used = (struct vring_used *)&g->rings->used,
						 .size = GUEST_SIZE,
						 .callfd = g->call_fd},
			.memory = g->memory,
			.features = features,
			.next = next,
			.log_vid = -1});
}

void guest_open(struct guest *g, uint64_t features, uint16_t next)
{
	struct rte_vhost_memory *memory =
		calloc(1, sizeof(*memory) + 2 * sizeof(memory->regions[0]));

	*g = (struct guest){.memory = memory, .call_fd = eventfd(0, EFD_NONBLOCK)};
	memory->nregions = 2;
	for (int i = 0; i < 2; i++) {
		g->bytes[i] = calloc(1, GUEST_LEN);
		memory->regions[i] = (struct rte_vhost_mem_region){
			.guest_phys_addr = i == 0 ? GUEST_BASE : GUEST_BASE2,
			.size = GUEST_LEN,
			.host_user_addr = (uint64_t)(uintptr_t)g->bytes[i]};
	}
	g->rings = (struct guest_rings *)g->bytes[0];
	guest_reset(g, features, next);
}

void guest_close(struct guest *g)
{
	(void)close(g->call_fd);
	free(g->bytes[0]);
	free(g->bytes[1]);
	free(g->memory);
}

void guest_desc(
	struct guest *g, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	g->rings->desc[i] =
		(struct vring_desc){.addr = addr, .len = len, .flags = flags, .next = next};
}

void guest_offer(struct guest *g, uint16_t head)
{
	g->rings->avail.ring[g->rings->avail.idx % GUEST_SIZE] = head;
	g->rings->avail.idx++;
}

uint8_t *guest_at(struct guest *g, uint64_t addr)
{
	return addr < GUEST_BASE2 ? g->bytes[0] + (addr - GUEST_BASE)
				  : g->bytes[1] + (addr - GUEST_BASE2);
}
