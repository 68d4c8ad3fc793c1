// Opening and closing of AF_XDP sockets, by system calls: libxdp's xsk_socket__create() wants to
// load its own program and to own the UMEM's first socket, and knows nothing of newer flags.
#include "pmd/xsk.h"

#include "pmd/umem.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

// Of kernel 6.17: lets one sendto() take more than 32 descriptors.
#define MAX_TX_SKB_BUDGET 9

// The kernel frees a closed socket's queue a moment later: how often and how long (µs) to wait for
// one that an earlier process, or an earlier port on the device, just gave up.
#define BIND_TRIES 200
#define BIND_WAIT 1000

// Copies of frames on their way to the pod count against the socket's send buffer; a full ring of
// the largest pieces must fit.
#define SEND_BUFFER_PER_ENTRY 8192

int xsk_ring_sizes(int fd, uint32_t size)
{
	static const int rings[] = {
		XDP_RX_RING, XDP_TX_RING, XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING};

	for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
		if (setsockopt(fd, SOL_XDP, rings[i], &size, sizeof(size)) < 0)
			return -errno;
	return 0;
}

int xsk_bind(int fd, int ifindex, uint16_t flags, int shared_fd)
{
	struct sockaddr_xdp addr = {
		.sxdp_family = AF_XDP, .sxdp_flags = flags, .sxdp_ifindex = (uint32_t)ifindex};

	if (shared_fd >= 0) {
		addr.sxdp_flags |= XDP_SHARED_UMEM;
		addr.sxdp_shared_umem_fd = (uint32_t)shared_fd;
	}
	return bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
}

// Of a socket that shares the UMEM's.
static int bind_shared(int fd, int ifindex, int umem_fd)
{
	int ret = xsk_bind(fd, ifindex, 0, umem_fd);

	for (int i = 0; ret == -EBUSY && i < BIND_TRIES; i++) {
		(void)usleep(BIND_WAIT);
		ret = xsk_bind(fd, ifindex, 0, umem_fd);
	}
	return ret;
}

struct ring_kind {
	uint64_t page_off;
	size_t entry_len;
};

static int ring_map(struct xsk_ring *r, int fd, const struct xdp_ring_offset *off, uint32_t size,
	const struct ring_kind *kind)
{
	size_t len = off->desc + size * kind->entry_len;
	char *map;

	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
		(off_t)kind->page_off);
	if (map == MAP_FAILED)
		return -errno;
	r->producer = (void *)(map + off->producer);
	r->consumer = (void *)(map + off->consumer);
	r->flags = (const void *)(map + off->flags);
	r->entries = map + off->desc;
	r->mask = size - 1;
	r->mine = 0;
	r->map = map;
	r->map_len = len;
	return 0;
}

static int rings_map(struct xsk *x, uint32_t size)
{
	static const struct ring_kind rx = {XDP_PGOFF_RX_RING, sizeof(struct xdp_desc)};
	static const struct ring_kind tx = {XDP_PGOFF_TX_RING, sizeof(struct xdp_desc)};
	static const struct ring_kind fill = {XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t)};
	static const struct ring_kind done = {XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(uint64_t)};
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);
	int ret;

	if (getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len) < 0)
		return -errno;
	if (len != sizeof(off))
		return -EPROTO;
	ret = ring_map(&x->rx, x->fd, &off.rx, size, &rx);
	if (ret == 0)
		ret = ring_map(&x->tx, x->fd, &off.tx, size, &tx);
	if (ret == 0)
		ret = ring_map(&x->fill, x->fd, &off.fr, size, &fill);
	if (ret == 0)
		ret = ring_map(&x->completion, x->fd, &off.cr, size, &done);
	return ret;
}

int xsk_open(const struct umem *u, int ifindex, uint32_t ring_size, struct xsk *ret_xsk,
	const char **ret_why)
{
	int send_buffer = (int)ring_size * SEND_BUFFER_PER_ENTRY;
	struct xsk x = {0};
	int ret;

	*ret_why = "cannot create an AF_XDP socket";
	x.fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (x.fd < 0)
		return -errno;
	*ret_why = "cannot create the rings of an AF_XDP socket";
	ret = xsk_ring_sizes(x.fd, ring_size);
	if (ret == 0)
		ret = rings_map(&x, ring_size);
	if (ret < 0)
		goto close_socket;
	*ret_why = "cannot bind an AF_XDP socket to the device (in use by another program?)";
	ret = bind_shared(x.fd, ifindex, u->fd);
	if (ret < 0)
		goto close_socket;
	// Both are for speed only: without them, frames take more system calls.
	(void)setsockopt(x.fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof(send_buffer));
	(void)setsockopt(x.fd, SOL_XDP, MAX_TX_SKB_BUDGET, &ring_size, sizeof(ring_size));
	*ret_xsk = x;
	return 0;

close_socket:
	xsk_close(&x);
	return ret;
}

static void ring_unmap(struct xsk_ring *r)
{
	if (r->map != NULL)
		(void)munmap(r->map, r->map_len);
	r->map = NULL;
}

void xsk_close(struct xsk *x)
{
	ring_unmap(&x->rx);
	ring_unmap(&x->tx);
	ring_unmap(&x->fill);
	ring_unmap(&x->completion);
	close(x->fd);
}
