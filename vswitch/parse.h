// Parsing, for the stage of that name and for what comes out of a tunnel.
#pragma once

#include "vswitch/burst.h"

#define PARSED DROP_REASON_COUNT

// Fills pkt(m) from the frame and cuts off its padding. Returns PARSED, or why the frame must be
// dropped. After it, all headers up to layer 4 are known to be there, in the first segment.
enum drop_reason parse_frame(struct rte_mbuf *m);

// What parse_cut() does for a packet that is not of that length.
bool parse_trim(struct rte_mbuf *m, uint32_t len);

// Cuts the packet to len bytes. False if it is shorter, or if more than padding would have to go from a
// chain: that is no frame a station sends.
static inline bool parse_cut(struct rte_mbuf *m, uint32_t len)
{
	return m->pkt_len == len || parse_trim(m, len);
}
