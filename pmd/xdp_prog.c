// A handful of instructions, assembled by hand: no compiler for BPF is needed at build or run time.
#include "pmd/xdp_prog.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static uint32_t mode_flag(bool native)
{
	return native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
}

// return bpf_redirect_map(&map, ctx->rx_queue_index, XDP_DROP);
static int prog_load(int map_fd)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_W,
			.dst_reg = BPF_REG_2,
			.src_reg = BPF_REG_1,
			.off = offsetof(struct xdp_md, rx_queue_index)},
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

static int prog_id(int prog_fd, uint32_t *ret_id)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int ret;

	ret = bpf_obj_get_info_by_fd(prog_fd, &info, &len);
	if (ret == 0)
		*ret_id = info.id;
	return ret;
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

int xdp_prog_attach(int ifindex, bool native, int socket_fd, uint32_t *ret_id, const char **ret_why)
{
	const uint32_t queue = 0;
	int map_fd, prog_fd, ret;

	*ret_why = "cannot create an XSKMAP (CAP_BPF?)";
	map_fd = bpf_map_create(
		BPF_MAP_TYPE_XSKMAP, "strata_port", sizeof(uint32_t), sizeof(uint32_t), 1, NULL);
	if (map_fd < 0)
		return map_fd;
	*ret_why = "cannot load the XDP program";
	prog_fd = prog_load(map_fd);
	if (prog_fd < 0) {
		ret = prog_fd;
		goto close_map;
	}
	ret = prog_id(prog_fd, ret_id);
	if (ret < 0)
		goto close_prog;
	*ret_why = "cannot put the socket into the XSKMAP";
	ret = bpf_map_update_elem(map_fd, &queue, &socket_fd, BPF_ANY);
	if (ret < 0)
		goto close_prog;
	*ret_why = "cannot attach the XDP program to the device";
	ret = prog_set(ifindex, native, prog_fd);
close_prog:
	close(prog_fd); // the device holds the program, and the program its map
close_map:
	close(map_fd);
	return ret;
}

void xdp_prog_detach(int ifindex, bool native, uint32_t id)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	int fd;

	// By id, so that a port need not keep a descriptor open for it.
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return;
	opts.old_prog_fd = fd;
	(void)bpf_xdp_detach(ifindex, mode_flag(native) | XDP_FLAGS_REPLACE, &opts);
	close(fd);
}
