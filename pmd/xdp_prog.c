// A handful of instructions, assembled by hand: no compiler for BPF is needed at build or run time.
#include "pmd/xdp_prog.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

// A device's socket is in the place of its index's lower bits. Where another port has that place
// already (65,536 devices have come since), a further program with a map of its own takes the port.
#define PLACES 65536

struct xdp_prog {
	int fd, map_fd;
	uint32_t n_ports;
	struct xdp_prog *next;
};

static pthread_mutex_t lock =
	PTHREAD_MUTEX_INITIALIZER; // of the list; ports are opened in several threads
static struct xdp_prog *list;

static uint32_t mode_flag(bool native)
{
	return native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
}

// return bpf_redirect_map(&map, ctx->ingress_ifindex % PLACES, XDP_DROP);
static int prog_load(int map_fd)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_W,
			.dst_reg = BPF_REG_2,
			.src_reg = BPF_REG_1,
			.off = offsetof(struct xdp_md, ingress_ifindex)},
		{.code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = BPF_REG_2, .imm = PLACES - 1},
		{.code = BPF_LD | BPF_IMM | BPF_DW,
			.dst_reg = BPF_REG_1,
			.src_reg = BPF_PSEUDO_MAP_FD,
			.imm = map_fd},
		{0}, // upper half of the immediate
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_DROP},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS);

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "strata_port", "Dual BSD/GPL", insns,
		sizeof(insns) / sizeof(insns[0]), &opts);
}

// Replaces whatever an earlier process left. The kernel refuses a second program in another mode,
// so that one goes first; frames that come in between go to the node's stack, which has no address
// on the device.
static int prog_set(int ifindex, bool native, int prog_fd)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, there);
	int ret;

	ret = bpf_xdp_query(ifindex, 0, &there);
	if (ret < 0)
		return ret;
	if ((native ? there.skb_prog_id : there.drv_prog_id) != 0) {
		ret = bpf_xdp_detach(ifindex, mode_flag(!native), NULL);
		if (ret < 0)
			return ret;
	}
	return bpf_xdp_attach(ifindex, prog_fd, mode_flag(native), NULL);
}

static int prog_new(struct xdp_prog **ret_prog, const char **ret_why)
{
	struct xdp_prog *p = calloc(1, sizeof(*p));

	*ret_why = "out of memory";
	if (p == NULL)
		return -ENOMEM;
	*ret_why = "cannot create an XSKMAP (CAP_BPF?)";
	p->map_fd = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "strata_port", sizeof(uint32_t),
		sizeof(uint32_t), PLACES, NULL);
	if (p->map_fd < 0) {
		int ret = p->map_fd;

		free(p);
		return ret;
	}
	*ret_why = "cannot load the XDP program";
	p->fd = prog_load(p->map_fd);
	if (p->fd < 0) {
		int ret = p->fd;

		close(p->map_fd);
		free(p);
		return ret;
	}
	p->next = list;
	list = p;
	*ret_prog = p;
	return 0;
}

// Devices that still have the program keep it.
static void put(struct xdp_prog *p)
{
	struct xdp_prog **link = &list;

	if (--p->n_ports > 0)
		return;
	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	close(p->fd);
	close(p->map_fd);
	free(p);
}

static int put_socket(const struct xdp_prog *p, int ifindex, int socket_fd)
{
	const uint32_t place = (uint32_t)ifindex % PLACES;

	return bpf_map_update_elem(p->map_fd, &place, &socket_fd, BPF_NOEXIST);
}

// A program that has the socket in the device's place, which was free.
static int get(int ifindex, int socket_fd, struct xdp_prog **ret_prog, const char **ret_why)
{
	struct xdp_prog *p;
	int ret = 0;

	for (p = list; p != NULL; p = p->next) {
		ret = put_socket(p, ifindex, socket_fd);
		if (ret != -EEXIST)
			break;
	}
	if (p == NULL) {
		ret = prog_new(&p, ret_why);
		if (ret < 0)
			return ret;
		ret = put_socket(p, ifindex, socket_fd);
	}
	p->n_ports++;
	*ret_why = "cannot put the socket into the XSKMAP";
	if (ret < 0)
		put(p);
	else
		*ret_prog = p;
	return ret;
}

int xdp_prog_attach(
	int ifindex, bool native, int socket_fd, struct xdp_prog **ret_prog, const char **ret_why)
{
	struct xdp_prog *p;
	int ret;

	pthread_mutex_lock(&lock);
	ret = get(ifindex, socket_fd, &p, ret_why);
	pthread_mutex_unlock(&lock);
	if (ret < 0)
		return ret;
	*ret_why = "cannot attach the XDP program to the device";
	ret = prog_set(ifindex, native, p->fd);
	if (ret < 0) {
		pthread_mutex_lock(&lock);
		put(p);
		pthread_mutex_unlock(&lock);
		return ret;
	}
	*ret_prog = p;
	return 0;
}

void xdp_prog_detach(int ifindex, bool native, struct xdp_prog *p)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	char name[IF_NAMESIZE];

	if (p == NULL)
		return;
	opts.old_prog_fd = p->fd;
	// Where the device is gone, so is the program: no need to queue for the kernel's lock to hear it.
	if (if_indextoname((unsigned)ifindex, name) != NULL)
		(void)bpf_xdp_detach(ifindex, mode_flag(native) | XDP_FLAGS_REPLACE, &opts);
	pthread_mutex_lock(&lock);
	put(p);
	pthread_mutex_unlock(&lock);
}
