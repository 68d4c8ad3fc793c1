// See peer.h.
#include "peer.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define TEST_ETHERTYPE 0x88b5 // local experimental
#define RECEIVE_BUFFER (8 * 1024 * 1024)

void peer_sh(const char *format, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

int peer_open(const char *ifname)
{
	struct sockaddr_ll addr = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(ifname)};
	struct timeval patience = {.tv_sec = 1};
	int buffer = RECEIVE_BUFFER, on = 1, fd;

	fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) < 0) {
		perror("packet socket");
		abort();
	}
	return fd;
}

void peer_send(int fd, const void *frame, size_t len)
{
	if (send(fd, frame, len, 0) != (ssize_t)len) {
		perror("send");
		abort();
	}
}

// The kernel takes a tag out of the frame and tells about it aside: puts it back.
static ssize_t restore_tag(const struct msghdr *msg, uint8_t *frame, size_t room, ssize_t len)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct tpacket_auxdata aux;
	uint16_t tag[2];

	if (c == NULL || c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
		return len;
	memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID) || (size_t)len + sizeof(tag) > room)
		return len;
	tag[0] = htons(aux.tp_vlan_tpid);
	tag[1] = htons(aux.tp_vlan_tci);
	memmove(frame + 2 * ETH_ALEN + sizeof(tag), frame + 2 * ETH_ALEN,
		(size_t)len - 2 * ETH_ALEN);
	memcpy(frame + 2 * ETH_ALEN, tag, sizeof(tag));
	return len + (ssize_t)sizeof(tag);
}

ssize_t peer_receive(int fd, void *frame, size_t len)
{
	char control[256];
	struct iovec iov = {.iov_base = frame, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(fd, &msg, 0);

	return got < 0 ? -1 : restore_tag(&msg, frame, len, got);
}

void peer_frame(uint8_t *frame, size_t len, uint8_t seed)
{
	static const uint8_t head[] = {0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0x02,
		TEST_ETHERTYPE >> 8, TEST_ETHERTYPE & 0xff};

	for (size_t i = 0; i < len; i++)
		frame[i] = (uint8_t)(seed + i * 7 + i / 251);
	memcpy(frame, head, sizeof(head));
}
