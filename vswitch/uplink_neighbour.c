// ARP and neighbour discovery on the wire: answer for local underlay pods on their VLAN, and tell
// the control thread who was seen where. What is not answered stays undecided: it may be the
// host's.
#include "vswitch/neighbour.h"
#include "vswitch/packet.h"
#include "vswitch/stages.h"

// Probes for duplicates are answered as well: Linux proxies do not, but a duplicate must be found.
// An address that has moved away is no longer a local route.
static bool is_ours(const struct burst *b, const struct pkt *p)
{
	const struct route *r = p->route;
	const struct node *node = b->node;

	if (r != NULL && r->kind == ROUTE_LOCAL_POD)
		return !r->overlay && r->vlan == p->vlan;
	// Without the host's stack on this uplink nobody else would answer for the VTEP.
	return !node->carries_host && p->vlan == 0 && !addr_is_unspecified(&p->dst) &&
	       (addr_equal(&p->dst, &node->vtep4) || addr_equal(&p->dst, &node->vtep6));
}

// Whose address the packet announces: the sender of any ARP but a probe, the target of an
// advertisement, the source of a solicitation.
static const struct in6_addr *announced(struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	bool is_advertisement = (p->flags & PKT_ND) != 0 && !is_neighbour_request(m);

	return is_advertisement ? &p->dst : &p->src;
}

static void tell_control(struct burst *b, struct rte_mbuf *m)
{
	const struct in6_addr *ip = announced(m);

	if (addr_is_unspecified(ip) || pkt(m)->lladdr_off == 0)
		return;
	struct punt *punt = burst_punt(b);
	if (punt != NULL)
		*punt = (struct punt){.kind = PUNT_NEIGHBOUR_SEEN,
			.vlan = pkt(m)->vlan,
			.mac = *lladdr_of(m),
			.ip = *ip,
			.subnet = SUBNET_NONE};
}

// Answers are always of interest: somebody may have asked. Of requests those are that come from
// somebody who is about to talk to us, or that announce an address which has a route.
static bool is_of_interest(const struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);
	bool is_gratuitous = addr_equal(&p->src, &p->dst) && p->route != NULL;

	return !is_neighbour_request(m) || is_ours(b, p) || is_gratuitous;
}

static bool handle(struct burst *b, struct rte_mbuf *m)
{
	const struct pkt *p = pkt(m);

	if (!is_neighbour(p) || (p->flags & PKT_TUNNEL) != 0)
		return true;
	if (is_of_interest(b, m))
		tell_control(b, m);
	if (is_neighbour_request(m) && is_ours(b, p))
		return neighbour_answer(b, m);
	return true;
}

void uplink_neighbour(struct burst *b)
{
	if ((b->seen & (PKT_ARP | PKT_ND)) != 0)
		burst_filter(b, handle);
}
