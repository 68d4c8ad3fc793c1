// The BPF programs of the generator for kernel pods: one makes frames, one counts them.
#include "kernel_shared.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NS_PER_S 1000000000
#define FIRST_PORT 1024

struct shared shared;

static bool due(uint64_t now)
{
	if (shared.start == 0)
		shared.start = now;
	return shared.rate == 0 ||
	       shared.sequence - shared.first < (now - shared.start) * shared.rate / NS_PER_S;
}

// UDP ports say which flow a frame belongs to, as in stream_fill().
static void set_ports(struct udphdr *udp, uint32_t flow)
{
	udp->source = bpf_htons(FIRST_PORT + (flow & 0x7fff));
	udp->dest = bpf_htons(FIRST_PORT + (flow >> 15));
}

// False: the frame has no room, which only the verifier doubts.
static bool set_headers(void *frame, void *end, const struct length *l)
{
	struct iphdr *ip4 = frame + sizeof(struct ethhdr);
	struct ipv6hdr *ip6 = (void *)ip4;
	struct udphdr *udp = shared.ip6 ? (void *)(ip6 + 1) : (void *)(ip4 + 1);

	if ((void *)(ip4 + 1) > end || (void *)(udp + 1) > end)
		return false;
	if (shared.ip6) {
		ip6->payload_len = l->ip_len;
	} else {
		ip4->tot_len = l->ip_len;
		ip4->check = l->ip_sum;
	}
	udp->len = l->udp_len;
	set_ports(udp, bpf_get_prandom_u32() % shared.n_flows);
	return true;
}

static bool set_trailer(void *frame, void *end, const struct length *l, uint64_t now)
{
	struct trailer *t = frame + (l->trailer & FRAME_MAX);

	if ((void *)(t + 1) > end)
		return false;
	*t = (struct trailer){.magic = TRAILER_MAGIC, .sequence = shared.sequence, .tsc = now};
	return true;
}

// Makes the next frame of the frame it runs on, which is the stream's longest, and sends it by the device. While
// none is due the frame is dropped.
SEC("xdp") int send(struct xdp_md *ctx)
{
	uint64_t now = bpf_ktime_get_ns();
	const struct length *l =
		&shared.lengths[shared.sequence % shared.n_lengths & (LENGTHS_MAX - 1)];

	shared.last = now;
	if (!due(now))
		return XDP_DROP;
	if (l->cut != 0 && bpf_xdp_adjust_tail(ctx, l->cut) < 0)
		return XDP_ABORTED;
	void *frame = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	if (!set_headers(frame, end, l) || !set_trailer(frame, end, l, now))
		return XDP_ABORTED;
	shared.sequence++;
	return (int)bpf_redirect(shared.device, 0);
}

static void measure(const struct trailer *t)
{
	shared.arrived++;
	if (t->sequence % SAMPLE_EVERY == 0)
		shared.samples[shared.n_samples++ & (SAMPLES - 1)] = bpf_ktime_get_ns() - t->tsc;
}

// Counts the frames that bear our mark, and passes none to its socket.
SEC("socket") int count(struct __sk_buff *skb)
{
	struct trailer t;

	if (skb->len < sizeof(t) ||
		bpf_skb_load_bytes(skb, skb->len - sizeof(t), &t, sizeof(t)) < 0)
		return 0;
	if (t.magic != TRAILER_MAGIC)
		return 0;
	shared.received++;
	if (t.sequence < shared.expected)
		shared.reordered++;
	else
		shared.expected = t.sequence + 1;
	if (t.sequence >= shared.first && t.sequence < shared.end)
		measure(&t);
	return 0;
}
