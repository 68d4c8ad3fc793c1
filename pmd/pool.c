// The packet pool. rte_pktmbuf_pool_create() would spread it over several memory zones, and with
// small pages give every buffer a page of its own, at the same offset: that wastes a third of the
// memory and makes all packet headers compete for one set of the first-level cache. So the memory
// is laid out here.
#include "pmd/pool.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memory.h>
#include <rte_memzone.h>

#include <errno.h>
#include <numa.h>
#include <string.h>
#include <sys/mman.h>

#define POOL_CACHE 512 // buffers per lcore that need no access to the common ring
#define POOL_PAGE 4096 // what the kernel pins; hugepages are multiples of it
#define POOL_PAD POOL_PAGE // in front of the first buffer, see pool_range()
#define HUGEPAGE_SIZE (2 * 1024 * 1024UL)

static void zone_free(struct rte_mempool_memhdr *, void *zone)
{
	rte_memzone_free(zone);
}

static void mapping_free(struct rte_mempool_memhdr *hdr, void *)
{
	(void)munmap((char *)hdr->addr - POOL_PAD, POOL_PAD + hdr->len);
}

// IO addresses are virtual ones: the whole range is one chunk, filled without a gap. Dense matters
// to net_af_xdp, which computes the end of its UMEM from the number of buffers.
static int populate_dense(struct rte_mempool *mp, char *addr, size_t len,
	rte_mempool_memchunk_free_cb_t *f, void *arg)
{
	int ret;

	// Without this flag buffers would not cross page boundaries.
	mp->flags |= RTE_MEMPOOL_F_NO_IOVA_CONTIG;
	ret = rte_mempool_populate_iova(mp, addr, (rte_iova_t)addr, len, f, arg);
	// Virtual addresses are contiguous, so every buffer is fit for IO after all.
	mp->flags &= ~(unsigned)(RTE_MEMPOOL_F_NO_IOVA_CONTIG | RTE_MEMPOOL_F_NON_IO);
	return ret;
}

static int populate_hugepages(struct rte_mempool *mp)
{
	char zone_name[RTE_MEMZONE_NAMESIZE];
	const struct rte_memzone *zone;
	size_t page, min_chunk, align;
	ssize_t len;
	char *addr;
	int ret;

	ret = rte_mempool_get_page_size(mp, &page);
	if (ret < 0)
		return ret;
	bool dense = rte_eal_iova_mode() == RTE_IOVA_VA;
	len = rte_mempool_op_calc_mem_size_default(
		mp, mp->size, dense ? 0 : rte_bsf64(page), &min_chunk, &align);
	if (len < 0)
		return (int)len;
	if (snprintf(zone_name, sizeof(zone_name), "%s_mem", mp->name) >= (int)sizeof(zone_name))
		return -ENAMETOOLONG;
	zone = rte_memzone_reserve_aligned(zone_name,
		RTE_ALIGN_CEIL((size_t)len, POOL_PAGE) + (dense ? POOL_PAD : 2 * page),
		mp->socket_id, RTE_MEMZONE_SIZE_HINT_ONLY, POOL_PAGE);
	if (zone == NULL)
		return -rte_errno;
	addr = (char *)zone->addr + POOL_PAD;
	if (dense)
		ret = populate_dense(
			mp, addr, zone->len - POOL_PAD, zone_free, (void *)(uintptr_t)zone);
	else
		ret = rte_mempool_populate_virt(
			mp, addr, zone->len - POOL_PAD, page, zone_free, (void *)(uintptr_t)zone);
	if (ret <= 0)
		rte_memzone_free(zone);
	return ret;
}

