// A veth pair for the tests of this folder, and raw frames in and out of its far end.
#pragma once

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct veth {
	char near[IFNAMSIZ]; // the port's end
	char far[IFNAMSIZ]; // the wire's end
	int fd; // raw socket on the far end
};

static inline int veth_run(const char *format, const char *a, const char *b)
{
	char cmd[256];

	(void)snprintf(cmd, sizeof(cmd), format, a, b);
	return system(cmd) == 0 ? 0 : -1;
}

// Removes the pair. Does nothing to one that was not made.
static inline void veth_del(struct veth *v)
{
	if (v->fd > 0)
		(void)close(v->fd);
	if (v->near[0] != '\0')
		(void)veth_run("ip link del %s", v->near, "");
	*v = (struct veth){0};
}

// Creates the pair, without IPv6 so that no frames but the test's are on it.
static inline int veth_add(struct veth *v, const char *name)
{
	struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	(void)snprintf(v->near, sizeof(v->near), "pmd%sa%d", name, getpid() % 10000);
	(void)snprintf(v->far, sizeof(v->far), "pmd%sb%d", name, getpid() % 10000);
	if (veth_run("ip link add %s type veth peer name %s", v->near, v->far) < 0)
		return -1;
	(void)veth_run("echo 1 > /proc/sys/net/ipv6/conf/%s/disable_ipv6", v->near, "");
	(void)veth_run("echo 1 > /proc/sys/net/ipv6/conf/%s/disable_ipv6", v->far, "");
	if (veth_run("ip link set %s up && ip link set %s up", v->near, v->far) < 0)
		return -1;
	addr.sll_ifindex = (int)if_nametoindex(v->far);
	v->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	if (v->fd < 0)
		return -1;
	return bind(v->fd, (struct sockaddr *)&addr, sizeof(addr));
}

// Receives one frame that the wire's end got, tag and all. Returns its length, 0 after a second
// without one. The kernel hands a tag over beside the frame; it is put back here.
static inline size_t veth_recv(struct veth *v, uint8_t *frame, size_t room)
{
	const int on = 1;
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct sockaddr_ll from;
	struct pollfd p = {.fd = v->fd, .events = POLLIN};

	(void)setsockopt(v->fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on));
	while (poll(&p, 1, 1000) == 1) {
		struct iovec iov = {.iov_base = frame, .iov_len = room - 4};
		struct msghdr msg = {.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		ssize_t len = recvmsg(v->fd, &msg, 0);
		if (len < 14 || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
			struct tpacket_auxdata aux;
			memcpy(&aux, CMSG_DATA(c), sizeof(aux));
			if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0)
				continue;
			memmove(frame + 16, frame + 12, (size_t)len - 12);
			frame[12] = (uint8_t)(aux.tp_vlan_tpid >> 8);
			frame[13] = (uint8_t)aux.tp_vlan_tpid;
			frame[14] = (uint8_t)(aux.tp_vlan_tci >> 8);
			frame[15] = (uint8_t)aux.tp_vlan_tci;
			len += 4;
		}
		return (size_t)len;
	}
	return 0;
}
