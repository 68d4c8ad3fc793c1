// A UMEM lives as long as a socket that has it, and a socket can share another's only while that
// one is bound to a device. Pods' devices come and go, so the UMEM belongs to a socket of its own,
// bound to the loopback device of a network namespace that nobody else knows: that device stays
// until the socket is closed.
//
// Registering the UMEM once per port instead needs no such socket and was no slower in a test with
// 50 ports. But it pins the pool and counts it as locked memory again each time, and costs the
// kernel 16 bytes more per page of the pool and port, a tenth of what a port takes anyway.
#include "pmd/umem.h"

#include "pmd/xsk.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWNER_RING_SIZE 1
#define LOOPBACK_IFINDEX 1 // in every network namespace

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static struct umem *list;

struct creation {
	struct umem *umem;
	int ret;
	const char *why;
};

static int loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd, ret;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = ioctl(fd, SIOCSIFFLAGS, &ifr) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int owner_register(struct umem *u, const char **ret_why)
{
	struct xdp_umem_reg reg = {.addr = (uintptr_t)u->base,
		.len = u->len,
		.chunk_size = UMEM_CHUNK,
		.headroom = UMEM_HEADROOM,
		.flags = XDP_UMEM_UNALIGNED_CHUNK_FLAG};
	int ret;

	*ret_why = "cannot register the packet pool as UMEM (locked memory limit, CAP_IPC_LOCK?)";
	if (setsockopt(u->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) < 0)
		return -errno;
	*ret_why = "cannot create the rings of the UMEM's socket";
	ret = xsk_ring_sizes(u->fd, OWNER_RING_SIZE);
	if (ret < 0)
		return ret;
	*ret_why = "cannot bind the UMEM's socket";
	// Sockets that share the UMEM inherit these flags.
	ret = xsk_bind(u->fd, LOOPBACK_IFINDEX, XDP_COPY | XDP_USE_NEED_WAKEUP | XDP_USE_SG, -1);
	u->multi_buffer = ret == 0;
	if (ret == -EINVAL) // a kernel before 6.6
		ret = xsk_bind(u->fd, LOOPBACK_IFINDEX, XDP_COPY | XDP_USE_NEED_WAKEUP, -1);
	return ret;
}

// Runs in a thread that is in a namespace of its own, and ends in it.
static void *owner_create(void *arg)
{
	struct creation *c = arg;

	c->why = "cannot create a network namespace (CAP_SYS_ADMIN?)";
	c->ret = unshare(CLONE_NEWNET) < 0 ? -errno : loopback_up();
	if (c->ret < 0)
		return NULL;
	c->why = "cannot create an AF_XDP socket (kernel without CONFIG_XDP_SOCKETS, CAP_NET_RAW?)";
	c->umem->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (c->umem->fd < 0) {
		c->ret = -errno;
		return NULL;
	}
	c->ret = owner_register(c->umem, &c->why);
	if (c->ret < 0)
		close(c->umem->fd);
	return NULL;
}

static int umem_new(struct rte_mempool *pool, struct umem **ret_umem, const char **ret_why)
{
	struct creation c = {0};
	pthread_t thread;
	void *base;
	int ret;

	*ret_why = "out of memory";
	c.umem = calloc(1, sizeof(*c.umem));
	if (c.umem == NULL)
		return -ENOMEM;
	c.umem->pool = pool;
	pool_range(pool, &base, &c.umem->len);
	c.umem->base = base;
	*ret_why = "cannot start a thread";
	ret = -pthread_create(&thread, NULL, owner_create, &c);
	if (ret == 0) {
		pthread_join(thread, NULL);
		ret = c.ret;
		*ret_why = c.why;
	}
	if (ret < 0) {
		free(c.umem);
		return ret;
	}
	*ret_umem = c.umem;
	return 0;
}

int umem_get(struct rte_mempool *pool, struct umem **ret_umem, const char **ret_why)
{
	struct umem *u;
	int ret = 0;

	pthread_mutex_lock(&list_lock);
	for (u = list; u != NULL && u->pool != pool; u = u->next)
		;
	if (u == NULL) {
		ret = umem_new(pool, &u, ret_why);
		if (ret == 0) {
			u->next = list;
			list = u;
		}
	}
	if (ret == 0) {
		u->n_users++;
		*ret_umem = u;
	}
	pthread_mutex_unlock(&list_lock);
	return ret;
}

void umem_put(struct umem *u)
{
	struct umem **link = &list;

	if (u == NULL)
		return;
	pthread_mutex_lock(&list_lock);
	u->n_users--;
	if (u->n_users == 0) {
		while (*link != u)
			link = &(*link)->next;
		*link = u->next;
		close(u->fd);
		free(u);
	}
	pthread_mutex_unlock(&list_lock);
}