// Memory of our own, since --no-huge's -m bounds EAL's. The kernel is asked for transparent
// hugepages, and the mapping begins where one may begin.
static int populate_ordinary(struct rte_mempool *mp)
{
	size_t object = mp->header_size + mp->elt_size + mp->trailer_size;
	size_t len = RTE_ALIGN_CEIL(mp->size * object, POOL_PAGE);
	size_t mapped = POOL_PAD + len;
	size_t slack = HUGEPAGE_SIZE;
	char *addr, *start;
	int ret;

	addr = mmap(
		NULL, mapped + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (addr == MAP_FAILED)
		return -errno;
	start = RTE_PTR_ALIGN_CEIL(addr, HUGEPAGE_SIZE);
	if (start > addr)
		(void)munmap(addr, (size_t)(start - addr));
	(void)munmap(start + mapped, (size_t)(addr + slack - start));
	(void)madvise(start, mapped, MADV_HUGEPAGE); // small pages work as well
	if (mp->socket_id != SOCKET_ID_ANY && numa_available() >= 0)
		numa_tonode_memory(start, mapped, mp->socket_id);
	ret = populate_dense(mp, start + POOL_PAD, len, mapping_free, NULL);
	if (ret <= 0)
		(void)munmap(start, mapped);
	return ret;
}

static uint32_t cache_size(uint32_t n)
{
	// A cache holds up to one and a half times its size; a small pool must not end up in caches.
	return RTE_MIN((uint32_t)POOL_CACHE, n / 8);
}

struct rte_mempool *pool_new(const char *name, uint32_t n, uint16_t priv_size, int socket)
{
	struct rte_pktmbuf_pool_private priv = {
		.mbuf_data_room_size = POOL_DATA_ROOM, .mbuf_priv_size = priv_size};
	uint32_t size = (uint32_t)sizeof(struct rte_mbuf) + priv_size + POOL_DATA_ROOM;
	struct rte_mempool *mp;
	int ret;

	if (RTE_ALIGN(priv_size, RTE_MBUF_PRIV_ALIGN) != priv_size) {
		rte_errno = EINVAL;
		return NULL;
	}
	mp = rte_mempool_create_empty(name, n, size, cache_size(n), sizeof(priv), socket, 0);
	if (mp == NULL)
		return NULL;
	ret = rte_mempool_set_ops_byname(mp, rte_mbuf_best_mempool_ops(), NULL);
	if (ret < 0)
		goto free_pool;
	rte_pktmbuf_pool_init(mp, &priv);
	ret = rte_eal_has_hugepages() ? populate_hugepages(mp) : populate_ordinary(mp);
	if (ret >= 0 && mp->populated_size < n)
		ret = -ENOMEM;
	if (ret < 0)
		goto free_pool;
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;

free_pool:
	rte_mempool_free(mp);
	rte_errno = -ret;
	return NULL;
}

// Of one segment, no clone, and nobody else's too.
static inline bool is_whole(const struct rte_mbuf *m)
{
	return m->next == NULL && RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1;
}

void pool_free_bulk(struct rte_mbuf **pkts, uint16_t n)
{
	struct rte_mempool *pool = n > 0 ? pkts[0]->pool : NULL;
	uint16_t n_whole = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		if (likely(is_whole(m) && m->pool == pool))
			pkts[n_whole++] = m;
		else
			rte_pktmbuf_free(m);
	}
	if (n_whole > 0)
		rte_mempool_put_bulk(pool, (void **)pkts, n_whole);
}

void pool_range(struct rte_mempool *pool, void **ret_addr, size_t *ret_len)
{
	const struct rte_mempool_memhdr *hdr;
	uintptr_t start = UINTPTR_MAX, end = 0;

	STAILQ_FOREACH(hdr, &pool->mem_list, next)
	{
		start = RTE_MIN(start, (uintptr_t)hdr->addr);
		end = RTE_MAX(end, (uintptr_t)hdr->addr + hdr->len);
	}
	start -= POOL_PAD;
	*ret_addr = (void *)start;
	*ret_len = RTE_ALIGN_FLOOR(end, (uintptr_t)POOL_PAGE) - start;
}
